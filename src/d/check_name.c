// SPDX-License-Identifier: Apache-2.0
/* Check a name: a variable of the script with its keys, one of D's own, or an aggregation. */
#include <string.h>

#include "d/checker_impl.h"

/* args[n] */
static int check_args_array(struct d_checker *c, struct d_node *n)
{
	const struct d_node *index = n->narg == 1 ? n->arg[0] : NULL;
	const char *name;

	if (index && d_check_expr(c, n->arg[0]))
		return -EINVAL;
	if (!c->clause)
		return d_check_error(c, n->pos, "args has a meaning in a clause only");
	if (!index || index->op != D_CONST || !d_is_int(index->type))
		return d_check_error(c, n->pos, "args takes one index, an integer constant: args[0]");
	name = index->value < 0 || index->value > INT32_MAX
		   ? NULL
		   : c->r->arg_type(c->r->arg, c->clause, (u32)index->value);
	if (!name)
		return d_check_error(c, n->pos, "the probe has no argument args[%lld]", (long long)index->value);
	n->type = d_type_parse(c->arena, name);
	if (!n->type)
		return d_check_error(c, n->pos, "args[%lld] has a type that is not supported: %s",
				     (long long)index->value, name);
	n->op = D_ARGS;
	n->value = index->value;
	n->narg = 0;
	return 0;
}

/* A name that is D's own and no variable of the script. */
static int check_reserved(struct d_checker *c, struct d_node *n)
{
	int b = d_builtin_find(n->name);
	bool null = !strcmp(n->name, "NULL");
	s64 value = 0;

	if (!strcmp(n->name, "args"))
		return check_args_array(c, n);
	if (b < 0 && !null && !d_constant_find(n->name, &value)) {
		if (d_is_known_absent(n->name))
			return d_check_error(c, n->pos, "'%s' is not supported yet", n->name);
		return d_check_error(c, n->pos, "'%s' is a function: call it as %s()", n->name, n->name);
	}
	if (n->narg)
		return d_check_error(c, n->pos, "'%s' is not an array", n->name);
	if (b < 0) {
		n->op = D_CONST;
		n->type = null ? &d_type_void_ptr : &d_type_int;
		n->value = value;
		return 0;
	}
	n->op = D_BUILTIN;
	n->builtin = (enum d_builtin)b;
	n->type = d_builtin_type(n->builtin);
	return 0;
}

/* v[i] of a pointer: *(v + i), as in C. */
static int check_pointer_index(struct d_checker *c, struct d_node *n)
{
	struct d_node *var = d_node_new(c->prog, D_VAR, n->pos), *sum = d_node_new(c->prog, D_ADD, n->pos);

	var->name = n->name;
	var->scope = n->scope;
	sum->arg = arena_new_array(c->arena, struct d_node *, 2);
	sum->arg[0] = var;
	sum->arg[1] = n->arg[0];
	sum->narg = 2;
	n->op = D_DEREF;
	n->arg = arena_new_array(c->arena, struct d_node *, 1);
	n->arg[0] = sum;
	return d_check_expr(c, n);
}

static int check_keys(struct d_checker *c, struct d_node *n)
{
	const struct d_var *v = n->var;

	if (!n->narg)
		return d_check_error(c, n->pos, "%s%s is an array with %u key%s (%s)", d_scope_prefix(v->scope),
				     v->name, v->nkeys, v->nkeys == 1 ? "" : "s", d_place(c, v->pos));
	if (!v->nkeys)
		return d_check_error(c, n->pos, "%s%s is not an array (%s)", d_scope_prefix(v->scope), v->name,
				     d_place(c, v->pos));
	if (n->narg != v->nkeys)
		return d_check_error(c, n->pos, "%s%s takes %u key%s (%s), not %u", d_scope_prefix(v->scope),
				     v->name, v->nkeys, v->nkeys == 1 ? "" : "s", d_place(c, v->pos), n->narg);
	for (u32 i = 0; i < n->narg; i++) {
		if (d_check_expr(c, n->arg[i]))
			return -EINVAL;
		if (!v->keys[i])
			v->keys[i] = n->arg[i]->type;
		if (!d_type_fits(v->keys[i], n->arg[i]))
			return d_check_error(c, n->arg[i]->pos, "key #%u of %s%s is \"%s\", not \"%s\"", i + 1,
					     d_scope_prefix(v->scope), v->name, v->keys[i]->name,
					     n->arg[i]->type->name);
	}
	return 0;
}

int d_check_name(struct d_checker *c, struct d_node *n)
{
	struct d_symbol *s;

	if (n->scope == D_GLOBAL && d_is_reserved(n->name))
		return check_reserved(c, n);
	s = d_symbol_find(c, n->scope, n->name);
	if (!s || !s->var->type) {
		if (n->scope == D_GLOBAL)
			return d_check_error(c, n->pos, "unknown variable '%s'", n->name);
		return d_check_error(c, n->pos, "%s%s has not been declared or assigned", d_scope_prefix(n->scope),
				     n->name);
	}
	if (s->value) {
		if (n->narg)
			return d_check_error(c, n->pos, "'%s' is not an array", n->name);
		n->op = D_CONST;
		n->type = s->value->type;
		n->value = s->value->value;
		n->str = s->value->str;
		return 0;
	}
	n->var = s->var;
	n->type = s->var->type;
	if (n->narg == 1 && !s->var->nkeys && d_is_pointer(n->type))
		return check_pointer_index(c, n);
	return n->narg || s->var->nkeys ? check_keys(c, n) : 0;
}

/* An aggregation by name alone, as printa() and clear() take it. */
int d_check_aggref(struct d_checker *c, struct d_node *n)
{
	if (n->narg)
		return d_check_error(c, n->pos, "@%s is named here without keys", n->name);
	n->agg = d_agg_find(c, n->name);
	n->type = &d_type_agg;
	return n->agg ? 0 : d_check_error(c, n->pos, "@%s is never filled", n->name);
}
