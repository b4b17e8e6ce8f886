// SPDX-License-Identifier: Apache-2.0
/* -l: the probes that the descriptions match, or all, in dtrace's columns. */
#include <string.h>

#include "session/session_impl.h"

/* The names of a probe, right-justified in columns; the last one is not. */
static void add_names(struct strbuf *b, const struct probe *p, enum text_form form)
{
	const struct {
		const char *name;
		int width;
	} columns[] = {{p->prov, 10}, {p->mod, 17}, {p->func, 33}, {p->name, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		strbuf_puts(b, " ");
		strbuf_add_text(b, columns[i].name, strlen(columns[i].name),
				(struct text_style){.form = form, .width = columns[i].width});
	}
	strbuf_puts(b, "\n");
}

static void list_probe(struct session *s, const struct probe *p)
{
	struct strbuf names = {0};

	add_names(&names, p, s->cfg->opt.n[SESSION_RAWBYTES] ? TEXT_RAW : TEXT_PRINTABLE);
	fprintf(s->out, "%5u%s", p->id, names.s ? names.s : "\n");
	strbuf_free(&names);
	if (!s->cfg->opt.n[SESSION_VERBOSE])
		return;
	fprintf(s->out, "\n\tArgument Types\n");
	for (u32 i = 0; i < p->nargs; i++)
		fprintf(s->out, "\t\targs[%u]: %s\n", i, p->arg_types ? p->arg_types[i] : "int64_t");
	if (!p->nargs)
		fprintf(s->out, "\t\tNone\n");
	fprintf(s->out, "\n");
}

static void list_clause(struct session *s, const struct session_clause *c)
{
	for (size_t i = 0; i < c->matches.n; i++) {
		const struct session_match *m = &c->matches.v[i];

		for (size_t n = 0; n < m->group->probes.n; n++)
			if (m->set[n / 64] & 1ull << n % 64)
				list_probe(s, m->group->probes.v[n]);
	}
}

int session_list(struct session *s)
{
	fprintf(s->out, "%5s %10s %17s %33s %s\n", "ID", "PROVIDER", "MODULE", "FUNCTION", "NAME");
	for (size_t i = 0; i < s->clauses.n; i++)
		list_clause(s, &s->clauses.v[i]);
	for (size_t i = 0; !s->cfg->programs.n && i < s->probes.n; i++)
		if (*s->probes.v[i]->name)
			list_probe(s, s->probes.v[i]);
	return session_flush(s, 0);
}
