// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Run-time functions of clauses. One source, compiled twice: for BPF (embedded in the program, linked into what
 * codegen makes) and for the host (unit tests, the consumer's bucket bounds, later the agent), so that all sides
 * agree to the bucket. What is BPF-only (maps, helpers) stands in rt_bpf.c and is reached only by generated code.
 *
 * Conventions of BPF: at most five arguments, 64 bits each; strings are fixed buffers of `size` bytes (a
 * multiple of 8), NUL-terminated and zero after the NUL, so that equal text is equal bytes.
 */
#ifndef PYDTRACE_RT_H
#define PYDTRACE_RT_H

#include <linux/types.h>

#define RT_QUANTIZE_BUCKETS 127 /* 63 negative powers of two, zero, 63 positive */
#define RT_QUANTIZE_ZERO    63  /* bucket of 0; DTrace's DTRACE_QUANTIZE_ZEROBUCKET */

__u64 rt_quantize_bucket(__s64 v);
__s64 rt_quantize_bound(__u64 bucket); /* lowest value (by magnitude) in the bucket; host use */
__u64 rt_lquantize_bucket(__s64 v, __s64 base, __s64 limit, __s64 step); /* 0 is below, levels + 1 is above */
__u64 rt_llquantize_bucket(__s64 v, __u64 factor, __u64 low, __u64 high, __u64 nsteps);
__u64 rt_llquantize_buckets(__u64 factor, __u64 low, __u64 high, __u64 nsteps); /* how many, all told */
__s64 rt_llquantize_bound(__u64 bucket, __u64 factor, __u64 low, __u64 high, __u64 nsteps);

/* --- what generated programs call; pure, so that tests and other executors have it too ------------ */

__s64 rt_sdiv(__s64 a, __s64 b); /* b != 0 */
__s64 rt_smod(__s64 a, __s64 b);
void rt_agg_square(__u64 *sum, __s64 v);
/*
 * min() and max() keep a word that starts as 0 and only grows: min as v ^ RT_MIN_FLIP, max as v ^ RT_MAX_FLIP, so that
 * 0 is "none" and an element may be made of zeros on every CPU. The flip gives the value back.
 */
#define RT_MIN_FLIP 0x7fffffffffffffffull
#define RT_MAX_FLIP 0x8000000000000000ull
void rt_agg_max(__u64 *p, __u64 v);

void rt_str_zero(void *dst, __u64 size);
void rt_str_copy(void *dst, const void *src, __u64 size);
__u64 rt_str_len(const void *s, __u64 size);
__u64 rt_str_eq(const void *a, const void *b, __u64 size);
__s64 rt_str_cmp(const void *a, const void *b, __u64 size);
void rt_str_join(void *dst, const void *a, const void *b, __u64 size); /* dst: 2 * size bytes */
void rt_str_substr(void *dst, const void *src, __s64 index, __s64 n, __u64 size);
__s64 rt_str_index(void *wide, const void *sub, __u64 words, __s64 start, __u64 size);
void rt_str_basename(void *dst, const void *path, __u64 size);
void rt_str_dirname(void *dst, const void *path, __u64 size);

/* --- what only BPF has: rt_bpf.c ------------------------------------------------------------------ */

/* The head of codegen's struct cg_state, as these functions see it. */
struct rt_state {
	__u32 activity, next_slot; /* slots handed out so far */
	__u64 drops[4];
	__u64 next_serial; /* threads that had a slot so far */
};
#define RT_DROP_SLOT 3

void *rt_slot_make(void *threads, void *slots, struct rt_state *state, __u64 nslots, __u64 where);
void rt_slot_free(void *threads, void *slots, struct rt_state *state, __u64 nslots, __u64 where);
void *rt_map_make(void *map, const void *key, const void *zero);
__s64 rt_copyinstr(void *dst, __u64 addr, __u64 max, __u64 size);
__s64 rt_copyint(__u64 *dst, __u64 addr, __u64 n);
void rt_execname(void *dst, __u64 size);

/* The BPF object, an ELF file, as it is embedded in the host's library. */
extern const unsigned char rt_bpf_o[], rt_bpf_o_end[];

#endif
