// SPDX-License-Identifier: Apache-2.0
/* The loop of a run: wait, drain and print, fire what is due, tell of losses; until something ends it. */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "session/run_impl.h"

#define NSEC         1000000000ll
#define DRAIN_PAUSE  (5 * 1000000ll)   /* between two drains: many records, few wake-ups */
#define DRAIN_BLIND  (20 * 1000000ll)  /* where the ring has nothing to poll on */
#define LONGEST_WAIT (200 * 1000000ll) /* ns: an exit() that recorded nothing is seen after that */

enum { FD_SIGNAL, FD_RING, FD_PROVIDER, FD_PROCESS };

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

/* One has something of its own to wait for. */
static int provider_fd(const struct session *s)
{
	int fd = -1;

	for (size_t i = 0; i < s->providers.n && fd < 0; i++)
		if (s->providers.v[i].ops->fd)
			fd = s->providers.v[i].ops->fd(s->providers.v[i].run);
	return fd;
}

void run_watch_all(struct run *r)
{
	struct session *s = r->s;

	fd_add(r, s->signals);
	fd_add(r, exec_ring_fd(s->exec, s->cg.map_ring));
	fd_add(r, provider_fd(s));
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
}

/* Is there somebody to wait for, when all have ended who are named? */
static bool is_busy(const struct session *s)
{
	for (size_t i = 0; i < s->providers.n; i++)
		if (s->providers.v[i].ops->busy && s->providers.v[i].ops->busy(s->providers.v[i].run))
			return true;
	return false;
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

static int providers_tick(struct session *s)
{
	for (size_t i = 0; i < s->providers.n; i++) {
		struct session_provider *p = &s->providers.v[i];
		int err = p->ops->tick ? p->ops->tick(p->run, s->exec) : 0;

		if (err)
			return diag_fail(s->diag, -err, "cannot fire a tick: %s", strerror(-err));
	}
	return 0;
}

/* Nothing is attached any more once the processes are being left. */
static int tick(struct run *r)
{
	int err;

	pthread_mutex_lock(&r->leave_lock);
	err = r->leaving ? 0 : providers_tick(r->s);
	pthread_mutex_unlock(&r->leave_lock);
	return err;
}

static int drain(struct run *r, s64 t)
{
	struct session *s = r->s;
	s64 rate = s->cfg->opt.n[SESSION_SWITCHRATE];
	int err;

	err = session_flush(s, consumer_drain(s->consumer));
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

/* Whose descriptor is readable has ended: `alive` is what is left of them. */
static void count_ended(struct run *r)
{
	for (size_t i = FD_PROCESS; i < r->fds.n; i++) {
		if (r->fds.v[i].fd < 0 || !r->fds.v[i].revents)
			continue;
		if (r->s->child && r->fds.v[i].fd == target_pidfd(r->s->child_target))
			r->s->child_ended = !session_end_asked(r->s);
		r->fds.v[i].fd = -1;
		r->alive--;
	}
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
	err = tick(r);
	if (!err && t >= r->next_drain)
		err = drain(r, t);
	status(r, t);
	count_ended(r);
	r->stop = r->interrupted || run_exit_called(s) || (r->fds.n > FD_PROCESS && !r->alive && !is_busy(s));
	return err;
}

int run_loop(struct run *r)
{
	struct session *s = r->s;
	int err = 0;

	while (!err && !r->stop && !run_exit_called(s) && !__atomic_load_n(&r->unserved, __ATOMIC_SEQ_CST))
		err = turn(r);
	return err;
}
