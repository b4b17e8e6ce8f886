// SPDX-License-Identifier: Apache-2.0
/* A run while it lasts: run.c has the way in and out, loop.c what is between. */
#ifndef PYDTRACE_SESSION_RUN_IMPL_H
#define PYDTRACE_SESSION_RUN_IMPL_H

#include <poll.h>

#include "session/session_impl.h"

struct run {
	struct session *s;
	VEC(struct pollfd) fds; /* session.signals, the ring, then processes */
	size_t alive;           /* processes that have not ended */
	bool stop, interrupted, abort;
	bool unserved; /* nobody brings events any more */
	s64 next_drain, next_status;
	u64 *misses;                  /* by program, as last reported */
	u64 lost;                     /* exec_lost(), as last reported */
	u32 drains;                   /* so far */
	int (*beside)(struct run *r); /* what run_beside() does */
	bool beside_over;             /* it has been done */
	int err;                      /* of it */
};

/* run.c */
bool run_exit_called(struct session *s);
void run_printing(struct session *s, bool yes);
void run_activity_set(struct session *s, enum cg_activity a);

/* loop.c */
void run_watch_all(struct run *r); /* what ends the run: signals, processes */
void run_take_signals(struct run *r);
void run_losses_report(struct run *r);
/* Drain, tick and print until the run is over, and switch the programs off. 0 or -errno, said already. */
int run_loop(struct run *r);
/* fn() in a thread of its own while this one brings events, or lets go of those that it holds. What fn() returns. */
int run_beside(struct run *r, int (*fn)(struct run *r));

#endif
