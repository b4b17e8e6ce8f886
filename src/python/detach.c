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
	UNLOAD_MS = 2000, /* at least, once its events are off */
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

/* Have the stub let go of the page, or of the image: raw system calls, so any thread will do that can be stopped. */
static int unmap_shoot(struct python *p)
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
	return ret;
}

/* Wait until nothing is mapped at `start` any more. */
static int unmap_await(struct python *p, u64 start, u64 deadline)
{
	bool there = true;
	int ret = 0;

	while (!ret && there && now_ns() < deadline) {
		target_maps_free(&p->maps);
		ret = target_maps_read(p->t, &p->maps);
		there = false;
		for (size_t i = 0; i < p->maps.n; i++)
			there |= p->maps.v[i].start == start;
		if (there)
			usleep(200);
	}
	return ret;
}

static int unmap_page(struct python *p, u64 deadline)
{
	int ret = unmap_shoot(p);

	if (ret || p->leave_page)
		return ret;
	ret = unmap_await(p, p->target_page, deadline);
	if (!ret)
		p->target_page = 0;
	return ret;
}

/* What no loader knows needs none to be taken away, nor the GIL: no thread is in it, and none comes to it. */
static int image_unmap(struct python *p, u64 deadline)
{
	u64 start = p->ctl->handle;
	int ret;

	p->unmap = (struct range){start, start + p->image.size};
	ret = unmap_shoot(p);
	p->unmap = (struct range){0};
	if (!ret)
		ret = unmap_await(p, start, deadline);
	if (!ret)
		p->ctl->handle = 0;
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
static int page_wait(struct python *p, u64 deadline)
{
	u64 queue = now_ns() + QUEUE_MS * 1000000ull;
	const struct stub_ctl *c = p->ctl;

	for (;; usleep(500)) {
		bool left = __atomic_load_n(&c->left, __ATOMIC_ACQUIRE) >= p->shots &&
			    __atomic_load_n(&c->threads_left, __ATOMIC_ACQUIRE) >= c->threads &&
			    !python_thread_there(p->t, c);

		if (left && __atomic_load_n(&c->called, __ATOMIC_ACQUIRE) >= c->queued)
			return 0;
		/* A thread comes back when it gets the GIL; a pending call perhaps never, if main is in a call without end. */
		if ((left && now_ns() > queue) || python_page_lost(p))
			return -EBUSY;
		if (now_ns() > deadline)
			return -ETIMEDOUT;
	}
}

/* With `last` what cannot be taken out yet is given up; else it may be called again. */
static int unload(struct python *p, u64 deadline, bool last)
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
			ret = p->image.size ? image_unmap(p, deadline) : python_job_do(p, STUB_UNLOAD, deadline);
		if (ret)
			return ret;
	}
	ret = page_wait(p, deadline);
	if (ret == -ETIMEDOUT && !last)
		return ret;
	p->leave_page = ret;
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

/* From 3.12 on there are no frames of the agent's on a stack, but an interpreter is left by a thread that runs it (agent/inside.c). */
static const char *why_stays(const struct python *p)
{
	return p->info.version < 0x030c0000 ? "calls that were traced have not returned"
					    : "an interpreter in it that was traced runs nothing now";
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
		    "process %d (%s): %s; the agent stays in it, inert, until the next pydtrace takes it out",
		    target_pid(p->t), target_comm(p->t), why_stays(p));
}

/*
 * The memory of what stays: all but what an inert agent, or a queued call, still looks at. Where an inert agent writes after
 * this it writes into fresh memory. One that was given up is not inert before its next event, and may stand in the middle of
 * one now; to it a function that is gone from the page is a new one.
 */
static void left_shrink(struct python *p)
{
	size_t from = p->leave_page ? 0 : ALIGN_UP(p->functions_at, 4096);
	bool inert = p->page && __atomic_load_n(&p->page->state, __ATOMIC_ACQUIRE) == WIRE_INERT;

	if (p->target_page && p->page_fd >= 0 && from < p->ctl_off && (p->leave_page || inert || p->given_up))
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
	unload(p, deadline, true);
}

/* After an attach that failed: whatever of it is in the target. */
void python_undo(struct python *p, u64 deadline, struct diag *diag)
{
	undo(p, deadline);
	tell_left(p, diag);
}

/* One try. -ETIMEDOUT: its Python has not come to it. The agent is unloaded already where that has happened to its page alone. */
static int detach(struct python *p, u64 deadline, bool last, struct diag *diag)
{
	int ret = python_page_lost(p) ? -EIO : p->ctl->handle ? fini(p, FINI_RETRIES, deadline) : 0;
	u64 least;

	if (ret)
		return ret == -ETIMEDOUT || ret == -ESRCH || ret == -EBUSY ? ret : python_refuse_stop(p, ret, diag);
	least = now_ns() + UNLOAD_MS * 1000000ull;
	ret = unload(p, deadline > least ? deadline : least, last);
	if (p->target_page && python_page_lost(p))
		return python_refuse_lost(p, diag);
	return ret == -ESRCH || ret == 0 || (ret == -ETIMEDOUT && !last) ? ret : -EBUSY;
}

/*
 * Its Python does not come to a safe point: no more is tried. From here on the agent sees that it has no tracer, and goes inert at
 * the next event; what is queued does nothing but look at the control block.
 */
static int give_up(struct python *p, struct diag *diag)
{
	if (p->ctl->stage == STUB_FINALIZING || p->ctl->not_ready)
		return python_refuse_busy(p, diag);
	python_owner_drop(p);
	p->given_up = true;
	diag_report(diag, DIAG_NOTE, NOWHERE,
		    "process %d (%s): its Python did not come to a safe point in time (" PYTHON_NO_SAFE_POINT
		    "); the agent stays in it, inert, until the next pydtrace takes it out",
		    target_pid(p->t), target_comm(p->t));
	return -EBUSY;
}

const char *python_waits_for(const struct python *p)
{
	return p->locked_out ? "another tracer holds its lock"
			     : "its Python has not come to a safe point (" PYTHON_NO_SAFE_POINT ")";
}

int python_detach(struct python *p, u32 wait_ms, bool last, struct diag *diag)
{
	u64 deadline = now_ns() + wait_ms * 1000000ull;
	struct python_lock lock;
	int ret;

	if (!p->target_page)
		return 0;
	python_mail_open(p, false); /* first: a thread that waits for an answer has the GIL */
	if (python_page_lost(p))    /* an error also when the process has died of it */
		return python_refuse_lost(p, diag);
	ret = python_lock(&lock, p->t, PYTHON_LOCK_DETACH, wait_ms, last ? diag : NULL);
	if (ret && ret != -ESRCH && ret != -EAGAIN && !last)
		ret = python_lock(&lock, p->t, PYTHON_LOCK_DETACH, 0, diag); /* to have it said */
	p->locked_out = ret == -EAGAIN;
	if (ret)
		return ret;
	if (!p->follow)
		python_dead_again(p);
	ret = detach(p, deadline, last, diag);
	python_unlock(&lock);
	if (ret == -ETIMEDOUT)
		return last ? give_up(p, diag) : -EAGAIN;
	if (p->follow)
		python_owner_drop(p); /* what its children have inherited goes inert */
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
	if (!p->follow) /* children may still be using it */
		left_shrink(p);
	python_page_unmap(p);
	if (p->page_fd >= 0)
		close(p->page_fd);
	if (p->agent_fd >= 0)
		close(p->agent_fd);
	free(p->own_agent);
	free(p);
}
