// SPDX-License-Identifier: Apache-2.0
/* Constant folding. What is computed here must be what the generated code would compute. */
#include <string.h>

#include "d/checker_impl.h"

static bool is_const_int(const struct d_node *n)
{
	return n->op == D_CONST && d_is_scalar(n->type);
}

static bool is_const_string(const struct d_node *n)
{
	return n->op == D_CONST && d_is_string(n->type);
}

static void make_const(struct d_node *n, s64 value)
{
	n->op = D_CONST;
	n->value = d_type_wrap(n->type, value);
	n->arg = NULL;
	n->narg = 0;
}

/*
 * The result of arithmetic. Where a signed one is too big for its type, which C leaves undefined, it is kept and becomes
 * long, as DTrace keeps it: scripts say 10 * 1000000000 for ten seconds.
 */
static void make_result(struct d_node *n, s64 value)
{
	if (n->type->is_signed && d_type_wrap(n->type, value) != value)
		n->type = &d_type_long;
	make_const(n, value);
}

/* Strings compare as far as they are kept: strsize - 1 bytes. */
static s64 compare_strings(struct d_checker *c, const char *a, const char *b)
{
	return strncmp(a, b, c->r->strsize - 1);
}

static s64 relation(enum d_op op, bool less, bool equal)
{
	switch (op) {
	case D_LT: return less;
	case D_LE: return less || equal;
	case D_GT: return !less && !equal;
	case D_GE: return !less;
	case D_EQ: return equal;
	default: return !equal;
	}
}

static s64 divide(const struct d_type *t, enum d_op op, s64 a, s64 b)
{
	if (!t->is_signed)
		return (s64)(op == D_DIV ? (u64)a / (u64)b : (u64)a % (u64)b);
	if (b == -1) /* INT64_MIN / -1 traps on the host */
		return op == D_DIV ? (s64)(0 - (u64)a) : 0;
	return op == D_DIV ? a / b : a % b;
}

/* In 64 bits; the caller cuts the result to its type. */
static s64 compute(const struct d_type *t, enum d_op op, s64 a, s64 b)
{
	u64 x = (u64)a, y = (u64)b;
	u32 bits = t->size == 8 || t->is_signed ? 63 : 31; /* of a shift's count */

	switch (op) {
	case D_ADD: return (s64)(x + y);
	case D_SUB: return (s64)(x - y);
	case D_MUL: return (s64)(x * y);
	case D_AND: return (s64)(x & y);
	case D_OR: return (s64)(x | y);
	case D_XOR: return (s64)(x ^ y);
	case D_SHL: return (s64)(x << (y & bits));
	case D_SHR: return t->is_signed ? a >> (y & bits) : (s64)(x >> (y & bits));
	default: return divide(t, op, a, b);
	}
}

static void fold_unary(struct d_node *n)
{
	s64 v = n->arg[0]->value;

	switch (n->op) {
	case D_NEG: make_result(n, (s64)(0 - (u64)v)); break;
	case D_BITNOT: make_const(n, ~v); break;
	case D_NOT: make_const(n, !v); break;
	case D_PLUS:
	case D_CAST: make_const(n, v); break;
	default: break;
	}
}

static void fold_binary(struct d_checker *c, struct d_node *n)
{
	const struct d_node *l = n->arg[0], *r = n->arg[1];
	s64 a = l->value, b = r->value;

	if (n->op >= D_LT && n->op <= D_NE) {
		const struct d_type *t =
		    d_is_int(l->type) && d_is_int(r->type) ? d_type_arith(l->type, r->type) : &d_type_ulong;

		a = d_type_wrap(t, a);
		b = d_type_wrap(t, b);
		make_const(n, relation(n->op, t->is_signed ? a < b : (u64)a < (u64)b, a == b));
	} else if (n->op == D_LAND) {
		make_const(n, a && b);
	} else if (n->op == D_LOR) {
		make_const(n, a || b);
	} else if (n->op == D_LXOR) {
		make_const(n, !a != !b);
	} else if (n->op >= D_ADD && n->op <= D_XOR && d_is_int(l->type) && d_is_int(r->type)) {
		if (n->op == D_SHL || n->op == D_SHR)
			make_result(n, compute(n->type, n->op, d_type_wrap(n->type, a), b));
		else
			make_result(n, compute(n->type, n->op, d_type_wrap(n->type, a), d_type_wrap(n->type, b)));
	}
}

/* One side of && and || can decide alone, when it is the first. */
static bool fold_short_circuit(struct d_node *n)
{
	if ((n->op != D_LAND && n->op != D_LOR) || !is_const_int(n->arg[0]))
		return false;
	if (!!n->arg[0]->value != (n->op == D_LOR))
		return false;
	make_const(n, n->op == D_LOR);
	return true;
}

/* A constant condition chooses its side, where that side has the type of the whole. */
static void fold_cond(struct d_node *n)
{
	struct d_node *chosen = n->arg[n->arg[0]->value ? 1 : 2];
	const struct d_type *t = n->type;

	if (chosen->op == D_CONST && d_is_string(chosen->type) == d_is_string(t)) {
		n->str = chosen->str;
		make_const(n, chosen->value);
	}
}

int d_fold(struct d_checker *c, struct d_node *n)
{
	if ((n->op == D_DIV || n->op == D_MOD) && is_const_int(n->arg[1]) && !n->arg[1]->value)
		return d_check_error(c, n->pos, "division by zero");
	if (n->op == D_ASSIGN && (n->assign_op == D_DIV || n->assign_op == D_MOD) && d_is_zero(n->arg[1]))
		return d_check_error(c, n->pos, "division by zero");
	if (n->op == D_CONST || n->op == D_COMMA || !n->narg || fold_short_circuit(n))
		return 0;
	if (n->op == D_COND && is_const_int(n->arg[0]))
		fold_cond(n);
	else if (n->narg == 1 && is_const_int(n->arg[0]))
		fold_unary(n);
	else if (n->narg == 2 && is_const_int(n->arg[0]) && is_const_int(n->arg[1]))
		fold_binary(c, n);
	else if (n->narg == 2 && n->op >= D_LT && n->op <= D_NE && is_const_string(n->arg[0]) &&
		 is_const_string(n->arg[1])) {
		s64 order = compare_strings(c, n->arg[0]->str, n->arg[1]->str);

		make_const(n, relation(n->op, order < 0, order == 0));
	}
	return 0;
}
