// SPDX-License-Identifier: Apache-2.0
/*
 * The child of -c while it is ours: child_start.c brings it to where it is held, child.c has what is done there, and
 * child_step.c lets it go on from one thing that happens to it to the next.
 */
#ifndef PYDTRACE_PYTHON_CHILD_IMPL_H
#define PYDTRACE_PYTHON_CHILD_IMPL_H

#include "python/python_impl.h"

enum { CHILD_BREAKPOINTS = 8 };

struct breakpoint {
	u64 addr;
	u8 byte; /* that was there */
};

struct python_child {
	pid_t pid;
	struct target *t;
	struct breakpoint bp[CHILD_BREAKPOINTS];
	size_t nbp;
	struct user_regs_struct regs; /* while held */
	bool held, traced, ended;
	int status;
};

enum child_event { CHILD_NONE, CHILD_EXEC, CHILD_BREAKPOINT, CHILD_ENDED };

/* Set a breakpoint, once for each address. 0 or -errno. */
int child_break(struct python_child *c, u64 addr);
/* Take all away. The child is stopped. */
int child_break_clear(struct python_child *c);
int child_continue(struct python_child *c);
/*
 * Go on until something happens or the deadline is over. Signals are passed on. At CHILD_EXEC and CHILD_BREAKPOINT the
 * child is stopped, at CHILD_NONE it runs.
 */
int child_next(struct python_child *c, u64 deadline, enum child_event *ev);

#endif
