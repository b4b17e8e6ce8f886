// SPDX-License-Identifier: Apache-2.0
/* The ground floor: memory, text, containers, and located diagnostics. Uses nothing else of ours. */
#ifndef PYDTRACE_UTIL_H
#define PYDTRACE_UTIL_H

#include <stdarg.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <sys/types.h>

typedef uint8_t u8;
typedef uint16_t u16;
typedef uint32_t u32;
typedef uint64_t u64;
typedef int16_t s16;
typedef int32_t s32;
typedef int64_t s64;

#define ARRAY_SIZE(a)     (sizeof(a) / sizeof((a)[0]))
#define ALIGN_UP(n, a)    (((n) + (a)-1) / (a) * (a))
#define PRINTF_LIKE(f, a) __attribute__((format(printf, f, a)))

/* --- time ----------------------------------------------------------------------------------------- */

/* Nanoseconds of a clock of clock_gettime(2), a clockid_t. */
u64 clock_ns(int clock);
/* The same of CLOCK_MONOTONIC: what deadlines are counted by. */
u64 now_ns(void);

/* --- arena: everything that a compilation allocates, freed at once ------------------------------- */

struct arena;

/* A new arena; aborts when there is no memory (only compile stages use arenas, see docs/architecture.md). */
struct arena *arena_new(void);
void arena_free(struct arena *a);
/* Zeroed memory, aligned to 16 bytes, owned by the arena; aborts when there is none. */
void *arena_alloc(struct arena *a, size_t size);
/* Grow an array that is the caller's: copies `old` bytes of `p` into `size` bytes. */
void *arena_grow(struct arena *a, const void *p, size_t old, size_t size);
char *arena_strdup(struct arena *a, const char *s);
char *arena_strndup(struct arena *a, const char *s, size_t n);
char *arena_printf(struct arena *a, const char *fmt, ...) PRINTF_LIKE(2, 3);
#define arena_new_array(a, type, n) ((type *)arena_alloc((a), sizeof(type) * (size_t)(n)))

/*
 * A growing array in an arena: struct { type *v; size_t n, cap; }. vec_push() evaluates to a pointer to the
 * new, zeroed element, which stays valid until the next push.
 */
#define VEC(type)                                                                                                  \
	struct {                                                                                                   \
		type *v;                                                                                           \
		size_t n, cap;                                                                                     \
	}
#define vec_push(a, vec)                                                                                           \
	((vec)->n == (vec)->cap                                                                                    \
	     ? vec_grow_((a), (void **)(void *)&(vec)->v, (vec)->n, &(vec)->cap, sizeof(*(vec)->v))                \
	     : (void)0,                                                                                            \
	 &(vec)->v[(vec)->n++])
void vec_grow_(struct arena *a, void **v, size_t n, size_t *cap, size_t size);

/* --- strbuf: text that grows, on the heap ------------------------------------------------------- */

/* Start as {0}. On lack of memory `failed` is set, the text stays as it was and later calls do nothing. */
struct strbuf {
	char *s; /* NUL-terminated once anything was added; NULL before */
	size_t len, cap;
	bool failed;
};
void strbuf_add(struct strbuf *b, const void *p, size_t n);
void strbuf_puts(struct strbuf *b, const char *s);
void strbuf_printf(struct strbuf *b, const char *fmt, ...) PRINTF_LIKE(2, 3);
void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap);
void strbuf_free(struct strbuf *b);

/* How text that is not ours is printed. */
enum text_form {
	TEXT_PRINTABLE, /* control and invisible characters, and bytes that are no UTF-8, as \xNN; a backslash as it is */
	TEXT_QUOTED, /* as a C string, in ASCII: \n \t \\ \" \033 */
	TEXT_RAW,    /* as it is */
};
struct text_style {
	enum text_form form;
	int width; /* columns at least; < 0: padded on the right */
	u32 max;   /* columns at most, ended between two characters, never within an escape; 0: any number */
};
/* Add n bytes as text. They may be memory that another process changes meanwhile: each byte is read once. */
void strbuf_add_text(struct strbuf *b, const char *s, size_t n, struct text_style style);
/* Add a string of unknown origin as TEXT_PRINTABLE. Text that was made printable before stays as it is. */
void strbuf_add_printable(struct strbuf *b, const char *s);
/* Columns that text takes, as far as each of its characters takes one. */
size_t text_columns(const char *s, size_t n);
/* n, less a UTF-8 character at the end that is cut off. */
size_t text_whole(const char *s, size_t n);

/* FNV-1a over n bytes. */
u64 hash_bytes(const void *p, size_t n);

/* Match `s` against a shell pattern: * ? [set] [!set] and \ to quote; as DTrace, an empty pattern matches
 * anything. Compares bytes; linear in strlen(pat) * strlen(s) at the worst. */
bool glob_match(const char *pat, const char *s);
/* Has the text a character that glob_match() treats specially? */
bool glob_has_magic(const char *pat);

/* Parse all of `s` as an integer (0x, 0 prefixes as in C; optional leading '-'). 0, or -EINVAL, -ERANGE. */
int parse_s64(const char *s, s64 *out);

/* The name of a capability: "CAP_SYS_PTRACE", or "number 63" where we know none. Returns out. */
const char *capability_text(unsigned nr, char *out, size_t size);

/* --- memory that another process can take away ---------------------------------------------------------------- */

/*
 * A shared mapping of a file which another process may cut short: [start, start + size) of whole pages. From here until
 * guard_remove() touching it is safe in every thread: what is missing reads as zeros, and what is written there is lost, too.
 * 0, -ENOMEM, or the -errno of sigaction(SIGBUS). Nobody may touch it any more when it is removed, which comes before munmap().
 */
struct guard;
int guard_add(struct guard **out, void *start, size_t size);
/* True if some of it was missing when it was touched. NULL is allowed here and in guard_remove(). */
bool guard_lost(const struct guard *g);
void guard_remove(struct guard *g);
/* All signals that a thread may block which touches such memory: a fault whose signal is blocked kills (kernel/signal.c). */
void guard_fillset(sigset_t *set);

/* --- diagnostics -------------------------------------------------------------------------------- */

/* One text that was given to the compiler: a script, the argument of -n, a macro's value. */
struct source {
	const char *name; /* as shown: "s4pyfunc.d", "<stdin>", "-n" */
	const char *text; /* len bytes, and a NUL after them */
	size_t len;
	u32 first_line; /* the number of the first line of text; 0: 1 (a part of a file that the preprocessor names) */
};

/* Where something stands; src == NULL: nowhere. Lines and columns count from 1, columns in bytes. */
struct srcpos {
	const struct source *src;
	u32 line, col;
};

enum diag_level { DIAG_NOTE, DIAG_WARNING, DIAG_ERROR };

/*
 * Where messages go. Every part reports through this and none prints. One error is one line, and for a
 * position the line of the script and a caret under it follow:
 *
 *   pydtrace: x.d:3:5: unknown function 'foo'
 *       foo(1);
 *       ^
 *
 * The text starts in lower case, has no full stop, and says what to do next where there is something to do. It is one line,
 * whatever its arguments hold: they may be names that a traced process has chosen, and are made printable here, all of them.
 */
struct diag {
	/* Called once a message with its whole text, newline included. NULL: written to stderr. */
	void (*sink)(void *arg, enum diag_level level, const char *text);
	void *arg;
	unsigned errors; /* DIAG_ERROR messages so far */
};
void diag_report(struct diag *d, enum diag_level level, struct srcpos pos, const char *fmt, ...) PRINTF_LIKE(4, 5);
/* An error without a position. Returns -err (err > 0), so that a caller can `return diag_fail(...)`. */
int diag_fail(struct diag *d, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);
#define NOWHERE ((struct srcpos){0})

#endif
