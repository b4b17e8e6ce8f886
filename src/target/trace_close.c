// SPDX-License-Identifier: Apache-2.0
/* The end of a trace: all threads are let go as they are. */
#include <stdlib.h>
#include <unistd.h>

#include "target/trace_impl.h"

enum { ABSENT_SPINS = 320 }; /* well before the first long pause */

/* Let the stopped ones of process p (NULL: of all) go. How many are left. */
static u32 release_stopped(struct target_trace *tr, const struct trace_process *p, bool interrupt)
{
	struct trace_row *r, *next;
	struct stop s;
	u32 left = 0;

	for (r = tr->first; r; r = next) {
		pid_t tid = r->th.tid;
		u32 before = tr->nthreads;

		next = r->next;
		if (p && r->p != p)
			continue;
		if (interrupt && !stop_peek(tid, &s))
			ptrace(PTRACE_INTERRUPT, tid, 0, 0);
		if (stop_peek(tid, &s))
			stop_release(tr, &s);
		/* After an exec, the first thread is gone, and who took its place is let go. */
		if (before - tr->nthreads == 2)
			next = tr->first;
		else
			left += before == tr->nthreads;
	}
	/* By another id than in the table: after an exec, or a new thread. */
	while (!p && stop_next(tr, &s) && stop_release(tr, &s))
		;
	return left;
}

/*
 * First threads that cannot be waited for. One that has ended while others live stays until they have, and is not told
 * of before: our end lets it go. One whose place was taken, in an execve, by a thread that is not ours is gone without a
 * word (fs/exec.c, de_thread()).
 */
static void absent_drop(struct target_trace *tr)
{
	for (struct trace_row *next, *r = tr->first; r; r = next) {
		struct target_status st;
		bool kernel_thread;

		next = r->next;
		if (!r->p || r->th.tid != r->p->t->pid || status_read(r->th.tid, &st, &kernel_thread))
			continue;
		if (st.tracer != gettid() || (st.state == 'Z' && st.nthreads > 1))
			row_remove(tr, r, true);
	}
}

/*
 * Only a stopped thread can be let go, so those that run are interrupted (which makes epoll_wait and its like fail with
 * EINTR, signal(7)).
 */
void rows_release(struct target_trace *tr, const struct trace_process *p, u32 ms)
{
	u64 deadline = now_ns() + ms * 1000000ull;
	u32 left;

	rows_drop_reaped(tr);
	left = release_stopped(tr, p, true);
	for (unsigned spins = 0; (left || (!p && tr->first)) && now_ns() < deadline; spins++) {
		stop_pause(spins);
		if (spins == ABSENT_SPINS && !p)
			absent_drop(tr);
		left = release_stopped(tr, p, false);
	}
}

bool target_trace_end(struct target_trace *tr)
{
	tr->ending = true;
	rows_release(tr, NULL, END_MS);
	return !tr->first;
}

/*
 * One that could not be let go yet is on its way to a stop, for it was interrupted. Should it get there only after
 * target_trace_resume(), it is met as if it had just been seized.
 */
static void row_forget(struct target_trace *tr, struct trace_row *r)
{
	if (r->th.data && tr->ops->ended)
		tr->ops->ended(tr->arg, &r->th);
	r->th.data = NULL;
	r->fresh = true;
	r->armed = r->own = false;
	r->ncalls = r->quiet = 0;
}

bool target_trace_pause(struct target_trace *tr)
{
	bool free = target_trace_end(tr);

	for (struct trace_row *r = tr->first; r; r = r->next)
		row_forget(tr, r);
	return free;
}

void target_trace_resume(struct target_trace *tr)
{
	tr->ending = false;
}

void target_trace_close(struct target_trace *tr)
{
	struct trace_process *p, *next;

	if (!tr)
		return;
	stop_tell_reaped(NULL, NULL);
	if (!tr->ending)
		rows_release(tr, NULL, STOP_MS);
	while (tr->first) /* it does not stop (it waits for a vfork, for a disk): our own end lets it go */
		row_remove(tr, tr->first, true);
	for (p = tr->processes; p; p = next) {
		next = p->next;
		free(p);
	}
	free(tr);
}
