// SPDX-License-Identifier: Apache-2.0
/*
 * The loop that brings events to the programs, and its sleep. While something happens it looks again and again, for a wake-up
 * costs more than most events; after a moment in which nothing came it sleeps on the bells of all agents and on a word of
 * its own, which SIGCHLD (ptrace has something) and vm_serve_end() change.
 */
#include <errno.h>
#include <linux/futex.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "exec/vm_live_impl.h"

#define NSEC    1000000000ull
#define SPIN    20000ull    /* ns of looking before a sleep */
#define NAP     1000000ull  /* ns, where the kernel cannot wait for several futexes */
#define LONGEST (NSEC / 10) /* ns of a sleep: threads that have ended are looked for */
#define LUCK    8           /* so many times in a row in vain, and looking is given up for a while */
#define UNLUCKY 32

/* Linux 5.16 (include/uapi/linux/futex.h); the header of Debian 12 has them, that of the build may not. */
#ifndef SYS_futex_waitv
#define SYS_futex_waitv 449
#endif
#define WAITV_U32     2u
#define WAITV_PRIVATE 128u
#define WAITV_MAX     128
struct waitv {
	u64 val, uaddr;
	u32 flags, reserved;
};

/* The word of the loop that runs, for the signal handler. */
static u32 *the_wake;

/* In the thread that serves, as no other takes signals: it is out of its sleep, or will not fall asleep. */
static void on_child(int signo)
{
	__atomic_add_fetch(the_wake, 1, __ATOMIC_SEQ_CST);
}

void vm_serve_end(struct exec *e)
{
	struct vm_live *l = ((struct vm *)e)->live;

	__atomic_store_n(&l->over, true, __ATOMIC_SEQ_CST);
	__atomic_add_fetch(&l->wake, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &l->wake, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

/* --- sleep ------------------------------------------------------------------------------------------ */

static void asleep(struct vm_live *l, bool yes)
{
	for (size_t i = 0; i < l->sites.n; i++)
		python_mail_asleep(l->sites.v[i].python, yes);
}

static void nap(u64 ns)
{
	const struct timespec ts = {(time_t)(ns / NSEC), (long)(ns % NSEC)};

	nanosleep(&ts, NULL);
}

/* Until one of the words has changed, or the time has come; it may be earlier. */
static void words_wait(struct vm_live *l, u32 wake, u64 until)
{
	struct waitv v[WAITV_MAX] = {{wake, (u64)(uintptr_t)&l->wake, WAITV_U32 | WAITV_PRIVATE, 0}};
	const struct timespec ts = {(time_t)(until / NSEC), (long)(until % NSEC)};

	if (l->sites.n < WAITV_MAX) {
		for (size_t i = 0; i < l->sites.n; i++) {
			u32 seen;
			u32 *bell = python_mail_bell(l->sites.v[i].python, &seen);

			v[1 + i] = (struct waitv){seen, (u64)(uintptr_t)bell, WAITV_U32, 0};
		}
		if (!syscall(SYS_futex_waitv, v, 1 + l->sites.n, 0, &ts, CLOCK_MONOTONIC) || errno != ENOSYS)
			return;
	}
	nap(NAP);
}

/*
 * SIGCHLD is open only here: what came before is still pending, and its handler changes the word before the wait looks at
 * it.
 */
static void serve_sleep(struct vm_live *l, u64 until)
{
	u32 wake = __atomic_load_n(&l->wake, __ATOMIC_SEQ_CST);
	sigset_t child;

	if (__atomic_load_n(&l->over, __ATOMIC_SEQ_CST))
		return;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	asleep(l, true);
	pthread_sigmask(SIG_UNBLOCK, &child, NULL);
	words_wait(l, wake, until);
	pthread_sigmask(SIG_BLOCK, &child, NULL);
	asleep(l, false);
}

/* --- the loop --------------------------------------------------------------------------------------- */

/* Whatever there is to do now. How much that was. */
static u32 serve_once(struct vm *vm, u64 now)
{
	struct vm_live *l = vm->live;
	u32 n = 0;

	for (size_t i = 0; i < l->sites.n; i++)
		n += vm_site_take(vm, &l->sites.v[i]);
	if (l->trace && target_trace_threads(l->trace))
		n += target_trace_poll(l->trace);
	n += vm_clocks_fire(vm, now);
	vm_threads_reap(vm, now);
	return n;
}

/* How many we may run on. */
static int cpus(void)
{
	cpu_set_t own;

	return sched_getaffinity(0, sizeof(own), &own) ? 1 : CPU_COUNT(&own);
}

static void serve(struct vm *vm)
{
	struct vm_live *l = vm->live;
	bool alone = cpus() < 2;
	int luck = LUCK;
	u64 idle = now_ns(), now;

	while (!__atomic_load_n(&l->over, __ATOMIC_SEQ_CST)) {
		now = now_ns();
		if (serve_once(vm, now)) {
			luck = luck < LUCK ? luck + 1 : LUCK;
			idle = now_ns();
			continue;
		}
		if (!alone && luck > 0 && now - idle < SPIN) {
			__builtin_ia32_pause();
			continue;
		}
		/* Where the machine is busy, looking takes the time from those who are looked at. */
		if (luck > -UNLUCKY)
			luck--;
		else
			luck = 1;

		u64 until = now + LONGEST, clock = vm_clocks_next(vm);

		serve_sleep(l, clock < until ? clock : until);
		idle = now_ns();
	}
}

int vm_serve(struct exec *e)
{
	struct vm *vm = (struct vm *)e;
	struct sigaction act = {.sa_handler = on_child}, old; /* without SA_RESTART, and stops are told of, too */
	sigset_t child, mask;

	the_wake = &vm->live->wake;
	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &child, &mask);
	sigaction(SIGCHLD, &act, &old);
	serve(vm);
	sigaction(SIGCHLD, &old, NULL);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return 0;
}
