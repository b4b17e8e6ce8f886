// SPDX-License-Identifier: Apache-2.0
/* The types of variables and of their keys, from what the script puts into them. */
#include <string.h>

#include "d/checker_impl.h"

#define MAX_ROUNDS  20 /* of finding types from types; real scripts need two or three */
#define MAX_GUESSES 3  /* of variables without a type, that others are then found from */

/*
 * Writing a literal 0 to a thread's variable or to an element of an array frees it, whatever its type is: it says
 * nothing of the type, as long as something else does. Neither does NULL.
 */
static bool only_frees(const struct d_node *n, const struct d_var *v)
{
	const struct d_node *value = n->arg[1];

	if (value->op == D_VAR && value->scope == D_GLOBAL && !strcmp(value->name, "NULL"))
		return true;
	return d_is_zero(value) && (v->scope == D_THREAD || v->nkeys);
}

/* Keys take the widest integer type that they are used with, so that none is cut. */
static void infer_keys(struct d_checker *c, struct d_node *n)
{
	struct d_symbol *s = d_symbol_find(c, n->scope, n->name);

	if (!s || s->declared || s->var->nkeys != n->narg)
		return;
	for (u32 i = 0; i < n->narg; i++) {
		const struct d_type *t = d_infer(c, n->arg[i]), **key = &s->var->keys[i];

		if (!t || (*key && (!d_is_int(t) || !d_is_int(*key) || t->size <= (*key)->size)))
			continue;
		*key = t;
		c->progress = true;
	}
}

/*
 * The first assignment in the text gives a variable its type. ++ and += count in int64_t, as in DTrace, unless an
 * assignment says that the variable is a pointer.
 */
static void infer_modified(struct d_checker *c, const struct d_node *n, struct d_symbol *s)
{
	bool plain = n->op == D_ASSIGN && n->assign_op == D_CONST;
	const struct d_type *t = &d_type_s64;

	s->assigned = true;
	if (s->var->type && !(plain && s->counted))
		return;
	if (!plain && s->first && c->stage == INFER_FIRST)
		return;
	if (plain) {
		if (c->stage < INFER_ZERO && only_frees(n, s->var))
			return;
		if (!s->first)
			s->first = n;
		if (c->stage == INFER_FIRST && s->first != n && !s->counted)
			return;
		t = d_infer(c, n->arg[1]);
		if (!t || (s->counted && !d_is_pointer(t)))
			return;
	}
	s->counted = !plain;
	s->var->type = t;
	c->progress = true;
}

static bool infer_node(void *arg, struct d_node *n)
{
	struct d_checker *c = arg;
	struct d_symbol *s;

	if (n->op == D_VAR && n->narg)
		infer_keys(c, n);
	if (!d_is_modification(n->op) || n->arg[0]->op != D_VAR)
		return false;
	s = d_symbol_find(c, n->arg[0]->scope, n->arg[0]->name);
	if (s && !s->declared)
		infer_modified(c, n, s);
	return false;
}

static void infer_until_stable(struct d_checker *c)
{
	for (u32 round = 0; round < MAX_ROUNDS; round++) {
		c->progress = false;
		for (size_t i = 0; i < c->prog->clauses.n; i++) {
			c->clause = c->prog->clauses.v[i];
			d_clause_walk(c->prog->clauses.v[i], infer_node, c);
		}
		if (!c->progress)
			return;
	}
}

void d_vars_infer(struct d_checker *c)
{
	u32 again = 0;

	infer_until_stable(c);
	c->stage = INFER_ANY;
	infer_until_stable(c);
	c->stage = INFER_ZERO;
	infer_until_stable(c);
	/* Variables that are only computed from each other: x = x + 1. One may be enough to give others their type. */
	for (size_t i = 0; i < c->prog->vars.n; i++) {
		struct d_var *v = c->prog->vars.v[i];

		if (v->type || !d_symbol_find(c, v->scope, v->name)->assigned)
			continue;
		v->type = &d_type_s64;
		if (again++ < MAX_GUESSES)
			infer_until_stable(c);
	}
}
