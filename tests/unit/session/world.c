// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "world.h"

static void keep(void *arg, enum diag_level level, const char *text)
{
	struct world *w = arg;
	size_t n = strlen(w->said);

	snprintf(w->last, sizeof(w->last), "%s", text);
	snprintf(w->said + n, sizeof(w->said) - n, "%s", text);
}

struct world *world_new(const char *text)
{
	struct world *w = calloc(1, sizeof(*w));
	struct arena *a = arena_new();

	w->diag = (struct diag){.sink = keep, .arg = w};
	session_config_init(&w->cfg, a);
	*vec_push(a, &w->cfg.args) = "pydtrace";
	*vec_push(a, &w->cfg.programs) = (struct session_program){.text = text, .bare = D_DESC_NAME};
	w->s = (struct session){.cfg = &w->cfg,
				.diag = &w->diag,
				.arena = a,
				.prog = {.arena = a},
				.exec_ops = &exec_kernel,
				.out = stdout,
				.signals = -1};
	return w;
}

void world_free(struct world *w)
{
	consumer_free(w->s.consumer);
	exec_close(w->s.exec);
	session_providers_close(&w->s);
	arena_free(w->s.arena);
	free(w);
}

int world_expand(struct world *w)
{
	int err = session_sources_parse(&w->s);

	if (!err)
		err = session_providers_open(&w->s);
	return err ? err : session_plan_expand(&w->s);
}

int world_compile(struct world *w)
{
	int err = world_expand(w);

	if (!err)
		err = session_plan_resolve(&w->s);
	if (!err)
		err = session_enable(&w->s);
	return err ? err : cg_generate(&w->s.in, &w->s.cg, &w->diag);
}
