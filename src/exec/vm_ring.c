// SPDX-License-Identifier: Apache-2.0
/*
 * The ring of records, with the kernel's layout and so the kernel's capacity (kernel/bpf/ringbuf.c):
 *
 *   u32 length | BUSY | DISCARD ,  u32 pad ,  record ... to a multiple of 8
 *
 * The kernel maps its pages twice in a row so that a record at the end stays in one piece. Here the buffer is twice
 * as long: what passes the end belongs to that record alone.
 *
 * One side makes records, under the vm's lock, and one takes them, without it: what is printed to may stand still for as
 * long as it likes, and then records are dropped, but no process waits.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/vm_impl.h"

#define HEADER 8u

struct ring {
	u64 produced, consumed, size;
	u8 *data;
};

static int ring_open(struct vm_map *m)
{
	u32 size = m->def->max_entries;
	struct ring *r;

	if (!size || (size & (size - 1)) || size % 4096 || m->def->key_size || m->def->value_size)
		return -EINVAL;
	m->priv = r = calloc(1, sizeof(*r));
	if (!r)
		return -ENOMEM;
	r->size = size;
	m->step = 1; /* for vm_map_reserve(); as a value the ring's memory is out of bounds */
	if (vm_map_reserve(m, 2ull * size))
		return -ENOMEM;
	m->step = 0;
	r->data = m->data;
	return 0;
}

static void ring_close(struct vm_map *m)
{
	free(m->priv);
}

/* Records begin at multiples of 8. */
static u32 header_get(const u8 *p)
{
	return __atomic_load_n((const u32 *)(const void *)p, __ATOMIC_ACQUIRE);
}

static void header_put(u8 *p, u32 header)
{
	__atomic_store_n((u32 *)(void *)p, header, __ATOMIC_RELEASE);
}

void *vm_ring_reserve(struct vm_map *m, u64 size)
{
	struct ring *r = m->priv;
	u64 len = ALIGN_UP(size + HEADER, 8);
	u32 header = (u32)size | BPF_RINGBUF_BUSY_BIT;
	u8 *p;

	if (size > UINT32_MAX / 4 || len > r->size ||
	    r->produced + len - __atomic_load_n(&r->consumed, __ATOMIC_ACQUIRE) > r->size - 1)
		return NULL;
	p = r->data + (r->produced & (r->size - 1));
	header_put(p, header);
	__atomic_store_n(&r->produced, r->produced + len, __ATOMIC_RELEASE);
	return p + HEADER;
}

void vm_ring_submit(void *sample, bool discard)
{
	u8 *p = (u8 *)sample - HEADER;
	u32 header = header_get(p) ^ BPF_RINGBUF_BUSY_BIT;

	if (discard)
		header |= BPF_RINGBUF_DISCARD_BIT;
	header_put(p, header);
}

int vm_ring_drain(struct vm_map *m, exec_record_fn *fn, void *arg)
{
	struct ring *r = m->priv;
	int ret = 0;

	while (!ret && r->consumed != __atomic_load_n(&r->produced, __ATOMIC_ACQUIRE)) {
		u8 *p = r->data + (r->consumed & (r->size - 1));
		u32 header = header_get(p), len;

		len = header & ~(BPF_RINGBUF_BUSY_BIT | BPF_RINGBUF_DISCARD_BIT);
		if (header & BPF_RINGBUF_BUSY_BIT)
			break;
		if (!(header & BPF_RINGBUF_DISCARD_BIT))
			ret = fn(arg, p + HEADER, len);
		__atomic_store_n(&r->consumed, r->consumed + ALIGN_UP(len + HEADER, 8u), __ATOMIC_RELEASE);
	}
	return ret;
}

u64 vm_ring_query(const struct vm_map *m, u64 what)
{
	const struct ring *r = m->priv;

	switch (what) {
	case BPF_RB_AVAIL_DATA: return r->produced - r->consumed;
	case BPF_RB_RING_SIZE: return r->size;
	case BPF_RB_CONS_POS: return r->consumed;
	case BPF_RB_PROD_POS: return r->produced;
	default: return 0;
	}
}

const struct vm_map_type vm_ring_type = {.open = ring_open, .close = ring_close};
