// SPDX-License-Identifier: Apache-2.0
/* What an entry's value is worth where entries are sorted by value. */
#include "consumer/consumer_impl.h"
#include "rt/rt.h"

static void rank_quantize(struct agg_entry *e, const s64 *bucket, u32 n)
{
	for (u32 i = 0; i < n; i++)
		e->rank += (long double)rt_quantize_bound(i) * (long double)bucket[i];
	if (n > RT_QUANTIZE_ZERO)
		e->rank2 = bucket[RT_QUANTIZE_ZERO];
}

/* What is below the base counts as base - 1, what is above the limit as limit + 1. */
static void rank_lquantize(struct agg_entry *e, const s64 *bucket, u32 n)
{
	const s64 *param = e->store->cg->agg->param;
	long double at = param[0];

	e->rank = (long double)bucket[0] * (at - 1);
	for (u32 i = 1; i + 1 < n; i++, at += param[2]) {
		e->rank += (long double)bucket[i] * at;
		if (at == 0)
			e->rank2 = bucket[i];
	}
	e->rank += (long double)bucket[n - 1] * (at + 1);
	if (param[0] == 1)
		e->rank2 = bucket[0];
	else if (at == -1)
		e->rank2 = bucket[n - 1];
}

static void rank_llquantize(struct agg_entry *e, const s64 *bucket, u32 n)
{
	const s64 *p = e->store->cg->agg->param;

	for (u32 i = 1; i < n; i++)
		e->rank += (long double)bucket[i] * rt_llquantize_bound(i, p[0], p[1], p[2], p[3]);
	e->rank2 = bucket[0];
}

void agg_rank(struct agg_entry *e)
{
	const s64 *bucket = (const s64 *)e->now + 1;
	u32 n = e->store->cg->value_words - 1;

	e->rank = 0;
	e->rank2 = 0;
	switch (e->store->cg->agg->func) {
	case D_AGGFUNC_QUANTIZE: rank_quantize(e, bucket, n); return;
	case D_AGGFUNC_LQUANTIZE: rank_lquantize(e, bucket, n); return;
	case D_AGGFUNC_LLQUANTIZE: rank_llquantize(e, bucket, n); return;
	default: e->rank = agg_number(e, 1);
	}
}
