// SPDX-License-Identifier: Apache-2.0
/* The child of -c while it is held: the agent goes in, it is let go of, and its end is waited for. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>

#include "python/child_impl.h"

enum { ATTACH_MS = 10000 };

/* Run the stub in the held thread and hold it again at the same place. */
static int child_shoot(struct python_child *c, struct python *p, const void *page, size_t size)
{
	struct target_stop s = {.tid = c->pid, .regs = c->regs};
	u64 at = c->regs.rip, deadline = now_ns() + ATTACH_MS * 1000000ull;
	enum child_event ev;
	int ret = child_break(c, at), handshake;

	if (!ret && ptrace(PTRACE_GETSIGMASK, c->pid, sizeof(s.mask), &s.mask))
		ret = -errno;
	if (!ret)
		ret = python_shot(p, &s, STUB_DIRECT);
	if (!ret)
		ret = child_continue(c);
	if (ret)
		return ret;
	c->held = false;
	handshake = python_handshake(p, page, size);
	do {
		ret = child_next(c, now_ns() + 100000000ull, &ev);
	} while (!ret && ev == CHILD_NONE && now_ns() < deadline);
	if (!ret && ev != CHILD_BREAKPOINT)
		ret = ev == CHILD_ENDED ? -ESRCH : -ETIMEDOUT;
	c->held = !ret;
	return ret ? ret : handshake;
}

/* With memory files; without them, where there may be none. */
static int child_load(struct python_child *c, struct python *p, void *page, size_t size, struct diag *diag)
{
	int ret = python_files_prepare(p, page, size, diag);

	if (!ret)
		ret = child_shoot(c, p, page, size);
	if (!ret || !python_memfd_denied(p, ret) || !c->held)
		return ret == -EKEYREJECTED ? python_refuse_stop(p, ret, diag) : ret;
	python_handshake_undo(p);
	ret = python_files_prepare(p, page, size, diag);
	return ret ? ret : child_shoot(c, p, page, size);
}

int python_child_attach(struct python_child *c, struct python **out, const struct python_plan *plan,
			const struct python_attach_options *opt, struct diag *diag)
{
	struct python_info info;
	struct python *p = NULL;
	unsigned errors = diag->errors;
	void *page = NULL;
	size_t size;
	int ret;

	if (!c->held)
		return -EINVAL;
	ret = python_find(c->t, &info, diag);
	if (!ret)
		ret = python_new(&p, c->t, &info, plan, opt, &page, &size, diag);
	if (!ret)
		ret = python_stub_place(p);
	if (!ret)
		ret = child_load(c, p, page, size, diag);
	if (!ret)
		ret = python_loaded(p, diag);
	if (ret && diag->errors == errors)
		diag_fail(diag, -ret, "process %d (%s): cannot load the agent: %s", c->pid, target_comm(c->t),
			  strerror(-ret));
	if (p)
		python_files_unlink(p);
	free(page);
	if (ret)
		python_close(p);
	else
		*out = p;
	return ret;
}

/*
 * Make it stand still, if it does not: a launcher that is running. What it stopped for is left in the kernel, for who goes on
 * with it. The signal that is about to be delivered, or 0.
 */
static int child_halt(struct python_child *c)
{
	siginfo_t si;
	int ret;

	if (c->held)
		return 0;
	/* Its first thread was replaced in an execve by one that is not ours (fs/exec.c, de_thread()). */
	if (ptrace(PTRACE_INTERRUPT, c->pid, 0, 0) && errno == ESRCH) {
		c->traced = false;
		return 0;
	}
	do {
		ret = waitid(P_PID, (id_t)c->pid, &si, WSTOPPED | WEXITED | WNOWAIT | __WALL);
	} while (ret && errno == EINTR);
	if (!ret && (si.si_code == CLD_TRAPPED || si.si_code == CLD_STOPPED))
		return si.si_status >> 8 ? 0 : si.si_status;
	c->ended = ret || waitpid(c->pid, &c->status, __WALL) == c->pid;
	return 0;
}

/* Nothing of ours is left in it. */
static int child_clean(struct python_child *c, int *sig)
{
	*sig = 0;
	if (!c->traced || c->ended)
		return 0;
	*sig = child_halt(c);
	return c->traced && !c->ended ? child_break_clear(c) : 0;
}

int python_hand_over(struct python_child *c)
{
	int sig, ret = child_clean(c, &sig);

	c->traced = c->held = false;
	return ret;
}

int python_release(struct python_child *c)
{
	int sig, ret = child_clean(c, &sig);

	if (c->traced && !c->ended && ptrace(PTRACE_DETACH, c->pid, 0, sig) && errno != ESRCH)
		ret = -errno;
	c->traced = c->held = false;
	return ret;
}

int python_child_wait(struct python_child *c, bool kill_it, int *status)
{
	int ret = 0, st;

	if (!c->ended && c->t && target_exit_status(c->t, &c->status))
		c->ended = true; /* who traced its calls had to reap it */
	while (!c->ended && c->pid > 0) {
		if (kill_it)
			kill(c->pid, SIGKILL);
		if (waitpid(c->pid, &st, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			ret = -errno;
			break;
		}
		if (WIFSTOPPED(st)) {
			ptrace(PTRACE_CONT, c->pid, 0, st >> 16 ? 0 : WSTOPSIG(st));
			continue;
		}
		c->ended = true;
		c->status = st;
	}
	*status = c->status;
	free(c);
	return ret;
}
