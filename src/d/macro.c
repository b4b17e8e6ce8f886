// SPDX-License-Identifier: Apache-2.0
/* Macro variables and arguments: $target, $pid, $1, $$1. */
#include <stdlib.h>
#include <string.h>

#include "d/parser_impl.h"

static const struct {
	const char *name;
	size_t off;
} variables[] = {
    {"target", offsetof(struct d_macros, target)}, {"pid", offsetof(struct d_macros, pid)},
    {"ppid", offsetof(struct d_macros, ppid)},     {"uid", offsetof(struct d_macros, uid)},
    {"euid", offsetof(struct d_macros, euid)},     {"gid", offsetof(struct d_macros, gid)},
    {"egid", offsetof(struct d_macros, egid)},     {"pgid", offsetof(struct d_macros, pgid)},
    {"sid", offsetof(struct d_macros, sid)},       {"projid", offsetof(struct d_macros, projid)},
    {"taskid", offsetof(struct d_macros, taskid)},
};

/* $0, $1 ...: a missing one is an error, or with -x defaultargs 0 ($$1: the empty string). */
static const char *argument(struct d_parser *p, struct srcpos pos, const char *name)
{
	const struct d_macros *m = p->cfg->macros;
	const char *digits = name + strspn(name, "$");
	unsigned long i = strtoul(digits, NULL, 10);

	if (m && i < m->nargs) {
		if (m->used)
			m->used[i] = true;
		return m->args[i];
	}
	if (m && m->default_args)
		return name[1] == '$' ? "" : "0";
	d_parser_error(p, pos, "macro argument %s is not defined", name);
	return NULL;
}

const char *d_macro_text(struct d_parser *p, struct srcpos pos, const char *name)
{
	const struct d_macros *m = p->cfg->macros;
	const char *word = name + strspn(name, "$");

	if (*word >= '0' && *word <= '9')
		return argument(p, pos, name);
	for (size_t i = 0; m && i < ARRAY_SIZE(variables); i++) {
		const s64 *v = (const s64 *)(const void *)((const char *)m + variables[i].off);

		if (strcmp(variables[i].name, word))
			continue;
		if (v == &m->target && !*v) {
			d_parser_error(p, pos, "macro variable %s is not defined: name a process with -p or -c",
				       name);
			return NULL;
		}
		return arena_printf(p->prog->arena, "%lld", (long long)*v);
	}
	d_parser_error(p, pos, "macro variable %s is not defined", name);
	return NULL;
}
