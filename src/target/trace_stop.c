// SPDX-License-Identifier: Apache-2.0
/* Which thread has stopped, and what each kind of stop asks for. */
#include <errno.h>
#include <signal.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/trace_impl.h"

enum {
	FEW = 3, /* threads, of which none can be forgotten over the others */
	LOOKS = 4,
	FAVOUR = 8 /* every so many stops the favourite has no precedence */
};

/*
 * The kernel shows the first of its list that has stopped, so that quick threads at its head would keep the others waiting
 * for ever. Now and then all are asked, one after the other: after so many stops that this is LOOKS looks for each. (Always
 * is worse: of many threads that wait for a lock with a timeout, as CPython's do for the GIL, each one that is let go on
 * only makes more stops, and who holds the lock comes last.)
 */
static bool round_peek(struct target_trace *tr, struct stop *out)
{
	if (!tr->cursor) {
		if (tr->pause) {
			tr->pause--;
			return false;
		}
		tr->cursor = tr->first;
	}
	while (tr->cursor) {
		struct trace_row *r = tr->cursor;

		tr->cursor = r->next;
		if (stop_peek(r->th.tid, out))
			return true;
	}
	tr->pause = tr->nthreads / LOOKS + 2;
	return false;
}

/* Out of the kernel's order. */
static bool turn_peek(struct target_trace *tr, struct stop *out)
{
	if (tr->nthreads < FEW)
		return false;
	if (tr->favourite && ++tr->favours % FAVOUR && row_find(tr, tr->favourite) && stop_peek(tr->favourite, out))
		return true;
	return round_peek(tr, out);
}

/* What auto-attaching brings (PTRACE_O_TRACECLONE): a new thread, or a process that is nothing to us. */
static bool is_cloned(pid_t tid)
{
	struct target_status st;
	bool kernel_thread;

	return !status_read(tid, &st, &kernel_thread) && st.tracer == gettid() &&
	       (st.tgid != tid || status_field(tid, "\nPPid:", 10) != (u64)getpid());
}

/* Is it for us? If not, another child of ours hides what comes after it in the kernel's list. */
static bool is_ours(struct target_trace *tr, const struct stop *s)
{
	if (row_find(tr, s->tid))
		return true;
	if (!s->ended && s->code >> 8 == PTRACE_EVENT_EXEC)
		return trace_has_process(tr, s->tid);
	return is_cloned(s->tid);
}

bool stop_next(struct target_trace *tr, struct stop *out)
{
	if (turn_peek(tr, out))
		return true;
	if (!stop_peek(0, out))
		return false;
	if (is_ours(tr, out))
		return true;
	for (struct trace_row *r = tr->first; r; r = r->next)
		if (stop_peek(r->th.tid, out))
			return true;
	return false;
}

static void row_resume(struct trace_row *r, int sig)
{
	r->syscalls = call_wanted(r);
	/* An error: it is being killed, and its end will show. */
	ptrace(r->syscalls ? PTRACE_SYSCALL : PTRACE_CONT, r->th.tid, 0, sig);
}

static void on_call(struct target_trace *tr, struct trace_row *r, int code)
{
	call_stop(tr, r);
	row_resume(r, 0);
}

static void on_signal(struct target_trace *tr, struct trace_row *r, int code)
{
	call_signal(r, code);
	row_resume(r, code);
}

/* PTRACE_INTERRUPT, the first stop of a thread, SIGCONT after a group stop; or a group stop itself. */
static void on_event_stop(struct target_trace *tr, struct trace_row *r, int code)
{
	if ((code & 0xff) == SIGTRAP)
		row_resume(r, 0);
	else
		ptrace(PTRACE_LISTEN, r->th.tid, 0, 0); /* it stays stopped until someone sends SIGCONT */
}

static void on_other(struct target_trace *tr, struct trace_row *r, int code)
{
	row_resume(r, 0);
}

/* The row of a task that PTRACE_O_TRACECLONE seized. NULL: no memory. */
static struct trace_row *cloned_add(struct target_trace *tr, pid_t tid)
{
	struct target_status st;
	bool kernel_thread;
	struct trace_process *p = status_read(tid, &st, &kernel_thread) ? NULL : trace_process_all(tr, st.tgid);
	struct trace_row *r = row_add(tr, p, tid);

	if (r)
		r->armed = p != NULL;
	return r;
}

/* The new task's own first stop may have come before this one, or comes later. */
static void clone_row(struct target_trace *tr, pid_t parent)
{
	unsigned long tid;

	if (!ptrace(PTRACE_GETEVENTMSG, parent, 0, &tid) && !row_find(tr, (pid_t)tid) &&
	    status_field((pid_t)tid, "\nTracerPid:", 10) == (u64)gettid())
		cloned_add(tr, (pid_t)tid);
}

static void on_clone(struct target_trace *tr, struct trace_row *r, int code)
{
	clone_row(tr, r->th.tid);
	row_resume(r, 0);
}

/* Thread r->th.tid is now what thread `former` was; the other rows of its process have ended, and been reaped, before. */
static void on_exec(struct target_trace *tr, struct trace_row *r, int code)
{
	unsigned long former = (unsigned long)r->th.tid;

	ptrace(PTRACE_GETEVENTMSG, r->th.tid, 0, &former);
	call_exec(r);
	r->p->own_ip = 0;
	target_reopen(r->p->t); /* an error: its memory is closed to us, and every access says so */
	if (tr->ops->execed)
		tr->ops->execed(tr->arg, &r->th, (pid_t)former);
	row_resume(r, 0);
}

/*
 * The thread that called execve takes the process's id, and the first thread goes without a word (fs/exec.c,
 * de_thread()). Until this stop was waited for the kernel refuses all requests, since they might mean the first thread
 * (kernel/ptrace.c, looks_like_a_spurious_pid()); it stands for no signal, so nothing can be lost.
 */
static struct trace_row *exec_row(struct target_trace *tr, struct trace_row *r, pid_t tid)
{
	unsigned long former;
	struct trace_row *f;
	siginfo_t si;

	waitid(P_PID, (id_t)tid, &si, WSTOPPED | WNOHANG | __WALL | __WNOTHREAD);
	if (ptrace(PTRACE_GETEVENTMSG, tid, 0, &former) || (pid_t)former == tid)
		return r;
	f = row_find(tr, (pid_t)former);
	if (!f)
		return r;
	row_succeed(tr, f, tid);
	return f;
}

static const struct stop_kind {
	int event;
	bool between_calls; /* not in the middle of one */
	void (*handle)(struct target_trace *tr, struct trace_row *r, int code);
} kinds[] = {
    {0, true, on_signal},
    {PTRACE_EVENT_STOP, true, on_event_stop},
    {PTRACE_EVENT_CLONE, false, on_clone},
    {PTRACE_EVENT_EXEC, false, on_exec},
    {-1, false, on_other},
};

/* Whose stop it is, where the table does not say so yet. NULL: no thread of ours. */
static struct trace_row *stop_row(struct target_trace *tr, const struct stop *s)
{
	struct trace_row *r = row_find(tr, s->tid);

	if (!s->ended && s->code >> 8 == PTRACE_EVENT_EXEC)
		r = exec_row(tr, r, s->tid);
	if (!r && is_cloned(s->tid))
		r = cloned_add(tr, s->tid);
	return r;
}

bool stop_release(struct target_trace *tr, const struct stop *s)
{
	struct trace_row *r = stop_row(tr, s);

	if (!r)
		return false;
	if (s->ended) {
		stop_reap(r->th.process, r->th.tid);
		row_remove(tr, r, true);
		return true;
	}
	if (s->code >> 8 == PTRACE_EVENT_CLONE)
		clone_row(tr, s->tid);
	/* With its signal, if that is what it stopped for. After a group stop it stays stopped. */
	if (ptrace(PTRACE_DETACH, s->tid, 0, stop_signal(s)))
		return false; /* it is being killed, and its end will show */
	row_remove(tr, r, true);
	return true;
}

void stop_check(struct target_trace *tr, pid_t tid)
{
	struct __ptrace_syscall_info i;

	if (!tr->checked)
		tr->blind = ptrace(PTRACE_GET_SYSCALL_INFO, tid, sizeof(i), &i) < 0 && errno == EIO;
	tr->checked = true;
}

/* The first stop of a thread that was seized or is armed again. */
static void stop_first(struct target_trace *tr, struct trace_row *r, bool between_calls)
{
	r->fresh = false;
	stop_check(tr, r->th.tid);
	if (r->set_options)
		ptrace(PTRACE_SETOPTIONS, r->th.tid, 0, trace_options(r->p));
	r->set_options = false;
	if (between_calls)
		call_look(tr, r);
}

bool stop_handle(struct target_trace *tr, const struct stop *s)
{
	struct trace_row *r = row_find(tr, s->tid);
	const struct stop_kind *kind = kinds;

	if (r && !s->ended && s->code == (SIGTRAP | 0x80)) {
		on_call(tr, r, s->code);
		return true;
	}
	r = stop_row(tr, s);
	if (!r)
		return false;
	if (s->ended || !r->p)
		return stop_release(tr, s);
	while (kind < kinds + ARRAY_SIZE(kinds) - 1 && kind->event != s->code >> 8)
		kind++;
	if (r->fresh)
		stop_first(tr, r, kind->between_calls);
	kind->handle(tr, r, s->code);
	return true;
}
