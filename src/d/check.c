// SPDX-License-Identifier: Apache-2.0
/*
 * The second stage: tree to typed tree. Variables are gathered and their types found over the whole program first, so
 * that a clause may read what a later clause assigns; then every clause is checked in order.
 */
#include <string.h>

#include "d/checker_impl.h"

static int check_predicate(struct d_checker *c, struct d_node *pred)
{
	int err = d_check_expr(c, pred);

	if (err)
		return err;
	if (!d_is_scalar(pred->type))
		return d_check_error(c, pred->pos, "a predicate must be an integer or a pointer, not \"%s\"",
				     pred->type->name);
	return 0;
}

static int check_clause(struct d_checker *c, struct d_clause *cl)
{
	int err = 0;

	c->clause = cl;
	if (cl->pred)
		err = check_predicate(c, cl->pred);
	for (u32 i = 0; !err && i < cl->nstmts; i++)
		err = d_check_stmt(c, cl->stmts[i]);
	return err;
}

/* What takes aggregations by name: after the rest, for they may be filled in a later clause. */
static int check_clause_late(struct d_checker *c, struct d_clause *cl)
{
	int err = 0;

	c->clause = cl;
	for (u32 i = 0; !err && i < cl->nstmts; i++)
		err = d_check_stmt_late(c, cl->stmts[i]);
	return err;
}

int d_check(struct d_program *prog, const struct d_resolver *r, struct diag *diag)
{
	struct d_checker c = {.prog = prog, .r = r, .diag = diag, .arena = prog->arena};
	int err = d_vars_collect(&c);

	if (err)
		return err;
	d_vars_infer(&c);
	for (size_t i = 0; !err && i < prog->clauses.n; i++)
		err = check_clause(&c, prog->clauses.v[i]);
	for (size_t i = 0; !err && i < prog->clauses.n; i++)
		err = check_clause_late(&c, prog->clauses.v[i]);
	return err;
}
