// SPDX-License-Identifier: Apache-2.0
/* Stop one thread for some microseconds, look, change its registers once, let go. */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <unistd.h>

#include "target/target_impl.h"

/* Seized, but by now it is the first thread of another program, and nobody will look after it. */
static int stop_renamed(struct target *t, u64 deadline)
{
	struct stop s = {0};

	ptrace(PTRACE_INTERRUPT, t->pid, 0, 0);
	if (!stop_wait(t->pid, deadline, &s) && s.ended)
		stop_reap(t, t->pid);
	else
		ptrace(PTRACE_DETACH, t->pid, 0, stop_signal(&s));
	return -ESRCH;
}

static bool is_thread_of(const struct target *t, pid_t tid)
{
	char name[32];

	snprintf(name, sizeof(name), "task/%d", tid);
	return !faccessat(t->dir, name, F_OK, 0);
}

int target_stop(struct target *t, pid_t tid, u32 timeout_ms, struct target_stop *out)
{
	u64 deadline = now_ns() + (u64)timeout_ms * 1000000;
	struct stop s;
	int ret = stop_seize(t->pid, tid, 0);

	out->tid = tid;
	if (ret == 2)
		return stop_renamed(t, deadline);
	if (ret < 0)
		return ret;
	/* Ours already: it did not stop in time before. */
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0))
		return -errno;
	while (!(ret = stop_wait(tid, deadline, &s)) && !s.ended) {
		if (s.code >> 8 == PTRACE_EVENT_STOP) {
			if ((s.code & 0xff) == SIGTRAP)
				break;
			ptrace(PTRACE_DETACH, tid, 0, 0); /* a group stop: it stays stopped */
			return -EAGAIN;
		}
		/* A signal on its way: deliver it. Other events are not asked for. */
		ptrace(PTRACE_CONT, tid, 0, stop_signal(&s));
	}
	if (ret)
		return ret;
	if (s.ended) {
		stop_reap(t, tid);
		return -ESRCH;
	}
	/* Its number cannot be given to another thread any more; it may have been before it was seized. */
	if (!is_thread_of(t, tid)) {
		ptrace(PTRACE_DETACH, tid, 0, 0);
		return -ESRCH;
	}
	if (ptrace(PTRACE_GETREGS, tid, 0, &out->regs) ||
	    ptrace(PTRACE_GETSIGMASK, tid, sizeof(out->mask), &out->mask)) {
		ret = -errno;
		ptrace(PTRACE_DETACH, tid, 0, 0);
	}
	return ret;
}

int target_stop_xstate(const struct target_stop *s, void *buf, size_t *size)
{
	struct iovec iov = {buf, *size};

	if (ptrace(PTRACE_GETREGSET, s->tid, NT_X86_XSTATE, &iov))
		return -errno;
	*size = iov.iov_len;
	return 0;
}

int target_stop_set_regs(const struct target_stop *s, const struct user_regs_struct *regs)
{
	return ptrace(PTRACE_SETREGS, s->tid, 0, regs) ? -errno : 0;
}

int target_stop_set_mask(const struct target_stop *s, u64 mask)
{
	return ptrace(PTRACE_SETSIGMASK, s->tid, sizeof(mask), &mask) ? -errno : 0;
}

int target_stop_peek(const struct target_stop *s, u64 addr, u64 *word)
{
	errno = 0;
	*word = (u64)ptrace(PTRACE_PEEKDATA, s->tid, addr, 0);
	return -errno;
}

int target_stop_end(const struct target_stop *s)
{
	return ptrace(PTRACE_DETACH, s->tid, 0, 0) ? -errno : 0;
}

int target_thread_call(struct target *t, pid_t tid, struct target_call *out)
{
	char name[64], *text;
	u64 *a = out->args;
	int n, ret;

	snprintf(name, sizeof(name), "task/%d/syscall", tid);
	ret = target_file_read(t, name, &text, NULL);
	if (ret)
		return ret;
	memset(out, 0, sizeof(*out));
	/* "running", "-1 SP PC" or "NR A0 .. A5 SP PC" (fs/proc/base.c, proc_pid_syscall()) */
	n = sscanf(text, "%ld %lx %lx %lx %lx %lx %lx %lx %lx", &out->nr, &a[0], &a[1], &a[2], &a[3], &a[4], &a[5],
		   &out->sp, &out->pc);
	free(text);
	if (n == 3 && out->nr == -1) {
		out->sp = a[0];
		out->pc = a[1];
		return 0;
	}
	return n == 9 ? 0 : -EAGAIN;
}
