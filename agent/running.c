// SPDX-License-Identifier: Apache-2.0
/*
 * The calls that were entered and not yet left, on 3.12 and later, so that a return is passed on only when its entry was. Not
 * every return has one: that of a call which began before we came; that of a generator in which the handler of a signal
 * has raised an exception at the very instruction that was to resume it. Sets of numbers (wire.h, `call`): open addressing, and
 * one that leaves has its place taken by those behind it, so that there are no marks of what was there. Where many threads may
 * be in events at the same time there are more sets than one, each with a lock.
 */
#include "agent_impl.h"

#define FIRST_SIZE 512 /* a page of memory */
#define NSETS      16

static struct set {
	uint64_t *calls; /* 0: free; NULL: there was no memory, and nothing is known */
	uint32_t size, used;
	uint32_t lock;
} __attribute__((aligned(64))) sets[NSETS];

static uint64_t hash(uint64_t call)
{
	return (call >> 4) * 0x9e3779b97f4a7c15ull;
}

static struct set *set_of(uint64_t call)
{
	return &sets[agent.parallel ? hash(call) >> 60 : 0];
}

_Static_assert(NSETS == 1 << (64 - 60), "the hash is an index");

/* A forked child has one thread; others may have held locks when it was made. */
static void set_lock(struct set *s)
{
	if (unlikely(agent.parallel) && *agent.mine)
		lock_take(&s->lock);
}

static void set_unlock(struct set *s)
{
	if (unlikely(agent.parallel) && *agent.mine)
		lock_leave(&s->lock);
}

static uint32_t place(const struct set *s, uint64_t call)
{
	return (uint32_t)(hash(call) >> 24) & (s->size - 1);
}

/* Where it is, or the free place where it would be. */
static uint32_t find(const struct set *s, uint64_t call)
{
	uint32_t i = place(s, call);

	while (s->calls[i] && s->calls[i] != call)
		i = (i + 1) & (s->size - 1);
	return i;
}

int running_init(void)
{
	for (int i = 0; i < (agent.parallel ? NSETS : 1); i++) {
		sets[i] = (struct set){.calls = agent_map(FIRST_SIZE * sizeof(*sets->calls)), .size = FIRST_SIZE};
		if (!sets[i].calls)
			return -ENOMEM;
	}
	return 0;
}

void running_free(void)
{
	for (int i = 0; i < NSETS; i++) {
		struct set *s = &sets[i];

		if (!s->calls)
			continue;
		set_lock(s);
		agent_unmap(s->calls, s->size * sizeof(*s->calls));
		s->calls = NULL;
		set_unlock(s);
	}
}

void running_adopt(void)
{
	for (int i = 0; i < NSETS; i++) {
		if (sets[i].lock)
			sets[i].calls = NULL; /* half changed, perhaps */
		sets[i].lock = 0;
	}
}

static void grow(struct set *s)
{
	struct set old = *s;

	s->calls = agent_map(old.size * 2 * sizeof(*s->calls));
	if (s->calls)
		s->size = old.size * 2;
	for (uint32_t i = 0; s->calls && i < old.size; i++)
		if (old.calls[i])
			s->calls[find(s, old.calls[i])] = old.calls[i];
	agent_unmap(old.calls, old.size * sizeof(*old.calls));
}

static void enter(struct set *s, uint64_t call)
{
	uint32_t i = find(s, call);

	if (unlikely(s->calls[i]))
		return;
	s->calls[i] = call;
	if (unlikely(++s->used > s->size / 2))
		grow(s);
}

static bool leave(struct set *s, uint64_t call)
{
	uint32_t hole = find(s, call), last = s->size - 1;

	if (unlikely(!s->calls[hole]))
		return false;
	/* One behind it moves up unless the way from its own place to where it is does not come by the hole. */
	for (uint32_t i = (hole + 1) & last; unlikely(s->calls[i]); i = (i + 1) & last) {
		if (((i - place(s, s->calls[i])) & last) < ((i - hole) & last))
			continue;
		s->calls[hole] = s->calls[i];
		hole = i;
	}
	s->calls[hole] = 0;
	s->used--;
	return true;
}

void running_enter(uint64_t call)
{
	struct set *s = set_of(call);

	if (unlikely(!call))
		return;
	set_lock(s);
	if (likely(s->calls))
		enter(s, call);
	set_unlock(s);
}

bool running_leave(uint64_t call)
{
	struct set *s = set_of(call);
	bool was_entered = true;

	if (unlikely(!call))
		return true;
	set_lock(s);
	if (likely(s->calls))
		was_entered = leave(s, call);
	set_unlock(s);
	return was_entered;
}
