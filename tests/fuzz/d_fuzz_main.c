// SPDX-License-Identifier: Apache-2.0
/*
 * A driver for a fuzz target where there is no libFuzzer: d_fuzz DIRECTORY SECONDS [SEED]. Runs every file of the
 * directory, then mutations of them. What it runs stands in d_fuzz.last until it has survived, so that a crash can be
 * had again: d_fuzz d_fuzz.last 0.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "util/util.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

#define MAX_TEXT  (16 * 1024)
#define MAX_FILES 256

struct input {
	size_t len;
	u8 data[MAX_TEXT];
};

static struct input files[MAX_FILES];
static size_t nfiles;
static u64 seed = 1;
static int last = -1; /* the file d_fuzz.last */

/* Words that random bytes would not find. */
static const char *const words[] = {
    "self->",
    "this->",
    "@",
    "@a[",
    "count()",
    "sum(",
    "lquantize(arg0, 0, 10, 1)",
    "printf(\"%d\", ",
    "printa(",
    "inline int X = ",
    "X",
    "EIO",
    "BEGIN",
    "syscall:::entry",
    "/",
    "{",
    "}",
    "(",
    ")",
    "[",
    "]",
    ";",
    ",",
    "==",
    "!=",
    "&&",
    "||",
    "^^",
    "<<=",
    "++",
    "--",
    "?",
    ":",
    "=",
    "+=",
    "*",
    "&",
    "->",
    ".",
    "$1",
    "$$2",
    "$target",
    "$9",
    "$4",
    "\"",
    "'",
    "\\",
    "/*",
    "*/",
    "#pragma D option ",
    "# 1 \"f\"\n",
    "\n",
    "#",
    "0x",
    "9223372036854775807",
    "-1",
    "0",
    "sizeof",
    "stringof",
    "(char *)",
    "(int)",
    "int ",
    "string ",
    "unsigned ",
    "long ",
    "args[1]",
    "args[2]",
    "arg0",
    "pid",
    "execname",
    "probefunc",
    "copyinstr(",
    "strstr(",
    "NULL",
    "x",
    "y",
    "a[1]",
    "%s",
    "%*d",
    "%@d",
    "%%",
    "trace(",
    "exit(0)",
    "clear(@a)",
    "trunc(@a, 1)",
    "\xc3\xa9",
};

static u32 rnd(size_t below)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return below ? (u32)(seed % below) : 0;
}

static void replace(struct input *in, size_t at, size_t remove, const void *p, size_t n)
{
	if (at + remove > in->len)
		remove = in->len - at;
	if (in->len - remove + n > MAX_TEXT)
		return;
	memmove(in->data + at + n, in->data + at + remove, in->len - at - remove);
	memcpy(in->data + at, p, n);
	in->len = in->len - remove + n;
}

static void insert_word(struct input *in)
{
	const char *w = words[rnd(ARRAY_SIZE(words))];

	replace(in, rnd(in->len + 1), rnd(4) ? 0 : rnd(8), w, strlen(w));
}

static void change_byte(struct input *in)
{
	u8 b = (u8)rnd(256);

	replace(in, rnd(in->len + 1), rnd(2), &b, 1);
}

static void cut(struct input *in)
{
	replace(in, rnd(in->len + 1), rnd(40), "", 0);
}

static void repeat(struct input *in)
{
	static u8 copy[MAX_TEXT];
	size_t at = rnd(in->len + 1), n = rnd(in->len - at < 60 ? in->len - at : 60), times = rnd(2) ? 1 : rnd(600);

	memcpy(copy, in->data + at, n);
	while (times--)
		replace(in, at, 0, copy, n);
}

static void cross(struct input *in)
{
	const struct input *other = &files[rnd(nfiles)];
	size_t at = rnd(other->len), n = rnd(other->len - at);

	replace(in, rnd(in->len + 1), rnd(2) ? 0 : rnd(in->len), other->data + at, n);
}

static void (*const mutations[])(struct input *) = {insert_word, insert_word, change_byte, cut, repeat, cross};

static void run(const struct input *in)
{
	if (last >= 0 && (pwrite(last, in->data, in->len, 0) < 0 || ftruncate(last, (off_t)in->len)))
		last = -1;
	LLVMFuzzerTestOneInput(in->data, in->len);
}

/* A script, with the byte before it that chooses the mode; or an input that was saved with it. */
static void load(const char *path, bool saved)
{
	struct input *in = &files[nfiles];
	FILE *f = fopen(path, "r");

	if (!f || nfiles == MAX_FILES)
		return;
	in->len = !saved + fread(in->data + !saved, 1, MAX_TEXT - 1, f);
	nfiles += in->len > 1;
	fclose(f);
}

static void load_all(const char *dir)
{
	DIR *d = opendir(dir);
	char path[4096];

	if (!d) {
		load(dir, true);
		return;
	}
	for (struct dirent *e; (e = readdir(d));) {
		snprintf(path, sizeof(path), "%s/%s", dir, e->d_name);
		if (e->d_name[0] != '.')
			load(path, false);
	}
	closedir(d);
}

int main(int argc, char **argv)
{
	static struct input in;
	u64 runs = 0;

	if (argc < 3) {
		fprintf(stderr, "usage: %s DIRECTORY SECONDS [SEED]\n", argv[0]);
		return 2;
	}
	seed = argc > 3 ? strtoull(argv[3], NULL, 0) | 1 : 0x9e3779b97f4a7c15ull;
	load_all(argv[1]);
	if (!nfiles) {
		fprintf(stderr, "%s: no input in %s\n", argv[0], argv[1]);
		return 1;
	}
	last = atoi(argv[2]) ? open("d_fuzz.last", O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;

	time_t end = time(NULL) + atoi(argv[2]);

	for (size_t i = 0; i < nfiles; i++)
		run(&files[i]);
	for (; time(NULL) < end; runs++) {
		in = files[rnd(nfiles)];
		in.data[0] = rnd(3) ? 0 : (u8)rnd(256);
		for (u32 n = 1 + rnd(6); n; n--)
			mutations[rnd(ARRAY_SIZE(mutations))](&in);
		run(&in);
	}
	printf("%llu texts from %zu files\n", (unsigned long long)runs, nfiles);
	return 0;
}
