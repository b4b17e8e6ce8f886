// SPDX-License-Identifier: Apache-2.0
/* The variables of a program: those that it declares, and those that come to be by their use. */
#include <string.h>

#include "d/checker_impl.h"

/* There is no place for it that lives as long as one firing of a clause. */
static int no_local_array(struct d_checker *c, struct srcpos pos, const char *name)
{
	return d_check_error(c, pos, "this->%s cannot be an array: arrays are global, or of a thread (self->%s)",
			     name, name);
}

/* inline type name = constant; It may name the inline names before it. */
static int declare_inline(struct d_checker *c, const struct d_decl *d)
{
	struct d_node *value = d->value;
	struct d_symbol *s;

	if (d_check_expr(c, value))
		return -EINVAL;
	if (value->op != D_CONST)
		return d_check_error(c, d->pos,
				     "inline %s is not a constant: other inline definitions are not supported yet",
				     d->name);
	if (!d_type_fits(d->type, value))
		return d_check_error(c, d->pos, "inline %s is \"%s\", and its value is \"%s\"", d->name,
				     d->type->name, value->type->name);
	value->type = d->type;
	value->value = d_type_wrap(d->type, value->value);
	s = d_symbol_add(c, d->scope, d->name, d->pos);
	s->declared = true;
	s->value = value;
	s->var->type = d->type;
	return 0;
}

static int declare(struct d_checker *c, const struct d_decl *d)
{
	struct d_symbol *s = d_symbol_find(c, d->scope, d->name);

	if (s)
		return d_check_error(c, d->pos, "%s%s is already declared at %s", d_scope_prefix(d->scope), d->name,
				     d_place(c, s->var->pos));
	if (d->scope == D_GLOBAL && d_is_reserved(d->name))
		return d_check_error(c, d->pos, "'%s' is a name of D's own", d->name);
	if (d->type->kind == D_VOID)
		return d_check_error(c, d->pos, "a variable cannot have the type \"void\"");
	for (u32 i = 0; i < d->nkeys; i++)
		if (d->keys[i]->kind == D_VOID)
			return d_check_error(c, d->pos, "a key cannot have the type \"void\"");
	if (d->scope == D_CLAUSE && d->nkeys)
		return no_local_array(c, d->pos, d->name);
	if (d->value)
		return declare_inline(c, d);
	s = d_variable_add(c, d->scope, d->name, d->pos);
	s->declared = true;
	s->var->type = d->type;
	s->var->nkeys = d->nkeys;
	s->var->keys = d->keys;
	return 0;
}

static bool note_use(void *arg, struct d_node *n)
{
	struct d_checker *c = arg;
	struct d_symbol *s;

	if (d_is_modification(n->op) && n->arg[0]->op == D_VAR && n->arg[0]->narg) {
		note_use(c, n->arg[0]);
		s = d_symbol_find(c, n->arg[0]->scope, n->arg[0]->name);
		if (s)
			s->keyed_assigned = true;
		return false;
	}
	if (n->op != D_VAR || (n->scope == D_GLOBAL && d_is_reserved(n->name)))
		return false;
	s = d_symbol_find(c, n->scope, n->name);
	if (!s)
		s = d_variable_add(c, n->scope, n->name, n->pos);
	if (s->value)
		return false;
	n->var = s->var;
	if (!n->narg)
		s->scalar = true;
	else if (!s->keyed)
		s->keyed = n;
	return false;
}

/*
 * A variable is an array when it is written with keys, or never used without. Otherwise v[i] can only index a pointer.
 */
int d_vars_collect(struct d_checker *c)
{
	for (size_t i = 0; i < c->prog->decls.n; i++)
		if (declare(c, &c->prog->decls.v[i]))
			return -EINVAL;
	d_program_walk(c->prog, note_use, c);
	for (size_t i = 0; i < c->prog->vars.n; i++) {
		struct d_var *v = c->prog->vars.v[i];
		struct d_symbol *s = d_symbol_find(c, v->scope, v->name);

		if (s->declared || !s->keyed || (s->scalar && !s->keyed_assigned))
			continue;
		if (v->scope == D_CLAUSE)
			return no_local_array(c, s->keyed->pos, v->name);
		v->nkeys = s->keyed->narg;
		v->keys = arena_new_array(c->arena, const struct d_type *, v->nkeys);
	}
	return 0;
}
