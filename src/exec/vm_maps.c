// SPDX-License-Identifier: Apache-2.0
/* What all maps of the vm have in common: memory for the values, and the table from keys to element numbers. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

#include "exec/vm_impl.h"

static const struct vm_map_type *const types[] = {
    [BPF_MAP_TYPE_HASH] = &vm_hash_type,
    [BPF_MAP_TYPE_PERCPU_HASH] = &vm_hash_type,
    [BPF_MAP_TYPE_ARRAY] = &vm_array_type,
    [BPF_MAP_TYPE_PERCPU_ARRAY] = &vm_array_type,
    [BPF_MAP_TYPE_TASK_STORAGE] = &vm_storage_type,
    [BPF_MAP_TYPE_QUEUE] = &vm_queue_type,
    [BPF_MAP_TYPE_STACK] = &vm_queue_type,
    [BPF_MAP_TYPE_RINGBUF] = &vm_ring_type,
};

int vm_map_open(struct vm_map *m, const struct asm_map *def, u32 ncpus)
{
	const struct vm_map_type *type = def->type < ARRAY_SIZE(types) ? types[def->type] : NULL;
	int err;

	*m = (struct vm_map){.def = def};
	if (!type)
		return -EOPNOTSUPP;
	m->nvalues = exec_is_percpu(def->type) ? ncpus : 1;
	m->stride = exec_stride(def);
	if (m->stride > (1u << 30) / m->nvalues)
		return -E2BIG;
	m->step = m->stride * m->nvalues;
	m->type = type;
	err = type->open(m);
	if (!err && def->init)
		memcpy(m->data, def->init, def->value_size);
	return err;
}

void vm_map_close(struct vm_map *m)
{
	if (m->type && m->priv)
		m->type->close(m);
	if (m->data)
		munmap(m->data, m->size);
	*m = (struct vm_map){0};
}

int vm_map_reserve(struct vm_map *m, u64 n)
{
	u64 size = n * m->step;
	void *p;

	if (!size || size / m->step != n)
		return -EINVAL;
	p = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
	if (p == MAP_FAILED)
		return -ENOMEM;
	m->data = p;
	m->size = size;
	return 0;
}

/* --- the table ------------------------------------------------------------------------------------ */

int vm_table_open(struct vm_table *t, u32 key_size, u32 capacity)
{
	*t = (struct vm_table){.key_size = key_size, .capacity = capacity, .nbuckets = 64};
	if (!key_size || !capacity || capacity > 1u << 28)
		return -EINVAL;
	while (t->nbuckets < capacity)
		t->nbuckets *= 2;
	t->heads = calloc(t->nbuckets, sizeof(*t->heads));
	t->nexts = calloc(capacity, sizeof(*t->nexts));
	t->keys = calloc(capacity, key_size);
	if (t->heads && t->nexts && t->keys)
		return 0;
	vm_table_close(t);
	return -ENOMEM;
}

void vm_table_close(struct vm_table *t)
{
	free(t->heads);
	free(t->nexts);
	free(t->keys);
	*t = (struct vm_table){0};
}

/* The link (a head or a next) that holds the key's element, or the 0 that ends its bucket. */
static u32 *find_link(const struct vm_table *t, const void *key)
{
	u32 *link = &t->heads[hash_bytes(key, t->key_size) & (t->nbuckets - 1)];

	while (*link && memcmp(t->keys + (size_t)(*link - 1) * t->key_size, key, t->key_size))
		link = &t->nexts[*link - 1];
	return link;
}

int vm_table_find(const struct vm_table *t, const void *key)
{
	u32 *link = find_link(t, key);

	return *link ? (int)(*link - 1) : -ENOENT;
}

int vm_table_add(struct vm_table *t, const void *key)
{
	u32 *link = find_link(t, key), element = t->free_head;

	if (element)
		t->free_head = t->nexts[element - 1];
	else if (t->used < t->capacity)
		element = ++t->used;
	else
		return -E2BIG;
	t->nexts[element - 1] = 0;
	memcpy(t->keys + (size_t)(element - 1) * t->key_size, key, t->key_size);
	*link = element;
	return (int)(element - 1);
}

int vm_table_remove(struct vm_table *t, const void *key)
{
	u32 *link = find_link(t, key), element = *link;

	if (!element)
		return -ENOENT;
	*link = t->nexts[element - 1];
	t->nexts[element - 1] = t->free_head;
	t->free_head = element;
	return (int)(element - 1);
}
