// SPDX-License-Identifier: Apache-2.0
#ifndef PYDTRACE_BPF_IMPL_H
#define PYDTRACE_BPF_IMPL_H

#include <linux/capability.h>

#include "bpf/bpf.h"

/*
 * caps.c. Report that `what` failed with `err` (> 0); the causes that the user can do something about (descriptors, memory
 * lock, privilege) are named with the remedy. diag may be NULL: nothing is said. Returns -err.
 */
int bpf_fail(struct diag *diag, int err, const char *what);
#define BPF_CAPS (1ull << CAP_BPF | 1ull << CAP_PERFMON) /* what programs and their events take */
/* The same where other capabilities than BPF's are asked for: bit n of `need` is capability n. */
int bpf_fail_need(struct diag *diag, int err, const char *what, u64 need);

/* Raise RLIMIT_MEMLOCK to infinity, once. True: it has changed, so that it is worth to try again. */
bool bpf_raise_memlock(void);

/* features.c: the first thing that BPF cannot be used without and that this kernel does not give us. 0 or -errno. */
int bpf_feature_lack(const char **what, const char **remedy);
/* Make a map of 8 bytes, the least that bpf(2) can be asked for. 0 or -errno. */
int bpf_try(void);

/* attach.c: a perf event, a descriptor or -errno; let the events of out->perf run `prog`. */
struct perf_event_attr;
int bpf_perf_open(struct perf_event_attr *attr, pid_t pid, int cpu);
int bpf_perf_try(void); /* may we have perf events? 0 or -errno */
/* A link is since Linux 5.15; before it the event itself holds the program. */
int bpf_perf_connect(struct bpf_attachment *out, int prog);

/* uprobe.c: are uprobe programs to be loaded for, and attached by, multi links? */
bool bpf_uprobe_is_multi(void);
extern int bpf_uprobe_multi_known; /* the answer; -1: to be found out. Tests set it. */
#define BPF_ATTACH_UPROBE_MULTI                                                                                    \
	48 /* enum bpf_attach_type: BPF_TRACE_UPROBE_MULTI, younger than Debian 12's headers */

#endif
