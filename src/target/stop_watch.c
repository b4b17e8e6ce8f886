// SPDX-License-Identifier: Apache-2.0
/*
 * PTRACE_SEIZE that cannot wait for ourselves. An execve takes the cred_guard_mutex of its process and then, in fs/exec.c,
 * de_thread(), waits until every other thread has ended and been reaped; one that we trace only we can reap. ptrace_attach()
 * (kernel/ptrace.c) waits for that mutex. So a seize of another thread of the process, begun then, would never return.
 *
 * But it waits interruptibly, and is made again after a signal's handler (ERESTARTNOINTR). A timer that runs as long as
 * the seize sends the signal, to this very thread, and its handler reaps the ended threads.
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdio.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "target/target_impl.h"

enum {
	TICK_MS = 5,
	TICKS_MAX = 200 /* an execve may take long for other reasons: a disk, a thread that cannot be killed yet */
};
#define WATCH_SIGNAL SIGRTMAX /* nobody else here has a use for it */

struct watch {
	pid_t pid, tid;
	bool ended; /* the very thread that is seized: it was, and we had to reap it */
	char task[32];
	timer_t timer;
	volatile sig_atomic_t seizing;
	u32 ticks;
	sigjmp_buf give_up;
};

/* The disposition of a signal belongs to all our threads. */
static pthread_mutex_t one_at_a_time = PTHREAD_MUTEX_INITIALIZER;
static _Thread_local stop_reaped_fn told;
static _Thread_local void *told_arg;

/*
 * A thread that has ended and waits for us; the first one no execve waits for, and its status may be wanted by others.
 * Also what another thread of ours traces, which it may be in no state to reap itself.
 */
static void reap_thread(struct watch *w, pid_t tid)
{
	siginfo_t si;

	si.si_pid = 0;
	if (!tid || tid == w->pid || waitid(P_PID, (id_t)tid, &si, WEXITED | WNOHANG | __WALL))
		return;
	if (si.si_pid != tid)
		return;
	w->ended |= tid == w->tid;
	if (told)
		told(told_arg, tid);
}

/* In a signal's handler: only system calls. */
static void reap_threads(struct watch *w)
{
	_Alignas(struct dirent64) char buf[4096];
	int fd = open(w->task, O_RDONLY | O_DIRECTORY | O_CLOEXEC);
	long n;

	if (fd < 0)
		return;
	while ((n = syscall(SYS_getdents64, fd, buf, sizeof(buf))) > 0)
		for (long at = 0; at < n;) {
			const struct dirent64 *d = (const struct dirent64 *)(buf + at);

			reap_thread(w, parse_tid(d->d_name));
			at += d->d_reclen;
		}
	close(fd);
}

static void on_tick(int sig, siginfo_t *si, void *context)
{
	struct watch *w = si->si_value.sival_ptr;
	int err = errno;

	if (si->si_code != SI_TIMER)
		return;
	reap_threads(w);
	if (++w->ticks >= TICKS_MAX && w->seizing) {
		w->seizing = false;
		siglongjmp(w->give_up, 1); /* the call is not made again then */
	}
	errno = err;
}

static bool timer_begin(struct watch *w)
{
	struct sigevent ev = {
	    .sigev_notify = SIGEV_THREAD_ID, .sigev_signo = WATCH_SIGNAL, .sigev_value.sival_ptr = w};
	struct timespec tick = {.tv_nsec = TICK_MS * 1000000};
	struct itimerspec its = {tick, tick};

#ifndef sigev_notify_thread_id /* glibc before 2.37 has no name for it */
#define sigev_notify_thread_id _sigev_un._tid
#endif
	ev.sigev_notify_thread_id = gettid();
	if (timer_create(CLOCK_MONOTONIC, &ev, &w->timer))
		return false;
	if (!timer_settime(w->timer, 0, &its, NULL))
		return true;
	timer_delete(w->timer);
	return false;
}

/* The jump may come when the kernel has seized it and not returned yet. */
static int gave_up(pid_t tid)
{
	return status_field(tid, "\nTracerPid:", 10) == (u64)gettid() ? 0 : -ETIMEDOUT;
}

static int seize_watched(struct watch *w, pid_t tid, unsigned long options)
{
	volatile int ret;

	if (sigsetjmp(w->give_up, 1))
		return gave_up(tid);
	w->seizing = true;
	ret = ptrace(PTRACE_SEIZE, tid, 0, options) ? -errno : 0;
	w->seizing = false;
	return ret;
}

/* Without a timer, which only a limit denies (RLIMIT_SIGPENDING), it is seized all the same. */
static int seize_timed(struct watch *w, pid_t tid, unsigned long options)
{
	bool timed = timer_begin(w);
	int ret = seize_watched(w, tid, options);

	if (timed)
		timer_delete(w->timer); /* its last signal, if any, was for this thread and has been handled */
	return ret;
}

int watch_seize(pid_t pid, pid_t tid, unsigned long options)
{
	struct sigaction sa = {.sa_sigaction = on_tick, .sa_flags = SA_SIGINFO | SA_RESTART}, old_sa;
	struct watch w = {.pid = pid, .tid = tid};
	sigset_t mask, old_mask;
	int ret;

	snprintf(w.task, sizeof(w.task), "/proc/%d/task", pid);
	sigfillset(&sa.sa_mask);
	sigemptyset(&mask);
	sigaddset(&mask, WATCH_SIGNAL);
	pthread_mutex_lock(&one_at_a_time);
	sigaction(WATCH_SIGNAL, &sa, &old_sa);
	pthread_sigmask(SIG_UNBLOCK, &mask, &old_mask);
	ret = seize_timed(&w, tid, options);
	pthread_sigmask(SIG_SETMASK, &old_mask, NULL);
	sigaction(WATCH_SIGNAL, &old_sa, NULL);
	pthread_mutex_unlock(&one_at_a_time);
	return w.ended ? -ESRCH : ret;
}

void stop_tell_reaped(stop_reaped_fn fn, void *arg)
{
	told = fn;
	told_arg = arg;
}
