// SPDX-License-Identifier: Apache-2.0
/*
 * Where a probe is many functions, that it matched says little: a name with a typing error in it matches as well. So it is said
 * how many functions there are, which ones have nearly that name, and at the end what has never matched anything.
 */
#include "session/session_impl.h"

void session_functions_find(struct session *s)
{
	for (size_t i = 0; i < s->providers.n; i++)
		if (s->providers.v[i].ops->functions_find)
			s->providers.v[i].ops->functions_find(s->providers.v[i].run);
}

/* 1234567 as "1,234,567". */
static const char *thousands(struct session *s, u64 n)
{
	if (n < 1000)
		return arena_printf(s->arena, "%llu", (unsigned long long)n);
	return arena_printf(s->arena, "%s,%03llu", thousands(s, n / 1000), (unsigned long long)(n % 1000));
}

static const char *none_text(struct session *s, const struct provider_functions *f)
{
	if (f->partial)
		return "";
	return arena_printf(s->arena, " (no function yet: %s %s loaded%s%s)", thousands(s, f->exist),
			    f->exist == 1 ? "is" : "are", f->near ? "; nearest: " : "", f->near ? f->near : "");
}

static const char *some_text(struct session *s, const struct provider_functions *f)
{
	const char *where = f->processes > 1 ? arena_printf(s->arena, " in %u processes", f->processes) : "";

	return arena_printf(s->arena, " (%s%s function%s%s now)", f->partial ? "at least " : "",
			    thousands(s, f->match), f->match == 1 ? "" : "s", where);
}

const char *session_functions_text(struct session *s, const struct session_text *t)
{
	struct d_clause *const *clauses = s->prog.clauses.v + t->first;
	struct provider_functions f;

	for (size_t i = 0; i < s->providers.n; i++) {
		const struct session_provider *p = &s->providers.v[i];

		if (p->ops->functions_count && p->ops->functions_count(p->run, clauses, t->n, &f))
			return f.match ? some_text(s, &f) : none_text(s, &f);
	}
	return "";
}

/* Also with -q: an empty result of nothing but a typing error is no success. */
static void desc_report(struct session *s, const struct session_provider *p, const struct d_clause *c,
			const struct d_desc *d)
{
	if (p->ops->functions_matched(p->run, d) != 0)
		return;
	diag_report(s->diag, DIAG_WARNING, NOWHERE, "probe description %s%s has matched no function",
		    session_desc_text(s, d), c->pred ? " with its predicate" : "");
}

void session_functions_report(struct session *s)
{
	if (s->cfg->opt.n[SESSION_ZDEFS])
		return;
	for (size_t i = 0; i < s->providers.n; i++) {
		const struct session_provider *p = &s->providers.v[i];

		for (size_t c = 0; p->ops->functions_matched && c < s->prog.clauses.n; c++)
			for (u32 d = 0; d < s->prog.clauses.v[c]->ndescs; d++)
				desc_report(s, p, s->prog.clauses.v[c], &s->prog.clauses.v[c]->descs[d]);
	}
}
