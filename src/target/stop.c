// SPDX-License-Identifier: Apache-2.0
/* One ptrace stop: how a thread is seized, its stop seen and waited for, its end taken note of. */
#include <errno.h>
#include <sched.h>
#include <signal.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/target_impl.h"

/* Why it may not be seized. -EPERM: no reason is seen. */
static int seize_refused(pid_t tid)
{
	struct target_status st;
	bool kernel_thread;

	if (status_read(tid, &st, &kernel_thread))
		return -ESRCH; /* it ended in between */
	if (st.tracer)
		return st.tracer == gettid() ? 1 : -EBUSY;
	return st.state == 'Z' || st.state == 'X' ? -ESRCH : -EPERM;
}

/* The kernel knows which thread it was; we only how it was called then. */
static int seize_done(pid_t pid, pid_t tid)
{
	if (tid == pid || !syscall(SYS_tgkill, pid, tid, 0) || errno != ESRCH)
		return 0;
	return status_field(pid, "\nTracerPid:", 10) == (u64)gettid() ? 2 : -ESRCH;
}

int stop_seize(pid_t pid, pid_t tid, unsigned long options)
{
	int ret, tries = 3;

	/* Refused without a reason: after an execve of another thread that is another one by now, which was not asked for. */
	do {
		ret = watch_seize(pid, tid, options);
		if (!ret)
			return seize_done(pid, tid);
		if (ret == -EPERM)
			ret = seize_refused(tid);
	} while (ret == -EPERM && --tries);
	return ret;
}

/* 1: it has; 0: not yet; -ESRCH: there is nothing to wait for. */
static int stop_look(pid_t tid, struct stop *out)
{
	siginfo_t si = {0};

	if (waitid(tid ? P_PID : P_ALL, (id_t)tid, &si,
		   WSTOPPED | WEXITED | WNOWAIT | WNOHANG | __WALL | __WNOTHREAD))
		return errno == EINTR ? 0 : -ESRCH;
	out->tid = si.si_pid;
	out->ended = si.si_code != CLD_TRAPPED && si.si_code != CLD_STOPPED;
	out->code = si.si_status;
	return si.si_pid != 0;
}

bool stop_peek(pid_t tid, struct stop *out)
{
	return stop_look(tid, out) > 0;
}

void stop_pause(unsigned spins)
{
	if (spins > 300)
		usleep(spins > 600 ? 1000 : 50);
	else if (spins > 30)
		sched_yield(); /* it may need this processor */
}

int stop_wait(pid_t tid, u64 deadline, struct stop *out)
{
	int ret;

	for (unsigned spins = 0; !(ret = stop_look(tid, out)); spins++) {
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		stop_pause(spins);
	}
	return ret < 0 ? ret : 0;
}

int stop_signal(const struct stop *s)
{
	return s->code >> 8 || s->code == (SIGTRAP | 0x80) ? 0 : s->code;
}

void stop_reap(struct target *t, pid_t tid)
{
	int status;

	if (waitpid(tid, &status, WNOHANG | __WALL | __WNOTHREAD) == tid && t && t->pid == tid) {
		t->ended = true;
		t->status = status;
	}
}
