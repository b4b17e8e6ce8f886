// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz the D front end. With clang: clang -fsanitize=fuzzer,address d_fuzz.c ...; with any compiler, together with
 * fuzz_main.c, which mutates a corpus by itself. So are the other targets.
 */
#include <stdlib.h>
#include <string.h>

#include "d/d.h"
#include "fuzz.h"

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

const struct fuzz_hints fuzz_hints = {words, ARRAY_SIZE(words), .mode = true, .max = 16 * 1024};

struct seen {
	unsigned messages;
	bool bad;
};

/* A message is the line itself, and for a place the line of the script and a caret. */
static void sink(void *arg, enum diag_level level, const char *text)
{
	struct seen *s = arg;
	size_t lines = 0;

	for (const char *p = text; *p; p++)
		lines += *p == '\n';
	s->messages++;
	s->bad |= strncmp(text, "pydtrace: ", 10) || (lines != 1 && lines != 3);
}

static const char *arg_type(void *arg, const struct d_clause *c, u32 n)
{
	static const char *const types[] = {"int64_t", "string", "uint32_t **", "struct foo *"};

	return n < ARRAY_SIZE(types) ? types[n] : NULL;
}

static void walk(struct d_program *prog)
{
	struct strbuf dump = {0};
	struct d_node **conj;

	d_dump(&dump, prog);
	strbuf_free(&dump);
	for (size_t i = 0; i < prog->clauses.n; i++)
		d_conjuncts(prog->arena, prog->clauses.v[i]->pred, &conj);
}

/* The first byte chooses how the text is read; the rest is the text. */
int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const char *const args[] = {"x.d", "123", "name", "a:b*", "\"quoted\\n\"", "99999999999999999999",
					   ""};
	struct d_macros macros = {.args = args, .nargs = ARRAY_SIZE(args)};
	struct d_program prog = {.arena = arena_new()};
	u8 mode = size ? *data : 0;
	struct d_parse_config cfg = {mode & 8 ? (enum d_desc_part)(mode & 3) : D_DESC_NAME, (mode & 48) == 48,
				     &macros};
	struct d_resolver resolver = {NULL, arg_type, mode & 64, mode & 128 ? 8 : 256};
	struct seen seen = {0};
	struct diag diag = {sink, &seen};
	struct source src = {"fuzz.d"};
	int err;

	macros.default_args = mode & 4;
	src.len = size ? size - 1 : 0;
	src.text = arena_strndup(prog.arena, (const char *)data + (size > 0), src.len);
	err = d_parse(&prog, &src, &cfg, &diag);
	if (!err) {
		walk(&prog);
		err = d_check(&prog, &resolver, &diag);
	}
	if (!err)
		walk(&prog);
	/* Exactly one message, when and only when it failed. */
	if (seen.bad || seen.messages != (err ? 1 : 0))
		abort();
	arena_free(prog.arena);
	return 0;
}
