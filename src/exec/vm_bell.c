// SPDX-License-Identifier: Apache-2.0
/*
 * The thread that serves sleeps on one signal, SIGCHLD, which ptrace sends for each stop: that takes one system call, and stops
 * are many. An agent rings by a futex instead. So a thread of its own sleeps on the bells of all agents, and passes a ring
 * on as that signal. Agents ring only while somebody is asleep.
 */
#include <errno.h>
#include <linux/futex.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "exec/vm_live_impl.h"

#define NAP_NS  1000000   /* where the kernel cannot wait for several futexes at a time */
#define LONG_NS 100000000 /* where it can wait for one: the end of the run is looked for */

/* Linux 5.16 (include/uapi/linux/futex.h). */
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

struct vm_bell {
	struct vm_live *live;
	pthread_t thread, served;
	u32 over;        /* a futex */
	bool one_by_one; /* futex_waitv() is not to be had: an old kernel, a filter, too many agents */
	u32 *rung;       /* by site: the value that was passed on */
};

static u32 *bell_of(struct vm_bell *b, size_t site)
{
	u32 seen;

	return python_mail_bell(b->live->sites.v[site].python, &seen);
}

static void nap(long ns)
{
	const struct timespec ts = {0, ns};

	nanosleep(&ts, NULL);
}

/* Without it a ring may be seen late. */
static void words_wait_old(struct vm_bell *b)
{
	const struct timespec ts = {0, LONG_NS};

	if (b->live->sites.n == 1)
		syscall(SYS_futex, bell_of(b, 0), FUTEX_WAIT, b->rung[0], &ts, NULL, 0);
	else
		nap(NAP_NS);
}

/* Until a bell has another value than was passed on, or the run is over; perhaps earlier. */
static void words_wait(struct vm_bell *b)
{
	struct waitv v[WAITV_MAX] = {{0, (u64)(uintptr_t)&b->over, WAITV_U32 | WAITV_PRIVATE, 0}};
	size_t n = b->live->sites.n;

	for (size_t i = 0; i < n && !b->one_by_one; i++)
		v[1 + i] = (struct waitv){b->rung[i], (u64)(uintptr_t)bell_of(b, i), WAITV_U32, 0};
	if (!b->one_by_one && syscall(SYS_futex_waitv, v, 1 + n, 0, NULL, CLOCK_MONOTONIC) < 0)
		b->one_by_one = errno != EAGAIN && errno != EINTR &&
				errno != EFAULT; /* a page cut short: has_rung() mends it */
	if (b->one_by_one)
		words_wait_old(b);
}

static bool has_rung(struct vm_bell *b)
{
	bool yes = false;

	for (size_t i = 0; i < b->live->sites.n; i++) {
		u32 now = __atomic_load_n(bell_of(b, i), __ATOMIC_SEQ_CST);

		yes |= now != b->rung[i];
		b->rung[i] = now;
	}
	return yes;
}

static void *bell_thread(void *arg)
{
	struct vm_bell *b = arg;

	while (!__atomic_load_n(&b->over, __ATOMIC_SEQ_CST)) {
		words_wait(b);
		if (has_rung(b))
			pthread_kill(b->served, SIGCHLD);
	}
	return NULL;
}

int vm_bell_start(struct vm_live *l)
{
	struct vm_bell *b = calloc(1, sizeof(*b));
	sigset_t all, mask;
	int err;

	if (!b)
		return -ENOMEM;
	b->live = l;
	b->served = pthread_self();
	b->rung = calloc(l->sites.n + 1, sizeof(*b->rung));
	if (!b->rung) {
		free(b);
		return -ENOMEM;
	}
	b->one_by_one = l->sites.n >= WAITV_MAX;
	has_rung(b);
	guard_fillset(&all); /* it looks into the pages that targets share with us */
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	err = pthread_create(&b->thread, NULL, bell_thread, b);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (err) {
		free(b->rung);
		free(b);
		return -err;
	}
	l->bell = b;
	return 0;
}

void vm_bell_stop(struct vm_live *l)
{
	struct vm_bell *b = l->bell;

	if (!b)
		return;
	__atomic_store_n(&b->over, 1, __ATOMIC_SEQ_CST);
	syscall(SYS_futex, &b->over, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
	pthread_join(b->thread, NULL);
	free(b->rung);
	free(b);
	l->bell = NULL;
}

void vm_bell_asleep(struct vm_live *l, bool yes)
{
	for (size_t i = 0; i < l->sites.n; i++)
		python_mail_asleep(l->sites.v[i].python, yes);
}

bool vm_bell_waits(const struct vm_live *l)
{
	for (size_t i = 0; i < l->sites.n; i++) {
		u32 seen;
		const u32 *bell = python_mail_bell(l->sites.v[i].python, &seen);

		if (__atomic_load_n(bell, __ATOMIC_SEQ_CST) != seen)
			return true;
	}
	return false;
}
