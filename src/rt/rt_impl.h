// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/* What the run-time functions need on both sides: BPF and host. */
#ifndef PYDTRACE_RT_IMPL_H
#define PYDTRACE_RT_IMPL_H

#include <linux/bpf.h>

#include "rt/rt.h"

/* Each function stands alone in the object, so that the loader can take just those that a program calls. */
#define RT_FUNC __attribute__((noinline))

/* Hide from the compiler what is known of x, so that it makes no branch of branch-free arithmetic. */
#define RT_OPAQUE(x) __asm__ volatile("" : "+r"(x))

#ifdef __bpf__

/*
 * Copy n bytes, n not known to the verifier but bounded. The helper costs the verifier nothing where a loop over
 * bytes would cost it each step.
 */
static long (*const bpf_probe_read_kernel)(void *dst, __u32 n,
					   const void *src) = (void *)BPF_FUNC_probe_read_kernel;
#define RT_COPY(dst, n, src) ((void)bpf_probe_read_kernel((dst), (__u32)(n), (src)))
#define RT_LOAD64(p)         (*(const __u64 *)(p)) /* BPF and its machines take an unaligned load */

#else

#define RT_COPY(dst, n, src) ((void)__builtin_memcpy((dst), (src), (n)))
static inline __u64 rt_load64(const void *p)
{
	__u64 v;

	__builtin_memcpy(&v, p, sizeof(v));
	return v;
}
#define RT_LOAD64(p)         rt_load64(p)

#endif
#endif
