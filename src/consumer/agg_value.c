// SPDX-License-Identifier: Apache-2.0
/* The aggregating functions: how values of several CPUs merge, and what number they come to. */
#include "consumer/consumer_impl.h"
#include "rt/rt.h"

/* --- merging ------------------------------------------------------------------------------------------ */

static void merge_sum(u64 *to, const u64 *from, u32 n)
{
	for (u32 i = 0; i < n; i++)
		to[i] += from[i];
}

/* min and max: flipped so that the greater word wins, and 0 is none (rt.h). */
static void merge_flipped(u64 *to, const u64 *from, u32 n)
{
	to[0] += from[0];
	if (from[1] > to[1])
		to[1] = from[1];
}

/* The squares are 128 bits in two words. */
static void merge_stddev(u64 *to, const u64 *from, u32 n)
{
	merge_sum(to, from, 3);
	to[3] += from[3] + (to[2] < from[2]);
}

static void less_sum(u64 *now, const u64 *raw, const u64 *base, u32 n)
{
	for (u32 i = 0; i < n; i++)
		now[i] = raw[i] - base[i];
}

static void less_stddev(u64 *now, const u64 *raw, const u64 *base, u32 n)
{
	less_sum(now, raw, base, 3);
	now[3] = raw[3] - base[3] - (raw[2] < base[2]);
}

static const struct agg_func funcs[D_NAGGFUNCS] = {
    [D_AGGFUNC_COUNT] = {merge_sum, less_sum, 1},      [D_AGGFUNC_SUM] = {merge_sum, less_sum, 2},
    [D_AGGFUNC_MIN] = {merge_flipped, NULL, 2},        [D_AGGFUNC_MAX] = {merge_flipped, NULL, 2},
    [D_AGGFUNC_AVG] = {merge_sum, less_sum, 2},        [D_AGGFUNC_STDDEV] = {merge_stddev, less_stddev, 4},
    [D_AGGFUNC_QUANTIZE] = {merge_sum, less_sum, 2},   [D_AGGFUNC_LQUANTIZE] = {merge_sum, less_sum, 4},
    [D_AGGFUNC_LLQUANTIZE] = {merge_sum, less_sum, 3},
};

const struct agg_func *agg_func(const struct agg_store *s)
{
	return &funcs[s->cg->agg->func];
}

/* --- numbers --------------------------------------------------------------------------------------------- */

bool agg_is_distribution(const struct agg_entry *e)
{
	return e->store->cg->agg->func >= D_AGGFUNC_QUANTIZE;
}

/* a / b that cannot trap. */
static s64 divide(s64 a, s64 b)
{
	return b == 0 ? 0 : b == -1 ? (s64)(-(u64)a) : a / b;
}

static u64 sqrt128(unsigned __int128 n)
{
	unsigned __int128 root = 0;

	for (int bit = 63; bit >= 0; bit--) {
		unsigned __int128 try = root | (unsigned __int128)1 << bit;

		if (try * try <= n)
			root = try;
	}
	return (u64)root;
}

/*
 * sqrt(average(x * x) - average(x) * average(x)) in whole numbers, divided in the order in which DTrace does:
 * the result is the same to the last digit.
 */
u64 agg_stddev(const u64 *w, s64 normal)
{
	unsigned __int128 squares = (unsigned __int128)w[3] << 64 | w[2];

	if (!w[0] || !normal)
		return 0;

	s64 mean = divide(divide((s64)w[1], normal), (s64)w[0]);
	u64 abs = mean < 0 ? -(u64)mean : (u64)mean;
	unsigned __int128 square = (unsigned __int128)abs * abs;

	squares = squares / (u64)normal / w[0];
	return squares > square ? sqrt128(squares - square) : 0;
}

s64 agg_number(const struct agg_entry *e, s64 normal)
{
	const u64 *w = e->now;

	switch (e->store->cg->agg->func) {
	case D_AGGFUNC_COUNT: return divide((s64)w[0], normal);
	case D_AGGFUNC_AVG: return divide(divide((s64)w[1], normal), (s64)w[0]);
	case D_AGGFUNC_STDDEV: return (s64)agg_stddev(w, normal);
	case D_AGGFUNC_SUM: return divide((s64)w[1], normal);
	case D_AGGFUNC_MIN: return w[0] ? divide((s64)(w[1] ^ RT_MIN_FLIP), normal) : 0;
	case D_AGGFUNC_MAX: return w[0] ? divide((s64)(w[1] ^ RT_MAX_FLIP), normal) : 0;
	default: return divide((s64)w[0], normal); /* a distribution: how many */
	}
}
