// SPDX-License-Identifier: Apache-2.0
/* The loop of a run: wait, drain and print, fire what is due, tell of losses; until something ends it. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "session/run_impl.h"

#define NSEC          1000000000ll
#define DRAIN_PAUSE   (5 * 1000000ll)   /* between two drains: many records, few wake-ups */
#define DRAIN_BLIND   (20 * 1000000ll)  /* where the ring has nothing to poll on */
#define STOP_DRAIN_MS 100               /* Ctrl-Z waits no longer for what is to be printed before */
#define LONGEST_WAIT  (200 * 1000000ll) /* ns: an exit() that recorded nothing is seen after that */

enum { FD_SIGNAL, FD_RING, FD_PROCESS };

static void fd_add(struct run *r, int fd)
{
	*vec_push(r->s->arena, &r->fds) = (struct pollfd){.fd = fd, .events = POLLIN};
}

static void watch(void *arg, int pidfd)
{
	struct run *r = arg;

	fd_add(r, pidfd);
	r->alive++;
}

void run_watch_all(struct run *r)
{
	struct session *s = r->s;

	fd_add(r, s->signals);
	fd_add(r, exec_ring_fd(s->exec, s->cg.map_ring));
	for (size_t i = 0; i < s->grabbed.n; i++)
		watch(r, target_pidfd(s->grabbed.v[i]));
	if (s->child)
		watch(r, target_pidfd(s->child_target));
	for (size_t i = 0; i < s->providers.n; i++)
		if (s->providers.v[i].ops->watch)
			s->providers.v[i].ops->watch(s->providers.v[i].run, watch, r);
}

void run_take_signals(struct run *r)
{
	u32 n = __atomic_load_n(&r->s->interrupts, __ATOMIC_SEQ_CST);

	r->interrupted = n > 0;
	r->abort = n > 1;
}

static s64 earlier(s64 a, s64 b)
{
	return a < 0 || (b >= 0 && b < a) ? b : a;
}

/* Nanoseconds to wait: until the next drain, tick or look at the drops. */
static s64 wait_time(struct run *r, s64 t)
{
	s64 wait = LONGEST_WAIT;

	if (r->fds.v[FD_RING].fd < 0 || r->next_drain > t)
		wait = earlier(wait, r->next_drain > t ? r->next_drain - t : 0);
	wait = earlier(wait, r->next_status > t ? r->next_status - t : 0);
	for (size_t i = 0; i < r->s->providers.n; i++) {
		struct session_provider *p = &r->s->providers.v[i];

		if (p->ops->timeout)
			wait = earlier(wait, p->ops->timeout(p->run));
	}
	return wait;
}

static int tick(struct session *s)
{
	for (size_t i = 0; i < s->providers.n; i++) {
		struct session_provider *p = &s->providers.v[i];
		int err = p->ops->tick ? p->ops->tick(p->run, s->exec) : 0;

		if (err)
			return diag_fail(s->diag, -err, "cannot fire a tick: %s", strerror(-err));
	}
	return 0;
}

static int drain(struct run *r, s64 t)
{
	struct session *s = r->s;
	s64 rate = s->cfg->opt.n[SESSION_SWITCHRATE];
	int err;

	run_printing(s, true);
	err = session_flush(s, consumer_drain(s->consumer));
	run_printing(s, false);
	__atomic_add_fetch(&r->drains, 1, __ATOMIC_SEQ_CST);
	r->next_drain = t + (rate ? rate : r->fds.v[FD_RING].fd < 0 ? DRAIN_BLIND : DRAIN_PAUSE);
	return err;
}

/* Nothing is lost in silence: records and values, functions, and events whose program could not be run. */
void run_losses_report(struct run *r)
{
	struct session *s = r->s;

	consumer_report_drops(s->consumer);
	for (size_t i = 0; i < s->providers.n; i++)
		if (s->providers.v[i].ops->drops)
			s->providers.v[i].ops->drops(s->providers.v[i].run);
	for (u32 i = 0; i < s->used.n; i++) {
		u64 n;

		if (exec_prog_misses(s->exec, i, &n) || n <= r->misses[i])
			continue;
		diag_report(s->diag, DIAG_WARNING, NOWHERE,
			    "%llu events at %s were missed: they came while its program ran on the same CPU",
			    (unsigned long long)(n - r->misses[i]), s->used.v[i]->name);
		r->misses[i] = n;
	}

	u64 lost = exec_lost(s->exec);

	if (lost > r->lost)
		diag_report(s->diag, DIAG_WARNING, NOWHERE,
			    "%llu events were lost: their threads could not be traced",
			    (unsigned long long)(lost - r->lost));
	r->lost = lost > r->lost ? lost : r->lost;
}

static void status(struct run *r, s64 t)
{
	if (t < r->next_status)
		return;
	r->next_status = t + r->s->cfg->opt.n[SESSION_STATUSRATE];
	run_losses_report(r);
}

/* One turn: wait, and do what is due. */
static int turn(struct run *r)
{
	struct session *s = r->s;
	s64 t = (s64)now_ns(), wait = wait_time(r, t);
	struct timespec ts = {wait / NSEC, wait % NSEC};
	struct pollfd ring = r->fds.v[FD_RING];
	int err;

	if (t < r->next_drain)
		r->fds.v[FD_RING].fd = -1; /* not yet: let records gather */
	if (ppoll(r->fds.v, r->fds.n, &ts, NULL) < 0 && errno != EINTR)
		return diag_fail(s->diag, errno, "cannot wait for events: %s", strerror(errno));
	r->fds.v[FD_RING].fd = ring.fd;

	t = (s64)now_ns();
	run_take_signals(r);
	err = tick(s);
	if (!err && t >= r->next_drain)
		err = drain(r, t);
	status(r, t);
	for (size_t i = FD_PROCESS; i < r->fds.n; i++) {
		if (r->fds.v[i].fd >= 0 && r->fds.v[i].revents) {
			r->fds.v[i].fd = -1;
			r->alive--;
		}
	}
	r->stop = r->interrupted || run_exit_called(s) || (r->fds.n > FD_PROCESS && !r->alive);
	return err;
}

static int loop(struct run *r)
{
	struct session *s = r->s;
	int err = 0;

	while (!err && !r->stop && !run_exit_called(s) && !__atomic_load_n(&r->unserved, __ATOMIC_SEQ_CST))
		err = turn(r);
	run_activity_set(s, CG_DRAINING);
	return err;
}

static void *beside_thread(void *arg)
{
	struct run *r = arg;

	r->err = r->beside(r);
	__atomic_store_n(&r->beside_over, true, __ATOMIC_SEQ_CST);
	exec_serve_end(r->s->exec);
	return NULL;
}

/* What was recorded until now is to be printed, unless that takes long: a pager may not read. */
static void drain_await(struct run *r)
{
	const struct timespec ms = {0, NSEC / 1000};
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
	const struct timespec ms = {0, NSEC / 1000};
	struct session *s = r->s;
	u64 begin = now_ns();
	bool free, stopped = false;

	while (!(free = exec_pause(s->exec)) && session_stop_wanted(s) &&
	       !__atomic_load_n(&s->interrupts, __ATOMIC_SEQ_CST))
		nanosleep(&ms, NULL);
	if (free) {
		drain_await(r);
		stopped = session_stop(s);
	}
	if (exec_lingers(s->exec))
		return;
	exec_resume(s->exec, s->diag);
	session_stop_note(s, stopped, now_ns() - begin);
}

/* Bring events until the other thread is through. 0 or -errno. */
static int serve(struct run *r)
{
	struct session *s = r->s;
	int err;

	session_stops_serve(s, s->exec);
	while (!(err = exec_serve(s->exec)) && !__atomic_load_n(&r->beside_over, __ATOMIC_SEQ_CST))
		if (session_stop_wanted(s))
			stop_served(r);
	session_stops_serve(s, NULL);
	return err;
}

/*
 * Events are brought by this thread, for it is the one that holds the processes; what waits for a pager, or a record, must
 * not hold them up and is done in a thread of its own. That takes no signal but the one that gets it out of a write.
 */
int run_beside(struct run *r, int (*fn)(struct run *r))
{
	struct session *s = r->s;
	sigset_t old;
	pthread_t thread;
	int err, served;

	r->beside = fn;
	r->beside_over = false;
	session_signals_hold(&old, true);
	err = pthread_create(&thread, NULL, beside_thread, r);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return diag_fail(s->diag, err, "cannot start a thread: %s", strerror(err));
	served = serve(r);
	__atomic_store_n(&r->unserved, true, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	if (served && !r->err)
		r->err = diag_fail(s->diag, -served, "cannot wait for the traced processes: %s", strerror(-served));
	return r->err;
}

int run_loop(struct run *r)
{
	int err;

	if (exec_serves(r->s->exec))
		return run_beside(r, loop);
	session_hold(r->s, false); /* no thread waits for us */
	err = loop(r);
	session_hold(r->s, true);
	return err;
}
