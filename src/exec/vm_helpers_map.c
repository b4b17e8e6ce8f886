// SPDX-License-Identifier: Apache-2.0
/* Helpers for maps: elements, queues, what a thread has, and the ring. */
#include <string.h>

#include "exec/vm_helpers_impl.h"

/* The map of a helper that is for maps with keys, and the key; NULL ends the run. */
static struct vm_map *keyed(struct vm_run *r, const u64 *a, u8 **key)
{
	struct vm_map *m = vm_map_of(r, a[0]);

	if (m && (!m->type->insert || m->type == &vm_storage_type))
		r->error = -EFAULT;
	*key = r->error ? NULL : vm_memory(r, a[1], m->def->key_size, false);
	return *key ? m : NULL;
}

/* The current CPU's value of an element. */
static u8 *own_value(const struct vm_run *r, const struct vm_map *m, u8 *values)
{
	return values && m->nvalues > 1 ? values + (size_t)r->cpu * m->stride : values;
}

u64 helper_map_lookup_elem(struct vm_run *r, const u64 *a)
{
	u8 *key;
	struct vm_map *m = keyed(r, a, &key);

	return m ? (u64)(uintptr_t)own_value(r, m, m->type->lookup(m, key)) : 0;
}

u64 helper_map_update_elem(struct vm_run *r, const u64 *a)
{
	u8 *key, *values, *value;
	struct vm_map *m = keyed(r, a, &key);
	int err;

	value = m ? vm_memory(r, a[2], m->def->value_size, false) : NULL;
	if (!value)
		return 0;
	err = m->type->insert(m, key, a[3], &values);
	if (err)
		return (u64)(s64)err;
	memmove(own_value(r, m, values), value, m->def->value_size);
	return 0;
}

u64 helper_map_delete_elem(struct vm_run *r, const u64 *a)
{
	u8 *key;
	struct vm_map *m = keyed(r, a, &key);

	return m ? (u64)(s64)m->type->remove(m, key) : 0;
}

/* The map and the value's memory of push, pop and peek. */
static struct vm_map *queue_of(struct vm_run *r, const u64 *a, bool write, u8 **value)
{
	struct vm_map *m = vm_map_of(r, a[0]);

	if (m && m->type != &vm_queue_type)
		r->error = -EFAULT;
	*value = r->error ? NULL : vm_memory(r, a[1], m->def->value_size, write);
	return *value ? m : NULL;
}

u64 helper_map_push_elem(struct vm_run *r, const u64 *a)
{
	u8 *value;
	struct vm_map *m = queue_of(r, a, false, &value);

	return m ? (u64)(s64)m->type->push(m, value, a[2]) : 0;
}

u64 helper_map_pop_elem(struct vm_run *r, const u64 *a)
{
	u8 *value;
	struct vm_map *m = queue_of(r, a, true, &value);

	return m ? (u64)(s64)m->type->pop(m, value, false) : 0;
}

u64 helper_map_peek_elem(struct vm_run *r, const u64 *a)
{
	u8 *value;
	struct vm_map *m = queue_of(r, a, true, &value);

	return m ? (u64)(s64)m->type->pop(m, value, true) : 0;
}

static struct vm_map *storage_of(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = vm_map_of(r, a[0]);

	if (m && (m->type != &vm_storage_type || a[1] != VM_TASK))
		r->error = -EFAULT;
	return r->error ? NULL : m;
}

u64 helper_task_storage_get(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = storage_of(r, a);
	u8 *value, *init = NULL;

	if (!m || a[3] > BPF_LOCAL_STORAGE_GET_F_CREATE)
		return 0;
	value = m->type->lookup(m, &r->thread->cookie);
	if (value || !a[3])
		return (u64)(uintptr_t)value;
	if (a[2])
		init = vm_memory(r, a[2], m->def->value_size, false);
	if (r->error || m->type->insert(m, &r->thread->cookie, BPF_NOEXIST, &value))
		return 0;
	if (init)
		memcpy(value, init, m->def->value_size);
	return (u64)(uintptr_t)value;
}

u64 helper_task_storage_delete(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = storage_of(r, a);

	return m ? (u64)(s64)m->type->remove(m, &r->thread->cookie) : 0;
}

/* --- the ring ------------------------------------------------------------------------------------- */

static struct vm_map *ring_of(struct vm_run *r, u64 map)
{
	struct vm_map *m = vm_map_of(r, map);

	if (m && m->type != &vm_ring_type)
		r->error = -EFAULT;
	return r->error ? NULL : m;
}

u64 helper_ringbuf_reserve(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = ring_of(r, a[0]);
	u8 *p;

	if (m && r->nreserved == VM_RESERVED)
		r->error = -EFAULT;
	p = r->error ? NULL : vm_ring_reserve(m, a[1]);
	if (!p)
		return 0;
	r->reserved[r->nreserved].p = p;
	r->reserved[r->nreserved++].size = a[1];
	return (u64)(uintptr_t)p;
}

static u64 end_record(struct vm_run *r, u64 sample, bool discard)
{
	for (u32 i = 0; i < r->nreserved; i++) {
		if ((u64)(uintptr_t)r->reserved[i].p != sample)
			continue;
		vm_ring_submit(r->reserved[i].p, discard);
		r->reserved[i] = r->reserved[--r->nreserved];
		return 0;
	}
	r->error = -EFAULT;
	return 0;
}

u64 helper_ringbuf_submit(struct vm_run *r, const u64 *a)
{
	return end_record(r, a[0], false);
}

u64 helper_ringbuf_discard(struct vm_run *r, const u64 *a)
{
	return end_record(r, a[0], true);
}

u64 helper_ringbuf_output(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = ring_of(r, a[0]);
	u8 *data = m ? vm_memory(r, a[1], a[2], false) : NULL, *p;

	if (!data)
		return 0;
	p = vm_ring_reserve(m, a[2]);
	if (!p)
		return HELPER_FAIL(EAGAIN);
	memcpy(p, data, a[2]);
	vm_ring_submit(p, false);
	return 0;
}

u64 helper_ringbuf_query(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = ring_of(r, a[0]);

	return m ? vm_ring_query(m, a[1]) : 0;
}
