// SPDX-License-Identifier: Apache-2.0
/* Between the files of the D front end. */
#ifndef PYDTRACE_D_IMPL_H
#define PYDTRACE_D_IMPL_H

#include <errno.h>

#include "d/d.h"

/* report.c */
void d_report(struct diag *diag, struct srcpos pos, const char *fmt, va_list ap) PRINTF_LIKE(3, 0);

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
const struct d_type *d_type_pointer_to(struct arena *a, const struct d_type *to);
/* C's integer promotion: what an operand of a unary operator or a shift is computed in. */
const struct d_type *d_type_promote(const struct d_type *t);
/* The type of an integer literal; hexadecimal and octal ones may become unsigned. */
const struct d_type *d_type_literal(u64 value, bool decimal, bool is_unsigned, bool is_long);
/* The 64-bit value that `value` has once it was cut to an integer of type t. */
s64 d_type_wrap(const struct d_type *t, s64 value);

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

/* --- the parser: lex.l, grammar.y, parse.c, tree.c, control.c ---------------------------------------- */

/* All that the lexer and the grammar know of one text. Errors: reported once, then `failed` is set. */
struct d_parser {
	struct d_program *prog;
	const struct d_parse_config *cfg;
	struct diag *diag;
	const struct source *src; /* the text that is parsed */
	void *scanner;
	bool failed;

	/* Where the token is: the line and column of byte `off` of the text. */
	size_t off;
	struct srcpos pos;
	size_t token_len;
	const struct source *next_src; /* a # line was read: what begins at the next line, */
	u32 next_line;                 /* which is this one */
	struct srcpos comment;         /* where the comment that is being skipped began */

	/* What the lexer must know of the grammar, for probe descriptions and '/' mean different things in places. */
	u32 parens, brackets;
	bool in_predicate, in_declaration;
	bool after_member; /* -> or . was seen: the next word is a name, whatever it is */
	int comment_in;    /* the state of the lexer before the comment */

	/* The declaration that is being read. */
	enum d_scope decl_scope;
	const struct d_type *decl_type;
};

int d_parser_error(struct d_parser *p, struct srcpos pos, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* control.c: a line that begins with '#', without its newline. 0 or -EINVAL. */
int d_control_line(struct d_parser *p, const char *line, size_t len);

/* macro.c: the text that $NAME, $$NAME, $0, $1 ... stands for, in the arena; NULL: reported. */
const char *d_macro_text(struct d_parser *p, struct srcpos pos, const char *name);

/* desc.c: split a description as written; NULL: reported. */
struct d_desc *d_desc_parse(struct d_parser *p, struct srcpos pos, const char *text);

/* literal.c: nodes of literals as written, quotes and all; NULL: reported. */
struct d_node *d_literal_int(struct d_parser *p, const char *text);
struct d_node *d_literal_char(struct d_parser *p, const char *text, size_t len);
struct d_node *d_literal_string(struct d_parser *p, const char *text, size_t len);

/* tree.c: nodes; NULL: reported (nested too deeply). */
struct d_list { /* arguments, keys */
	VEC(struct d_node *) v;
};
struct d_types { /* the types of keys */
	VEC(const struct d_type *) v;
};
struct d_stmts {
	VEC(struct d_stmt *) v;
};
struct d_descs {
	VEC(struct d_desc) v;
};
struct d_node *d_node_new(struct d_program *prog, enum d_op op, struct srcpos pos);
struct d_node *d_node_const(struct d_program *prog, struct srcpos pos, const struct d_type *type, s64 value);
struct d_node *d_node_string(struct d_program *prog, struct srcpos pos, const char *s);
struct d_node *d_node_op(struct d_parser *p, enum d_op op, struct srcpos pos, u32 narg, ...);
struct d_node *d_node_assign(struct d_parser *p, enum d_op op, struct srcpos pos, struct d_node *l,
			     struct d_node *r);
struct d_node *d_node_cast(struct d_parser *p, struct srcpos pos, const struct d_type *type, struct d_node *of);
struct d_node *d_node_name(struct d_parser *p, enum d_op op, struct srcpos pos, const char *name,
			   enum d_scope scope);
struct d_node *d_node_call(struct d_parser *p, struct srcpos pos, const char *name, const struct d_list *args);
struct d_node *d_node_index(struct d_parser *p, struct srcpos pos, struct d_node *base, const struct d_list *args);
struct d_node *d_node_sizeof(struct d_parser *p, struct srcpos pos, const struct d_type *type);
void d_stmt_add(struct d_parser *p, struct d_stmts *to, struct srcpos pos, struct d_node *expr);
void d_clause_add(struct d_parser *p, struct d_descs *descs, struct d_node *pred, struct d_stmts *stmts);
struct d_decl *d_decl_add(struct d_parser *p, struct srcpos pos, u32 stars, const char *name, struct d_types *keys);
const struct d_type *d_type_add_stars(struct d_parser *p, const struct d_type *t, u32 stars);
void d_typewords_join(struct d_typewords *to, const struct d_typewords *w);
struct d_node *d_node_member(struct d_parser *p, struct srcpos pos, struct d_node *base, const char *name);

/* --- the checker: check*.c, infer.c, fold.c --------------------------------------------------------- */

/* What is known of a variable while the program is checked. */
struct d_symbol {
	struct d_var *var;
	struct d_symbol *next; /* in the bucket */
	bool declared;
	const struct d_node *value; /* of an inline name: no variable, but this constant */
	bool scalar;                /* used without keys somewhere */
	bool keyed_assigned;
	bool assigned;              /* written somewhere */
	bool counted;               /* its type comes from ++ or += */
	struct d_node *keyed;       /* its first use with keys */
	const struct d_node *first; /* its first assignment */
};

/* Which assignments give a type: the first one in the text; any that is not a literal 0; any. */
enum d_infer_stage { INFER_FIRST, INFER_ANY, INFER_ZERO };

struct d_checker {
	struct d_program *prog;
	const struct d_resolver *r;
	struct diag *diag;
	struct arena *arena;
	const struct d_clause *clause; /* that is looked at */
	bool failed;
	u32 nvars[3]; /* by scope */
	struct d_symbol *symbols[256];
	bool progress; /* in this round of inferring types, see symbol.c */
	enum d_infer_stage stage;
};

/* Report the first error only, and return -EINVAL. */
int d_check_error(struct d_checker *c, struct srcpos pos, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* An earlier place, as a message names it: "line 3", "lib.d:3" when it is not in the text of the clause. */
const char *d_place(struct d_checker *c, struct srcpos pos);

/* symbol.c: gather the variables and find their types */
int d_symbols_collect(struct d_checker *c);
void d_symbols_infer(struct d_checker *c);
struct d_symbol *d_symbol_find(struct d_checker *c, enum d_scope scope, const char *name);
const char *d_scope_prefix(enum d_scope scope);
bool d_is_reserved(const char *name);
/* infer.c: NULL: not known (yet), or none */
const struct d_type *d_infer(struct d_checker *c, const struct d_node *n);

/* tree.c: call fn for the node and all below it, the node first */
void d_node_walk(struct d_node *n, void (*fn)(void *arg, struct d_node *n), void *arg);
void d_clause_walk(struct d_clause *cl, void (*fn)(void *arg, struct d_node *n), void *arg);
void d_program_walk(struct d_program *prog, void (*fn)(void *arg, struct d_node *n), void *arg);

/* check_expr.c */
int d_check_expr(struct d_checker *c, struct d_node *n);
/* May the value of `n` be put where a `to` is wanted: an assignment, a key? */
bool d_type_fits(const struct d_type *to, const struct d_node *n);
bool d_is_zero(const struct d_node *n);
/* The type of a binary operator's result, NULL: it does not apply. The comparisons and && || ^^ are not among them. */
const struct d_type *d_type_binary(enum d_op op, const struct d_type *a, const struct d_type *b);
const struct d_type *d_type_of_arg(struct d_checker *c, const char *name);

/* check_name.c: a D_VAR as parsed becomes what its name stands for */
int d_check_name(struct d_checker *c, struct d_node *n);

/* check_call.c: the arguments of a function or action against its prototype (tables.c) */
int d_check_call(struct d_checker *c, struct d_node *n);
int d_check_args(struct d_checker *c, struct srcpos pos, const char *name, const char *proto, struct d_node **arg,
		 u32 narg);

/* check_agg.c */
int d_check_aggregate(struct d_checker *c, struct d_stmt *s);
int d_check_aggref(struct d_checker *c, struct d_node *n);

/* check_stmt.c */
int d_check_stmt(struct d_checker *c, struct d_stmt *s);
int d_check_stmt_late(struct d_checker *c, struct d_stmt *s);

/* fold.c: make a node of constants a constant. 0 or -EINVAL (division by zero). */
int d_fold(struct d_checker *c, struct d_node *n);

/* format.c: text to conversions; 0 or -EINVAL, reported. check_format.c: do the arguments fit them? */
int d_format_parse(struct d_checker *c, const struct d_stmt *s, const struct d_format **out);
int d_format_check(struct d_checker *c, const struct d_stmt *s);

#endif
