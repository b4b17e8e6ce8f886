// SPDX-License-Identifier: Apache-2.0
/* From code objects to what was decided: open addressing, linear probing, never more than half full. */
#include "agent_impl.h"

/* As large as it gets (64 MiB): a program that makes code objects without end only makes us decide again. */
#define TABLE_MAX (1u << 20)

#define LOOKS 100 /* at a table that is being changed, before the change is waited for */

/* Stays empty: to be searched where there is no table. */
static union {
	struct table_body body;
	char room[sizeof(struct table_body) + sizeof(struct decided)];
} nothing;

static size_t body_size(uint32_t size)
{
	return sizeof(struct table_body) + size * sizeof(struct decided);
}

static struct table_body *body_new(uint32_t size)
{
	struct table_body *b = agent_map(body_size(size));

	if (b)
		b->mask = size - 1;
	return b;
}

/* It and all older ones. */
static void body_free(struct table_body *b)
{
	while (b && b != &nothing.body) {
		struct table_body *older = b->older;

		agent_unmap(b, body_size(b->mask + 1));
		b = older;
	}
}

static void body_use(struct table *t, struct table_body *b)
{
	__atomic_store_n(&t->body, b, __ATOMIC_RELEASE);
}

int table_init(struct table *t, uint32_t size)
{
	struct table_body *b = body_new(size);

	if (!b)
		return -ENOMEM;
	*t = (struct table){.body = b, .least = size};
	return 0;
}

void table_free(struct table *t)
{
	struct table_body *b = t->body;

	body_use(t, &nothing.body);
	body_free(b);
	t->used = t->least = 0;
}

/* Bounded, since what is being changed need not have a free entry. The entry may change between the two looks, too. */
struct matched *table_peek(const struct table *t, const struct pyobj *code)
{
	const struct table_body *b = __atomic_load_n(&t->body, __ATOMIC_ACQUIRE);
	uint32_t at = table_place(b, code);

	for (uint32_t i = 0; i <= b->mask; i++) {
		const struct decided *d = &b->v[(at + i) & b->mask];
		const struct pyobj *there = __atomic_load_n(&d->code, __ATOMIC_RELAXED);

		if (there == code)
			return __atomic_load_n(&d->matched, __ATOMIC_RELAXED);
		if (!there)
			return NULL;
	}
	return NULL;
}

/* Into a new array of that size; `all`: those that did not match as well. */
static int table_renew(struct table *t, uint32_t size, bool all)
{
	struct table_body *old = t->body;
	struct table new;
	int err = table_init(&new, size);

	if (err)
		return err;
	for (uint32_t i = 0; i <= old->mask; i++) {
		const struct decided *d = &old->v[i];

		if (d->code && (all || d->matched)) {
			*table_find(&new, d->code) = *d;
			new.used++;
		}
	}
	t->used = new.used;
	if (agent.parallel)
		new.body->older = old;
	body_use(t, new.body);
	if (!agent.parallel)
		body_free(old);
	return 0;
}

/* Twice the size while that is allowed, else the same without those that did not match. */
static int table_make_room(struct table *t)
{
	uint32_t size = t->body->mask + 1;

	if (size < TABLE_MAX && !table_renew(t, size * 2, true))
		return 0;
	return table_renew(t, size, false);
}

struct matched *matched_find(const struct pyobj *code)
{
	struct matched *m = NULL;
	uint32_t before;

	for (int i = 0; i < LOOKS; i++) {
		before = __atomic_load_n(&agent.changes, __ATOMIC_ACQUIRE);
		m = table_peek(&agent.table, code);
		__atomic_thread_fence(__ATOMIC_ACQUIRE);
		if (likely(!(before & 1) && __atomic_load_n(&agent.changes, __ATOMIC_RELAXED) == before))
			return m;
		__builtin_ia32_pause();
	}
	lock_take(&agent.locks->state); /* whoever changes it does not run */
	m = table_find(&agent.table, code)->matched;
	lock_leave(&agent.locks->state);
	return m;
}

int table_put(struct table *t, const struct decided *d)
{
	struct decided *at = table_find(t, d->code);

	if (!at->code && t->used >= t->body->mask / 2) {
		int err = table_make_room(t);

		/* Still half full with matched ones, or no memory: a few more do no harm, then it is over. */
		if (t->used >= t->body->mask / 4 * 3)
			return err ? err : -ENOMEM;
		at = table_find(t, d->code);
	}
	t->used += !at->code;
	*at = *d;
	return 0;
}

/*
 * Those behind the hole that are not where they would like to be move up into it (Knuth, TAOCP 6.4, algorithm R), so that
 * no search ends too early.
 */
void table_delete(struct table *t, const struct pyobj *code)
{
	struct table_body *b = t->body;
	uint32_t hole = table_find(t, code) - b->v;

	if (!b->v[hole].code)
		return;
	for (uint32_t i = (hole + 1) & b->mask; b->v[i].code; i = (i + 1) & b->mask) {
		if (((i - table_place(b, b->v[i].code)) & b->mask) < ((i - hole) & b->mask))
			continue;
		b->v[hole] = b->v[i];
		hole = i;
	}
	b->v[hole] = (struct decided){0};
	t->used--;
	/* No memory, or others may be searching it: it stays as large as it is. */
	if (!agent.parallel && b->mask >= t->least * 4 && t->used < b->mask / 16)
		table_renew(t, (b->mask + 1) / 4, true);
}
