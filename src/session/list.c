// SPDX-License-Identifier: Apache-2.0
/* -l: the probes that the descriptions match, or all, in dtrace's columns; those of live processes function by function. */
#include <string.h>

#include "session/session_impl.h"

/* The names of a probe, right-justified in columns; the last one is not. */
static void add_names(struct strbuf *b, const struct probe *p, const char *mod, const char *func,
		      enum text_form form)
{
	const struct {
		const char *name;
		int width;
	} columns[] = {{p->prov, 10}, {mod, 17}, {func, 33}, {p->name, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(columns); i++) {
		strbuf_puts(b, " ");
		strbuf_add_text(b, columns[i].name, strlen(columns[i].name),
				(struct text_style){.form = form, .width = columns[i].width});
	}
}

static enum text_form form_of(const struct session *s)
{
	return s->cfg->opt.n[SESSION_RAWBYTES] ? TEXT_RAW : TEXT_PRINTABLE;
}

/* A function, with where it is if -v. False: nobody reads it. */
static bool list_function(void *arg, const struct probe *p, const char *mod, const char *func, const char *file,
			  s64 line)
{
	struct session *s = arg;
	struct strbuf names = {0};

	add_names(&names, p, mod, func, form_of(s));
	if (s->cfg->opt.n[SESSION_VERBOSE]) {
		strbuf_puts(&names, " ");
		strbuf_add_text(&names, file, strlen(file), (struct text_style){.form = form_of(s)});
		strbuf_printf(&names, ":%lld", (long long)line);
	}
	fprintf(s->out, "%5u%s\n", p->id, names.failed ? "" : names.s);
	strbuf_free(&names);
	return !ferror(s->out);
}

static void list_probe(struct session *s, const struct probe *p)
{
	struct strbuf names = {0};

	add_names(&names, p, p->mod, p->func, form_of(s));
	strbuf_puts(&names, "\n");
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

/* Not of a process that -c has started, whose program has not begun. */
static bool lists_functions(const struct session *s, const struct provider_group *g)
{
	return g->provider->functions_list && !s->child;
}

static void list_clause(struct session *s, const struct session_clause *c)
{
	for (size_t i = 0; i < c->matches.n; i++) {
		const struct session_match *m = &c->matches.v[i];

		/* What can be listed function by function is no more than their arguments here. */
		if (lists_functions(s, m->group) && !s->cfg->opt.n[SESSION_VERBOSE])
			continue;
		for (size_t n = 0; n < m->group->probes.n; n++)
			if (m->set[n / 64] & 1ull << n % 64)
				list_probe(s, m->group->probes.v[n]);
	}
}

int session_list(struct session *s)
{
	int err = 0, flushed;

	fprintf(s->out, "%5s %10s %17s %33s %s\n", "ID", "PROVIDER", "MODULE", "FUNCTION", "NAME");
	for (size_t i = 0; i < s->clauses.n; i++)
		list_clause(s, &s->clauses.v[i]);
	for (size_t i = 0; !s->cfg->programs.n && i < s->probes.n; i++)
		if (*s->probes.v[i]->name)
			list_probe(s, s->probes.v[i]);
	session_hold(s, true);
	for (size_t i = 0; i < s->providers.n && !s->child && !err; i++) {
		const struct session_provider *p = &s->providers.v[i];

		if (p->ops->functions_list)
			err =
			    p->ops->functions_list(p->run, s->prog.clauses.v, s->prog.clauses.n, list_function, s);
	}
	session_hold(s, false);
	flushed = session_flush(s, 0);
	return err ? err : flushed;
}
