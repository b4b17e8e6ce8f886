// SPDX-License-Identifier: Apache-2.0
/* Jobs of the agent, and which thread does each (docs/attach.md has the table). */
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>

#include "python/python_impl.h"

enum {
	STOP_MS = 500,      /* for a thread to come to a stop */
	LOOK_AGAIN_MS = 30, /* while the job has not been done */
	TELL_MS = 1000,     /* a wait that the user is told of */
	QUEUE_TRIES = 3,    /* looks at a main thread that does not hold the GIL, before queueing on it anyway */
};

/* Which shot a thread gets; false: none. `tries` counts the looks at the main thread. */
static bool shot_for(enum thread_doing doing, bool main_thread, bool may_queue, unsigned tries, enum stub_how *how)
{
	if (doing == DOING_WAIT) {
		*how = STUB_BORROW;
		return true;
	}
	*how = doing == DOING_GIL || tries > QUEUE_TRIES ? STUB_PENDING : STUB_IF_HELD;
	return main_thread && may_queue;
}

/* Shoot at one thread and let it go. -EINPROGRESS: not now. */
static int shoot(struct python *p, pid_t tid, bool may_queue, unsigned tries)
{
	bool main_thread = tid == target_pid(p->t);
	struct target_stop s;
	enum stub_how how;
	int ret = target_stop(p->t, tid, STOP_MS, &s), ended;

	if (ret)
		return ret;
	ret = -EINPROGRESS;
	if (!python_loader_at_work(p, &s.regs) &&
	    shot_for(python_thread_doing(p, &s.regs), main_thread, may_queue, tries, &how))
		ret = python_shot(p, &s, how);
	ended = target_stop_end(&s);
	return ret ? ret : ended;
}

/* Errors that mean: this thread cannot, another may. */
static bool only_this_thread(int err)
{
	return err == -EINPROGRESS || err == -ENOSPC || err == -EFAULT || err == -ETIMEDOUT;
}

/* Another thread that is parked; found without a stop where /proc says what it sleeps in. */
static int shoot_other(struct python *p)
{
	struct target_call c;
	pid_t *tids;
	size_t n;
	int ret = target_threads(p->t, &tids, &n);

	if (ret)
		return ret;
	ret = -EINPROGRESS;
	for (size_t i = 0; i < n && ret == -EINPROGRESS; i++) {
		struct user_regs_struct r = {.rax = (u64)-512};

		if (tids[i] == target_pid(p->t) || target_thread_call(p->t, tids[i], &c) || c.nr < 0)
			continue;
		r.orig_rax = (u64)c.nr;
		r.rdi = c.args[0];
		r.rsi = c.args[1];
		r.rip = c.pc;
		if (python_thread_doing(p, &r) != DOING_WAIT)
			continue;
		ret = shoot(p, tids[i], false, 0);
		if (ret == -ESRCH || only_this_thread(ret))
			ret = -EINPROGRESS; /* the next one */
	}
	free(tids);
	return ret;
}

/*
 * The first shot makes the shared page, so it goes to the main thread whatever that does (the part that makes it uses
 * system calls only).
 */
int python_shoot_first(struct python *p, const void *page, size_t page_size)
{
	int ret = shoot(p, target_pid(p->t), true, 0);

	if (only_this_thread(ret))
		ret = shoot_other(p);
	return ret ? ret : python_handshake(p, page, page_size);
}

/* One more look for a thread that can do the open job. */
static int job_push(struct python *p, bool may_queue, unsigned tries)
{
	u64 magic;
	int ret = target_read(p->t, p->target_page, &magic, sizeof(magic));

	if (ret)
		return -ESRCH; /* it has ended, or made an exec: another memory */
	target_maps_free(&p->maps);
	ret = target_maps_read(p->t, &p->maps);
	if (!ret)
		ret = shoot(p, target_pid(p->t), may_queue, tries);
	if (only_this_thread(ret))
		ret = shoot_other(p);
	return ret == -EINPROGRESS ? 0 : ret;
}

/* Nobody may begin the open job any more; taken in the meantime, it will be done. */
static int job_withdraw(struct python *p)
{
	if (__atomic_exchange_n(&p->ctl->job, STUB_IDLE, __ATOMIC_ACQ_REL) != STUB_IDLE)
		return -ETIMEDOUT;
	return python_ctl_wait(p, p->jobs, now_ns() + 2000000000ull) ? 0 : -ETIMEDOUT;
}

/* Does the user want to wait no longer? */
static bool cancelled(const struct python *p)
{
	struct pollfd fd = {.fd = p->cancel_fd, .events = POLLIN};

	return p->cancel_fd > 0 && poll(&fd, 1, 0) > 0;
}

static void tell_wait(struct python *p)
{
	if (p->tell)
		diag_report(p->tell, DIAG_NOTE, NOWHERE,
			    "process %d (%s): waiting for its Python to come to a safe point (it may be in a long "
			    "call into C); Ctrl-C gives up",
			    target_pid(p->t), target_comm(p->t));
	p->tell = NULL;
}

/* See the open job done, on whichever thread can do it first. */
int python_job_finish(struct python *p, u64 deadline)
{
	struct stub_ctl *c = p->ctl;
	u32 not_held = 0, refused = c->refused;
	u64 begin = now_ns();

	for (unsigned tries = 1;; tries++) {
		u64 look = now_ns() + LOOK_AGAIN_MS * 1000000ull;
		bool may_queue;
		int ret;

		while (!python_ctl_wait(p, p->jobs, now_ns() + 1000000)) {
			if (now_ns() > look || (c->not_held != not_held && tries <= QUEUE_TRIES))
				break;
		}
		if (python_ctl_wait(p, p->jobs, 0))
			return 0;
		if (python_page_lost(p))
			return -EIO;
		if (now_ns() - begin > TELL_MS * 1000000ull)
			tell_wait(p);
		if (now_ns() > deadline || c->stage == STUB_FINALIZING)
			return job_withdraw(p);
		if (cancelled(p))
			return job_withdraw(p) ? -EINTR : 0;
		if (c->waiting || __atomic_load_n(&c->job, __ATOMIC_ACQUIRE) == STUB_IDLE)
			continue; /* a thread is at it */
		not_held = c->not_held;
		may_queue = c->queued == c->called || c->refused != refused;
		refused = c->refused;
		ret = job_push(p, may_queue, tries);
		if (ret)
			return ret;
	}
}

int python_job_do(struct python *p, enum stub_job job, u64 deadline)
{
	int ret;

	p->jobs++;
	__atomic_store_n(&p->ctl->job, (u32)job, __ATOMIC_RELEASE);
	ret = job_push(p, p->ctl->queued == p->ctl->called, 0);
	return ret ? ret : python_job_finish(p, deadline);
}
