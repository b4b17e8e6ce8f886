// SPDX-License-Identifier: Apache-2.0
/*
 * Agents that nobody holds any more: the tracer was killed, or the process is a child that has inherited them. Each is taken out
 * by its own code, which the next agent that is loaded calls. That one knows it by the name that dlopen() was called with,
 * and the loader finds an equal name among what is loaded: no file is opened.
 */
#include "agent_impl.h"

/* dlopen(3), as glibc has it in <bits/dlfcn.h>: only if it is loaded already. */
enum { RTLD_NOW = 2, RTLD_NOLOAD = 4 };

EXPORT wire_fini pydtrace_agent_bury;
EXPORT wire_fini pydtrace_agent_close;
wire_fini pydtrace_agent_fini;

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

int pydtrace_agent_bury(void)
{
	int err;

	if (held())
		return -EEXIST;
	err = pydtrace_agent_fini();
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

static int bury_one(const char *path, void *(*dlsym)(void *, const char *))
{
	void *handle = find(path);
	wire_fini *bury;
	int err;

	if (!handle)
		return -ENOENT;
	bury = (wire_fini *)dlsym(handle, WIRE_BURY);
	err = bury ? bury() : -ENOSYS; /* another version's */
	drop(handle);
	return err;
}

/* How many there are to deal with: the page is shared memory, and may have changed since it was proved. */
static uint32_t dead_count(void)
{
	uint32_t n = __atomic_load_n(&agent.page->ndead, __ATOMIC_RELAXED);

	return !agent.page->dlopen || !agent.page->dlclose ? 0 : n < WIRE_MAX_DEAD ? n : WIRE_MAX_DEAD;
}

/*
 * Up to 3.11 a frame evaluator may have been put before another's and can leave only after that one has: so again, as long as
 * that makes one more of them end.
 */
void agents_bury(void *(*dlsym)(void *, const char *))
{
	struct wire_dead *d = page_dead(agent.page);
	uint32_t n = dead_count(), gone = 1;

	for (uint32_t round = 0; gone && round < n; round++) {
		gone = 0;
		for (uint32_t i = 0; i < n; i++) {
			if (!d[i].path[0] || (round && d[i].result != -EBUSY))
				continue;
			d[i].result = bury_one(d[i].path, dlsym);
			gone += !d[i].result;
		}
	}
}

/* Whoever loaded them never closed them: so once for that, and once for us. */
int pydtrace_agent_close(void)
{
	uint32_t n = agent.page ? dead_count() : 0;
	struct wire_dead *d = n ? page_dead(agent.page) : NULL;

	for (uint32_t i = 0; i < n; i++) {
		void *handle = d[i].close && d[i].path[0] ? find(d[i].path) : NULL;

		if (handle) {
			drop(handle);
			drop(handle);
		}
		if (d[i].close)
			agent_unmap((void *)d[i].page, d[i].page_size);
	}
	return 0;
}
