// SPDX-License-Identifier: Apache-2.0
/*
 * How many calls of ours are on the stack of each thread, so that who forks while others are in such calls can tell its own
 * from theirs: of the forked child's threads only the one that forked is left, and what the others have begun never ends.
 */
#include "agent_impl.h"

#define NTHREADS 512 /* what is left behind with an agent that must stay is to be small */
#define WINDOW   16  /* places where a thread's may be */

static struct calls threads[NTHREADS + WINDOW];

/* The last one counts for all threads that there was no place for. */
static struct calls *const rest = &threads[NTHREADS + WINDOW - 1];

/* Its own, or one that counts nothing; `rest` where there is no such place. */
static struct calls *active_find_place(uint32_t thread)
{
	struct calls *c = &threads[thread * 0x9e3779b1u >> 23], *unused = NULL;

	_Static_assert(NTHREADS == 1 << (32 - 23), "the hash is an index");
	for (int i = 0; i < WINDOW - 1; i++) {
		if (c[i].n && c[i].thread == thread)
			return &c[i];
		if (!c[i].n && !unused)
			unused = &c[i];
	}
	return unused ? unused : rest;
}

struct calls *active_find(uint32_t thread)
{
	struct calls *c = active_find_place(thread);

	if (c != rest)
		c->thread = thread;
	return c;
}

/* A place's two words at once: it is given to another thread only while it counts nothing. */
struct calls *active_enter_shared(uint32_t thread)
{
	for (;;) {
		struct calls *c = active_find_place(thread), was, counted;

		if (c == rest) {
			__atomic_fetch_add(&rest->n, 1, __ATOMIC_ACQ_REL);
			return rest;
		}
		was.both = __atomic_load_n(&c->both, __ATOMIC_RELAXED);
		if (was.n && was.thread != thread)
			continue; /* another thread was faster */
		counted.thread = thread;
		counted.n = was.n + 1;
		if (__atomic_compare_exchange_n(&c->both, &was.both, counted.both, false, __ATOMIC_ACQ_REL,
						__ATOMIC_RELAXED))
			return c;
	}
}

bool active_others(void)
{
	uint32_t thread = active_thread(py.PyThreadState_Get());

	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		if (__atomic_load_n(&threads[i].n, __ATOMIC_ACQUIRE) && threads[i].thread != thread)
			return true;
	return false;
}

/* True if some interpreter has that thread. */
static bool thread_there(uint32_t thread)
{
	void *interp = py.PyInterpreterState_Head(), *t = NULL;

	for (; interp && !t; interp = py.PyInterpreterState_Next(interp)) {
		t = py.PyInterpreterState_ThreadHead(interp);
		while (t && active_thread(t) != thread)
			t = py.PyThreadState_Next(t);
	}
	return t;
}

bool active_any(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		if (threads[i].n && (*agent.mine || &threads[i] == rest || thread_there(threads[i].thread)))
			return true;
	return false;
}

void active_adopt(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		if (threads[i].n && &threads[i] != rest && !thread_there(threads[i].thread))
			threads[i].n = 0;
	if (!agent.calls->n)
		agent.calls = rest;
}

void active_forget(void)
{
	memset(threads, 0, sizeof(threads));
	agent.calls = rest;
}
