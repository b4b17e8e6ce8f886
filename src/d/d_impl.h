// SPDX-License-Identifier: Apache-2.0
/*
 * Between the files of the D front end: what both stages stand on. The first stage, text to tree, has parser_impl.h (and
 * lex_impl.h between the lexer and the grammar); the second, tree to typed tree, has checker_impl.h.
 */
#ifndef PYDTRACE_D_IMPL_H
#define PYDTRACE_D_IMPL_H

#include <errno.h>

#include "d/d.h"

/* --- types.c -------------------------------------------------------------------------------------- */

extern const struct d_type d_type_int, d_type_uint, d_type_long, d_type_ulong, d_type_s64, d_type_size,
    d_type_string, d_type_bytes, d_type_agg, d_type_void_ptr, d_type_untyped;

static inline bool d_is_int(const struct d_type *t)
{
	return t->kind == D_INT;
}
static inline bool d_is_string(const struct d_type *t)
{
	return t->kind == D_STRING;
}
static inline bool d_is_pointer(const struct d_type *t)
{
	return t->kind == D_POINTER;
}
/* What C calls a scalar: something that can be tested for zero. */
static inline bool d_is_scalar(const struct d_type *t)
{
	return t->kind == D_INT || t->kind == D_POINTER;
}

/* The words of a declaration's type: "unsigned long long int". */
struct d_typewords {
	u8 nlong, nshort, nsigned, nunsigned, nint, nchar;
	const struct d_type *named; /* string, void, uint8_t, ... */
	struct srcpos pos;
};

/* The type that the words mean; NULL: they do not go together. */
const struct d_type *d_type_from_words(const struct d_typewords *w);
/* Words that were read one after the other; what they mean together, d_type_from_words() says. */
void d_typewords_join(struct d_typewords *to, const struct d_typewords *w);
const struct d_type *d_type_pointer_to(struct arena *a, const struct d_type *to);
/* C's integer promotion: what an operand of a unary operator or a shift is computed in. */
const struct d_type *d_type_promote(const struct d_type *t);
/* The type of an integer literal; hexadecimal and octal ones may become unsigned. */
const struct d_type *d_type_literal(u64 value, bool decimal, bool is_unsigned, bool is_long);
/* The 64-bit value that `value` has once it was cut to an integer of type t. */
s64 d_type_wrap(const struct d_type *t, s64 value);
/* "int", "char *": a type as a resolver names it, in the arena; NULL: unknown. */
const struct d_type *d_type_parse(struct arena *a, const char *name);
/* The type of a binary operator's result, NULL: it does not apply. The comparisons and && || ^^ are not among them. */
const struct d_type *d_type_binary(enum d_op op, const struct d_type *a, const struct d_type *b);
/* May the value of `n` be put where a `to` is wanted: an assignment, a key? */
bool d_type_fits(const struct d_type *to, const struct d_node *n);
bool d_is_zero(const struct d_node *n); /* a constant 0 or NULL */

/* --- tables.c ------------------------------------------------------------------------------------- */

/*
 * A prototype: one letter an argument, those after '|' may be left out, a last '*' takes any more.
 *   i integer   p integer or pointer   s string   a aggregation by name   f format (string constant)   v any value
 */
struct d_subr_info {
	const char *name, *proto;
	const struct d_type *type;
};
struct d_action_info {
	const char *name, *proto;
	bool destructive;
};
struct d_aggfunc_info {
	const char *name;
	u32 min, max; /* arguments; the first is the value, the rest are integer constants */
};
extern const struct d_subr_info d_subrs[D_NSUBRS];
extern const struct d_action_info d_actions[D_NACTIONS];
extern const struct d_aggfunc_info d_aggfuncs[D_NAGGFUNCS];

/* The number of the row of that name, or -1. */
int d_builtin_find(const char *name);
int d_subr_find(const char *name);
int d_action_find(const char *name);
int d_aggfunc_find(const char *name);
const struct d_type *d_builtin_type(enum d_builtin b);
/* Is it a variable or a function of DTrace's that we do not have? */
bool d_is_known_absent(const char *name);

/* constants.c: EINTR, SIGINT, DTRACEFLT_DIVZERO ... */
bool d_constant_find(const char *name, s64 *value);

/* Operators, for messages and dumps: the text as written ("+", "post++"). */
const char *d_op_text(enum d_op op);

/* --- tree.c --------------------------------------------------------------------------------------- */

struct d_node *d_node_new(struct d_program *prog, enum d_op op, struct srcpos pos);
struct d_node *d_node_const(struct d_program *prog, struct srcpos pos, const struct d_type *type, s64 value);
struct d_node *d_node_string(struct d_program *prog, struct srcpos pos, const char *s);

bool d_program_walk(const struct d_program *prog, d_visit *fn, void *arg); /* as d_node_walk() */

#endif
