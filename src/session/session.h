// SPDX-License-Identifier: Apache-2.0
/*
 * One tracing run, from the texts of the script to the last line of output, with every clean-up: whatever fails, nothing
 * of ours is left in the target.
 */
#ifndef PYDTRACE_SESSION_H
#define PYDTRACE_SESSION_H

#include "d/d.h"

/* --- options: -x name=value and #pragma D option ---------------------------------------------------- */

enum session_option_kind {
	OPTION_FLAG, /* without a value: on; yes no on off true false set unset enable disable */
	OPTION_SIZE, /* bytes; k m g t */
	OPTION_RATE, /* ns; 10hz 100ms 1s ... */
	OPTION_NUMBER,
	OPTION_CHOICE, /* one of the words in `help` before the colon */
	OPTION_CPP,    /* an argument for the C preprocessor, after the prefix in `help` */
	OPTION_UNUSED, /* accepted, without effect: for scripts that were written for another DTrace */
};

/* One row an option. X(enum suffix, name, kind, default, smallest, largest, help) */
#define SESSION_OPTIONS(X)                                                                                         \
	X(AGGRATE, "aggrate", OPTION_RATE, 0, 0, INT64_MAX,                                                        \
	  "read the aggregations at this rate (they are read when printed)")                                       \
	X(AGGSIZE, "aggsize", OPTION_SIZE, 4 << 20, 4096, 1 << 30, "bytes for each aggregation, on each CPU")      \
	X(AGGSORTKEY, "aggsortkey", OPTION_FLAG, 0, 0, 1, "sort aggregations by key, not by value")                \
	X(AGGSORTKEYPOS, "aggsortkeypos", OPTION_NUMBER, 0, 0, 63, "sort by this key first")                       \
	X(AGGSORTPOS, "aggsortpos", OPTION_NUMBER, 0, 0, 63, "printa() of several: sort by this one's value")      \
	X(AGGSORTREV, "aggsortrev", OPTION_FLAG, 0, 0, 1, "sort downwards")                                        \
	X(ARGREF, "argref", OPTION_FLAG, 0, 0, 1, "do not complain of macro arguments that are not used")          \
	X(BUFSIZE, "bufsize", OPTION_SIZE, 4 << 20, 4096, 1 << 30, "bytes of the buffer of records")               \
	X(CPP, "cpp", OPTION_FLAG, 0, 0, 1, "run the C preprocessor over scripts (-C)")                            \
	X(CPPARGS, "cppargs", OPTION_CPP, 0, 0, 0, "")                                                             \
	X(CPPHDRS, "cpphdrs", OPTION_FLAG, 0, 0, 1, "let the C preprocessor name the files it includes (-H)")      \
	X(DEFAULTARGS, "defaultargs", OPTION_FLAG, 0, 0, 1, "a macro argument that is not given is 0 or \"\"")     \
	X(DEFINE, "define", OPTION_CPP, 0, 0, 0, "-D")                                                             \
	X(DESTRUCTIVE, "destructive", OPTION_FLAG, 0, 0, 1, "permit destructive actions (-w)")                     \
	X(DUMP, "dump", OPTION_CHOICE, 0, 0, 0, "tree ir insns: print this stage of the compiler, and stop")       \
	X(DYNVARSIZE, "dynvarsize", OPTION_SIZE, 1 << 20, 4096, 1 << 30,                                           \
	  "bytes for associative arrays, and for thread-local variables")                                          \
	X(EXEC, "exec", OPTION_CHOICE, 0, 0, 0,                                                                    \
	  "kernel vm: who runs the clauses: eBPF, or the tracer (where eBPF may not be used)")                     \
	X(FLOWINDENT, "flowindent", OPTION_FLAG, 0, 0, 1, "indent by entry and return (-F)")                       \
	X(INCDIR, "incdir", OPTION_CPP, 0, 0, 0, "-I")                                                             \
	X(QUIET, "quiet", OPTION_FLAG, 0, 0, 1, "print only what the script prints (-q)")                          \
	X(RAWBYTES, "rawbytes", OPTION_FLAG, 0, 0, 1,                                                              \
	  "print text raw, escape nothing; bytes of copyin() as a dump")                                           \
	X(STATUSRATE, "statusrate", OPTION_RATE, 1000000000, 1000000, INT64_MAX, "how often drops are looked for") \
	X(STRSIZE, "strsize", OPTION_SIZE, 256, 8, 8192, "longest string, with the byte that ends it")             \
	X(SWITCHRATE, "switchrate", OPTION_RATE, 0, 0, 60000000000,                                                \
	  "print at this rate (0: as soon as there is something)")                                                 \
	X(UNDEF, "undef", OPTION_CPP, 0, 0, 0, "-U")                                                               \
	X(VERBOSE, "verbose", OPTION_FLAG, 0, 0, 1, "say where each clause runs, and why")                         \
	X(ZDEFS, "zdefs", OPTION_FLAG, 0, 0, 1, "permit descriptions that match no probe (-Z)")                    \
	X(BUFPOLICY, "bufpolicy", OPTION_UNUSED, 0, 0, 0, "")                                                      \
	X(BUFRESIZE, "bufresize", OPTION_UNUSED, 0, 0, 0, "")                                                      \
	X(CLEANRATE, "cleanrate", OPTION_UNUSED, 0, 0, 0, "")                                                      \
	X(CTFPATH, "ctfpath", OPTION_UNUSED, 0, 0, 0, "")                                                          \
	X(JSTACKFRAMES, "jstackframes", OPTION_UNUSED, 0, 0, 0, "")                                                \
	X(JSTACKSTRSIZE, "jstackstrsize", OPTION_UNUSED, 0, 0, 0, "")                                              \
	X(LIBDIR, "libdir", OPTION_UNUSED, 0, 0, 0, "")                                                            \
	X(NOLIBS, "nolibs", OPTION_UNUSED, 0, 0, 0, "")                                                            \
	X(NSPEC, "nspec", OPTION_UNUSED, 0, 0, 0, "")                                                              \
	X(QUIETRESIZE, "quietresize", OPTION_UNUSED, 0, 0, 0, "")                                                  \
	X(SPECSIZE, "specsize", OPTION_UNUSED, 0, 0, 0, "")                                                        \
	X(STACKFRAMES, "stackframes", OPTION_UNUSED, 0, 0, 0, "")                                                  \
	X(STACKINDENT, "stackindent", OPTION_UNUSED, 0, 0, 0, "")                                                  \
	X(STDC, "stdc", OPTION_UNUSED, 0, 0, 0, "")                                                                \
	X(USTACKFRAMES, "ustackframes", OPTION_UNUSED, 0, 0, 0, "")                                                \
	X(VERSION, "version", OPTION_UNUSED, 0, 0, 0, "")

enum session_option {
#define X(id, ...) SESSION_##id,
	SESSION_OPTIONS(X)
#undef X
	    SESSION_NOPTIONS
};

struct session_options {
	s64 n[SESSION_NOPTIONS];            /* flags, sizes, rates, numbers */
	const char *text[SESSION_NOPTIONS]; /* choices */
	VEC(const char *) cpp;              /* arguments for the preprocessor */
};

/* --- the run ---------------------------------------------------------------------------------------- */

enum session_mode { SESSION_TRACE, SESSION_COMPILE /* -e */, SESSION_LIST /* -l */ };

struct session_program { /* -s, or one of -n -P -m -f -i */
	bool script;
	const char *text; /* the file's name ("-": standard input), or the D text itself */
	enum d_desc_part bare;
	bool by_id;
};

struct session_config {
	struct arena *arena; /* of all that is here */
	enum session_mode mode;
	VEC(struct session_program) programs;
	VEC(const char *) args; /* args.v[0] is the command's name; then the macro arguments */
	VEC(const char *) pids; /* -p, as given */
	const char *command;    /* -c */
	const char *output;     /* -o; NULL: standard output */
	bool dump_insns;        /* -S */
	struct session_options opt;
};

void session_config_init(struct session_config *cfg, struct arena *a);
/* Set an option; value NULL: it was given without one. 0 or -EINVAL with a message that stands at `pos`. */
int session_option_set(struct session_config *cfg, const char *name, const char *value, struct srcpos pos,
		       struct diag *diag);
/* One line an option that has an effect, for --help. */
void session_options_describe(struct strbuf *out);

/* The whole run. The status to exit with: that of exit(), 1 after an error that was reported. */
int session_run(struct session_config *cfg, struct diag *diag);

#endif
