// SPDX-License-Identifier: Apache-2.0
/* The type that an expression has, before it is checked: only to find the types of variables. */
#include <string.h>

#include "d/checker_impl.h"

static const struct d_type *infer_variable(const struct d_node *n)
{
	const struct d_type *t = n->var->type;

	if (t && n->narg && !n->var->nkeys)
		return d_is_pointer(t) ? t->to : NULL;
	return t;
}

/* Names that are not variables are D's own, or inline. */
static const struct d_type *infer_name(struct d_checker *c, const struct d_node *n)
{
	struct d_symbol *s;
	s64 value;
	int b;

	if (n->var)
		return infer_variable(n);

	if (n->scope == D_GLOBAL && !strcmp(n->name, "args") && n->narg == 1 && c->clause) {
		const char *name =
		    n->arg[0]->op != D_CONST ? NULL : c->r->arg_type(c->r->arg, c->clause, (u32)n->arg[0]->value);

		return name ? d_type_parse(c->arena, name) : NULL;
	}
	if (n->scope == D_GLOBAL && !strcmp(n->name, "NULL"))
		return &d_type_void_ptr;
	if (n->scope == D_GLOBAL && d_constant_find(n->name, &value))
		return &d_type_int;
	b = n->scope == D_GLOBAL ? d_builtin_find(n->name) : -1;
	if (b >= 0)
		return d_builtin_type((enum d_builtin)b);
	s = d_symbol_find(c, n->scope, n->name);
	return s ? s->var->type : NULL;
}

static const struct d_type *infer_call(struct d_checker *c, const struct d_node *n)
{
	int i = d_subr_find(n->name);

	return i < 0 ? NULL : d_subrs[i].type;
}

static const struct d_type *infer_own(struct d_checker *c, const struct d_node *n)
{
	return n->type;
}

static const struct d_type *infer_int(struct d_checker *c, const struct d_node *n)
{
	return &d_type_int;
}

static const struct d_type *infer_size(struct d_checker *c, const struct d_node *n)
{
	return &d_type_size;
}

static const struct d_type *infer_promoted(struct d_checker *c, const struct d_node *n)
{
	const struct d_type *t = d_infer(c, n->arg[0]);

	return t && d_is_int(t) ? d_type_promote(t) : NULL;
}

static const struct d_type *infer_deref(struct d_checker *c, const struct d_node *n)
{
	const struct d_type *t = d_infer(c, n->arg[0]);

	return t && d_is_pointer(t) ? t->to : NULL;
}

static const struct d_type *infer_binary(struct d_checker *c, const struct d_node *n)
{
	const struct d_type *a = d_infer(c, n->arg[0]), *b = d_infer(c, n->arg[1]);

	return a && b ? d_type_binary(n->op, a, b) : NULL;
}

static const struct d_type *infer_cond(struct d_checker *c, const struct d_node *n)
{
	const struct d_type *a = d_infer(c, n->arg[1]), *b = d_infer(c, n->arg[2]);

	if (!a || !b)
		return a ? a : b;
	return d_is_int(a) && d_is_int(b) ? d_type_arith(a, b) : d_is_int(a) ? b : a;
}

static const struct d_type *infer_comma(struct d_checker *c, const struct d_node *n)
{
	return d_infer(c, n->arg[1]);
}

static const struct d_type *infer_assign(struct d_checker *c, const struct d_node *n)
{
	const struct d_type *t = d_infer(c, n->arg[0]);

	return t || n->assign_op != D_CONST ? t : d_infer(c, n->arg[1]);
}

static const struct d_type *infer_first(struct d_checker *c, const struct d_node *n)
{
	return d_infer(c, n->arg[0]);
}

static const struct d_type *(*const rule[D_NOPS])(struct d_checker *, const struct d_node *) = {
    [D_CONST] = infer_own,       [D_VAR] = infer_name,      [D_CALL] = infer_call,     [D_NEG] = infer_promoted,
    [D_BITNOT] = infer_promoted, [D_PLUS] = infer_promoted, [D_NOT] = infer_int,       [D_DEREF] = infer_deref,
    [D_CAST] = infer_own,        [D_SIZEOF] = infer_size,   [D_ADD] = infer_binary,    [D_SUB] = infer_binary,
    [D_MUL] = infer_binary,      [D_DIV] = infer_binary,    [D_MOD] = infer_binary,    [D_AND] = infer_binary,
    [D_OR] = infer_binary,       [D_XOR] = infer_binary,    [D_SHL] = infer_promoted,  [D_SHR] = infer_promoted,
    [D_LT] = infer_int,          [D_LE] = infer_int,        [D_GT] = infer_int,        [D_GE] = infer_int,
    [D_EQ] = infer_int,          [D_NE] = infer_int,        [D_LAND] = infer_int,      [D_LOR] = infer_int,
    [D_LXOR] = infer_int,        [D_COND] = infer_cond,     [D_COMMA] = infer_comma,   [D_ASSIGN] = infer_assign,
    [D_PREINC] = infer_first,    [D_PREDEC] = infer_first,  [D_POSTINC] = infer_first, [D_POSTDEC] = infer_first,
};

const struct d_type *d_infer(struct d_checker *c, const struct d_node *n)
{
	const struct d_type *t = rule[n->op] ? rule[n->op](c, n) : NULL;

	return t && t->kind != D_UNTYPED && t->kind != D_VOID ? t : NULL;
}
