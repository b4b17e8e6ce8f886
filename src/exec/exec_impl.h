// SPDX-License-Identifier: Apache-2.0
#ifndef PYDTRACE_EXEC_IMPL_H
#define PYDTRACE_EXEC_IMPL_H

#include "exec/exec.h"

typedef int exec_each_fn(void *arg, const void *key, const void *values, u32 nvalues, u32 stride);
typedef int exec_record_fn(void *arg, const void *rec, size_t size);
typedef int exec_read_fn(void *arg, void *dst, u64 addr, u32 n);

/* One executor. The functions of exec.h check the arguments and call these; NULL: -EOPNOTSUPP. */
struct exec_methods {
	int (*load)(struct exec *e, struct diag *diag);
	int (*fire)(struct exec *e, u32 prog, const u64 *args, u32 nargs);
	int (*run)(struct exec *e, u32 prog, const void *ctx, u32 size, struct exec_thread *t, exec_read_fn *read,
		   void *arg);
	int (*attach_raw_tracepoint)(struct exec *e, u32 prog, const char *name, struct diag *diag);
	int (*attach_uprobe)(struct exec *e, u32 prog, const char *path, u64 off, pid_t pid, bool is_return,
			     struct diag *diag);
	int (*attach_clock)(struct exec *e, u32 prog, int cpu, u64 ns, struct diag *diag);
	void (*detach)(struct exec *e);
	bool (*lingers)(struct exec *e);
	void (*close)(struct exec *e);
	void *(*map_memory)(struct exec *e, u32 map);
	int (*map_each)(struct exec *e, u32 map, exec_each_fn *fn, void *arg);
	int (*map_update)(struct exec *e, u32 map, const void *key, const void *values);
	int (*map_delete)(struct exec *e, u32 map, const void *key);
	int (*ring_drain)(struct exec *e, u32 map, exec_record_fn *fn, void *arg);
	int (*ring_fd)(struct exec *e, u32 map);
	int (*prog_stats)(struct exec *e, u32 prog, u64 *runs, u64 *ns);
	struct exec_task_layout (*task_layout)(void);
	int (*attach_site)(struct exec *e, u32 prog, struct python *p, struct target *t, enum wire_event ev,
			   struct diag *diag);
	int (*add_process)(struct exec *e, struct target *t);
	void (*set_gate)(struct exec *e, u32 prog);
	int (*start)(struct exec *e, struct diag *diag);
	int (*serve)(struct exec *e); /* NULL: events come by themselves */
	void (*serve_end)(struct exec *e);
	void (*serve_break)(struct exec *e);
	bool (*pause)(struct exec *e);
	void (*resume)(struct exec *e, struct diag *diag);
	u64 (*lost)(struct exec *e);
	int (*prog_misses)(struct exec *e, u32 prog, u64 *misses);
};

/* The head of every executor's own struct. */
struct exec {
	const struct exec_methods *methods;
	const struct asm_image *image; /* NULL until exec_load() */
	u32 ncpus;
};

/* Words of context that every fired program can read. */
#define EXEC_MAX_ARGS 12

static inline bool exec_is_percpu(enum bpf_map_type type)
{
	return type == BPF_MAP_TYPE_PERCPU_HASH || type == BPF_MAP_TYPE_PERCPU_ARRAY;
}

/* The distance between the values of two CPUs. */
static inline u32 exec_stride(const struct asm_map *m)
{
	return ALIGN_UP(m->value_size, 8u);
}

#endif
