// SPDX-License-Identifier: Apache-2.0
/* A run while it lasts: run.c has the way in and what is printed at the end, loop.c what is between, leave.c the way out. */
#ifndef PYDTRACE_SESSION_RUN_IMPL_H
#define PYDTRACE_SESSION_RUN_IMPL_H

#include <poll.h>

#include "session/session_impl.h"

struct run {
	struct session *s;
	VEC(struct pollfd) fds; /* session.signals, the ring, then processes */
	size_t alive;           /* processes that have not ended */
	bool on;                /* the probes have been switched on */
	bool stop, interrupted;
	bool unserved; /* nobody brings events any more */
	s64 next_drain, next_status;
	u64 *misses; /* by program, as last reported */
	u64 lost;    /* exec_lost(), as last reported */
	u32 drains;  /* so far */

	/* Between the thread that prints and the one that holds the processes (leave.c). */
	bool over, printed;         /* no event counts any more; all that there is to print is printed */
	int told;                   /* an eventfd: one of the two has become true */
	pthread_mutex_t leave_lock; /* of `leaving`, and held while providers may attach something */
	bool leaving;
	int err;    /* of what was printed: 0 or -errno, said already */
	int left;   /* of leaving the processes: the same */
	int served; /* of bringing events: 0 or -errno, not said */
};

/* run.c */
bool run_exit_called(struct session *s);
void run_activity_set(struct session *s, enum cg_activity a);
/* The loop, if the probes are on, then END and all results. 0 or -errno, said already. */
int run_print(struct run *r);

/* loop.c */
void run_watch_all(struct run *r); /* what ends the run: signals, processes */
void run_take_signals(struct run *r);
void run_losses_report(struct run *r);
/* Drain, tick and print until the run is over. 0 or -errno, said already. */
int run_loop(struct run *r);

/* leave.c */
void run_tell(struct run *r, bool *what); /* makes it true, and says so */
/* From the start of the loop on; `err`: there is nothing to be printed. Fills in r->err and r->left. */
void run_end(struct run *r, int err);

#endif
