// SPDX-License-Identifier: Apache-2.0
/*
 * Memory for what the agent keeps of each matched function: as many as are alive, in chunks that are mapped and unmapped
 * as they are needed. A struct matched never moves.
 */
#include "agent_impl.h"

#define CHUNK_SIZE 65536u

struct chunk {
	struct chunk *next, *prev; /* of those with free ones; full ones are in no list */
	struct matched *free;
	uint32_t used, fresh; /* in use; never used so far, at the end */
	struct matched v[];
};

#define PER_CHUNK ((CHUNK_SIZE - sizeof(struct chunk)) / sizeof(struct matched))

static struct chunk *open_chunks;

static void chunk_open(struct chunk *c)
{
	c->prev = NULL;
	c->next = open_chunks;
	if (c->next)
		c->next->prev = c;
	open_chunks = c;
}

static void chunk_close(struct chunk *c)
{
	if (c->next)
		c->next->prev = c->prev;
	*(c->prev ? &c->prev->next : &open_chunks) = c->next;
}

static void chunk_drop(struct chunk *c)
{
	chunk_close(c);
	agent_unmap(c, CHUNK_SIZE);
}

static struct chunk *chunk_new(void)
{
	struct chunk *c = agent_map(CHUNK_SIZE);

	if (!c)
		return NULL;
	c->fresh = PER_CHUNK;
	chunk_open(c);
	return c;
}

struct matched *slot_new(void)
{
	struct chunk *c = open_chunks ? open_chunks : chunk_new();
	struct matched *m;

	if (!c)
		return NULL;
	m = c->free;
	if (m)
		c->free = m->next;
	else
		m = &c->v[PER_CHUNK - c->fresh--];
	if (++c->used == PER_CHUNK)
		chunk_close(c);
	*m = (struct matched){.chunk = c, .next = agent.matched};
	if (m->next)
		m->next->prev = m;
	agent.matched = m;
	return m;
}

void slot_free(struct matched *m)
{
	struct chunk *c = m->chunk;

	if (m->next)
		m->next->prev = m->prev;
	*(m->prev ? &m->prev->next : &agent.matched) = m->next;
	m->next = c->free;
	c->free = m;
	if (c->used-- == PER_CHUNK)
		chunk_open(c);
	/* An empty one stays while it is the only one with room: a program that makes and drops one function pays nothing. */
	if (!c->used && (c->next || c->prev))
		chunk_drop(c);
}

void slot_trim(void)
{
	if (open_chunks && !open_chunks->used)
		chunk_drop(open_chunks);
}
