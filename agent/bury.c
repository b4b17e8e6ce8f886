// SPDX-License-Identifier: Apache-2.0
/*
 * Agents that nobody holds any more: the tracer was killed, or the process is a child that has inherited them. Each is taken out
 * by its own code, which the next agent that is loaded calls. That one knows it by the name that dlopen() was called with,
 * and the loader finds an equal name among what is loaded: no file is opened.
 */
#include <sys/stat.h>
#include <sys/syscall.h>

#include "agent_impl.h"

/* dlopen(3), as glibc has it in <bits/dlfcn.h>: only if it is loaded already. */
enum { RTLD_NOW = 2, RTLD_NOLOAD = 4 };

EXPORT wire_fini pydtrace_agent_bury;
EXPORT wire_fini pydtrace_agent_close;
wire_fini pydtrace_agent_fini;

static void *(*symbol)(void *, const char *);

/* A child that has inherited us has no page, and nobody holds us there. */
static bool held(void)
{
	const struct wire_page *page = agent.page;
	uint32_t owner;

	if (!page || (agent.mine && !*agent.mine))
		return false;
	owner = __atomic_load_n(&page->owner, __ATOMIC_ACQUIRE);
	return owner && !(owner & WIRE_OWNER_DIED);
}

/*
 * All at once, since it is us who hold the GIL, and nobody else could have it in between. Where nothing more is taken off, the thread
 * has no room for calls (room.c), and will not get any here.
 */
int pydtrace_agent_bury(void)
{
	const struct matched *first;
	int err;

	if (held())
		return -EEXIST;
	do {
		first = agent.matched;
		err = pydtrace_agent_fini();
	} while (err == -EAGAIN && agent.matched != first);
	if (err == -EAGAIN)
		return -EBUSY;
	return err == -ESRCH ? 0 : err; /* never started, or ended already */
}

static void *find(const char *path)
{
	void *(*open)(const char *, int) = (void *(*)(const char *, int))agent.page->dlopen;

	return open(path, RTLD_NOW | RTLD_NOLOAD);
}

static void drop(void *handle)
{
	((int (*)(void *))agent.page->dlclose)(handle);
}

static int bury_one(const char *path)
{
	void *handle = find(path);
	wire_fini *bury;
	int err;

	if (!handle)
		return -ENOENT;
	bury = (wire_fini *)symbol(handle, WIRE_BURY);
	err = bury ? bury() : -ENOSYS; /* another version's */
	drop(handle);
	return err;
}

/* How many there are to deal with: the page is shared memory, and may have changed since it was proved. */
static uint32_t dead_count(void)
{
	uint32_t n = agent.page ? __atomic_load_n(&agent.page->ndead, __ATOMIC_RELAXED) : 0;

	return !n || !agent.page->dlopen || !agent.page->dlclose ? 0 : n < WIRE_MAX_DEAD ? n : WIRE_MAX_DEAD;
}

/* Those again that had code on a stack. How many of them may be unloaded now. */
static uint32_t bury_busy(struct wire_dead *d, uint32_t n)
{
	uint32_t gone = 0;

	for (uint32_t i = 0; i < n; i++) {
		if (!d[i].path[0] || d[i].result != -EBUSY)
			continue;
		d[i].result = bury_one(d[i].path);
		gone += !d[i].result;
	}
	return gone;
}

/*
 * Up to 3.11 a frame evaluator may have been put before another's and can leave only after that one has: so again, as long as
 * that makes one more of them end.
 */
void agents_bury(void *(*dlsym)(void *, const char *))
{
	uint32_t n = dead_count();
	struct wire_dead *d = n ? page_dead(agent.page) : NULL;

	symbol = dlsym;
	for (uint32_t i = 0; i < n; i++)
		d[i].result = d[i].path[0] ? -EBUSY : 0;
	for (uint32_t round = 0; round < n && bury_busy(d, n); round++)
		;
}

/* The program may have closed it, and opened another file under its number. */
static void fd_close(const struct wire_dead *d)
{
	struct stat st;

	if (d->fd >= 0 && !agent_syscall(SYS_fstat, d->fd, (long)&st, 0, 0, 0, 0) && st.st_dev == d->dev &&
	    st.st_ino == d->ino)
		agent_syscall(SYS_close, d->fd, 0, 0, 0, 0, 0);
}

/* A call that is still queued finds no job, so it looks at nothing but that. */
static void page_drop(const struct wire_dead *d)
{
	if (d->job && !__atomic_exchange_n((uint32_t *)d->job, 0, __ATOMIC_ACQ_REL))
		return; /* it has been begun meanwhile */
	fd_close(d);
	if (d->page_size)
		agent_unmap((void *)d->page, d->page_size);
	if (d->stack_size)
		agent_unmap((void *)d->stack, d->stack_size);
}

/* Whoever loaded them never closed them: so once for that, and once for us. */
int pydtrace_agent_close(void)
{
	uint32_t n = dead_count();
	struct wire_dead *d = n ? page_dead(agent.page) : NULL;

	for (uint32_t i = 0; i < n; i++) {
		void *handle = d[i].close && d[i].path[0] ? find(d[i].path) : NULL;

		if (handle) {
			drop(handle);
			drop(handle);
		}
		if (d[i].close) {
			page_drop(&d[i]);
			d[i] = (struct wire_dead){.fd = -1, .result = -ENOENT};
		}
	}
	bury_busy(d, n);
	return 0;
}
