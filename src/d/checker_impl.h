// SPDX-License-Identifier: Apache-2.0
/*
 * The second stage, tree to typed tree: check.c goes over the program; names come from symbol.c, the types of variables
 * from infer_var.c; then each statement is checked (check_stmt.c ...) and with it its expressions (check_expr.c ...).
 */
#ifndef PYDTRACE_CHECKER_IMPL_H
#define PYDTRACE_CHECKER_IMPL_H

#include "d/d_impl.h"

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
	bool progress; /* in this round of inferring types, see infer_var.c */
	enum d_infer_stage stage;
};

/* report.c: report the first error only, and return -EINVAL. */
int d_check_error(struct d_checker *c, struct srcpos pos, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* An earlier place, as a message names it: "line 3", "lib.d:3" when it is not in the text of the clause. */
const char *d_place(struct d_checker *c, struct srcpos pos);

/* --- the table of names: symbol.c ------------------------------------------------------------------ */

struct d_symbol *d_symbol_find(struct d_checker *c, enum d_scope scope, const char *name);
struct d_symbol *d_symbol_add(struct d_checker *c, enum d_scope scope, const char *name, struct srcpos pos);
/* The same for a variable: it has a number then, and a place in the program's list. */
struct d_symbol *d_variable_add(struct d_checker *c, enum d_scope scope, const char *name, struct srcpos pos);
struct d_aggregation *d_agg_find(struct d_checker *c, const char *name);
bool d_is_reserved(const char *name);

/* --- over the whole program, before any clause is checked ------------------------------------------- */

/* declare.c: the variables, declared or used. 0 or -EINVAL. */
int d_vars_collect(struct d_checker *c);
/* infer_var.c: their types. What has none after it is reported where it is used. */
void d_vars_infer(struct d_checker *c);
/* infer.c: the type of an expression that was not checked; NULL: not known (yet), or none. */
const struct d_type *d_infer(struct d_checker *c, const struct d_node *n);

/* Does the operator write to its first operand? */
static inline bool d_is_modification(enum d_op op)
{
	return op == D_ASSIGN || (op >= D_PREINC && op <= D_POSTDEC);
}

/* --- expressions ------------------------------------------------------------------------------------ */

/*
 * Each checks what is below the node, then the node; 0 or -EINVAL. The three files call each other in a circle, as an
 * expression stands in keys and arguments, and these stand in expressions: check_expr.c has the table of operators,
 * in which the other two are rows.
 */
int d_check_expr(struct d_checker *c, struct d_node *n);
/* check_name.c: a D_VAR as parsed becomes what its name stands for; an aggregation by name alone (printa, clear). */
int d_check_name(struct d_checker *c, struct d_node *n);
int d_check_aggref(struct d_checker *c, struct d_node *n);
/* check_call.c: the arguments of a function or action against its prototype (tables.c) */
int d_check_call(struct d_checker *c, struct d_node *n);
int d_check_args(struct d_checker *c, struct srcpos pos, const char *name, const char *proto, struct d_node **arg,
		 u32 narg);
/* Is `narg` from min to max (UINT32_MAX: any number)? */
int d_check_count(struct d_checker *c, struct srcpos pos, const char *name, u32 min, u32 max, u32 narg);

/* fold.c: make a checked node of constants a constant. 0 or -EINVAL (division by zero). */
int d_fold(struct d_checker *c, struct d_node *n);

/* --- statements ------------------------------------------------------------------------------------- */

int d_check_stmt(struct d_checker *c, struct d_stmt *s);
/* What must wait until all aggregations of the program are known. */
int d_check_stmt_late(struct d_checker *c, struct d_stmt *s);
/* check_agg.c: @name[keys] = func(value) */
int d_check_aggregate(struct d_checker *c, struct d_stmt *s);

/* format.c: text to conversions; 0 or -EINVAL, reported. check_format.c: do the arguments fit them? */
int d_format_parse(struct d_checker *c, const struct d_stmt *s, const struct d_format **out);
int d_format_check(struct d_checker *c, const struct d_stmt *s);

#endif
