// SPDX-License-Identifier: Apache-2.0
/*
 * Memory that another process can take away: a shared mapping of a file which that process cuts short. Whoever touches a page
 * of it behind the file's end gets SIGBUS (mmap(2), "SIGBUS"), at any instruction that reads or writes the mapping. So this
 * signal is caught: zeros of our own take the place of what is missing, the mapping is marked as lost, and the
 * instruction goes on. All that was read from the mapping must be checked anyway, for the other process may write to it.
 *
 * Any other SIGBUS is a bug of ours, or was sent by somebody: it does what it would do without this handler.
 *
 * The handler may run in any thread while another one adds or removes a mapping, and takes no lock. So entries are never
 * freed, only used again. An entry's own range cannot change while somebody touches it (its user removes it after the
 * last touch); of all others the handler only has to see that they do not hold the address. `size` is read twice for that: an
 * entry that got another range in between has had size 0 then.
 */
#include <errno.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "util/util.h"

struct guard {
	u64 start, size; /* size 0: not in use */
	u32 lost;
	struct guard *next;
};

static struct guard *guards; /* entries are added at its front, and stay */
static pthread_mutex_t adding = PTHREAD_MUTEX_INITIALIZER;
static struct sigaction before;

#define LOAD(word)        __atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define STORE(word, what) __atomic_store_n(&(word), (what), __ATOMIC_SEQ_CST)

static struct guard *guard_of(u64 addr)
{
	for (struct guard *g = LOAD(guards); g; g = g->next) {
		u64 size = LOAD(g->size), start = LOAD(g->start);

		if (addr - start < size && LOAD(g->size) == size)
			return g;
	}
	return NULL;
}

/* A file ends somewhere: when this page is behind its end, so are all that follow. One mapping takes the place of them all. */
static bool replace(struct guard *g, u64 addr)
{
	u64 page = addr & ~((u64)sysconf(_SC_PAGESIZE) - 1);

	STORE(g->lost, 1);
	return mmap((void *)(uintptr_t)page, g->start + g->size - page, PROT_READ | PROT_WRITE,
		    MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED, -1, 0) != MAP_FAILED;
}

static void on_sigbus(int sig, siginfo_t *info, void *context)
{
	int saved = errno;
	struct guard *g = info->si_code > 0 ? guard_of((u64)(uintptr_t)info->si_addr) : NULL;

	(void)context;
	if (!g || !replace(g, (u64)(uintptr_t)info->si_addr)) {
		sigaction(sig, &before, NULL);
		/* A fault comes again when its instruction is run again; a signal that was sent does not. */
		if (info->si_code <= 0)
			syscall(SYS_tgkill, getpid(), gettid(), sig);
	}
	errno = saved;
}

/* Each time anew, for somebody else in this process may have taken the signal meanwhile. */
static int catch_sigbus(void)
{
	struct sigaction sa = {.sa_sigaction = on_sigbus, .sa_flags = SA_SIGINFO | SA_RESTART}, now;

	if (sigaction(SIGBUS, NULL, &now))
		return -errno;
	if (now.sa_flags & SA_SIGINFO && now.sa_sigaction == on_sigbus)
		return 0;
	before = now;
	return sigaction(SIGBUS, &sa, NULL) ? -errno : 0;
}

void guard_fillset(sigset_t *set)
{
	sigfillset(set);
	sigdelset(set, SIGBUS);
}

static void unblock(void)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGBUS);
	pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

static struct guard *entry_free(void)
{
	for (struct guard *g = guards; g; g = g->next)
		if (!g->size)
			return g;
	return NULL;
}

int guard_add(struct guard **out, void *start, size_t size)
{
	struct guard *g;
	int ret;

	pthread_mutex_lock(&adding);
	ret = catch_sigbus();
	unblock(); /* whoever has started us may have left it so */
	g = ret ? NULL : entry_free();
	if (!ret && !g) {
		g = calloc(1, sizeof(*g));
		ret = g ? 0 : -ENOMEM;
		if (g) {
			g->next = guards;
			STORE(guards, g);
		}
	}
	if (!ret) {
		STORE(g->lost, 0);
		STORE(g->start, (u64)(uintptr_t)start);
		STORE(g->size, size);
		*out = g;
	}
	pthread_mutex_unlock(&adding);
	return ret;
}

bool guard_lost(const struct guard *g)
{
	return g && LOAD(g->lost);
}

void guard_remove(struct guard *g)
{
	if (!g)
		return;
	pthread_mutex_lock(&adding);
	STORE(g->size, 0);
	pthread_mutex_unlock(&adding);
}
