// SPDX-License-Identifier: Apache-2.0
/* Is there something in a clause? */
#include "session/session_impl.h"

static bool tree_has(const struct d_node *n, session_is *is, const void *arg)
{
	if (!n)
		return false;
	if (is(n, arg))
		return true;
	for (u32 i = 0; i < n->narg; i++)
		if (tree_has(n->arg[i], is, arg))
			return true;
	return false;
}

bool session_clause_has(const struct d_clause *c, session_is *is, const void *arg)
{
	bool yes = tree_has(c->pred, is, arg);

	for (u32 i = 0; i < c->nstmts && !yes; i++) {
		const struct d_stmt *st = c->stmts[i];

		yes = tree_has(st->expr, is, arg) || tree_has(st->agg, is, arg);
		for (u32 n = 0; n < st->narg && !yes; n++)
			yes = tree_has(st->arg[n], is, arg);
	}
	return yes;
}
