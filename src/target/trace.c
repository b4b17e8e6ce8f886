// SPDX-License-Identifier: Apache-2.0
/* The system calls of other processes, by ptrace: which threads are seized and armed. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/trace_impl.h"

enum {
	/* Of waiting for first stops. Who is late is met by target_trace_poll(), before it is in user mode again. */
	ALL_MS = 20,
	ARM_MS = 50,
	POLL_MAX = 256 /* stops that one target_trace_poll() deals with */
};

int target_trace_open(struct target_trace **out, const struct target_trace_ops *ops, void *arg)
{
	struct target_trace *tr = calloc(1, sizeof(*tr));

	*out = tr;
	if (!tr)
		return -ENOMEM;
	tr->ops = ops;
	tr->arg = arg;
	stop_tell_reaped(row_reaped, tr);
	return 0;
}

unsigned long trace_options(const struct trace_process *p)
{
	return PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC | (p->all ? PTRACE_O_TRACECLONE : 0);
}

/* Until the row has met a stop. 0, -ESRCH: it has ended (the row is gone), -ETIMEDOUT: it may also have another id by now. */
static int row_settle(struct target_trace *tr, struct trace_row *r, u64 deadline)
{
	pid_t tid = r->th.tid;
	struct stop s;

	for (; r && r->fresh; r = row_find(tr, tid)) {
		if (stop_wait(tid, deadline, &s))
			return -ETIMEDOUT;
		stop_handle(tr, &s);
	}
	return r ? 0 : -ESRCH;
}

/* stop_seize(), after which the row goes by the thread's name. */
static int row_stop_seize(struct target_trace *tr, struct trace_row *r)
{
	int ret = stop_seize(r->p->t->pid, r->th.tid, trace_options(r->p));

	if (ret == 2)
		row_succeed(tr, r, r->p->t->pid);
	return ret;
}

/* The row of a thread that is seized and on its way to its first stop. */
static int row_seize(struct target_trace *tr, struct trace_process *p, pid_t tid, struct trace_row **out)
{
	struct trace_row *r = row_add(tr, p, tid);
	int ret;

	if (!r)
		return -ENOMEM;
	ret = row_stop_seize(tr, r);
	r->set_options = ret == 1;
	if (ret >= 0 && !ptrace(PTRACE_INTERRUPT, r->th.tid, 0, 0))
		ret = 0;
	else if (ret >= 0)
		ret = ret == 2 ? 0 : -errno; /* 2: it may stand in the stop of its execve (see exec_row()) */
	if (ret)
		row_remove(tr, r, false);
	else
		*out = r;
	rows_drop_reaped(tr); /* not this one: it could be interrupted */
	return ret;
}

int target_trace_arm(struct target_trace *tr, struct target *t, pid_t tid)
{
	struct trace_row *r = row_find(tr, tid);
	struct trace_process *p;
	int ret;

	if (r && (r->syscalls || r->fresh)) {
		r->armed = true;
		return 0;
	}
	p = trace_process_get(tr, t);
	if (!p)
		return -ENOMEM;
	if (r && ptrace(PTRACE_INTERRUPT, tid, 0, 0)) { /* no longer: another thread's execve took its id */
		row_remove(tr, r, true);
		r = NULL;
	}
	if (!r) {
		ret = row_seize(tr, p, tid, &r);
		if (ret)
			return ret;
	}
	r->fresh = r->armed = tr->opening = true;
	ret = row_settle(tr, r, now_ns() + ARM_MS * 1000000ull);
	tr->opening = false;
	if (ret == -ETIMEDOUT)
		ret = 0;
	return !ret && tr->blind ? -EOPNOTSUPP : ret;
}

void target_trace_own(struct target_trace *tr, struct target *t, u64 ip)
{
	struct trace_process *p = trace_process_get(tr, t);

	if (p)
		p->own_ip = ip;
}

/*
 * A thread that is ours already. Either it stands in a stop that was waited for: the child of -c, held before its program
 * begins; or the stop, and what it stands for, is still to be dealt with.
 */
static void row_take(struct target_trace *tr, struct trace_row *r)
{
	struct stop s;

	r->set_options = true;
	if (stop_peek(r->th.tid, &s))
		return;
	if (ptrace(PTRACE_SETOPTIONS, r->th.tid, 0, trace_options(r->p))) {
		ptrace(PTRACE_INTERRUPT, r->th.tid, 0, 0);
		return;
	}
	r->fresh = false;
	r->syscalls = true;
	stop_check(tr, r->th.tid);
	call_look(tr, r);
	ptrace(PTRACE_SYSCALL, r->th.tid, 0, 0);
}

/* One thread that was listed. 1: it is a new one. */
static int all_thread(struct target_trace *tr, struct trace_process *p, pid_t tid)
{
	struct trace_row *r = row_find(tr, tid);
	int ret;

	if (r) {
		r->armed = true; /* it may be one that target_trace_pause() could not let go */
		return 0;
	}
	r = row_add(tr, p, tid);
	if (!r)
		return -ENOMEM;
	r->armed = true;
	ret = row_stop_seize(tr, r);
	if (ret < 0) {
		row_remove(tr, r, false);
		return ret == -ESRCH ? 0 : ret;
	}
	if (ret == 1)
		row_take(tr, r);
	else
		ptrace(PTRACE_INTERRUPT, r->th.tid, 0, 0); /* an error: it ends */
	return 1;
}

/* Seize until a list of the threads has none that is new: by then each new one is seized by the kernel. */
static int all_threads(struct target_trace *tr, struct trace_process *p)
{
	int ret, added = 1;

	while (added) {
		pid_t *v;
		size_t n;

		ret = target_threads(p->t, &v, &n);
		if (ret)
			return ret;
		added = 0;
		for (size_t i = 0; ret >= 0 && i < n; i++) {
			ret = all_thread(tr, p, v[i]);
			added += ret > 0;
		}
		free(v);
		rows_drop_reaped(tr);
		if (ret < 0)
			return ret;
	}
	return 0;
}

/* Each thread that was on its way to a stop has had it, unless it takes too long. */
static void all_settle(struct target_trace *tr, struct trace_process *p)
{
	u64 deadline = now_ns() + ALL_MS * 1000000ull;
	struct trace_row *r = tr->first;

	while (r) {
		if (r->p != p || !r->fresh)
			r = r->next;
		else if (row_settle(tr, r, deadline) == -ETIMEDOUT)
			break;
		else
			r = tr->first; /* this one and others may be gone */
	}
}

static int all_fail(struct target *t, int ret, struct diag *diag)
{
	switch (-ret) {
	case ESRCH: return ret; /* processes end: no error to tell of */
	case EOPNOTSUPP:
		return diag_fail(
		    diag, EOPNOTSUPP,
		    "cannot trace system calls: the kernel has no PTRACE_GET_SYSCALL_INFO (Linux 5.3)");
	case EPERM:
	case EACCES:
	case EBUSY:
	case ENOSYS: return target_refuse(t->pid, t->comm, -ret, diag);
	default:
		return diag_fail(diag, -ret, "process %d (%s): cannot trace its system calls: %s", t->pid, t->comm,
				 strerror(-ret));
	}
}

int target_trace_all(struct target_trace *tr, struct target *t, struct diag *diag)
{
	struct trace_process *p = trace_process_get(tr, t);
	int ret;

	if (!p)
		return diag_fail(diag, ENOMEM, "out of memory");
	p->all = tr->opening = true;
	ret = all_threads(tr, p);
	if (!ret && !trace_has_process(tr, t->pid))
		ret = -ESRCH; /* a zombie */
	if (!ret)
		all_settle(tr, p);
	tr->opening = false;
	if (!ret && tr->blind)
		ret = -EOPNOTSUPP;
	if (ret) {
		p->all = false;
		rows_release(tr, p, STOP_MS);
		return all_fail(t, ret, diag);
	}
	return 0;
}

u32 target_trace_poll(struct target_trace *tr)
{
	bool alone = tr->nthreads == 1; /* of two, of which one ends here, the other may have stopped already */
	struct stop s;
	u32 n = 0;

	rows_drop_reaped(tr); /* target_stop() seizes, too */
	while (n < POLL_MAX && stop_next(tr, &s) && (tr->ending ? stop_release(tr, &s) : stop_handle(tr, &s))) {
		n++;
		if (tr->ops->presses && tr->ops->presses(tr->arg))
			break;
		if (alone && tr->nthreads == 1) /* a look would be in vain: this one runs, and there is no other */
			break;
	}
	return n;
}

void target_trace_favour(struct target_trace *tr, pid_t tid)
{
	tr->favourite = tid;
}

u32 target_trace_threads(const struct target_trace *tr)
{
	return tr->nthreads;
}

bool target_exit_status(const struct target *t, int *status)
{
	if (t->ended)
		*status = t->status;
	return t->ended;
}
