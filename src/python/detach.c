// SPDX-License-Identifier: Apache-2.0
/* Take the agent out, until nothing of it is left in the process. */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/python_impl.h"

enum {
	STOP_MS = 500,
	DETACH_MS = 10000,
	QUEUE_MS = 500,
	FINI_RETRIES = 14,
	UNDO_RETRIES = 4,
};

/* The range of the agent's executable mapping, when it is loaded. */
static bool agent_text(struct python *p, u64 *start, u64 *end)
{
	struct stat st;

	if (p->agent_fd < 0 || fstat(p->agent_fd, &st))
		return false;
	for (size_t i = 0; i < p->maps.n; i++) {
		if (p->maps.v[i].ino == st.st_ino && p->maps.v[i].prot[2] == 'x') {
			*start = p->maps.v[i].start;
			*end = p->maps.v[i].end;
			return true;
		}
	}
	return false;
}

/* Let go of the page: raw system calls, so any thread will do that can be stopped. */
static int unmap_page(struct python *p, u64 deadline)
{
	struct target_stop s;
	pid_t *tids;
	size_t n;
	int ret = target_threads(p->t, &tids, &n);

	if (ret)
		return ret;
	ret = -EBUSY;
	for (size_t i = 0; i < n && ret; i++) {
		int ended;

		ret = target_stop(p->t, tids[i], STOP_MS, &s);
		if (ret)
			continue;
		ret = python_shot(p, &s, STUB_UNMAP);
		ended = target_stop_end(&s);
		ret = ret ? ret : ended;
	}
	free(tids);
	while (!ret && !p->leave_page && now_ns() < deadline) {
		bool there = false;

		target_maps_free(&p->maps);
		ret = target_maps_read(p->t, &p->maps);
		for (size_t i = 0; i < p->maps.n; i++)
			there |= p->maps.v[i].start == p->target_page;
		if (!there)
			break;
		usleep(200);
	}
	if (!ret && !p->leave_page)
		p->target_page = 0;
	return ret;
}

/* Zero the stub's place again. */
static int stub_erase(struct python *p, u64 deadline)
{
	static const char zero[4096];
	size_t n = python_stub_size();
	int ret = python_wait_outside(p, p->code, p->code + n, deadline);

	if (!ret && python_others_there(p))
		return 0; /* they use it too; the last one erases */
	if (!ret)
		ret = target_write(p->t, p->code, zero, n);
	if (!ret)
		p->code = 0;
	return ret;
}

/*
 * Nobody will look into the page again: the pending calls of ours that were queued have been run, and every borrowed
 * thread is past its last look (it may hang in PyGILState_Release() for a while after its job is done).
 */
static bool page_unused(struct python *p, u64 deadline)
{
	u64 queue = now_ns() + QUEUE_MS * 1000000ull;
	const struct stub_ctl *c = p->ctl;

	for (;; usleep(500)) {
		bool left = __atomic_load_n(&c->left, __ATOMIC_ACQUIRE) >= p->shots &&
			    __atomic_load_n(&c->threads_left, __ATOMIC_ACQUIRE) >= c->threads &&
			    !python_thread_there(p->t, c);

		if (left && __atomic_load_n(&c->called, __ATOMIC_ACQUIRE) >= c->queued)
			return true;
		/* A thread comes back when it gets the GIL; a pending call perhaps never, if main is in a call without end. */
		if (now_ns() > deadline || (left && now_ns() > queue) || python_page_lost(p))
			return false;
	}
}

static int unload(struct python *p, u64 deadline)
{
	u64 start, end;
	int ret = 0;

	if (!p->target_page)
		return p->code ? stub_erase(p, deadline) : 0;
	if (p->ctl->handle) {
		target_maps_free(&p->maps);
		ret = target_maps_read(p->t, &p->maps);
		if (!ret && agent_text(p, &start, &end))
			ret = python_wait_outside(p, start, end, deadline);
		if (!ret)
			ret = python_job_do(p, STUB_UNLOAD, deadline);
		if (ret)
			return ret;
	}
	p->leave_page = !page_unused(p, deadline);
	ret = unmap_page(p, deadline);
	if (p->leave_page)
		return -EBUSY;
	return ret ? ret : stub_erase(p, deadline);
}

/*
 * Take the events off. Calls of functions that matched may be under way: the evaluator's frames are then on their stacks.
 * Most end at once, so ask again a few times before the agent is left behind, inert.
 */
static int fini(struct python *p, int retries, u64 deadline)
{
	u32 state;

	for (int i = 0;; i++) {
		int ret = python_agent_call(p, WIRE_FINI, deadline);

		if (ret)
			return ret;
		if (p->ctl->result == -EAGAIN) { /* more to do: others had the GIL meanwhile */
			if (now_ns() > deadline)
				return -ETIMEDOUT;
			usleep(AGAIN_US);
			i--;
			continue;
		}
		state = __atomic_load_n(&p->page->state, __ATOMIC_ACQUIRE);
		if (state == WIRE_GONE || state == WIRE_FAILED || p->ctl->result == -ESRCH)
			return 0;
		if (state != WIRE_INERT || i == retries)
			return -EBUSY;
		usleep(1000u << (i < 6 ? i : 6));
	}
}

/* Is something of ours still mapped in the process? Then say what, and when it will go. */
static void tell_left(struct python *p, struct diag *diag)
{
	u64 magic;

	if (!p->target_page || target_read(p->t, p->target_page + p->ctl_off, &magic, sizeof(magic)) ||
	    magic != STUB_MAGIC)
		return;
	if (p->leave_page)
		diag_report(
		    diag, DIAG_NOTE, NOWHERE,
		    "process %d (%s): its Python has not run a call that was queued there; %d kB stay mapped in "
		    "it until the next pydtrace takes them out",
		    target_pid(p->t), target_comm(p->t), STUB_CTL_SIZE / 1024);
	else
		diag_report(
		    diag, DIAG_NOTE, NOWHERE,
		    "process %d (%s): calls that were traced have not returned; the agent stays in it, inert, "
		    "until the next pydtrace takes it out",
		    target_pid(p->t), target_comm(p->t));
}

/*
 * The memory of what stays: all but what an inert agent, or a queued call, still looks at. Where an inert agent writes after
 * this it writes into fresh memory.
 */
static void left_shrink(struct python *p)
{
	size_t from = p->leave_page ? 0 : ALIGN_UP(p->functions_at, 4096);
	bool inert = p->page && __atomic_load_n(&p->page->state, __ATOMIC_ACQUIRE) == WIRE_INERT;

	if (p->target_page && p->page_fd >= 0 && from < p->ctl_off && (p->leave_page || inert))
		fallocate(p->page_fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)from,
			  (off_t)(p->ctl_off - from));
}

static void undo(struct python *p, u64 deadline)
{
	u32 state = __atomic_load_n(&p->page->state, __ATOMIC_ACQUIRE);

	python_mail_open(p, false);
	if (python_page_lost(p))
		return;
	/* An agent that went inert by itself still holds memory and objects. */
	if ((state == WIRE_ACTIVE || state == WIRE_INERT || state == WIRE_LEAVING) &&
	    fini(p, UNDO_RETRIES, deadline))
		return;
	unload(p, deadline);
}

/* After an attach that failed: whatever of it is in the target. */
void python_undo(struct python *p, u64 deadline, struct diag *diag)
{
	undo(p, deadline);
	tell_left(p, diag);
}

static int detach(struct python *p, struct diag *diag)
{
	u64 deadline = now_ns() + (u64)DETACH_MS * 1000000;
	int ret = python_page_lost(p) ? -EIO : fini(p, FINI_RETRIES, deadline);

	if (ret == -ETIMEDOUT)
		return python_refuse_busy(p, diag);
	if (ret)
		return ret == -ESRCH || ret == -EBUSY ? ret : python_refuse_stop(p, ret, diag);
	ret = unload(p, deadline);
	if (p->target_page && python_page_lost(p))
		return python_refuse_lost(p, diag);
	return ret == -ESRCH || ret == 0 ? ret : -EBUSY;
}

int python_detach(struct python *p, struct diag *diag)
{
	struct python_lock lock;
	int ret;

	if (!p->target_page)
		return 0;
	python_mail_open(p, false); /* first: a thread that waits for an answer has the GIL */
	if (python_page_lost(p))    /* an error also when the process has died of it */
		return python_refuse_lost(p, diag);
	ret = python_lock(&lock, p->t, PYTHON_LOCK_DETACH, diag);
	if (ret)
		return ret;
	python_dead_again(p);
	ret = detach(p, diag);
	python_unlock(&lock);
	if (ret == -EBUSY)
		tell_left(p, diag);
	return ret;
}

void python_close(struct python *p)
{
	if (!p)
		return;
	target_maps_free(&p->maps);
	python_mail_open(p, false);
	left_shrink(p);
	python_page_unmap(p);
	if (p->page_fd >= 0)
		close(p->page_fd);
	if (p->agent_fd >= 0)
		close(p->agent_fd);
	free(p);
}
