// SPDX-License-Identifier: Apache-2.0
/*
 * SIGSTOP cannot be caught, and a thread of another process that is in a ptrace stop, or waits for an answer, stands for as
 * long as we are stopped. So a small process of our own looks, while we hold any, whether we are stopped, and then sends
 * SIGCONT: signals.c is told who has sent it, lets all go, and has us stopped again.
 *
 * It is in a session of its own, so that no signal for our process group stops it too; has another name, for killall; has no
 * descriptors; and ends with the thread that started it. Where nothing is held it sleeps on a futex. A process that is stopped
 * by its debugger (state "t") is left alone. What freezes us together, a frozen cgroup, it cannot help.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "session/session_impl.h"

#define LOOK_EACH 50000000l /* ns */

#ifndef SYS_close_range
#define SYS_close_range 436
#endif

/* Linux 5.9 closes them all at once. */
static void files_close(void)
{
	struct rlimit max;

	if (!syscall(SYS_close_range, 0u, ~0u, 0) || getrlimit(RLIMIT_NOFILE, &max))
		return;
	for (rlim_t fd = 0; fd < max.rlim_cur; fd++)
		close((int)fd);
}

/* True if it is stopped by a signal: the state follows the name, which is in parentheses (proc(5), /proc/pid/stat). */
static bool is_stopped(pid_t pid)
{
	char path[32], text[128];
	const char *state;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/stat", pid);
	fd = open(path, O_RDONLY);
	n = fd < 0 ? -1 : read(fd, text, sizeof(text) - 1);
	close(fd);
	text[n > 0 ? n : 0] = '\0';
	state = strrchr(text, ')');
	return state && !strncmp(state, ") T ", 4);
}

static void watch(const u32 *holds, pid_t pid)
{
	const struct timespec pause = {0, LOOK_EACH};

	while (getppid() == pid) {
		if (!__atomic_load_n(holds, __ATOMIC_SEQ_CST))
			syscall(SYS_futex, holds, FUTEX_WAIT, 0, NULL, NULL, 0);
		nanosleep(&pause, NULL);
		/* In this order: a stopped process cannot let go between the two. */
		if (is_stopped(pid) && __atomic_load_n(holds, __ATOMIC_SEQ_CST))
			kill(pid, SIGCONT);
	}
	_exit(0);
}

/* In the child of a process with several threads: only what a signal's handler may do. */
static void watch_begin(const u32 *holds, pid_t pid)
{
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	prctl(PR_SET_NAME, "tracer-watch");
	setsid();
	files_close();
	watch(holds, pid);
}

int session_watch_start(struct session_watch *w)
{
	u32 *holds = mmap(NULL, sizeof(*holds), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = getpid();

	if (holds == MAP_FAILED)
		return -errno;
	w->pid = fork();
	if (w->pid < 0) {
		int err = errno;

		munmap(holds, sizeof(*holds));
		w->pid = 0;
		return -err;
	}
	if (!w->pid)
		watch_begin(holds, pid);
	__atomic_store_n(&w->holds, holds, __ATOMIC_RELEASE);
	return 0;
}

void session_watch_hold(struct session_watch *w, bool holds)
{
	u32 *word = __atomic_load_n(&w->holds, __ATOMIC_ACQUIRE);

	if (!word || __atomic_exchange_n(word, holds, __ATOMIC_SEQ_CST) == holds || !holds)
		return;
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

void session_watch_end(struct session_watch *w)
{
	if (!w->holds)
		return;
	kill(w->pid, SIGKILL);
	while (waitpid(w->pid, NULL, 0) < 0 && errno == EINTR)
		;
	munmap(w->holds, sizeof(*w->holds));
	w->holds = NULL;
	w->pid = 0;
}
