// SPDX-License-Identifier: Apache-2.0
#ifndef PYDTRACE_EXEC_KERNEL_EXEC_IMPL_H
#define PYDTRACE_EXEC_KERNEL_EXEC_IMPL_H

#include "exec/exec_impl.h"

struct ring_buffer; /* libbpf's */

/* A map in the kernel. */
struct kernel_map {
	int fd;
	void *memory;             /* exec_map_memory(), NULL: not mapped yet */
	struct ring_buffer *ring; /* NULL: it is no ring */
	exec_record_fn *fn;       /* while a drain runs */
	void *arg;
	int result;
};

struct kernel_exec {
	struct exec exec;
	struct kernel_map *maps;
	int *progs;
	struct bpf_attachment *links;
	u32 nlinks;
};

static inline struct kernel_exec *kernel_of(struct exec *e)
{
	return (struct kernel_exec *)e;
}

/* kernel_maps.c */
void kernel_map_close(struct exec *e, u32 map);
void *kernel_map_memory(struct exec *e, u32 map);
int kernel_map_each(struct exec *e, u32 map, exec_each_fn *fn, void *arg);
int kernel_map_update(struct exec *e, u32 map, const void *key, const void *values);
int kernel_map_delete(struct exec *e, u32 map, const void *key);
/* The map of number `map` has been made: open it if it is a ring. 0 or -errno. */
int kernel_ring_open(struct exec *e, u32 map);
int kernel_ring_drain(struct exec *e, u32 map, exec_record_fn *fn, void *arg);
int kernel_ring_fd(struct exec *e, u32 map);

#endif
