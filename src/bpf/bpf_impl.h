// SPDX-License-Identifier: Apache-2.0
#ifndef PYDTRACE_BPF_IMPL_H
#define PYDTRACE_BPF_IMPL_H

#include "bpf/bpf.h"

/*
 * Report that `what` failed with `err` (> 0); the causes that the user can do something about (descriptors, memory
 * lock, privilege) are named with the remedy. diag may be NULL: nothing is said. Returns -err.
 */
int bpf_fail(struct diag *diag, int err, const char *what);

/* Raise RLIMIT_MEMLOCK to infinity, once. True: it has changed, so that it is worth to try again. */
bool bpf_raise_memlock(void);

#endif
