// SPDX-License-Identifier: Apache-2.0
/* The providers of a session: opened and closed, and what they ask of it while they expand descriptions. */
#include "session/session_impl.h"

static struct session *of_env(struct provider_env *env)
{
	return (struct session *)((char *)env - offsetof(struct session, env));
}

static struct provider_group *add_group(struct provider_env *env, const struct provider_group *g)
{
	struct session *s = of_env(env);
	struct provider_group *own = arena_alloc(s->arena, sizeof(*own));

	*own = *g;
	*vec_push(s->arena, &s->groups) = own;
	return own;
}

/* A group's probes are numbered without a gap, because a provider adds them one after the other. */
static struct probe *add_probe(struct provider_env *env, struct provider_group *g, const struct probe *p)
{
	struct session *s = of_env(env);
	struct probe *own = arena_alloc(s->arena, sizeof(*own));

	*own = *p;
	*vec_push(s->arena, &s->probes) = own;
	own->id = (u32)s->probes.n;
	own->group = g;
	own->index = (u32)g->probes.n;
	*vec_push(s->arena, &g->probes) = own;
	return own;
}

int session_providers_open(struct session *s)
{
	s->env = (struct provider_env){
	    .arena = s->arena,
	    .diag = s->diag,
	    .target_pid = (pid_t)s->macros.target,
	    .child = s->child,
	    .child_target = s->child_target,
	    .child_python = s->child_is_python ? &s->child_python : NULL,
	    .cancel_fd = s->signals,
	    .strsize = (u32)ALIGN_UP(s->cfg->opt.n[SESSION_STRSIZE], 8),
	    .listing = s->cfg->mode == SESSION_LIST,
	    .add_group = add_group,
	    .add_probe = add_probe,
	};
	for (size_t i = 0; provider_table[i]; i++) {
		struct session_provider *p = vec_push(s->arena, &s->providers);
		int err = provider_table[i]->open(&p->run, &s->env);

		p->ops = provider_table[i];
		if (err) {
			s->providers.n--;
			return err;
		}
	}
	return 0;
}

void session_providers_close(struct session *s)
{
	for (size_t i = s->providers.n; i-- > 0;)
		if (s->providers.v[i].ops->close)
			s->providers.v[i].ops->close(s->providers.v[i].run);
	s->providers.n = 0;
}

struct session_provider *session_provider_of(struct session *s, const struct provider *ops)
{
	for (size_t i = 0; i < s->providers.n; i++)
		if (s->providers.v[i].ops == ops)
			return &s->providers.v[i];
	return NULL;
}
