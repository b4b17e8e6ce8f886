// SPDX-License-Identifier: Apache-2.0
/* The maps of the kernel executor, seen from user space: memory, walks, the ring. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "exec/kernel_exec_impl.h"
#include "exec/libbpf_impl.h"

#define BATCH       256        /* elements asked for at once, */
#define BATCH_BYTES (4u << 20) /* or fewer if they are large */
#define ENOTSUPP    524        /* the kernel's own, which reaches us here */

static size_t memory_size(const struct asm_map *m)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);

	return ALIGN_UP((size_t)exec_stride(m) * m->max_entries, page);
}

void kernel_map_close(struct exec *e, u32 map)
{
	struct kernel_map *m = &kernel_of(e)->maps[map];

	ring_buffer__free(m->ring);
	if (m->memory)
		munmap(m->memory, memory_size(&e->image->maps[map]));
	if (m->fd >= 0)
		close(m->fd);
}

void *kernel_map_memory(struct exec *e, u32 map)
{
	struct kernel_map *m = &kernel_of(e)->maps[map];
	void *p;

	if (m->memory)
		return m->memory;
	p = mmap(NULL, memory_size(&e->image->maps[map]), PROT_READ | PROT_WRITE, MAP_SHARED, m->fd, 0);
	if (p == MAP_FAILED)
		return NULL;
	m->memory = p;
	return p;
}

/* --- walks ---------------------------------------------------------------------------------------- */

struct walk {
	int fd;
	u32 key_size, nvalues, stride;
	u32 element; /* bytes of one element's values in a batch: only those of CPUs are rounded to 8 */
	u32 batch;
	u8 *keys, *values; /* `batch` of each */
	exec_each_fn *fn;
	void *arg;
};

static int show(struct walk *w, u32 n)
{
	int ret = 0;

	for (u32 i = 0; i < n && !ret; i++)
		ret = w->fn(w->arg, w->keys + (size_t)i * w->key_size, w->values + (size_t)i * w->element,
			    w->nvalues, w->stride);
	return ret;
}

static int grow(struct walk *w, u32 batch)
{
	u8 *keys = realloc(w->keys, (size_t)batch * w->key_size), *values;

	if (!keys)
		return -ENOMEM;
	w->keys = keys;
	values = realloc(w->values, (size_t)batch * w->element);
	if (!values)
		return -ENOMEM;
	w->values = values;
	w->batch = batch;
	return 0;
}

/*
 * Whole buckets at a time (a bucket that has more elements than fit is -ENOSPC), so that nothing is seen twice.
 * *none: this kernel has no batches for the type.
 */
static int walk_batches(struct walk *w, bool *none)
{
	LIBBPF_OPTS(bpf_map_batch_opts, opts);
	/* The place between batches: a bucket's number, or a key. */
	u8 *at = calloc(2, w->key_size + 8), *in = NULL, *out = at;
	int err, ret = 0;

	if (!at)
		return -ENOMEM;
	for (;;) {
		u32 n = w->batch;

		err = bpf_map_lookup_batch(w->fd, in, out, w->keys, w->values, &n, &opts) ? -errno : 0;
		if (err == -ENOSPC) {
			err = w->batch > 1u << 20 ? err : grow(w, w->batch * 4);
			if (err)
				break;
			continue;
		}
		*none = !in && (err == -EINVAL || err == -ENOTSUPP);
		if (err && err != -ENOENT)
			break;
		ret = show(w, n);
		if (ret || err == -ENOENT)
			break;
		in = out;
		out = at + (in == at ? w->key_size + 8 : 0);
	}
	free(at);
	return err && err != -ENOENT ? err : ret;
}

/*
 * Key by key, for what this kernel has no batches of: per-CPU arrays before Linux 5.13. (Maps that elements go from need
 * batches, or the walk could begin anew in the middle; hash maps have them since before there are rings, which we need.)
 */
static int walk_keys(struct walk *w)
{
	u8 *prev = NULL, *key = w->keys, *last = malloc(w->key_size);
	int ret = 0;

	if (!last)
		return -ENOMEM;
	while (!ret && !bpf_map_get_next_key(w->fd, prev, key)) {
		prev = memcpy(last, key, w->key_size);
		if (!bpf_map_lookup_elem(w->fd, key, w->values))
			ret = show(w, 1);
	}
	free(last);
	return ret;
}

int kernel_map_each(struct exec *e, u32 map, exec_each_fn *fn, void *arg)
{
	const struct asm_map *m = &e->image->maps[map];
	struct walk w = {
	    .fd = kernel_of(e)->maps[map].fd,
	    .key_size = m->key_size,
	    .stride = exec_stride(m),
	    .nvalues = exec_is_percpu(m->type) ? e->ncpus : 1,
	    .fn = fn,
	    .arg = arg,
	};
	bool none = false;
	int ret;

	if (!m->key_size || m->type == BPF_MAP_TYPE_TASK_STORAGE)
		return -EOPNOTSUPP;
	w.element = exec_is_percpu(m->type) ? w.stride * w.nvalues : m->value_size;
	ret = grow(&w, w.element > BATCH_BYTES / BATCH ? BATCH_BYTES / w.element + 1 : BATCH);
	if (!ret)
		ret = walk_batches(&w, &none);
	if (none)
		ret = walk_keys(&w);
	free(w.keys);
	free(w.values);
	return ret;
}

int kernel_map_update(struct exec *e, u32 map, const void *key, const void *values)
{
	return bpf_map_update_elem(kernel_of(e)->maps[map].fd, key, values, BPF_ANY) ? -errno : 0;
}

int kernel_map_delete(struct exec *e, u32 map, const void *key)
{
	return bpf_map_delete_elem(kernel_of(e)->maps[map].fd, key) ? -errno : 0;
}

/* --- the ring ------------------------------------------------------------------------------------- */

/* libbpf stops at negative values only. */
static int record(void *arg, void *data, size_t size)
{
	struct kernel_map *m = arg;

	m->result = m->fn(m->arg, data, size);
	return m->result ? -ECANCELED : 0;
}

int kernel_ring_open(struct exec *e, u32 map)
{
	struct kernel_map *m = &kernel_of(e)->maps[map];

	if (e->image->maps[map].type == BPF_MAP_TYPE_RINGBUF)
		m->ring = ring_buffer__new(m->fd, record, m, NULL);
	return m->ring || e->image->maps[map].type != BPF_MAP_TYPE_RINGBUF ? 0 : -errno;
}

int kernel_ring_drain(struct exec *e, u32 map, exec_record_fn *fn, void *arg)
{
	struct kernel_map *m = &kernel_of(e)->maps[map];
	int n;

	m->fn = fn;
	m->arg = arg;
	m->result = 0;
	n = ring_buffer__consume(m->ring);
	return n < 0 && n != -ECANCELED ? n : m->result;
}

int kernel_ring_fd(struct exec *e, u32 map)
{
	return ring_buffer__epoll_fd(kernel_of(e)->maps[map].ring);
}
