// SPDX-License-Identifier: Apache-2.0
/*
 * Two threads share a run: one prints (the loop, then END and the results), and one holds the processes. So a pager that does not
 * read keeps no process from going on, nor from being left; and nobody waits for his results because a process cannot be left
 * at once.
 *
 * Who holds them is, where events are served, the thread that has attached (ptrace); the other one prints beside it. In the
 * kernel executor the first thread prints, because BEGIN, ticks and END are fired in it, and share its thread-local variables.
 *
 * The order: the first signal, exit(), or the end of the processes switches the programs off, and from then on nothing counts. Where events
 * are served every thread is let go of. All results are printed. Then the agents are taken out, which may have to wait for
 * somebody's Python. Who prints for longer than PRINT_MS is not waited for.
 */
#include <errno.h>
#include <string.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "session/run_impl.h"

enum {
	PRINT_MS = 1000,    /* for the results, before the processes are left */
	KILL_MS = 1000,     /* for what -c has started to end */
	STOP_DRAIN_MS = 100 /* Ctrl-Z waits no longer for what is to be printed before */
};

static bool is_set(const bool *what)
{
	return __atomic_load_n(what, __ATOMIC_SEQ_CST);
}

void run_tell(struct run *r, bool *what)
{
	u64 one = 1;

	__atomic_store_n(what, true, __ATOMIC_SEQ_CST);
	if (what == &r->over)
		exec_serve_end(r->s->exec);
	while (r->told >= 0 && write(r->told, &one, sizeof(one)) < 0 && errno == EINTR)
		;
}

/* --- while events come ------------------------------------------------------------------------------------- */

/* No event counts any more: it is known here, also while who prints is stuck in a write. */
static bool is_over(const struct run *r)
{
	return is_set(&r->over) || __atomic_load_n(&r->s->interrupts, __ATOMIC_SEQ_CST);
}

/* What was recorded until now is to be printed, unless that takes long: a pager may not read. */
static void drain_await(struct run *r)
{
	const struct timespec ms = {0, 1000000};
	u32 drains = __atomic_load_n(&r->drains, __ATOMIC_SEQ_CST);

	/* The first that ends may have begun too early. */
	for (int i = 0; i < STOP_DRAIN_MS && __atomic_load_n(&r->drains, __ATOMIC_SEQ_CST) - drains < 2; i++)
		nanosleep(&ms, NULL);
}

/*
 * Let every thread go, be stopped, and take them back. A thread that cannot be let go yet (a vfork, a disk) is waited for: being
 * stopped later is no harm, but it would stand in its next stop until we go on. Who wants us to end does not wait.
 */
static void stop_served(struct run *r)
{
	const struct timespec ms = {0, 1000000};
	struct session *s = r->s;
	u64 begin = now_ns();
	bool free, stopped = false;

	while (!(free = exec_pause(s->exec)) && session_stop_wanted(s) && !is_over(r))
		nanosleep(&ms, NULL);
	if (free) {
		drain_await(r);
		stopped = session_stop(s);
	}
	exec_resume(s->exec, s->diag);
	session_stop_note(s, stopped, now_ns() - begin);
}

static int serve(struct run *r)
{
	struct session *s = r->s;
	int err = 0;

	session_stops_serve(s, s->exec);
	while (!is_over(r) && !(err = exec_serve(s->exec)) && !is_over(r))
		if (session_stop_wanted(s))
			stop_served(r);
	session_stops_serve(s, NULL);
	return err;
}

/* Until the other thread, or (where one is given) the descriptor of signals, tells something; at most `ns`, UINT64_MAX: without end. */
static void told_await(struct run *r, int signals, u64 ns)
{
	const struct timespec ts = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	struct pollfd fds[] = {{.fd = r->told, .events = POLLIN}, {.fd = signals, .events = POLLIN}};
	u64 n;

	if (ppoll(fds, ARRAY_SIZE(fds), ns == UINT64_MAX ? NULL : &ts, NULL) > 0 && fds[0].revents &&
	    read(r->told, &n, sizeof(n)) < 0)
		return; /* the caller looks again in any case */
}

static void events_await(struct run *r)
{
	if (exec_serves(r->s->exec)) {
		r->served = serve(r);
	} else {
		session_hold(r->s, false); /* no thread waits for us */
		while (!is_over(r))
			told_await(r, r->s->signals, UINT64_MAX);
	}
	__atomic_store_n(&r->unserved, true, __ATOMIC_SEQ_CST);
}

/* --- the end ----------------------------------------------------------------------------------------------- */

/* Until all is printed, but not after `deadline`. Threads that could not be let go yet are, when they stop. */
static void printed_await(struct run *r, u64 deadline)
{
	bool lingers = exec_lingers(r->s->exec);

	while (!is_set(&r->printed)) {
		u64 now = now_ns();

		if (now >= deadline)
			break;
		if (lingers)
			lingers = !exec_pause(r->s->exec);
		else
			told_await(r, -1, deadline == UINT64_MAX ? deadline : deadline - now);
	}
}

/* What cannot be undone is an error, which has been told. */
static int providers_detach(struct session *s)
{
	int err = 0;

	for (size_t i = s->providers.n; i-- > 0;) {
		const struct session_provider *p = &s->providers.v[i];
		int ret = p->ops->detach ? p->ops->detach(p->run) : 0;

		err = err ? err : ret;
	}
	return err;
}

static void leave(struct run *r)
{
	session_hold(r->s, true);
	r->left = providers_detach(r->s);
	session_hold(r->s, false);
}

static void attach_no_more(struct run *r)
{
	pthread_mutex_lock(&r->leave_lock);
	r->leaving = true;
	pthread_mutex_unlock(&r->leave_lock);
}

static void hold(struct run *r)
{
	struct exec *e = r->s->exec;

	events_await(r);
	attach_no_more(r);
	if (exec_serves(e))
		exec_detach(e); /* every thread that waits for us goes on */
	printed_await(r, now_ns() + PRINT_MS * 1000000ull);
	if (!exec_serves(e))
		exec_detach(e);
	session_child_kill(r->s, KILL_MS); /* there is nothing to be taken out of it, which might be waited for */
	leave(r);
	if (exec_lingers(e))
		printed_await(r, UINT64_MAX);
}

static void print(struct run *r)
{
	r->err = run_print(r);
	session_results(r->s, r->err ? RESULTS_NONE : RESULTS_OUT);
	run_tell(r, &r->printed);
}

static void *hold_thread(void *arg)
{
	hold(arg);
	return NULL;
}

static void *print_thread(void *arg)
{
	print(arg);
	return NULL;
}

static int both(struct run *r)
{
	bool serves = exec_serves(r->s->exec);
	pthread_t thread;
	sigset_t old;
	int err;

	r->told = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (r->told < 0)
		return diag_fail(r->s->diag, errno, "cannot make a descriptor for threads: %s", strerror(errno));
	session_signals_hold(&old);
	err = pthread_create(&thread, NULL, serves ? print_thread : hold_thread, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err) {
		close(r->told);
		return diag_fail(r->s->diag, err, "cannot start a thread: %s", strerror(err));
	}
	if (serves)
		hold(r);
	else
		print(r);
	pthread_join(thread, NULL);
	close(r->told);
	if (r->served && !r->err)
		r->err = diag_fail(r->s->diag, -r->served, "cannot wait for the traced processes: %s",
				   strerror(-r->served));
	return 0;
}

void run_end(struct run *r, int err)
{
	pthread_mutex_init(&r->leave_lock, NULL);
	session_results(r->s, err ? RESULTS_NONE : RESULTS_COME);
	if (!err && r->on)
		err = both(r);
	else if (!err)
		print(r);
	r->err = err ? err : r->err;
	if (err)
		session_results(r->s, RESULTS_NONE);
	if (err || !r->on) {
		run_activity_set(r->s, CG_DRAINING);
		exec_detach(r->s->exec);
		leave(r);
	}
	pthread_mutex_destroy(&r->leave_lock);
}
