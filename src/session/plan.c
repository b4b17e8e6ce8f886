// SPDX-License-Identifier: Apache-2.0
/* From clauses to probes: those that each clause's descriptions match, by group, and what arguments they have. */
#include <errno.h>

#include "session/session_impl.h"

/* --- descriptions to probes -------------------------------------------------------------------------- */

struct finder {
	struct session *s;
	struct session_clause *clause;
	u64 matches;
};

static void found(void *arg, struct probe *p)
{
	struct finder *f = arg;
	struct session_match *m = NULL;

	f->matches++;
	for (size_t i = 0; i < f->clause->matches.n && !m; i++)
		if (f->clause->matches.v[i].group == p->group)
			m = &f->clause->matches.v[i];
	if (!m) {
		m = vec_push(f->s->arena, &f->clause->matches);
		m->group = p->group;
		m->set = arena_new_array(f->s->arena, u64, (p->group->probes.n + 63) / 64);
	}
	if (!(m->set[p->index / 64] & 1ull << p->index % 64)) {
		m->set[p->index / 64] |= 1ull << p->index % 64;
		m->n++;
	}
}

static const char *desc_text(struct session *s, const struct d_desc *d)
{
	if (d->by_id)
		return arena_printf(s->arena, "%u", d->id);
	return arena_printf(s->arena, "%s:%s:%s:%s", d->prov, d->mod, d->func, d->name);
}

static int desc_expand(struct session *s, struct finder *f, const struct d_desc *d)
{
	u64 before = f->matches;
	bool claimed = false;

	for (size_t i = 0; i < s->providers.n; i++) {
		struct session_provider *p = &s->providers.v[i];
		int err;

		if (!d->by_id && !p->ops->claims(d->prov))
			continue;
		claimed = true;
		err = p->ops->expand(p->run, d, found, f);
		if (err)
			return err;
	}
	if (f->matches > before || s->cfg->opt.n[SESSION_ZDEFS])
		return 0;
	if (claimed)
		diag_report(s->diag, DIAG_ERROR, d->pos, "probe description %s does not match any probes",
			    desc_text(s, d));
	else
		diag_report(s->diag, DIAG_ERROR, d->pos,
			    "probe description %s does not match any probes: there is no provider '%s'",
			    desc_text(s, d), d->prov);
	return -ENOENT;
}

int session_plan_expand(struct session *s)
{
	for (size_t t = 0; t < s->texts.n; t++) {
		struct session_text *text = &s->texts.v[t];

		for (size_t i = text->first; i < text->first + text->n; i++) {
			struct session_clause *c = vec_push(s->arena, &s->clauses);
			struct finder f = {.s = s, .clause = c};

			c->clause = s->prog.clauses.v[i];
			for (u32 n = 0; n < c->clause->ndescs; n++) {
				int err = desc_expand(s, &f, &c->clause->descs[n]);

				if (err)
					return err;
			}
			text->matches += f.matches;
		}
	}
	return 0;
}

/* --- checking ---------------------------------------------------------------------------------------- */

static const char *arg_type_in(const struct session_match *m, u32 n)
{
	for (size_t i = 0; i < m->group->probes.n; i++) {
		const struct probe *p = m->group->probes.v[i];

		if (m->set[i / 64] & 1ull << i % 64 && n < p->nargs)
			return p->arg_types ? p->arg_types[n] : "int64_t";
	}
	return NULL;
}

static const char *arg_type(void *arg, const struct d_clause *clause, u32 n)
{
	struct session *s = arg;
	const struct session_clause *c = NULL;
	const char *type = NULL;

	for (size_t i = 0; i < s->clauses.n && !c; i++)
		if (s->clauses.v[i].clause == clause)
			c = &s->clauses.v[i];
	for (size_t i = 0; c && i < c->matches.n && !type; i++)
		type = arg_type_in(&c->matches.v[i], n);
	return type;
}

int session_plan_resolve(struct session *s)
{
	const struct d_resolver r = {
	    .arg = s,
	    .arg_type = arg_type,
	    .destructive = s->cfg->opt.n[SESSION_DESTRUCTIVE],
	    .strsize = s->env.strsize,
	};

	return d_check(&s->prog, &r, s->diag);
}
