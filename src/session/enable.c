// SPDX-License-Identifier: Apache-2.0
/*
 * From probes to what is to be compiled: what of a clause's predicate the provider decides in advance, and one enabling for
 * each clause at each group.
 */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "session/session_impl.h"

/* The number of the group's program. */
static u32 group_use(struct session *s, struct provider_group *g)
{
	for (size_t i = 0; i < s->used.n; i++)
		if (s->used.v[i] == g)
			return (u32)i;

	struct cg_probe *probes = arena_new_array(s->arena, struct cg_probe, g->probes.n);

	for (size_t i = 0; i < g->probes.n; i++) {
		const struct probe *p = g->probes.v[i];

		probes[i] = (struct cg_probe){p->prov, p->mod, p->func, p->name};
	}
	*vec_push(s->arena, &s->cg_groups) = (struct cg_group){
	    .name = g->name,
	    .kind = g->kind,
	    .ops = g->ops,
	    .data = g->data,
	    .id_base = g->probes.v[0]->id,
	    .nprobes = (u32)g->probes.n,
	    .probes = probes,
	    .always = g->always,
	    .irq_context = g->irq_context,
	    .by_thread = g->by_thread,
	};
	*vec_push(s->arena, &s->used) = g;
	g->cg_index = (u32)s->used.n - 1;
	return g->cg_index;
}

/*
 * Leave to the provider what it can decide once per function. What stands behind a conjunct that has an effect stays at
 * its place: that conjunct is not to be run when an earlier one is false, and is when a later one is.
 */
static int enabling_filter(struct session *s, struct cg_enabling *e, struct provider_group *g)
{
	struct session_provider *p = session_provider_of(s, g->provider);
	struct d_node **conj;
	u32 n = d_conjuncts(s->arena, e->clause->pred, &conj);
	bool fixed = false;

	e->filter = -1;
	e->conj = arena_new_array(s->arena, struct d_node *, n);
	if (p->ops->filter_open) {
		e->filter = p->ops->filter_open(p->run, g, e->clause);
		if (e->filter < 0)
			return e->filter;
	}
	for (u32 i = 0; i < n; i++) {
		fixed |= d_has_effect(conj[i]);
		if (e->filter < 0 || fixed || !p->ops->filter_take(p->run, g, e->filter, conj[i]))
			e->conj[e->nconj++] = conj[i];
	}
	return 0;
}

static int clause_enable(struct session *s, const struct session_clause *c)
{
	for (size_t i = 0; i < c->matches.n; i++) {
		const struct session_match *m = &c->matches.v[i];
		struct cg_enabling *e;
		u32 group;

		group = group_use(s, m->group);
		e = vec_push(s->arena, &s->enablings);
		e->clause = c->clause;
		e->group = group;
		e->set = m->n < m->group->probes.n ? m->set : NULL;
		int err = enabling_filter(s, e, m->group);

		if (err)
			return err;
	}
	return 0;
}

static bool reads_task(void *arg, struct d_node *n)
{
	return n->op == D_BUILTIN && (n->builtin == D_BUILTIN_PPID || n->builtin == D_BUILTIN_VTIMESTAMP);
}

/* Where the kernel keeps what ppid and vtimestamp show: it takes time to find out, so ask only for scripts that read them. */
static void task_layout(struct session *s, struct cg_options *opt)
{
	for (size_t i = 0; i < s->prog.clauses.n; i++) {
		if (!d_clause_walk(s->prog.clauses.v[i], reads_task, NULL))
			continue;

		const struct exec_task_layout l = exec_task_layout(s->exec);

		opt->task_real_parent = l.real_parent;
		opt->task_tgid = l.tgid;
		opt->task_sum_exec_runtime = l.sum_exec_runtime;
		return;
	}
}

/* A ring's size is a power of two and of pages. */
static u32 ring_size(s64 bytes)
{
	u32 size = (u32)sysconf(_SC_PAGESIZE);

	while (size < bytes)
		size *= 2;
	return size;
}

int session_enable(struct session *s)
{
	const s64 *opt = s->cfg->opt.n;
	int err = s->exec_ops->open(&s->exec, s->diag);

	if (err)
		return err;

	for (size_t i = 0; i < s->clauses.n; i++) {
		err = clause_enable(s, &s->clauses.v[i]);

		if (err)
			return err;
	}
	s->in = (struct cg_input){
	    .arena = s->arena,
	    .prog = &s->prog,
	    .groups = s->cg_groups.v,
	    .ngroups = (u32)s->cg_groups.n,
	    .enablings = s->enablings.v,
	    .nenablings = (u32)s->enablings.n,
	    .opt =
		{
		    .strsize = s->env.strsize,
		    .aggsize = (u32)opt[SESSION_AGGSIZE],
		    .dynvarsize = (u32)opt[SESSION_DYNVARSIZE],
		    .bufsize = ring_size(opt[SESSION_BUFSIZE]),
		    .ncpus = exec_ncpus(s->exec),
		    .executor = s->exec_why ? arena_printf(s->arena, "%s: %s", s->exec_ops->name, s->exec_why)
					    : s->exec_ops->name,
		    .gate = s->exec_why != NULL,
		},
	};
	task_layout(s, &s->in.opt);
	return 0;
}

const struct provider_group *session_group(const struct session *s, const char *name)
{
	for (size_t i = 0; i < s->used.n; i++)
		if (s->used.v[i]->provider == &provider_dtrace && !strcmp(s->used.v[i]->name, name))
			return s->used.v[i];
	return NULL;
}
