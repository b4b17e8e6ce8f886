// SPDX-License-Identifier: Apache-2.0
/* Arrays, per-CPU or not: the key is the element's number, and all elements are always there. */
#include <errno.h>
#include <string.h>

#include "exec/vm_impl.h"

static int array_open(struct vm_map *m)
{
	if (m->def->key_size != 4 || !m->def->max_entries || !m->def->value_size)
		return -EINVAL;
	return vm_map_reserve(m, m->def->max_entries);
}

static void array_close(struct vm_map *m)
{
}

static u8 *array_lookup(struct vm_map *m, const void *key)
{
	u32 n;

	memcpy(&n, key, sizeof(n));
	return n < m->def->max_entries ? m->data + (size_t)n * m->step : NULL;
}

static int array_insert(struct vm_map *m, const void *key, u64 flags, u8 **values)
{
	if (flags > BPF_EXIST)
		return -EINVAL;
	*values = array_lookup(m, key);
	if (!*values)
		return -E2BIG;
	return flags == BPF_NOEXIST ? -EEXIST : 0;
}

static int array_remove(struct vm_map *m, const void *key)
{
	return -EINVAL;
}

static int array_each(struct vm_map *m, exec_each_fn *fn, void *arg)
{
	int ret = 0;

	for (u32 i = 0; i < m->def->max_entries && !ret; i++)
		ret = fn(arg, &i, m->data + (size_t)i * m->step, m->nvalues, m->stride);
	return ret;
}

const struct vm_map_type vm_array_type = {
    .open = array_open,
    .close = array_close,
    .lookup = array_lookup,
    .insert = array_insert,
    .remove = array_remove,
    .each = array_each,
};
