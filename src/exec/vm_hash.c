// SPDX-License-Identifier: Apache-2.0
/*
 * Hash maps, per-CPU or not, of a fixed number of elements, as the kernel's preallocated ones; and task storage, which is
 * a hash map here whose key is exec_thread.cookie.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/vm_impl.h"

/* The kernel has no bound on threads; ours is so high that only reserved address space is spent. */
#define MAX_THREADS 65536u
#define MAX_STORAGE (256u << 20)

static int open_sized(struct vm_map *m, u32 key_size, u32 n)
{
	struct vm_table *t = malloc(sizeof(*t));
	int err = t ? vm_table_open(t, key_size, n) : -ENOMEM;

	if (!err)
		err = vm_map_reserve(m, n);
	if (!err) {
		m->priv = t;
		return 0;
	}
	if (t)
		vm_table_close(t);
	free(t);
	return err;
}

static int hash_open(struct vm_map *m)
{
	return open_sized(m, m->def->key_size, m->def->max_entries);
}

static int storage_open(struct vm_map *m)
{
	u32 n = m->step ? MAX_STORAGE / m->step : 0;

	return open_sized(m, sizeof(u64), n < MAX_THREADS ? n : MAX_THREADS);
}

static void hash_close(struct vm_map *m)
{
	vm_table_close(m->priv);
	free(m->priv);
}

static u8 *hash_lookup(struct vm_map *m, const void *key)
{
	int n = vm_table_find(m->priv, key);

	return n < 0 ? NULL : m->data + (size_t)n * m->step;
}

static int hash_insert(struct vm_map *m, const void *key, u64 flags, u8 **values)
{
	int n;

	if (flags > BPF_EXIST)
		return -EINVAL;
	*values = hash_lookup(m, key);
	if (*values)
		return flags == BPF_NOEXIST ? -EEXIST : 0;
	if (flags == BPF_EXIST)
		return -ENOENT;
	n = vm_table_add(m->priv, key);
	if (n < 0)
		return n;
	*values = memset(m->data + (size_t)n * m->step, 0, m->step);
	return 0;
}

static int hash_remove(struct vm_map *m, const void *key)
{
	int n = vm_table_remove(m->priv, key);

	return n < 0 ? n : 0;
}

/* `fn` may remove the element that it is shown. */
static int hash_each(struct vm_map *m, exec_each_fn *fn, void *arg)
{
	struct vm_table *t = m->priv;
	int ret = 0;

	for (u32 b = 0; b < t->nbuckets; b++) {
		for (u32 next, i = t->heads[b]; i && !ret; i = next) {
			next = t->nexts[i - 1];
			ret = fn(arg, t->keys + (size_t)(i - 1) * t->key_size, m->data + (size_t)(i - 1) * m->step,
				 m->nvalues, m->stride);
		}
	}
	return ret;
}

const struct vm_map_type vm_hash_type = {
    .open = hash_open,
    .close = hash_close,
    .lookup = hash_lookup,
    .insert = hash_insert,
    .remove = hash_remove,
    .each = hash_each,
};

const struct vm_map_type vm_storage_type = {
    .open = storage_open,
    .close = hash_close,
    .lookup = hash_lookup,
    .insert = hash_insert,
    .remove = hash_remove,
};
