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

#endif
