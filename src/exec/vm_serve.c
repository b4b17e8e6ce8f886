// SPDX-License-Identifier: Apache-2.0
/*
 * The loop that brings events to the programs, and its sleep. While something happens it looks again and again, for a wake-up
 * costs more than most events; after a moment in which nothing came it sleeps until there is a SIGCHLD: from ptrace, from the
 * bell (vm_bell.c), or from vm_serve_end() and vm_serve_break().
 */
#include <errno.h>
#include <pthread.h>
#include <sched.h>
#include <signal.h>
#include <time.h>

#include "exec/vm_live_impl.h"

#define NSEC    1000000000ull
#define SPIN    20000ull    /* ns of looking before a sleep */
#define LONGEST (NSEC / 10) /* ns of a sleep: threads that have ended are looked for */
#define LUCK    8           /* so many times in a row in vain, and looking is given up for a while */
#define UNLUCKY 32

static void serve_leave(struct vm_live *l, bool *why)
{
	__atomic_store_n(why, true, __ATOMIC_SEQ_CST);
	if (__atomic_load_n(&l->serving, __ATOMIC_SEQ_CST))
		pthread_kill(l->server, SIGCHLD);
}

void vm_serve_end(struct exec *e)
{
	serve_leave(vm_of(e)->live, &vm_of(e)->live->over);
}

void vm_serve_break(struct exec *e)
{
	serve_leave(vm_of(e)->live, &vm_of(e)->live->broken);
}

/* --- sleep ------------------------------------------------------------------------------------------ */

/*
 * For `ns`, UINT64_MAX: without a timer. SIGCHLD is blocked, so what came before is pending and ends the wait at once.
 */
static void serve_sleep(struct vm_live *l, u64 ns)
{
	const struct timespec ts = {(time_t)(ns / NSEC), (long)(ns % NSEC)};
	sigset_t child;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	vm_bell_asleep(l, true);
	if (!vm_bell_waits(l))
		sigtimedwait(&child, NULL, ns == UINT64_MAX ? NULL : &ts);
	vm_bell_asleep(l, false);
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

/* Until a clock's time, or until threads are to be looked for that may have ended. */
static u64 sleep_time(const struct vm *vm, u64 now)
{
	u64 until = vm_clocks_next(vm);

	if (vm->live->nuntraced && until > now + LONGEST)
		until = now + LONGEST;
	if (until == UINT64_MAX)
		return until;
	return until > now ? until - now : 0;
}

/*
 * Is it worth to look for a while before a sleep? Not where there is one processor, nor where the machine is so busy that
 * what is waited for needs ours.
 */
struct luck {
	bool alone;
	int left; /* looks in vain until it is given up; below 0: sleeps until it is tried again */
};

static bool luck_lasts(const struct luck *l)
{
	return !l->alone && l->left > 0;
}

static void luck_failed(struct luck *l)
{
	if (--l->left == 0)
		l->left = -UNLUCKY;
}

static void luck_slept(struct luck *l)
{
	if (l->left < 0 && ++l->left == 0)
		l->left = 1;
}

/* May there be more to deal with, of which no signal tells? One tells of all that had stopped by then. */
static bool is_more(const struct vm_live *l)
{
	return l->trace && target_trace_threads(l->trace) > 1;
}

static void serve(struct vm *vm)
{
	struct vm_live *l = vm->live;
	struct luck luck = {.alone = cpus() < 2, .left = LUCK};
	bool looking = false; /* since something came */
	u64 came = 0;

	while (!__atomic_load_n(&l->over, __ATOMIC_SEQ_CST) &&
	       !__atomic_exchange_n(&l->broken, false, __ATOMIC_SEQ_CST)) {
		bool more = is_more(l);
		u64 now = now_ns();

		if (serve_once(vm, now)) {
			if (looking)
				luck.left = LUCK;
			looking = luck_lasts(&luck);
			came = looking ? now_ns() : now;
			if (looking || more || is_more(l)) /* before: one of two threads has ended */
				continue;
		} else if (looking && now - came < SPIN) {
			__builtin_ia32_pause();
			continue;
		} else if (looking) {
			luck_failed(&luck);
		}
		serve_sleep(l, sleep_time(vm, now));
		luck_slept(&luck);
		looking = false;
	}
}

int vm_serve(struct exec *e)
{
	struct vm *vm = vm_of(e);
	struct vm_live *l = vm->live;
	struct sigaction act = {.sa_handler = SIG_DFL}, old; /* were it ignored, ptrace would not send it */
	sigset_t child, mask;
	int err = 0;

	sigemptyset(&child);
	sigaddset(&child, SIGCHLD);
	pthread_sigmask(SIG_BLOCK, &child, &mask);
	sigaction(SIGCHLD, &act, &old);
	l->server = pthread_self();
	__atomic_store_n(&l->serving, true, __ATOMIC_SEQ_CST);
	if (l->sites.n)
		err = vm_bell_start(l);
	if (!err)
		serve(vm);
	vm_bell_stop(l);
	__atomic_store_n(&l->serving, false, __ATOMIC_SEQ_CST);
	sigaction(SIGCHLD, &old, NULL);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	return err;
}
