// SPDX-License-Identifier: Apache-2.0
/*
 * The D language: text to typed tree.
 *
 *   d_parse()   text -> tree       (flex, bison; macros are replaced here)
 *   d_check()   tree -> typed tree (names, types, folding of constants; every node has its type after it)
 *
 * What arguments a probe has, d asks through struct d_resolver. Everything lives in the program's arena.
 * Semantics are those of the Dynamic Tracing Guide; where we differ, docs/d-language.md says so.
 */
#ifndef PYDTRACE_D_H
#define PYDTRACE_D_H

#include "util/util.h"

/* --- types -------------------------------------------------------------------------------------- */

enum d_kind {
	D_UNTYPED,
	D_VOID,
	D_INT,     /* size 1, 2, 4 or 8 */
	D_STRING,  /* at most strsize bytes with its NUL; longer text, constants too, is cut */
	D_POINTER, /* a user-space address: `to` tells of what; arithmetic and * and [] work on it (user memory) */
	D_BYTES,   /* `size` bytes that copyin() made: only traced or cast to a pointer of the tracer's scratch */
	D_STACK,   /* stack(), ustack() */
	D_AGG,     /* an aggregation by name, as printa() and clear() take it */
};

struct d_type {
	enum d_kind kind;
	u8 size;                 /* D_INT */
	bool is_signed;          /* D_INT */
	const struct d_type *to; /* D_POINTER; NULL: void * */
	const char *name;        /* as written ("uint32_t", "size_t"), for messages; never NULL after d_check() */
};

/* --- names -------------------------------------------------------------------------------------- */

enum d_scope { D_GLOBAL, D_THREAD /* self-> */, D_CLAUSE /* this-> */ };

/* A variable of the script. Numbered densely within its scope, arrays and scalars together. */
struct d_var {
	const char *name;
	enum d_scope scope;
	u32 id;
	const struct d_type *type; /* of the value */
	u32 nkeys;                 /* 0: a scalar */
	const struct d_type **keys;
	struct srcpos pos; /* first use */
};

/* Built-in variables: one row each. X(enum suffix, D name, type's D name) */
#define D_BUILTINS(X)                                                                                              \
	X(ARG0, "arg0", "int64_t")                                                                                 \
	X(ARG1, "arg1", "int64_t")                                                                                 \
	X(ARG2, "arg2", "int64_t")                                                                                 \
	X(ARG3, "arg3", "int64_t")                                                                                 \
	X(ARG4, "arg4", "int64_t")                                                                                 \
	X(ARG5, "arg5", "int64_t")                                                                                 \
	X(ARG6, "arg6", "int64_t")                                                                                 \
	X(ARG7, "arg7", "int64_t")                                                                                 \
	X(ARG8, "arg8", "int64_t")                                                                                 \
	X(ARG9, "arg9", "int64_t")                                                                                 \
	X(PID, "pid", "pid_t")                                                                                     \
	X(TID, "tid", "id_t")                                                                                      \
	X(PPID, "ppid", "pid_t")                                                                                   \
	X(UID, "uid", "uid_t")                                                                                     \
	X(GID, "gid", "gid_t")                                                                                     \
	X(EXECNAME, "execname", "string")                                                                          \
	X(TIMESTAMP, "timestamp", "uint64_t")                                                                      \
	X(WALLTIMESTAMP, "walltimestamp", "int64_t")                                                               \
	X(VTIMESTAMP, "vtimestamp", "uint64_t")                                                                    \
	X(CPU, "cpu", "int32_t")                                                                                   \
	X(ID, "id", "uint32_t")                                                                                    \
	X(EPID, "epid", "uint32_t")                                                                                \
	X(ERRNO, "errno", "int32_t")                                                                               \
	X(PROBEPROV, "probeprov", "string")                                                                        \
	X(PROBEMOD, "probemod", "string")                                                                          \
	X(PROBEFUNC, "probefunc", "string")                                                                        \
	X(PROBENAME, "probename", "string")

enum d_builtin {
#define X(id, name, type) D_BUILTIN_##id,
	D_BUILTINS(X)
#undef X
	    D_NBUILTINS
};

/*
 * Is the built-in one of probeprov, probemod, probefunc, probename? The identity of the probe and function fixes them, so
 * they travel as a number (see codegen).
 */
static inline bool d_builtin_is_identity(enum d_builtin b)
{
	return b >= D_BUILTIN_PROBEPROV && b <= D_BUILTIN_PROBENAME;
}

/* Functions that give a value. X(enum suffix, D name) */
#define D_SUBRS(X)                                                                                                 \
	X(COPYINSTR, "copyinstr") /* (uintptr_t [, size_t max]) -> string */                                       \
	X(COPYIN, "copyin")       /* (uintptr_t, size_t) -> bytes */                                               \
	X(STRLEN, "strlen")                                                                                        \
	X(STRJOIN, "strjoin")                                                                                      \
	X(BASENAME, "basename")                                                                                    \
	X(DIRNAME, "dirname")                                                                                      \
	X(SUBSTR, "substr") /* (string, int index [, int length]) */                                               \
	X(STRSTR, "strstr") /* -> string; NULL when absent: an int 0 compare is allowed */                         \
	X(INDEX, "index")   /* (string, string [, int start]) -> int, -1 when absent */

/* Actions: they record, or change what the consumer holds. X(enum suffix, D name, destructive) */
#define D_ACTIONS(X)                                                                                               \
	X(TRACE, "trace", false)                                                                                   \
	X(PRINTF, "printf", false)                                                                                 \
	X(PRINTA, "printa", false)                                                                                 \
	X(EXIT, "exit", false)                                                                                     \
	X(CLEAR, "clear", false)                                                                                   \
	X(TRUNC, "trunc", false)                                                                                   \
	X(NORMALIZE, "normalize", false)                                                                           \
	X(DENORMALIZE, "denormalize", false)                                                                       \
	X(STOP, "stop", true)                                                                                      \
	X(RAISE, "raise", true)                                                                                    \
	X(SYSTEM, "system", true)                                                                                  \
	X(COPYOUT, "copyout", true)                                                                                \
	X(COPYOUTSTR, "copyoutstr", true)                                                                          \
	X(PANIC, "panic", true)                                                                                    \
	X(CHILL, "chill", true)

/* Aggregating functions. X(enum suffix, D name) */
#define D_AGGFUNCS(X)                                                                                              \
	X(COUNT, "count")                                                                                          \
	X(SUM, "sum")                                                                                              \
	X(MIN, "min")                                                                                              \
	X(MAX, "max")                                                                                              \
	X(AVG, "avg")                                                                                              \
	X(STDDEV, "stddev")                                                                                        \
	X(QUANTIZE, "quantize")     /* (expr) */                                                                   \
	X(LQUANTIZE, "lquantize")   /* (expr, base, limit [, step = 1]) */                                         \
	X(LLQUANTIZE, "llquantize") /* (expr, factor, low, high, nsteps) */

#define X(id, ...) D_SUBR_##id,
enum d_subr { D_SUBRS(X) D_NSUBRS };
#undef X
#define X(id, ...) D_ACTION_##id,
enum d_action { D_ACTIONS(X) D_NACTIONS };
#undef X
#define X(id, ...) D_AGGFUNC_##id,
enum d_aggfunc { D_AGGFUNCS(X) D_NAGGFUNCS };
#undef X

/* An aggregation of the script; "_" for the one without a name (printed without one). */
struct d_aggregation {
	const char *name;
	u32 id; /* dense */
	enum d_aggfunc func;
	u32 nkeys;
	const struct d_type **keys;
	/*
	 * For key i: are all its uses in the script an identity built-in (probefunc, ...) or a string constant?
	 * Then it travels as a number.
	 */
	bool *key_is_identity;
	s64 param[4]; /* lquantize: base, limit, step; llquantize: factor, low, high, nsteps */
	struct srcpos pos;
};

/* --- the tree ----------------------------------------------------------------------------------- */

enum d_op {
	D_CONST,   /* integer: value; string: str (D_STRING) */
	D_BUILTIN, /* builtin */
	D_ARGS,    /* args[n]: value = n; type from the resolver */
	D_VAR,     /* var, and arg[0..narg) the keys of an associative array */
	D_AGGREF,  /* agg, and arg[] the keys, if any */
	D_CALL,    /* subr, arg[] */
	D_NEG,
	D_NOT,
	D_BITNOT,
	D_PLUS,   /* arg[0] */
	D_DEREF,  /* *arg[0]; p[i] is made *(p + i) */
	D_CAST,   /* (type)arg[0] */
	D_SIZEOF, /* folded to D_CONST by d_check() */
	D_ADD,
	D_SUB,
	D_MUL,
	D_DIV,
	D_MOD,
	D_SHL,
	D_SHR,
	D_AND,
	D_OR,
	D_XOR, /* arg[0], arg[1] */
	D_LT,
	D_LE,
	D_GT,
	D_GE,
	D_EQ,
	D_NE,
	D_LAND,
	D_LOR,
	D_LXOR,   /* && || ^^ */
	D_COND,   /* arg[0] ? arg[1] : arg[2] */
	D_COMMA,  /* arg[0], arg[1] */
	D_ASSIGN, /* arg[0] = arg[1]; assign_op: D_ADD for +=, D_CONST for plain = */
	D_PREINC,
	D_PREDEC,
	D_POSTINC,
	D_POSTDEC, /* arg[0] */
	D_MEMBER,  /* arg[0]->name, arg[0].name: parsed, and refused by d_check() (there are no structures yet) */
	D_NOPS
};

struct d_node {
	enum d_op op;
	struct srcpos pos;
	const struct d_type *type;
	struct d_node **arg;
	u32 narg;
	s64 value;                 /* D_CONST of D_INT, D_ARGS */
	const char *str;           /* D_CONST of D_STRING: NUL-terminated, may hold no NUL inside */
	enum d_builtin builtin;    /* D_BUILTIN */
	enum d_subr subr;          /* D_CALL */
	enum d_op assign_op;       /* D_ASSIGN */
	struct d_var *var;         /* D_VAR */
	struct d_aggregation *agg; /* D_AGGREF */
	const char *name;          /* as parsed, before d_check() resolves it */
	enum d_scope scope;        /* D_VAR, with the name */
	u32 depth; /* height of the tree from here, at most D_MAX_DEPTH: recursion over it is safe */
};

#define D_MAX_DEPTH 512

/* Is it a checked expression that travels as a number: a name of the probe, or a string constant? */
static inline bool d_node_is_identity(const struct d_node *n)
{
	return n->type->kind == D_STRING &&
	       (n->op == D_CONST || (n->op == D_BUILTIN && d_builtin_is_identity(n->builtin)));
}

enum d_stmt_kind {
	D_STMT_EXPR,   /* expr, for its effect */
	D_STMT_ACTION, /* action, arg[] */
	D_STMT_AGG,    /* agg[keys] = func(value): agg is a D_AGGREF node, arg[0] the value (none for count) */
};

struct d_format; /* a checked printf format: see below */

struct d_stmt {
	enum d_stmt_kind kind;
	struct srcpos pos;
	struct d_node *expr;
	enum d_action action;
	struct d_node **arg; /* of an action: without the format, which is fmt_text */
	u32 narg;
	struct d_node *agg;
	const char *fmt_text; /* printf, printa with a format */
	struct srcpos fmt_pos;
	const struct d_format *format;
};

/* A probe description as written, macros replaced, abbreviations put in their place. Parts may be "". */
struct d_desc {
	const char *prov, *mod, *func, *name;
	bool by_id; /* -i ID: id */
	u32 id;
	struct srcpos pos;
};

struct d_clause {
	u32 id; /* in the order of the program */
	struct srcpos pos;
	struct d_desc *descs;
	u32 ndescs;
	struct d_node *pred; /* NULL: always */
	struct d_stmt **stmts;
	u32 nstmts;
	bool has_body; /* false: "probe;" or empty braces: the default action, a line per firing */
};

struct d_option { /* #pragma D option name[=value] */
	const char *name, *value;
	struct srcpos pos;
};

struct d_decl { /* int x; self string s; int a[string, int]; inline int DEBUG = 1; */
	const char *name;
	enum d_scope scope;
	const struct d_type *type;
	u32 nkeys;
	const struct d_type **keys;
	struct d_node *value; /* inline: what the name stands for; a constant after d_check(). No variable then. */
	struct srcpos pos;
};

struct d_program { /* start as { .arena = ... } */
	struct arena *arena;
	VEC(struct d_clause *) clauses;
	VEC(struct d_option) options;
	VEC(struct d_decl) decls;
	/* filled by d_check() */
	VEC(struct d_var *) vars;
	VEC(struct d_aggregation *) aggs;
};

/* --- printf formats ------------------------------------------------------------------------------ */

/* One conversion, or a run of plain text (conv == 0). */
struct d_conv {
	char conv; /* 'd' 'i' 'u' 'o' 'x' 'X' 'p' 'c' 's' 'S' 'a' 'A' 'k' 'e' 'f' 'g' 'Y' '@' ... ; 0: text */
	const char *text; /* conv == 0 */
	u32 ntext;
	bool minus, plus, space, zero, alt, group; /* flags - + (space) 0 # ' */
	int width, prec;                           /* -1: not given */
	bool width_star, prec_star;                /* from the next argument */
	bool agg;                                  /* @, in printa: the value of the next aggregation */
	u8 size;                                   /* hh 1, h 2, l/ll/j/z 8, none 0 */
};
struct d_format {
	struct d_conv *conv;
	u32 n;
};

/* --- the stages ---------------------------------------------------------------------------------- */

struct d_macros {
	const char *const *args; /* args[0] is the script's name ($0), args[1..nargs) are $1 ... */
	u32 nargs;
	bool *used;        /* nargs flags, set by the parser; d itself never complains of an unused one */
	bool default_args; /* -x defaultargs: a missing macro is 0 or "" */
	s64 target;        /* $target; 0: there is none, using it is an error */
	s64 pid, ppid, uid, euid, gid, egid, pgid, sid, projid, taskid; /* $pid ... of the tracer */
};

/* How to read the head of a clause: which part of a description is given when it is written without colons. */
enum d_desc_part { D_DESC_PROV, D_DESC_MOD, D_DESC_FUNC, D_DESC_NAME };

struct d_parse_config {
	enum d_desc_part bare; /* -P -m -f -n: what the rightmost part of a description is; -s: D_DESC_NAME */
	bool by_id;            /* -i */
	struct d_macros *macros;
};

/*
 * Parse `src` and append its clauses and options to `prog`. Errors go to `diag` with their place; 0 or -EINVAL
 * (the program is then of no use). Never aborts, whatever the text is: nesting is bounded and refused with a message.
 */
int d_parse(struct d_program *prog, const struct source *src, const struct d_parse_config *cfg, struct diag *diag);

struct d_resolver {
	void *arg;
	/* The D name of the type of args[n] in this clause ("int64_t", "string", "uintptr_t"), NULL: it has none. */
	const char *(*arg_type)(void *arg, const struct d_clause *c, u32 n);
	bool destructive; /* -w */
	u32 strsize;
};

/*
 * Check the whole program: resolve names, infer types, fold constants. 0 or -EINVAL. A clause may read what a later
 * one assigns. After it:
 *   - both sides of a comparison are of one kind, but for strstr() against an integer 0, which asks whether it found
 *     something; any other string that the script compares with 0 or NULL is compared with "";
 *   - a literal 0 or NULL that is put into a string variable (which frees a thread's variable or an array's element)
 *     has become "", and one that is put into an integer or pointer has its type;
 *   - there are no D_SIZEOF, D_MEMBER and no casts of strings to string; p[i] is *(p + i);
 *   - keys of arrays and aggregations have the widest integer type that the script uses them with.
 */
int d_check(struct d_program *prog, const struct d_resolver *r, struct diag *diag);

/* Write the tree, with types where they are known, as the golden tests read it: one node a line, indented. */
void d_dump(struct strbuf *out, const struct d_program *prog);

/* Split the predicate at its top-level && into conjuncts, in order; in the program's arena. NULL pred: n = 0. */
u32 d_conjuncts(struct arena *a, struct d_node *pred, struct d_node ***out);

/*
 * Call fn for the node (NULL: there is none) and all below it, the node first, until it says true: did it? In a clause:
 * for the predicate and each statement, parsed or checked.
 */
typedef bool d_visit(void *arg, struct d_node *n);
bool d_node_walk(struct d_node *n, d_visit *fn, void *arg);
bool d_clause_walk(const struct d_clause *c, d_visit *fn, void *arg);

/* Does it change a variable? */
bool d_has_effect(struct d_node *n);
/* Can it end the clause, so that ERROR fires? (That memory for text is lacking is not meant.) After d_check(). */
bool d_can_fault(struct d_node *n);

/* The type in which two integers are computed and compared (C's usual arithmetic conversions). */
const struct d_type *d_type_arith(const struct d_type *a, const struct d_type *b);
const struct d_type *d_type_by_name(const char *name); /* "int", "uint8_t", "string" ...; NULL: unknown */
const char *d_scope_prefix(enum d_scope scope);        /* "", "self->", "this->" */
/* The name in D, of a row of the tables above. */
const char *d_builtin_name(enum d_builtin b);
const char *d_subr_name(enum d_subr s);
const char *d_action_name(enum d_action a);
const char *d_aggfunc_name(enum d_aggfunc f);

/* Options (-x name=value and #pragma D option) are looked up in a table of session/. */

#endif
