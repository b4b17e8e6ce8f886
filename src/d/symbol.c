// SPDX-License-Identifier: Apache-2.0
/* The table of the names of a program: its variables and inline names; its aggregations. */
#include <string.h>

#include "d/checker_impl.h"

static struct d_symbol **bucket(struct d_checker *c, enum d_scope scope, const char *name)
{
	return &c->symbols[(hash_bytes(name, strlen(name)) + scope) % ARRAY_SIZE(c->symbols)];
}

struct d_symbol *d_symbol_find(struct d_checker *c, enum d_scope scope, const char *name)
{
	for (struct d_symbol *s = *bucket(c, scope, name); s; s = s->next)
		if (s->var->scope == scope && !strcmp(s->var->name, name))
			return s;
	return NULL;
}

struct d_symbol *d_symbol_add(struct d_checker *c, enum d_scope scope, const char *name, struct srcpos pos)
{
	struct d_symbol *s = arena_new_array(c->arena, struct d_symbol, 1), **b = bucket(c, scope, name);

	s->var = arena_new_array(c->arena, struct d_var, 1);
	s->var->name = name;
	s->var->scope = scope;
	s->var->pos = pos;
	s->next = *b;
	*b = s;
	return s;
}

struct d_symbol *d_variable_add(struct d_checker *c, enum d_scope scope, const char *name, struct srcpos pos)
{
	struct d_symbol *s = d_symbol_add(c, scope, name, pos);

	s->var->id = c->nvars[scope]++;
	*vec_push(c->arena, &c->prog->vars) = s->var;
	return s;
}

/* Names that are not variables of the script. */
bool d_is_reserved(const char *name)
{
	s64 value;

	return d_constant_find(name, &value) || !strcmp(name, "args") || !strcmp(name, "NULL") ||
	       d_builtin_find(name) >= 0 || d_subr_find(name) >= 0 || d_action_find(name) >= 0 ||
	       d_aggfunc_find(name) >= 0 || d_is_known_absent(name);
}

struct d_aggregation *d_agg_find(struct d_checker *c, const char *name)
{
	for (size_t i = 0; i < c->prog->aggs.n; i++)
		if (!strcmp(c->prog->aggs.v[i]->name, name))
			return c->prog->aggs.v[i];
	return NULL;
}
