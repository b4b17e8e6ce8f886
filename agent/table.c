// SPDX-License-Identifier: Apache-2.0
/* From code objects to what was decided: open addressing, linear probing, never more than half full. */
#include "agent_impl.h"

/* As large as it gets (64 MiB): a program that makes code objects without end only makes us decide again. */
#define TABLE_MAX (1u << 20)

int table_init(struct table *t, uint32_t size)
{
	t->v = agent_map(size * sizeof(*t->v));
	if (!t->v)
		return -ENOMEM;
	t->mask = size - 1;
	t->used = 0;
	return 0;
}

void table_free(struct table *t)
{
	agent_unmap(t->v, (t->mask + (size_t)1) * sizeof(*t->v));
	t->v = NULL;
}

/* Into a new array: twice the size while that is allowed, else the same without those that did not match. */
static int table_renew(struct table *t)
{
	bool grow = t->mask + 1 < TABLE_MAX;
	struct table new;
	int err = table_init(&new, (t->mask + 1) << grow);

	if (err && grow) {
		grow = false;
		err = table_init(&new, t->mask + 1);
	}
	if (err)
		return err;
	for (uint32_t i = 0; i <= t->mask; i++) {
		const struct decided *d = &t->v[i];

		if (d->code && (grow || d->matched)) {
			*table_find(&new, d->code) = *d;
			new.used++;
		}
	}
	table_free(t);
	*t = new;
	return 0;
}

int table_put(struct table *t, const struct decided *d)
{
	struct decided *at = table_find(t, d->code);

	if (!at->code && t->used >= t->mask / 2) {
		int err = table_renew(t);

		/* Still half full with matched ones, or no memory: a few more do no harm, then it is over. */
		if (t->used >= t->mask / 4 * 3)
			return err ? err : -ENOMEM;
		at = table_find(t, d->code);
	}
	t->used += !at->code;
	*at = *d;
	return 0;
}
