// SPDX-License-Identifier: Apache-2.0
/* Stop one thread for some microseconds, look, change its registers once, let go. */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/uio.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/target_impl.h"

/*
 * Wait until the thread stands in a ptrace stop and say in which. WNOWAIT leaves the stop's code in the kernel: were
 * it taken and we then killed before PTRACE_CONT, the signal that it stood for would be lost (kernel/signal.c,
 * ptrace_stop() and wait_task_stopped()).
 */
static int wait_stop(pid_t tid, u64 deadline, int *code)
{
	unsigned spins = 0;

	for (;;) {
		siginfo_t si = {0};

		if (waitid(P_PID, (id_t)tid, &si, WSTOPPED | WEXITED | WNOWAIT | WNOHANG | __WALL)) {
			if (errno == EINTR)
				continue;
			return -ESRCH;
		}
		if (si.si_pid == tid) {
			if (si.si_code == CLD_TRAPPED || si.si_code == CLD_STOPPED) {
				*code = si.si_status;
				return 0;
			}
			waitid(P_PID, (id_t)tid, &si, WEXITED | WNOHANG | __WALL);
			return -ESRCH;
		}
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		if (++spins > 50)
			usleep(spins > 500 ? 1000 : 50);
	}
}

int target_stop(struct target *t, pid_t tid, u32 timeout_ms, struct target_stop *out)
{
	u64 deadline = now_ns() + (u64)timeout_ms * 1000000;
	int code, ret;

	out->tid = tid;
	if (ptrace(PTRACE_SEIZE, tid, 0, 0)) {
		struct target_status st;
		bool kernel_thread;

		ret = -errno;
		if (ret == -EPERM && !status_read(tid, &st, &kernel_thread)) {
			if (st.tracer)
				ret = st.tracer == gettid() ? 0 : -EBUSY; /* ours: it did not stop in time before */
			else if (st.state == 'Z' || st.state == 'X')
				ret = -ESRCH;
		}
		if (ret)
			return ret;
	}
	if (ptrace(PTRACE_INTERRUPT, tid, 0, 0))
		return -errno;
	while (!(ret = wait_stop(tid, deadline, &code))) {
		if (code >> 8 == PTRACE_EVENT_STOP) {
			if ((code & 0xff) == SIGTRAP)
				break;
			ptrace(PTRACE_DETACH, tid, 0, 0); /* a group stop: it stays stopped */
			return -EAGAIN;
		}
		/* A signal on its way: deliver it. Other events are not asked for. */
		ptrace(PTRACE_CONT, tid, 0, code >> 8 ? 0 : code & 0xff);
	}
	if (ret)
		return ret;
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
	ret = target_proc_read(t->pid, name, &text, NULL);
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
