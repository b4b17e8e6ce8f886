// SPDX-License-Identifier: Apache-2.0
/* Aggregations: @name[keys] = func(value, parameters), the same way everywhere in the program. */
#include <string.h>

#include "d/checker_impl.h"

#define MAX_AGGS 1000 /* each is a table in the kernel */

/* --- the parameters of lquantize and llquantize ------------------------------------------------------- */

static int check_lquantize(struct d_checker *c, struct d_node *call, const s64 *p)
{
	if (p[0] < INT32_MIN || p[0] > INT32_MAX || p[1] < INT32_MIN || p[1] > INT32_MAX)
		return d_check_error(c, call->pos, "lquantize() base and limit must fit in 32 bits");
	if (p[0] >= p[1])
		return d_check_error(c, call->pos,
				     "lquantize() base (argument #2) must be less than limit (argument #3)");
	if (p[2] <= 0 || p[2] > UINT16_MAX)
		return d_check_error(c, call->pos, "lquantize() step (argument #4) must be from 1 to 65535");
	if (p[2] > p[1] - p[0])
		return d_check_error(c, call->pos, "lquantize() step (argument #4) is larger than limit - base");
	if ((p[1] - p[0]) / p[2] > UINT16_MAX)
		return d_check_error(c, call->pos,
				     "lquantize() makes too many levels (at most 65535): use a larger step");
	return 0;
}

/* p: factor, low, high, steps. As DTrace: the steps must divide the powers of the factor evenly. */
static int check_llquantize(struct d_checker *c, struct d_node *call, const s64 *p)
{
	s64 power = p[0], order = 1;

	for (u32 i = 0; i < 4; i++)
		if (p[i] < 0 || p[i] > UINT16_MAX)
			return d_check_error(c, call->pos, "llquantize() argument #%u must be from 0 to 65535",
					     i + 2);
	if (p[0] < 2)
		return d_check_error(c, call->pos, "llquantize() factor (argument #2) must be two or more");
	if (p[1] >= p[2])
		return d_check_error(c, call->pos,
				     "llquantize() low (argument #3) must be less than high (argument #4)");
	if (p[3] < p[0])
		return d_check_error(c, call->pos,
				     "llquantize() factor (argument #2) must not be more than the number of "
				     "steps (argument #5)");
	while (power < p[3])
		power *= p[0];
	if (power % p[3] || p[3] % p[0])
		return d_check_error(c, call->pos,
				     "llquantize() steps (argument #5) must divide a power of the factor "
				     "(argument #2) evenly, and be divided by the factor");
	for (s64 i = 0; i <= p[2]; i++)
		if (__builtin_mul_overflow(order, p[0], &order))
			return d_check_error(c, call->pos, "llquantize() factor raised to high overflows 64 bits");
	return 0;
}

/* --- a statement ---------------------------------------------------------------------------------------- */

static int check_function(struct d_checker *c, struct d_node *call, enum d_aggfunc *func, s64 *param)
{
	int f = d_aggfunc_find(call->name);
	const struct d_aggfunc_info *info = &d_aggfuncs[f];

	*func = (enum d_aggfunc)f;
	if (d_check_count(c, call->pos, info->name, info->min, info->max, call->narg))
		return -EINVAL;
	for (u32 i = 0; i < call->narg; i++) {
		if (d_check_expr(c, call->arg[i]))
			return -EINVAL;
		if (!d_is_int(call->arg[i]->type))
			return d_check_error(c, call->arg[i]->pos,
					     "%s() argument #%u must be an integer, not \"%s\"", info->name, i + 1,
					     call->arg[i]->type->name);
		if (i && call->arg[i]->op != D_CONST)
			return d_check_error(c, call->arg[i]->pos, "%s() argument #%u must be a constant",
					     info->name, i + 1);
		if (i)
			param[i - 1] = call->arg[i]->value;
	}
	if (f == D_AGGFUNC_LQUANTIZE) {
		param[2] = call->narg == 4 ? param[2] : 1;
		return check_lquantize(c, call, param);
	}
	return f == D_AGGFUNC_LLQUANTIZE ? check_llquantize(c, call, param) : 0;
}

static struct d_aggregation *add(struct d_checker *c, const struct d_node *ref, enum d_aggfunc func,
				 const s64 *param)
{
	struct d_aggregation *a = arena_new_array(c->arena, struct d_aggregation, 1);

	if (c->prog->aggs.n == MAX_AGGS) {
		d_check_error(c, ref->pos, "too many aggregations (at most %d)", MAX_AGGS);
		return NULL;
	}
	a->name = ref->name;
	a->id = (u32)c->prog->aggs.n;
	a->func = func;
	a->nkeys = ref->narg;
	a->keys = arena_new_array(c->arena, const struct d_type *, ref->narg);
	a->key_is_identity = arena_new_array(c->arena, bool, ref->narg);
	a->pos = ref->pos;
	memcpy(a->param, param, sizeof(a->param));
	for (u32 i = 0; i < ref->narg; i++) {
		a->keys[i] = ref->arg[i]->type;
		a->key_is_identity[i] = true;
	}
	*vec_push(c->arena, &c->prog->aggs) = a;
	return a;
}

static int check_same(struct d_checker *c, const struct d_aggregation *a, const struct d_node *ref,
		      enum d_aggfunc func, const s64 *param)
{
	if (a->func != func)
		return d_check_error(c, ref->pos, "@%s is %s() here and %s() at %s", a->name, d_aggfuncs[func].name,
				     d_aggfuncs[a->func].name, d_place(c, a->pos));
	if (memcmp(a->param, param, sizeof(a->param)))
		return d_check_error(c, ref->pos, "@%s has other parameters of %s() here than at %s", a->name,
				     d_aggfuncs[func].name, d_place(c, a->pos));
	if (a->nkeys != ref->narg)
		return d_check_error(c, ref->pos, "@%s has %u key%s here and %u at %s", a->name, ref->narg,
				     ref->narg == 1 ? "" : "s", a->nkeys, d_place(c, a->pos));
	return 0;
}

static int check_keys(struct d_checker *c, struct d_aggregation *a, const struct d_node *ref)
{
	for (u32 i = 0; i < ref->narg; i++) {
		const struct d_node *key = ref->arg[i];

		if (!d_type_fits(a->keys[i], key))
			return d_check_error(c, key->pos, "key #%u of @%s is \"%s\" here and \"%s\" at %s", i + 1,
					     a->name, key->type->name, a->keys[i]->name, d_place(c, a->pos));
		if (d_is_int(key->type) && key->type->size > a->keys[i]->size)
			a->keys[i] = key->type;
		a->key_is_identity[i] &= d_node_is_identity(key);
	}
	return 0;
}

int d_check_aggregate(struct d_checker *c, struct d_stmt *s)
{
	struct d_node *ref = s->expr->arg[0], *call = s->expr->arg[1];
	s64 param[4] = {0};
	enum d_aggfunc func;
	int err;

	if (call->op != D_CALL || d_aggfunc_find(call->name) < 0)
		return d_check_error(
		    c, call->pos, "@%s takes the result of an aggregating function: count(), sum() ...", ref->name);
	for (u32 i = 0; i < ref->narg; i++) {
		if (d_check_expr(c, ref->arg[i]))
			return -EINVAL;
		if (!d_is_scalar(ref->arg[i]->type) && !d_is_string(ref->arg[i]->type))
			return d_check_error(c, ref->arg[i]->pos, "key #%u of @%s cannot be \"%s\"", i + 1,
					     ref->name, ref->arg[i]->type->name);
	}
	err = check_function(c, call, &func, param);
	if (err)
		return err;

	ref->agg = d_agg_find(c, ref->name);
	if (!ref->agg)
		ref->agg = add(c, ref, func, param);
	if (!ref->agg || check_same(c, ref->agg, ref, func, param) || check_keys(c, ref->agg, ref))
		return -EINVAL;
	ref->type = &d_type_agg;
	s->kind = D_STMT_AGG;
	s->agg = ref;
	s->arg = call->arg;
	s->narg = call->narg ? 1 : 0;
	s->expr = NULL;
	return 0;
}
