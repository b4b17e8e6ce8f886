// SPDX-License-Identifier: Apache-2.0
/* The system calls of other processes, by ptrace. */
#include <errno.h>

#include "target/target_impl.h"

int target_trace_open(struct target_trace **out, const struct target_trace_ops *ops, void *arg)
{
	*out = NULL;
	return -ENOSYS;
}

void target_trace_close(struct target_trace *tr)
{
}

int target_trace_all(struct target_trace *tr, struct target *t, struct diag *diag)
{
	return -ENOSYS;
}

int target_trace_arm(struct target_trace *tr, struct target *t, pid_t tid)
{
	return -ENOSYS;
}

void target_trace_own(struct target_trace *tr, struct target *t, u64 ip)
{
}

u32 target_trace_poll(struct target_trace *tr)
{
	return 0;
}

u32 target_trace_threads(const struct target_trace *tr)
{
	return 0;
}

bool target_exit_status(const struct target *t, int *status)
{
	return false;
}
