// SPDX-License-Identifier: Apache-2.0
/* For -v: what was chosen for a clause at a probe, and why. */
#include "codegen_impl.h"

static void find(struct cg *cg, const struct d_node *n, bool *used)
{
	if (!n)
		return;
	if (n->op == D_VAR)
		used[cg_var(cg, n->var) - cg->vars] = true;
	for (u32 i = 0; i < n->narg; i++)
		find(cg, n->arg[i], used);
}

static const char *place(const struct d_var *v)
{
	if (v->nkeys)
		return "hash";
	return v->scope == D_GLOBAL ? "state" : v->scope == D_THREAD ? "thread slot" : "registers";
}

static const char *prefix(const struct d_var *v)
{
	return v->scope == D_THREAD ? "self->" : v->scope == D_CLAUSE ? "this->" : "";
}

const char *cg_why(struct cg *cg, const struct cg_enabling *e)
{
	const struct d_clause *c = e->clause;
	const struct d_program *prog = cg->in->prog;
	bool *used = arena_new_array(cg->arena, bool, prog->vars.n + 1);
	char *s = arena_printf(cg->arena, "clause %u at %s: kernel", c->id, cg->in->groups[e->group].name);

	if (e->filter >= 0)
		s = arena_printf(cg->arena, "%s; decided once per function (filter %d)", s, e->filter);
	if (e->set)
		s = arena_printf(cg->arena, "%s; a set of its probes", s);
	if (c->pred)
		s = arena_printf(cg->arena, "%s; %u conjunct%s left", s, e->nconj, e->nconj == 1 ? "" : "s");
	find(cg, c->pred, used);
	for (u32 n = 0; n < c->nstmts; n++) {
		find(cg, c->stmts[n]->expr, used);
		find(cg, c->stmts[n]->agg, used);
		for (u32 i = 0; i < c->stmts[n]->narg; i++)
			find(cg, c->stmts[n]->arg[i], used);
	}
	for (size_t i = 0; i < prog->vars.n; i++) {
		const struct d_var *v = prog->vars.v[i];

		if (used[i])
			s = arena_printf(cg->arena, "%s; %s%s in %s", s, prefix(v), v->name, place(v));
	}
	return s;
}
