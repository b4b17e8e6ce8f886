// SPDX-License-Identifier: Apache-2.0
/*
 * The calls that were entered and not yet left, on 3.12 and later, so that a return is passed on only when its entry was. Not
 * every return has one: that of a call which began before we came; that of a generator in which the handler of a signal
 * has raised an exception at the very instruction that was to resume it. A set of numbers (wire.h, `call`): open addressing, and
 * one that leaves has its place taken by those behind it, so that there are no marks of what was there.
 */
#include "agent_impl.h"

#define FIRST_SIZE 512 /* a page of memory */

static uint64_t *calls; /* 0: free; NULL: there was no memory, and nothing is known */
static uint32_t size, used;

static uint32_t place(uint64_t call)
{
	return (uint32_t)((call >> 4) * 0x9e3779b97f4a7c15ull >> 32) & (size - 1);
}

/* Where it is, or the free place where it would be. */
static uint64_t *find(uint64_t call)
{
	uint32_t i = place(call);

	while (calls[i] && calls[i] != call)
		i = (i + 1) & (size - 1);
	return &calls[i];
}

int running_init(void)
{
	size = FIRST_SIZE;
	used = 0;
	calls = agent_map(size * sizeof(*calls));
	return calls ? 0 : -ENOMEM;
}

void running_free(void)
{
	agent_unmap(calls, size * sizeof(*calls));
	calls = NULL;
}

static void grow(void)
{
	uint64_t *old = calls;
	uint32_t n = size;

	calls = agent_map(n * 2 * sizeof(*calls));
	size = calls ? n * 2 : size;
	for (uint32_t i = 0; calls && i < n; i++)
		if (old[i])
			*find(old[i]) = old[i];
	agent_unmap(old, n * sizeof(*old));
}

void running_enter(uint64_t call)
{
	uint64_t *at;

	if (unlikely(!calls || !call))
		return;
	at = find(call);
	if (likely(!*at)) {
		*at = call;
		if (unlikely(++used > size / 2))
			grow();
	}
}

bool running_leave(uint64_t call)
{
	uint32_t hole, i;

	if (unlikely(!calls || !call))
		return true;
	hole = (uint32_t)(find(call) - calls);
	if (unlikely(!calls[hole]))
		return false;
	/* One behind it moves up unless its own place lies between. */
	for (i = hole;;) {
		i = (i + 1) & (size - 1);
		if (likely(!calls[i]))
			break;
		if (((i - place(calls[i])) & (size - 1)) >= ((i - hole) & (size - 1))) {
			calls[hole] = calls[i];
			hole = i;
		}
	}
	calls[hole] = 0;
	used--;
	return true;
}
