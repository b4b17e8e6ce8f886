// SPDX-License-Identifier: Apache-2.0
/*
 * The run itself: load, BEGIN, attach, the loop, and out again. The order is what keeps the counts exact: programs run
 * only while state.activity is CG_ACTIVE, which is set when everything is attached and unset before anything is taken off.
 */
#include <errno.h>
#include <string.h>
#include <time.h>

#include "session/run_impl.h"

#define MAX_DRAIN_ROUNDS 3

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

void run_printing(struct session *s, bool yes)
{
	__atomic_store_n(&s->printer, yes ? gettid() : 0, __ATOMIC_SEQ_CST);
}

void run_activity_set(struct session *s, enum cg_activity a)
{
	__atomic_store_n(&s->state->activity, (u32)a, __ATOMIC_SEQ_CST);
}

bool run_exit_called(struct session *s)
{
	return __atomic_load_n(&s->state->activity, __ATOMIC_SEQ_CST) == CG_DRAINING;
}

static int attach(struct session *s)
{
	int err = 0;

	if (s->cg.prog_thread_exit >= 0) {
		err =
		    exec_attach_raw_tracepoint(s->exec, (u32)s->cg.prog_thread_exit, "sched_process_exit", s->diag);
	}
	for (size_t i = 0; i < s->providers.n && !err; i++) {
		struct session_provider *p = &s->providers.v[i];

		for (size_t n = 0; n < s->used.n && !err; n++)
			if (s->used.v[n]->provider == p->ops && p->ops->attach)
				err = p->ops->attach(p->run, s->used.v[n], s->exec);
	}
	return err;
}

/* Whose system calls are looked at, where not all of the kernel's are; Python processes add themselves. */
static int processes_add(struct session *s)
{
	int err = 0;

	if (!session_traces_threads(s))
		return 0;
	if (s->cg.prog_gate >= 0)
		exec_set_gate(s->exec, (u32)s->cg.prog_gate);
	for (size_t i = 0; i < s->grabbed.n && !err; i++)
		err = exec_add_process(s->exec, s->grabbed.v[i]);
	if (s->child && !err)
		err = exec_add_process(s->exec, s->child_target);
	return err ? diag_fail(s->diag, -err, "cannot add a process: %s", strerror(-err)) : 0;
}

/*
 * Programs off first, then what leads to them. Where events are served, that lets go of every thread, and no agent waits for
 * an answer any more. What cannot be undone is an error, which has been told; the results are printed all the same.
 */
static int detach(struct session *s)
{
	int err = 0;

	exec_detach(s->exec);
	for (size_t i = s->providers.n; i-- > 0;) {
		const struct session_provider *p = &s->providers.v[i];
		int ret = p->ops->detach ? p->ops->detach(p->run) : 0;

		err = err ? err : ret;
	}
	return err;
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

/* --- the end --------------------------------------------------------------------------------------------- */

static int finish(struct run *r)
{
	struct session *s = r->s;
	int err = 0;

	run_take_signals(r);
	if (r->interrupted)
		fputs("\n", s->out); /* as dtrace: the terminal has "^C" on the line */
	err = consumer_drain(s->consumer);
	fire(s, "END");
	/* Again, because an ERROR clause makes records while records are taken. */
	for (int i = 0; i < MAX_DRAIN_ROUNDS && !err; i++)
		err = consumer_drain(s->consumer);
	run_take_signals(r);
	if (!err && !r->abort)
		err = consumer_end(s->consumer);
	run_losses_report(r);
	consumer_exited(s->consumer, &s->status);
	return session_flush(s, err);
}

/*
 * Does the executor let the child run? When it stops at every call it takes the child over as it is held, for there must
 * be no call in between.
 */
static bool is_child_given(const struct session *s)
{
	return exec_serves(s->exec) && session_traces_threads(s) && s->cg.prog_gate < 0;
}

static int child_give(struct session *s)
{
	int err = python_hand_over(s->child);

	return err ? diag_fail(s->diag, -err, "cannot hold process %d: %s", target_pid(s->child_target),
			       strerror(-err))
		   : 0;
}

static int child_let_go(struct session *s)
{
	int err;

	if (!s->child || is_child_given(s))
		return 0;
	err = python_release(s->child);
	if (err)
		return diag_fail(s->diag, -err, "cannot let process %d run: %s", target_pid(s->child_target),
				 strerror(-err));
	return 0;
}

/*
 * Attach, and on. In the kernel events come when `activity` is set, all at once. Where they are served none comes before
 * exec_serve(): a thread that has one waits. So it is set before exec_start(), which may let a child run that is to be
 * traced from its first call on, and "matched" is said, in both, when all is on, and only if it is.
 */
static int switch_on(struct run *r)
{
	struct session *s = r->s;
	int err = attach(s);

	if (!err)
		err = processes_add(s);
	if (!err && s->child && is_child_given(s))
		err = child_give(s);
	if (err)
		return err;
	run_watch_all(r);
	run_activity_set(s, CG_ACTIVE);
	return exec_start(s->exec, s->diag);
}

static int trace(struct run *r)
{
	struct session *s = r->s;
	int err = fire(s, "BEGIN");

	if (err)
		return diag_fail(s->diag, -err, "cannot fire BEGIN: %s", strerror(-err));
	if (!run_exit_called(s))
		err = switch_on(r);
	if (err)
		return err;
	session_scope_note(s);
	announce(s);
	consumer_begin(s->consumer);
	err = child_let_go(s);
	if (!err && !run_exit_called(s))
		err = run_loop(r);
	run_activity_set(s, CG_DRAINING);
	return err;
}

static int print_end(struct run *r)
{
	int err;

	run_printing(r->s, true);
	err = finish(r);
	run_printing(r->s, false);
	return err;
}

int session_trace(struct session *s)
{
	struct run r = {.s = s, .misses = arena_new_array(s->arena, u64, s->used.n)};
	int err = load(s), left;

	if (err)
		return err;
	wall_clock(s);
	session_hold(s, true);
	err = trace(&r);
	left = detach(s);
	if (!err && s->consumer && exec_lingers(s->exec)) {
		err = run_beside(&r, print_end);
		session_hold(s, false);
		return err ? err : left;
	}
	session_hold(s, false);
	if (!err && s->consumer)
		err = print_end(&r);
	return err ? err : left;
}
