// SPDX-License-Identifier: Apache-2.0
/* Queue and stack: values without keys. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/vm_impl.h"

struct queue {
	u32 first, n; /* the oldest value, and how many there are */
};

static int queue_open(struct vm_map *m)
{
	if (m->def->key_size || !m->def->value_size || !m->def->max_entries)
		return -EINVAL;
	m->priv = calloc(1, sizeof(struct queue));
	return m->priv ? vm_map_reserve(m, m->def->max_entries) : -ENOMEM;
}

static void queue_close(struct vm_map *m)
{
	free(m->priv);
}

static u8 *value_at(struct vm_map *m, u32 n)
{
	const struct queue *q = m->priv;

	return m->data + (size_t)((q->first + (u64)n) % m->def->max_entries) * m->step;
}

static int queue_push(struct vm_map *m, const void *value, u64 flags)
{
	struct queue *q = m->priv;

	if (flags & ~(u64)BPF_EXIST)
		return -EINVAL;
	if (q->n == m->def->max_entries) {
		if (flags != BPF_EXIST) /* drop the oldest */
			return -E2BIG;
		q->first = (q->first + 1) % m->def->max_entries;
		q->n--;
	}
	memcpy(value_at(m, q->n++), value, m->def->value_size);
	return 0;
}

static int queue_pop(struct vm_map *m, void *value, bool keep)
{
	struct queue *q = m->priv;
	bool last_in_first_out = m->def->type == BPF_MAP_TYPE_STACK;

	if (!q->n) {
		memset(value, 0, m->def->value_size);
		return -ENOENT;
	}
	memcpy(value, value_at(m, last_in_first_out ? q->n - 1 : 0), m->def->value_size);
	if (keep)
		return 0;
	if (!last_in_first_out)
		q->first = (q->first + 1) % m->def->max_entries;
	q->n--;
	return 0;
}

const struct vm_map_type vm_queue_type = {
    .open = queue_open,
    .close = queue_close,
    .push = queue_push,
    .pop = queue_pop,
};
