// SPDX-License-Identifier: Apache-2.0
/* For -v: what was chosen for a clause at a probe, and why. */
#include "cg_impl.h"

static const char *place(const struct d_var *v)
{
	if (v->nkeys)
		return "hash";
	return v->scope == D_GLOBAL ? "state" : v->scope == D_THREAD ? "thread slot" : "registers";
}

const char *cg_why(struct cg *cg, const struct cg_enabling *e)
{
	const struct d_clause *c = e->clause;
	const struct d_program *prog = cg->in->prog;
	bool *used = arena_new_array(cg->arena, bool, prog->vars.n + 1);
	const char *executor = cg->in->opt.executor ? cg->in->opt.executor : "kernel";
	char *s = arena_printf(cg->arena, "clause %u at %s: %s", c->id, cg->in->groups[e->group].name, executor);

	if (e->filter >= 0)
		s = arena_printf(cg->arena, "%s; decided once per function (filter %d)", s, e->filter);
	if (e->set)
		s = arena_printf(cg->arena, "%s; a set of its probes", s);
	if (c->pred)
		s = arena_printf(cg->arena, "%s; %u conjunct%s left", s, e->nconj, e->nconj == 1 ? "" : "s");
	cg_mark_vars(cg, c->pred, used);
	cg_mark_body_vars(cg, c, used);
	for (size_t i = 0; i < prog->vars.n; i++) {
		const struct d_var *v = prog->vars.v[i];

		if (used[i])
			s = arena_printf(cg->arena, "%s; %s%s in %s", s, d_scope_prefix(v->scope), v->name,
					 place(v));
	}
	return s;
}
