// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Which bucket a value of quantize(), lquantize() or llquantize() falls into, and what a bucket stands for. */
#include "rt_impl.h"

/* floor(log2(v)), v != 0. Halving steps, as BPF has no instruction for it. */
static inline __u64 log2_floor(__u64 v)
{
	__u64 n = 0;

#define STEP(bits)                                                                                                 \
	if (v >> (bits)) {                                                                                         \
		v >>= (bits);                                                                                      \
		n += (bits);                                                                                       \
	}
	STEP(32)
	STEP(16)
	STEP(8)
	STEP(4)
	STEP(2)
	STEP(1)
#undef STEP
	return n;
}

/* Bucket 63 is zero; above it [1, 2), [2, 4) ...; below it the negative powers, -1 in bucket 62. */
RT_FUNC __u64 rt_quantize_bucket(__s64 v)
{
	__u64 n;

	if (v == 0)
		return RT_QUANTIZE_ZERO;
	n = log2_floor(v < 0 ? -(__u64)v : (__u64)v);
	if (v > 0)
		return RT_QUANTIZE_ZERO + 1 + n;
	return n > RT_QUANTIZE_ZERO - 1 ? 0 : RT_QUANTIZE_ZERO - 1 - n;
}

RT_FUNC __u64 rt_lquantize_bucket(__s64 v, __s64 base, __s64 limit, __s64 step)
{
	__u64 levels, level;

	if (v < base || step <= 0 || limit <= base)
		return 0;
	levels = ((__u64)limit - (__u64)base) / (__u64)step;
	level = ((__u64)v - (__u64)base) / (__u64)step;
	return level < levels ? level + 1 : levels + 1;
}

/*
 * Log-linear: the orders of magnitude low ... high of `factor`, each cut into steps of equal width. The order from
 * `from` to `to` = from * factor has to / width steps of which the first to / width / factor lie below `from`.
 * Bucket 0 is below factor^low, the last is at and above factor^(high + 1).
 */
struct order {
	__u64 from, to, width, buckets;
};

static inline __u64 power_start(__u64 factor, __u64 low)
{
	__u64 v = 1;

	for (__u64 i = 0; i < low && i < 64; i++)
		v *= factor;
	return v;
}

static inline void order_set(struct order *o, __u64 from, __u64 factor, __u64 nsteps)
{
	__u64 steps;

	o->from = from;
	o->to = from * factor;
	steps = o->to > nsteps ? nsteps : o->to;
	o->width = o->to / steps;
	o->buckets = steps - steps / factor;
}

/* Would another order pass 63 bits? Then the present one is taken for the last. */
static inline int order_overflows(const struct order *o, __u64 factor)
{
	return o->to > 0x7fffffffffffffffull / factor;
}

RT_FUNC __u64 rt_llquantize_bucket(__s64 v, __u64 factor, __u64 low, __u64 high, __u64 nsteps)
{
	__u64 base = 1, from = power_start(factor, low);
	struct order o;

	if (v < 0 || (__u64)v < from)
		return 0;
	for (__u64 n = low; n <= high && n < 64; n++) {
		order_set(&o, from, factor, nsteps);
		if ((__u64)v < o.to)
			return base + ((__u64)v - o.from) / o.width;
		base += o.buckets;
		if (order_overflows(&o, factor))
			break;
		from = o.to;
	}
	return base;
}

#ifndef __bpf__

__s64 rt_quantize_bound(__u64 bucket)
{
	if (bucket == RT_QUANTIZE_ZERO || bucket >= RT_QUANTIZE_BUCKETS)
		return 0;
	if (bucket > RT_QUANTIZE_ZERO)
		return (__s64)(1ull << (bucket - RT_QUANTIZE_ZERO - 1));
	return -(__s64)(1ull << (RT_QUANTIZE_ZERO - 1 - bucket));
}

__u64 rt_llquantize_buckets(__u64 factor, __u64 low, __u64 high, __u64 nsteps)
{
	__u64 base = 1, from = power_start(factor, low);
	struct order o;

	for (__u64 n = low; n <= high && n < 64; n++) {
		order_set(&o, from, factor, nsteps);
		base += o.buckets;
		if (order_overflows(&o, factor))
			break;
		from = o.to;
	}
	return base + 1;
}

__s64 rt_llquantize_bound(__u64 bucket, __u64 factor, __u64 low, __u64 high, __u64 nsteps)
{
	__u64 base = 1, from = power_start(factor, low);
	struct order o = {.to = from};

	if (bucket == 0)
		return 0;
	for (__u64 n = low; n <= high && n < 64; n++) {
		order_set(&o, from, factor, nsteps);
		if (bucket < base + o.buckets)
			return (__s64)(o.from + (bucket - base) * o.width);
		base += o.buckets;
		if (order_overflows(&o, factor))
			break;
		from = o.to;
	}
	return (__s64)o.to;
}

#endif
