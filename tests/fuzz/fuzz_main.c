// SPDX-License-Identifier: Apache-2.0
/*
 * A driver for the fuzz targets where there is no libFuzzer: X_fuzz DIRECTORY SECONDS [SEED]. Runs every file of the
 * directory, then mutations of them; "-" in place of the directory: of nothing, and of a few random bytes. What it
 * runs stands in X_fuzz.last until it has survived, so that a crash can be had again: X_fuzz X_fuzz.last 0.
 */
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <fcntl.h>
#include <time.h>
#include <unistd.h>

#include "fuzz.h"

#define MAX_TEXT  (16 * 1024)
#define MAX_FILES 256

struct input {
	size_t len;
	u8 data[MAX_TEXT];
};

static struct input files[MAX_FILES];
static size_t nfiles;
static u64 seed = 1;
static int last = -1; /* the file X_fuzz.last */

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
	if (in->len - remove + n > fuzz_hints.max)
		return;
	memmove(in->data + at + n, in->data + at + remove, in->len - at - remove);
	memcpy(in->data + at, p, n);
	in->len = in->len - remove + n;
}

static void insert_word(struct input *in)
{
	static const u8 pieces[][8] = {{0}, {1}, {255, 255, 255, 255, 255, 255, 255, 255}, {0, 0, 0, 128}, {0, 16}};

	if (fuzz_hints.nwords) {
		const char *w = fuzz_hints.words[rnd(fuzz_hints.nwords)];

		replace(in, rnd(in->len + 1), rnd(4) ? 0 : rnd(8), w, strlen(w));
	} else {
		replace(in, rnd(in->len + 1), rnd(9), pieces[rnd(ARRAY_SIZE(pieces))], 1 + rnd(8));
	}
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
	size_t at = rnd(other->len + 1), n = rnd(other->len - at + 1);

	replace(in, rnd(in->len + 1), rnd(2) ? 0 : rnd(in->len), other->data + at, n);
}

static void (*const mutations[])(struct input *) = {insert_word, insert_word, change_byte, cut, repeat, cross};

static void run(const struct input *in)
{
	if (last >= 0 && (pwrite(last, in->data, in->len, 0) < 0 || ftruncate(last, (off_t)in->len)))
		last = -1;
	LLVMFuzzerTestOneInput(in->data, in->len);
}

/* A file, with the byte before it that chooses the mode, where there is one; or an input that was saved with it. */
static void load(const char *path, bool saved)
{
	size_t before = fuzz_hints.mode && !saved;
	struct input *in = &files[nfiles];
	FILE *f = fopen(path, "r");

	if (!f || nfiles == MAX_FILES)
		return;
	in->len = before + fread(in->data + before, 1, fuzz_hints.max - before, f);
	nfiles += in->len > before;
	fclose(f);
}

/* For targets that start from something of their own. */
static void make_some(void)
{
	for (nfiles = 1; nfiles < 16; nfiles++)
		for (struct input *in = &files[nfiles]; in->len < 8 * nfiles; in->len++)
			in->data[in->len] = (u8)rnd(256);
}

static void load_all(const char *dir)
{
	DIR *d = strcmp(dir, "-") ? opendir(dir) : NULL;
	char path[4096];

	if (!strcmp(dir, "-")) {
		make_some();
		return;
	}
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
	char name[256];
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
	snprintf(name, sizeof(name), "%s.last", strrchr(argv[0], '/') ? strrchr(argv[0], '/') + 1 : argv[0]);
	last = atoi(argv[2]) ? open(name, O_RDWR | O_CREAT | O_TRUNC, 0600) : -1;

	time_t end = time(NULL) + atoi(argv[2]);

	for (size_t i = 0; i < nfiles; i++)
		run(&files[i]);
	for (; time(NULL) < end; runs++) {
		in = files[rnd(nfiles)];
		if (fuzz_hints.mode)
			in.data[0] = rnd(3) ? 0 : (u8)rnd(256);
		for (u32 n = 1 + rnd(6); n; n--)
			mutations[rnd(ARRAY_SIZE(mutations))](&in);
		run(&in);
	}
	printf("%llu inputs from %zu seeds\n", (unsigned long long)runs, nfiles);
	return 0;
}
