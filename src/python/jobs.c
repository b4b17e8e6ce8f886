// SPDX-License-Identifier: Apache-2.0
/* Jobs of the agent, and which thread does each (docs/attach.md has the table). */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "python/python_impl.h"

enum {
	STOP_MS = 500,      /* for a thread to come to a stop */
	LOOK_AGAIN_MS = 30, /* while the job has not been done */
	TELL_MS = 1000,     /* a wait that the user is told of */
	/*
	 * Looks at a main thread that does not hold the GIL, or is parked elsewhere, before the last means is taken: to queue
	 * on it anyway, or to start a thread.
	 */
	QUEUE_TRIES = 3,
};

/* Nobody else can have the GIL then, nor want a lock that this thread holds: it does not wait. The thread is stopped. */
static bool is_alone(const struct python *p)
{
	struct target_status st;

	return !target_status(p->t, &st) && st.nthreads == 1;
}

static enum thread_doing doing_now(struct python *p, const struct target_stop *s)
{
	enum thread_doing doing = python_doing(p, s);

	return doing == DOING_ELSEWHERE && is_alone(p) ? DOING_WAIT : doing;
}

/* Can a thread be started in the target at all, as far as it is not for the one that would start it to say? */
static bool can_start_thread(const struct python *p)
{
	const struct python_symbols *s = &p->sym;

	return p->ctl && s->attr_init && s->attr_setstack && s->attr_setdetach && s->thread_create;
}

/* Which shot a thread gets; false: none now. `tries` counts the looks at the main thread. */
static bool shot_for(struct python *p, const struct target_stop *s, bool may_queue, unsigned tries,
		     enum stub_how *how)
{
	enum thread_doing doing = doing_now(p, s);
	bool last_means = tries > QUEUE_TRIES;

	if (doing == DOING_WAIT || doing == DOING_RELEASED) {
		*how = doing == DOING_WAIT ? STUB_BORROW : STUB_RELEASED;
		return true;
	}
	if (doing == DOING_ELSEWHERE && last_means && can_start_thread(p) && python_thread_allowed(p, s)) {
		*how = STUB_THREAD;
		return !python_thread_there(p->t, p->ctl); /* one at a time: they share a stack */
	}
	*how = doing == DOING_GIL || last_means ? STUB_PENDING : STUB_IF_HELD;
	if (doing == DOING_ELSEWHERE && !last_means && tries)
		return false; /* it may come back to Python soon, or another thread do it */
	return s->tid == target_pid(p->t) && may_queue;
}

/* Shoot at one thread and let it go. -EINPROGRESS: not now. */
static int shoot(struct python *p, pid_t tid, bool may_queue, unsigned tries)
{
	struct target_stop s;
	enum stub_how how;
	int ret = target_stop(p->t, tid, STOP_MS, &s), ended;

	if (ret)
		return ret;
	ret = -EINPROGRESS;
	if (!python_loader_at_work(p, &s.regs) && shot_for(p, &s, may_queue, tries, &how))
		ret = python_shot(p, &s, how);
	ended = target_stop_end(&s);
	return ret ? ret : ended;
}

/* Errors that mean: this thread cannot, another may. */
static bool only_this_thread(int err)
{
	return err == -EINPROGRESS || err == -ENOSPC || err == -EFAULT || err == -ETIMEDOUT;
}

/* Is it worth a stop? A thread that sleeps in a system call is judged from what /proc says of it. */
static bool promising(struct python *p, pid_t tid, unsigned tries)
{
	struct user_regs_struct r = {.rax = (u64)-PYTHON_RESTARTS};
	enum thread_doing doing;
	struct target_unwind u;
	struct target_call c;

	if (target_thread_call(p->t, tid, &c) || c.nr < 0)
		return false;
	r.orig_rax = (u64)c.nr;
	r.rdi = c.args[0];
	r.rsi = c.args[1];
	r.rip = c.pc;
	if (python_thread_doing(p, &r) != DOING_WAIT)
		return false;
	target_unwind_begin_asleep(&u, p->t, &p->maps, &c);
	doing = python_parked(p, &u, c.nr);
	return doing == DOING_WAIT || doing == DOING_RELEASED || (tries > QUEUE_TRIES && can_start_thread(p));
}

/* Another thread that is parked. */
static int shoot_other(struct python *p, unsigned tries)
{
	pid_t *tids;
	size_t n;
	int ret = target_threads(p->t, &tids, &n);

	if (ret)
		return ret;
	ret = -EINPROGRESS;
	for (size_t i = 0; i < n && ret == -EINPROGRESS; i++) {
		if (tids[i] == target_pid(p->t) || !promising(p, tids[i], tries))
			continue;
		ret = shoot(p, tids[i], false, tries);
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
		ret = shoot_other(p, 0);
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
		ret = shoot_other(p, tries);
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

bool python_thread_there(struct target *t, const struct stub_ctl *c)
{
	u32 tid = __atomic_load_n(&c->thread_tid, __ATOMIC_ACQUIRE);
	char name[32];
	int fd;

	if (!c->threads || !tid)
		return c->threads; /* 0: it is on its way */
	snprintf(name, sizeof(name), "task/%u", tid);
	fd = target_proc_open(t, name, O_PATH);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/* Where no thread but one of our own has come to the job before, it is not waited for that again. */
static unsigned first_try(const struct python *p)
{
	return p->by_thread ? QUEUE_TRIES + 1 : 0;
}

/* See the open job done, on whichever thread can do it first. */
int python_job_finish(struct python *p, u64 deadline)
{
	struct stub_ctl *c = p->ctl;
	u32 not_held = 0, refused = c->refused;
	u64 begin = now_ns();

	for (unsigned tries = first_try(p) + 1;; tries++) {
		u64 look = now_ns() + LOOK_AGAIN_MS * 1000000ull;
		bool may_queue;
		int ret;

		while (!python_ctl_wait(p, p->jobs, now_ns() + 1000000)) {
			if (now_ns() > look || (c->not_held != not_held && tries <= QUEUE_TRIES))
				break;
		}
		if (python_ctl_wait(p, p->jobs, 0)) {
			p->by_thread = c->threads != p->threads;
			p->threads = c->threads;
			return 0;
		}
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
		if (__atomic_load_n(&c->left, __ATOMIC_ACQUIRE) < p->shots) {
			tries--; /* the last one has not come to run yet, on a busy machine: no look at it tells anything */
			continue;
		}
		not_held = c->not_held;
		may_queue = c->queued == c->called || c->refused != refused;
		refused = c->refused;
		ret = job_push(p, may_queue, tries);
		if (ret)
			return ret;
	}
}

int python_agent_call(struct python *p, const char *name, u64 deadline)
{
	snprintf(p->ctl->call_name, sizeof(p->ctl->call_name), "%s", name);
	return python_job_do(p, STUB_CALL, deadline);
}

int python_job_do(struct python *p, enum stub_job job, u64 deadline)
{
	int ret;

	p->jobs++;
	__atomic_store_n(&p->ctl->job, (u32)job, __ATOMIC_RELEASE);
	ret = job_push(p, p->ctl->queued == p->ctl->called, first_try(p));
	return ret ? ret : python_job_finish(p, deadline);
}
