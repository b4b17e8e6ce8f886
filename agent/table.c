// SPDX-License-Identifier: Apache-2.0
/* From code objects to what was decided: open addressing, linear probing, never more than half full. */
#include "agent_impl.h"

/* As large as it gets (64 MiB): a program that makes code objects without end only makes us decide again. */
#define TABLE_MAX (1u << 20)

static struct decided nothing; /* stays empty: to be searched where there is no table */

int table_init(struct table *t, uint32_t size)
{
	t->v = agent_map(size * sizeof(*t->v));
	if (!t->v)
		return -ENOMEM;
	t->mask = size - 1;
	t->used = 0;
	t->least = size;
	return 0;
}

void table_free(struct table *t)
{
	if (t->v != &nothing)
		agent_unmap(t->v, (t->mask + (size_t)1) * sizeof(*t->v));
	*t = (struct table){.v = &nothing};
}

/* Into a new array of that size; `all`: those that did not match as well. */
static int table_renew(struct table *t, uint32_t size, bool all)
{
	struct table new;
	int err = table_init(&new, size);

	if (err)
		return err;
	new.least = t->least;
	for (uint32_t i = 0; i <= t->mask; i++) {
		const struct decided *d = &t->v[i];

		if (d->code && (all || d->matched)) {
			*table_find(&new, d->code) = *d;
			new.used++;
		}
	}
	table_free(t);
	*t = new;
	return 0;
}

/* Twice the size while that is allowed, else the same without those that did not match. */
static int table_make_room(struct table *t)
{
	uint32_t size = t->mask + 1;

	if (size < TABLE_MAX && !table_renew(t, size * 2, true))
		return 0;
	return table_renew(t, size, false);
}

int table_put(struct table *t, const struct decided *d)
{
	struct decided *at = table_find(t, d->code);

	if (!at->code && t->used >= t->mask / 2) {
		int err = table_make_room(t);

		/* Still half full with matched ones, or no memory: a few more do no harm, then it is over. */
		if (t->used >= t->mask / 4 * 3)
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
	uint32_t hole = table_find(t, code) - t->v;

	if (!t->v[hole].code)
		return;
	for (uint32_t i = (hole + 1) & t->mask; t->v[i].code; i = (i + 1) & t->mask) {
		if (((i - table_place(t, t->v[i].code)) & t->mask) < ((i - hole) & t->mask))
			continue;
		t->v[hole] = t->v[i];
		hole = i;
	}
	t->v[hole] = nothing;
	t->used--;
	/* No memory: it stays as large as it is. */
	if (t->mask >= t->least * 4 && t->used < t->mask / 16)
		table_renew(t, (t->mask + 1) / 4, true);
}
