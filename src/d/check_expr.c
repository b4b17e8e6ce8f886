// SPDX-License-Identifier: Apache-2.0
/* Check an expression: each operator has its rule in the table at the end. */
#include <string.h>

#include "d/checker_impl.h"

/* --- operators ------------------------------------------------------------------------------------------ */

static int check_const(struct d_checker *c, struct d_node *n)
{
	return 0;
}

static int check_operands(struct d_checker *c, struct d_node *n)
{
	for (u32 i = 0; i < n->narg; i++)
		if (d_check_expr(c, n->arg[i]))
			return -EINVAL;
	return 0;
}

static const char *op_name(const struct d_node *n)
{
	static const char *const assign[D_NOPS] = {
	    [D_CONST] = "=", [D_ADD] = "+=", [D_SUB] = "-=", [D_MUL] = "*=",  [D_DIV] = "/=",  [D_MOD] = "%=",
	    [D_AND] = "&=",  [D_OR] = "|=",  [D_XOR] = "^=", [D_SHL] = "<<=", [D_SHR] = ">>=",
	};

	return n->op == D_ASSIGN ? assign[n->assign_op] : d_op_text(n->op);
}

static int bad_operand(struct d_checker *c, const struct d_node *n, const struct d_node *arg, const char *wants)
{
	return d_check_error(c, n->pos, "operator %s needs %s, not \"%s\"", op_name(n), wants, arg->type->name);
}

static int incompatible(struct d_checker *c, const struct d_node *n)
{
	return d_check_error(c, n->pos, "operands have incompatible types: \"%s\" %s \"%s\"", n->arg[0]->type->name,
			     op_name(n), n->arg[1]->type->name);
}

static int check_unary_int(struct d_checker *c, struct d_node *n)
{
	if (check_operands(c, n))
		return -EINVAL;
	if (!d_is_int(n->arg[0]->type))
		return bad_operand(c, n, n->arg[0], "an integer");
	n->type = d_type_promote(n->arg[0]->type);
	return 0;
}

/* ! && || ^^: each operand is tested for zero. */
static int check_logical(struct d_checker *c, struct d_node *n)
{
	if (check_operands(c, n))
		return -EINVAL;
	for (u32 i = 0; i < n->narg; i++)
		if (!d_is_scalar(n->arg[i]->type))
			return bad_operand(c, n, n->arg[i], "integers or pointers");
	n->type = &d_type_int;
	return 0;
}

static int check_deref(struct d_checker *c, struct d_node *n)
{
	const struct d_type *t;

	if (check_operands(c, n))
		return -EINVAL;
	t = n->arg[0]->type;
	if (!d_is_pointer(t))
		return bad_operand(c, n, n->arg[0], "a pointer");
	if (!t->to || !d_is_scalar(t->to))
		return d_check_error(c, n->pos, "what a \"%s\" points to cannot be read: cast it first", t->name);
	n->type = t->to;
	return 0;
}

static int check_cast(struct d_checker *c, struct d_node *n)
{
	const struct d_type *to = n->type, *from;

	if (check_operands(c, n))
		return -EINVAL;
	from = n->arg[0]->type;
	if (d_is_scalar(to) && d_is_scalar(from))
		return 0;
	if ((d_is_pointer(to) || d_is_string(to)) && from->kind == D_BYTES)
		return 0;
	if (d_is_string(to) && d_is_string(from)) {
		*n = *n->arg[0];
		return 0;
	}
	if (d_is_string(to) && d_is_scalar(from))
		return d_check_error(c, n->pos,
				     "\"%s\" cannot be cast to a string: copyinstr() reads one from an address",
				     from->name);
	return d_check_error(c, n->pos, "invalid cast of \"%s\" to \"%s\"", from->name, to->name);
}

/* The bytes of a string constant with its NUL, as far as it is kept. */
static s64 constant_size(struct d_checker *c, const char *s)
{
	return (s64)strnlen(s, c->r->strsize - 1) + 1;
}

/* sizeof(type) has its type in the node; sizeof expr has an operand, which is not evaluated. */
static int check_sizeof(struct d_checker *c, struct d_node *n)
{
	const struct d_type *t = n->type;

	if (n->narg) {
		if (check_operands(c, n))
			return -EINVAL;
		t = n->arg[0]->type;
	}
	if (n->narg && n->arg[0]->op == D_CONST && d_is_string(t))
		n->value = constant_size(c, n->arg[0]->str);
	else
		n->value = d_is_int(t) ? t->size : d_is_pointer(t) ? 8 : d_is_string(t) ? c->r->strsize : 0;
	if (!n->value)
		return d_check_error(c, n->pos, "sizeof cannot be applied to \"%s\"", t->name);
	n->op = D_CONST;
	n->type = &d_type_size;
	n->narg = 0;
	return 0;
}

static int check_binary(struct d_checker *c, struct d_node *n)
{
	if (check_operands(c, n))
		return -EINVAL;
	n->type = d_type_binary(n->op, n->arg[0]->type, n->arg[1]->type);
	if (n->type)
		return 0;
	n->type = &d_type_untyped;
	return incompatible(c, n);
}

static int check_shift(struct d_checker *c, struct d_node *n)
{
	if (check_operands(c, n))
		return -EINVAL;
	if (!d_is_int(n->arg[0]->type) || !d_is_int(n->arg[1]->type))
		return incompatible(c, n);
	n->type = d_type_promote(n->arg[0]->type);
	return 0;
}

/* A literal 0, or NULL, takes the type of the integer or pointer that it meets. */
static bool make_same_kind(const struct d_type *t, struct d_node *zero)
{
	if (!d_is_scalar(t) || !d_is_zero(zero))
		return false;
	if (zero->type->kind != t->kind)
		zero->type = t;
	return true;
}

/*
 * A string may be compared with NULL or 0. Only strstr() can give none, so for it the node stays; any other string
 * is none when it is empty, as a variable is that was never written.
 */
static bool compares_with_null(struct d_checker *c, struct d_node *n, u32 string)
{
	struct d_node *s = n->arg[string], **null = &n->arg[!string];

	if ((n->op != D_EQ && n->op != D_NE) || !d_is_string(s->type) || !d_is_zero(*null))
		return false;
	if (s->op == D_CALL && s->subr == D_SUBR_STRSTR)
		*null = d_node_const(c->prog, (*null)->pos, &d_type_int, 0);
	else
		*null = d_node_string(c->prog, (*null)->pos, "");
	return true;
}

static int check_compare(struct d_checker *c, struct d_node *n)
{
	const struct d_type *a, *b;

	if (check_operands(c, n))
		return -EINVAL;
	n->type = &d_type_int;
	a = n->arg[0]->type;
	b = n->arg[1]->type;
	if (a->kind == b->kind && (d_is_scalar(a) || d_is_string(a)))
		return 0;
	if (make_same_kind(a, n->arg[1]) || make_same_kind(b, n->arg[0]))
		return 0;
	return compares_with_null(c, n, 0) || compares_with_null(c, n, 1) ? 0 : incompatible(c, n);
}

static int check_cond(struct d_checker *c, struct d_node *n)
{
	const struct d_type *a, *b;

	if (check_operands(c, n))
		return -EINVAL;
	if (!d_is_scalar(n->arg[0]->type))
		return bad_operand(c, n, n->arg[0], "an integer or a pointer as its condition");
	a = n->arg[1]->type;
	b = n->arg[2]->type;
	if (d_is_int(a) && d_is_int(b))
		n->type = d_type_arith(a, b);
	else if (make_same_kind(a, n->arg[2]) || d_type_fits(a, n->arg[2]))
		n->type = a;
	else if (make_same_kind(b, n->arg[1]))
		n->type = b;
	else
		return d_check_error(c, n->pos, "operands have incompatible types: \"%s\" : \"%s\"", a->name,
				     b->name);
	return 0;
}

static int check_comma(struct d_checker *c, struct d_node *n)
{
	if (check_operands(c, n))
		return -EINVAL;
	n->type = n->arg[1]->type;
	return 0;
}

/* What stands left of '=' or has ++: a variable of the script. */
static int check_lvalue(struct d_checker *c, struct d_node *n)
{
	const struct d_node *to = n->arg[0];

	if (to->op == D_VAR)
		return 0;
	if (to->op == D_BUILTIN || to->op == D_ARGS)
		return d_check_error(c, n->pos, "operator %s cannot change '%s': it is a built-in variable",
				     op_name(n), to->name);
	if (to->op == D_DEREF)
		return d_check_error(c, n->pos, "operator %s cannot write to memory: only to variables",
				     op_name(n));
	return d_check_error(c, n->pos, "operator %s needs a variable on its left", op_name(n));
}

/* var = value */
static int check_plain_assign(struct d_checker *c, struct d_node *n)
{
	const struct d_var *v = n->arg[0]->var;
	struct d_node **value = &n->arg[1];

	if (make_same_kind(v->type, *value) || d_type_fits(v->type, *value))
		return 0;
	/* A literal 0 frees what belongs to a thread or an array: for a string, that is to make it empty. */
	if (d_is_string(v->type) && d_is_zero(*value) &&
	    (v->scope == D_THREAD || v->nkeys || d_is_pointer((*value)->type))) {
		*value = d_node_string(c->prog, (*value)->pos, "");
		return 0;
	}
	if ((*value)->type->kind == D_BYTES)
		return d_check_error(c, n->pos,
				     "what copyin() gives cannot be kept: trace it, or cast it and read it");
	return incompatible(c, n);
}

static int check_assign(struct d_checker *c, struct d_node *n)
{
	const struct d_type *a, *b;

	if (n->arg[0]->op == D_AGGREF)
		return d_check_error(c, n->pos,
				     "@%s takes the result of an aggregating function, in a statement of its own",
				     n->arg[0]->name);
	if (check_operands(c, n) || check_lvalue(c, n))
		return -EINVAL;
	a = n->arg[0]->type;
	b = n->arg[1]->type;
	n->type = a;
	if (n->assign_op == D_CONST)
		return check_plain_assign(c, n);
	if (d_is_int(a) && d_is_int(b))
		return 0;
	if (d_is_pointer(a) && d_is_int(b) && (n->assign_op == D_ADD || n->assign_op == D_SUB))
		return 0;
	return incompatible(c, n);
}

static int check_step(struct d_checker *c, struct d_node *n)
{
	if (check_operands(c, n) || check_lvalue(c, n))
		return -EINVAL;
	n->type = n->arg[0]->type;
	return d_is_scalar(n->type) ? 0 : bad_operand(c, n, n->arg[0], "an integer or a pointer");
}

static int check_aggref(struct d_checker *c, struct d_node *n)
{
	return d_check_error(c, n->pos, "@%s cannot be used as a value", n->name);
}

static int check_member(struct d_checker *c, struct d_node *n)
{
	if (check_operands(c, n))
		return -EINVAL;
	return d_check_error(c, n->pos, "'%s' is a member of a structure, and structures are not supported yet",
			     n->name);
}

static int (*const rule[D_NOPS])(struct d_checker *, struct d_node *) = {
    [D_CONST] = check_const,      [D_BUILTIN] = check_const,  [D_ARGS] = check_const,    [D_VAR] = d_check_name,
    [D_AGGREF] = check_aggref,    [D_CALL] = d_check_call,    [D_NEG] = check_unary_int, [D_NOT] = check_logical,
    [D_BITNOT] = check_unary_int, [D_PLUS] = check_unary_int, [D_DEREF] = check_deref,   [D_CAST] = check_cast,
    [D_SIZEOF] = check_sizeof,    [D_ADD] = check_binary,     [D_SUB] = check_binary,    [D_MUL] = check_binary,
    [D_DIV] = check_binary,       [D_MOD] = check_binary,     [D_SHL] = check_shift,     [D_SHR] = check_shift,
    [D_AND] = check_binary,       [D_OR] = check_binary,      [D_XOR] = check_binary,    [D_LT] = check_compare,
    [D_LE] = check_compare,       [D_GT] = check_compare,     [D_GE] = check_compare,    [D_EQ] = check_compare,
    [D_NE] = check_compare,       [D_LAND] = check_logical,   [D_LOR] = check_logical,   [D_LXOR] = check_logical,
    [D_COND] = check_cond,        [D_COMMA] = check_comma,    [D_ASSIGN] = check_assign, [D_PREINC] = check_step,
    [D_PREDEC] = check_step,      [D_POSTINC] = check_step,   [D_POSTDEC] = check_step,  [D_MEMBER] = check_member,
};

int d_check_expr(struct d_checker *c, struct d_node *n)
{
	int err = rule[n->op](c, n);

	return err ? err : d_fold(c, n);
}
