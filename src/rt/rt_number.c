// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* Arithmetic that BPF has not: signed division (before its version 4), squares of 128 bits. */
#include "rt_impl.h"

static inline __u64 magnitude(__s64 v)
{
	return v < 0 ? -(__u64)v : (__u64)v;
}

/* b != 0; the quotient is cut towards zero, as in C. INT64_MIN / -1 wraps. */
RT_FUNC __s64 rt_sdiv(__s64 a, __s64 b)
{
	__u64 q = magnitude(a) / magnitude(b);

	return (a < 0) != (b < 0) ? (__s64)-q : (__s64)q;
}

RT_FUNC __s64 rt_smod(__s64 a, __s64 b)
{
	__u64 r = magnitude(a) % magnitude(b);

	return a < 0 ? (__s64)-r : (__s64)r;
}

/* Add the square of v to the 128-bit number in sum[0] (low), sum[1] (high). */
RT_FUNC void rt_agg_square(__u64 *sum, __s64 v)
{
	__u64 m = magnitude(v), lo = m & 0xffffffff, hi = m >> 32;
	__u64 mid = 2 * lo * hi, low = lo * lo, high = hi * hi, old;

	/* 2 * lo * hi may pass 64 bits only when m has 64 of them: m is at most 2^63, so that it does not. */
	high += mid >> 32;
	mid <<= 32;
	low += mid;
	high += low < mid;
	old = __sync_fetch_and_add(&sum[0], low);
	high += old + low < old;
	__sync_fetch_and_add(&sum[1], high);
}

/* *p = max(*p, v), atomic; gives up after more disturbances than there can be contexts on a CPU. */
RT_FUNC void rt_agg_max(__u64 *p, __u64 v)
{
	for (int i = 0; i < 16; i++) {
		__u64 old = *(volatile __u64 *)p;

		if (old >= v || __sync_val_compare_and_swap(p, old, v) == old)
			return;
	}
}
