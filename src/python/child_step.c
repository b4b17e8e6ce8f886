// SPDX-License-Identifier: Apache-2.0
/* From one event of the held child to the next: breakpoints, and what ptrace reports. None of ours is left behind. */
#include <errno.h>
#include <signal.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "python/child_impl.h"

int child_break(struct python_child *c, u64 addr)
{
	static const u8 int3 = 0xcc;
	struct breakpoint *b = &c->bp[c->nbp];
	int ret = target_read(c->t, addr, &b->byte, 1);

	if (ret)
		return ret;
	for (size_t i = 0; i < c->nbp; i++)
		if (c->bp[i].addr == addr)
			return 0;
	ret = target_write(c->t, addr, &int3, 1);
	if (ret)
		return ret;
	b->addr = addr;
	c->nbp++;
	return 0;
}

int child_break_clear(struct python_child *c)
{
	int ret = 0;

	for (; c->nbp && !ret; c->nbp--)
		ret = target_write(c->t, c->bp[c->nbp - 1].addr, &c->bp[c->nbp - 1].byte, 1);
	return ret;
}

/* A SIGTRAP stop: is it one of our breakpoints? Then take all away and step back onto the instruction. */
static int bp_hit(struct python_child *c)
{
	int ret;

	if (ptrace(PTRACE_GETREGS, c->pid, 0, &c->regs))
		return -errno;
	for (size_t i = 0; i < c->nbp; i++) {
		if (c->regs.rip != c->bp[i].addr + 1)
			continue;
		ret = child_break_clear(c);
		c->regs.rip--;
		if (!ret && ptrace(PTRACE_SETREGS, c->pid, 0, &c->regs))
			ret = -errno;
		return ret ? ret : 1;
	}
	return 0;
}

int child_next(struct python_child *c, u64 deadline, enum child_event *ev)
{
	int status, hit, sig;

	for (;;) {
		pid_t got = waitpid(c->pid, &status, __WALL | WNOHANG);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got <= 0) {
			if (now_ns() > deadline) {
				*ev = CHILD_NONE;
				return 0;
			}
			usleep(200);
			continue;
		}
		if (!WIFSTOPPED(status)) {
			c->ended = true;
			c->status = status;
			*ev = CHILD_ENDED;
			return 0;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
			c->nbp = 0; /* they were in the memory that is gone */
			*ev = CHILD_EXEC;
			return target_reopen(c->t);
		}
		sig = WSTOPSIG(status);
		if (status >> 16 == PTRACE_EVENT_STOP) {
			sig = 0;
		} else if (status >> 16 == 0 && sig == SIGTRAP) {
			hit = bp_hit(c);
			*ev = CHILD_BREAKPOINT;
			if (hit)
				return hit < 0 ? hit : 0;
		}
		if (ptrace(PTRACE_CONT, c->pid, 0, sig) && errno != ESRCH)
			return -errno;
	}
}

int child_continue(struct python_child *c)
{
	return ptrace(PTRACE_CONT, c->pid, 0, 0) ? -errno : 0;
}
