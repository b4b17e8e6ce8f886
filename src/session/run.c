// SPDX-License-Identifier: Apache-2.0
/*
 * The run itself: load, BEGIN, attach, the loop, and out again. The order is what keeps the counts exact: programs run
 * only while state.activity is CG_ACTIVE, which is set when everything is attached and unset before anything is taken off.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "session/session_impl.h"

#define NSEC             1000000000ll
#define DRAIN_PAUSE      (5 * 1000000ll)   /* between two drains: many records, few wake-ups */
#define DRAIN_BLIND      (20 * 1000000ll)  /* where the ring has nothing to poll on */
#define LONGEST_WAIT     (200 * 1000000ll) /* ns: an exit() that recorded nothing is seen after that */
#define MAX_DRAIN_ROUNDS 3

struct run {
	struct session *s;
	VEC(struct pollfd) fds; /* the signalfd, the ring, then processes */
	size_t alive;           /* processes that have not ended */
	bool stop, interrupted, abort;
	s64 next_drain, next_status;
	u64 *misses; /* by program, as last reported */
};

enum { FD_SIGNAL, FD_RING, FD_PROCESS };

/* --- on and off ------------------------------------------------------------------------------------------ */

static int load(struct session *s)
{
	int err = exec_load(s->exec, &s->cg.image, s->diag);

	if (err)
		return err;
	struct cg_state *state = exec_map_memory(s->exec, s->cg.map_state);

	__atomic_store_n(&s->state, state, __ATOMIC_RELEASE); /* for the thread of signals.c */
	if (!state)
		return diag_fail(s->diag, ENOMEM, "cannot map the state of the programs");
	return session_consumer_open(s);
}

static int fire(struct session *s, const char *name)
{
	static const u64 args[10];
	const struct provider_group *g = session_group(s, name);

	return g ? exec_fire(s->exec, g->cg_index, args, ARRAY_SIZE(args)) : 0;
}

/* Programs know only CLOCK_MONOTONIC; walltimestamp is that and the difference. */
static void wall_clock(struct session *s)
{
	s->state->wall_offset = clock_ns(CLOCK_REALTIME) - now_ns();
}

static void printing(struct session *s, bool yes)
{
	__atomic_store_n(&s->printing, yes, __ATOMIC_SEQ_CST);
}

static void activity_set(struct session *s, enum cg_activity a)
{
	__atomic_store_n(&s->state->activity, (u32)a, __ATOMIC_SEQ_CST);
}

static bool exit_called(struct session *s)
{
	return __atomic_load_n(&s->state->activity, __ATOMIC_SEQ_CST) == CG_DRAINING;
}

static int attach(struct session *s)
{
	int err = 0;

	if (s->cg.prog_thread_exit >= 0) {
		err =
		    exec_attach_raw_tracepoint(s->exec, (u32)s->cg.prog_thread_exit, "sched_process_exit", s->diag);
		if (err == -EOPNOTSUPP) /* the vm: its threads do not come and go */
			err = 0;
	}
	for (size_t i = 0; i < s->providers.n && !err; i++) {
		struct session_provider *p = &s->providers.v[i];

		for (size_t n = 0; n < s->used.n && !err; n++)
			if (s->used.v[n]->provider == p->ops && p->ops->attach)
				err = p->ops->attach(p->run, s->used.v[n], s->exec);
	}
	return err;
}

/* Programs off first, then what leads to them. */
static void detach(struct session *s)
{
	exec_detach(s->exec);
	for (size_t i = s->providers.n; i-- > 0;)
		if (s->providers.v[i].ops->detach)
			s->providers.v[i].ops->detach(s->providers.v[i].run);
}

static void announce(struct session *s)
{
	if (s->cfg->opt.n[SESSION_QUIET])
		return;
	for (size_t i = 0; i < s->texts.n; i++) {
		const struct session_text *t = &s->texts.v[i];

		diag_report(s->diag, DIAG_NOTE, NOWHERE, "%s '%s' matched %llu probe%s", t->desc, t->name,
			    (unsigned long long)t->matches, t->matches == 1 ? "" : "s");
	}
	if (s->cfg->opt.n[SESSION_DESTRUCTIVE])
		diag_report(s->diag, DIAG_NOTE, NOWHERE, "allowing destructive actions");
}

/* --- the loop -------------------------------------------------------------------------------------------- */

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

static void watch_all(struct run *r)
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

static void take_signals(struct run *r)
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

	printing(s, true);
	err = session_flush(s, consumer_drain(s->consumer));
	printing(s, false);
	r->next_drain = t + (rate ? rate : r->fds.v[FD_RING].fd < 0 ? DRAIN_BLIND : DRAIN_PAUSE);
	return err;
}

/* Nothing is lost in silence: records and values, functions, and events whose program could not be run. */
static void losses_report(struct run *r)
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
}

static void status(struct run *r, s64 t)
{
	if (t < r->next_status)
		return;
	r->next_status = t + r->s->cfg->opt.n[SESSION_STATUSRATE];
	losses_report(r);
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
	take_signals(r);
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
	r->stop = r->interrupted || exit_called(s) || (r->fds.n > FD_PROCESS && !r->alive);
	return err;
}

/* --- the end --------------------------------------------------------------------------------------------- */

static int finish(struct run *r)
{
	struct session *s = r->s;
	int err = 0;

	take_signals(r);
	if (r->interrupted)
		fputs("\n", s->out); /* as dtrace: the terminal has "^C" on the line */
	err = consumer_drain(s->consumer);
	fire(s, "END");
	/* Again, because an ERROR clause makes records while records are taken. */
	for (int i = 0; i < MAX_DRAIN_ROUNDS && !err; i++)
		err = consumer_drain(s->consumer);
	take_signals(r);
	if (!err && !r->abort)
		err = consumer_end(s->consumer);
	losses_report(r);
	consumer_exited(s->consumer, &s->status);
	return session_flush(s, err);
}

static int trace(struct run *r)
{
	struct session *s = r->s;
	int err = fire(s, "BEGIN");

	if (err)
		return diag_fail(s->diag, -err, "cannot fire BEGIN: %s", strerror(-err));
	if (!exit_called(s)) {
		err = attach(s);
		if (err)
			return err;
		watch_all(r);
		activity_set(s, CG_ACTIVE);
	}
	announce(s);
	consumer_begin(s->consumer);
	if (s->child) {
		err = python_release(s->child);
		if (err)
			return diag_fail(s->diag, -err, "cannot let process %d run: %s",
					 target_pid(s->child_target), strerror(-err));
		s->child_released = true;
	}
	while (!err && !r->stop && !exit_called(s))
		err = turn(r);
	activity_set(s, CG_DRAINING);
	return err;
}

int session_trace(struct session *s)
{
	struct run r = {.s = s, .misses = arena_new_array(s->arena, u64, s->used.n)};
	int err = load(s), end;

	if (err)
		return err;
	wall_clock(s);
	err = trace(&r);
	detach(s);
	if (err == -EPIPE || !s->consumer)
		return err;
	printing(s, true);
	end = err ? 0 : finish(&r);
	printing(s, false);
	return err ? err : end;
}
