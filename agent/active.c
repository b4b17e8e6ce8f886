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

/* Its own, or one that counts nothing. */
struct calls *active_find(uint32_t thread)
{
	struct calls *c = &threads[thread * 0x9e3779b1u >> 23], *unused = NULL;

	_Static_assert(NTHREADS == 1 << (32 - 23), "the hash is an index");
	for (int i = 0; i < WINDOW - 1; i++) {
		if (c[i].n && c[i].thread == thread)
			return &c[i];
		if (!c[i].n && !unused)
			unused = &c[i];
	}
	if (!unused)
		return rest;
	unused->thread = thread;
	return unused;
}

static bool thread_there(uint32_t thread)
{
	void *t = py.PyInterpreterState_ThreadHead(py.PyInterpreterState_Main());

	while (t && active_thread(t) != thread)
		t = py.PyThreadState_Next(t);
	return t;
}

bool active_any(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(threads); i++)
		if (threads[i].n && (*agent.mine || &threads[i] == rest || thread_there(threads[i].thread)))
			return true;
	return false;
}

void active_forget(void)
{
	memset(threads, 0, sizeof(threads));
	agent.calls = rest;
}
