// SPDX-License-Identifier: Apache-2.0
/*
 * The vm executor: an interpreter of BPF in this process. What the kernel's verifier proves before a program runs, the
 * vm checks while it runs: each access must lie in memory that the program may touch, calls nest and instructions
 * are counted, and a helper gets only maps of the image. A program that breaks a rule ends with -EFAULT.
 *
 *   vm.c          the executor; vm_load.c, vm_run.c   vm_memory.c   what may be touched
 *   vm_insn.c     the interpreter                     vm_helpers.c  one row for each helper (vm_helpers_*.c)
 *   vm_maps.c     any map                             vm_array.c vm_hash.c vm_queue.c vm_ring.c
 *   vm_facts.c    what /proc knows of a thread        vm_live_impl.h  what brings events from other processes
 */
#ifndef PYDTRACE_EXEC_VM_IMPL_H
#define PYDTRACE_EXEC_VM_IMPL_H

#include <pthread.h>

#include "bpf/bpf.h"
#include "exec/exec_impl.h"

#define VM_FRAMES     8   /* the kernel's MAX_CALL_FRAMES */
#define VM_FRAME_SIZE 512 /* the kernel's MAX_BPF_STACK, here for each function */
#define VM_BUDGET     (32u << 20)
#define VM_RESERVED   8 /* ring records under construction */

/* exec_thread.cookie of a thread of our own: that and its ID. Others are counted from 1 on. */
#define VM_OWN_COOKIE (1ull << 63)

/* What get_current_task_btf() gives: the address of nothing. vm_memory.c says what a load from it answers. */
#define VM_TASK 0xbad0000000000000ull

/* --- maps ----------------------------------------------------------------------------------------- */

/*
 * The values stand in one piece, so that a check is two compares: value n at data + n * step, and in per-CPU maps the
 * CPUs' values `stride` bytes apart in it. The memory is reserved and becomes real as it is touched.
 */
struct vm_map {
	const struct asm_map *def;
	const struct vm_map_type *type;
	u8 *data;
	size_t size; /* of data */
	u32 stride;  /* from the value of one CPU to the next */
	u32 step;    /* from element to element */
	u32 nvalues; /* CPUs, or 1 */
	void *priv;  /* the type's own */
};

struct vm_map_type {
	int (*open)(struct vm_map *m);
	void (*close)(struct vm_map *m);
	/* The element's values, NULL: there is none. */
	u8 *(*lookup)(struct vm_map *m, const void *key);
	/* Find or make (by flags: BPF_ANY, BPF_NOEXIST, BPF_EXIST); a new one's values are zero. */
	int (*insert)(struct vm_map *m, const void *key, u64 flags, u8 **values);
	int (*remove)(struct vm_map *m, const void *key);
	int (*each)(struct vm_map *m, exec_each_fn *fn, void *arg);
	/* stack and queue */
	int (*push)(struct vm_map *m, const void *value, u64 flags);
	int (*pop)(struct vm_map *m, void *value, bool keep);
};
extern const struct vm_map_type vm_array_type, vm_hash_type, vm_storage_type, vm_queue_type, vm_ring_type;

/* A map as the image defines it. 0 or -errno. */
int vm_map_open(struct vm_map *m, const struct asm_map *def, u32 ncpus);
void vm_map_close(struct vm_map *m);
/* Memory for `n` elements; frees nothing on failure. */
int vm_map_reserve(struct vm_map *m, u64 n);

/* What hash maps and task storage share: keys of any size to element numbers. */
struct vm_table {
	u32 key_size, capacity, nbuckets, used;
	u32 *heads, *nexts; /* element number + 1; 0 ends */
	u32 free_head;      /* elements that were removed */
	u8 *keys;
};
/* 0, or -EINVAL, -ENOMEM: then nothing of it is left. */
int vm_table_open(struct vm_table *t, u32 key_size, u32 capacity);
void vm_table_close(struct vm_table *t);
int vm_table_find(const struct vm_table *t, const void *key); /* element, or -ENOENT */
int vm_table_add(struct vm_table *t, const void *key);        /* element, or -E2BIG */
int vm_table_remove(struct vm_table *t, const void *key);     /* element that was, or -ENOENT */

/* Room for a record, NULL: the ring is full. It is seen by vm_ring_drain() once it is submitted. */
void *vm_ring_reserve(struct vm_map *m, u64 size);
void vm_ring_submit(void *sample, bool discard);
/* As exec_ring_drain(): stops at a record that is not submitted yet. */
int vm_ring_drain(struct vm_map *m, exec_record_fn *fn, void *arg);
/* BPF_RB_AVAIL_DATA and its like; 0 for what is none. */
u64 vm_ring_query(const struct vm_map *m, u64 what);

/* --- a run ---------------------------------------------------------------------------------------- */

struct vm_live;

struct vm {
	struct exec exec;
	/*
	 * Programs run in the thread that serves and in that which prints. What is mapped and the ring are read without it;
	 * it may be taken again, as a walk through a map may look things up.
	 */
	pthread_mutex_t lock;
	struct vm_live *live; /* NULL: nothing is attached */
	struct vm_map *maps;
	struct bpf_code *progs;
	struct vm_stats {
		u64 runs, ns;
	} * stats;
};

static inline struct vm *vm_of(struct exec *e)
{
	return (struct vm *)e;
}

struct vm_run {
	struct vm *vm;
	const struct bpf_code *code;
	const u8 *ctx;
	u32 ctx_size;
	struct exec_thread *thread; /* through vm_fact() */
	exec_read_fn *read;
	void *read_arg;
	u32 cpu; /* < ncpus */
	u32 budget;
	u32 depth; /* frames in use */
	int error; /* what ends the run: -EFAULT, -ELOOP, -EINVAL */
	struct {
		u8 *p;
		u64 size;
	} reserved[VM_RESERVED];
	u32 nreserved;
	u8 stack[VM_FRAMES * VM_FRAME_SIZE] __attribute__((aligned(16)));
};

/* Run program `prog` once. 0 or what broke it off; *r0 (may be NULL) is what it returned. */
int vm_run_program(struct vm *vm, u32 prog, const void *ctx, u32 size, struct exec_thread *t, exec_read_fn *read,
		   void *arg, u64 *r0);
/* The thread, with the facts of `known` looked up (0 where they cannot be). */
const struct exec_thread *vm_fact(struct vm_run *r, u32 known);
/* Our first thread, whichever fires: BEGIN, a tick and profile-N are in one thread, as in the kernel executor. */
struct exec_thread vm_self(void);
/* The time on a CPU, ns. */
u64 vm_run_time(const struct exec_thread *t);
/* vm_load.c: maps and programs of the image. 0 or -errno with a message. */
int vm_load_image(struct exec *e, struct diag *diag);
void vm_unload(struct vm *vm);
/* Forget what the storage maps keep for a thread. */
void vm_storage_drop(struct vm *vm, u64 cookie);

/* Run the function at instruction `pc`; its result is in *r0. 0 or r->error. */
int vm_call(struct vm_run *r, u32 pc, const u64 args[5], u64 *r0);
/* Is the call of a helper known? For the load. */
bool vm_helper_known(s32 id);
/* 0 or r->error. */
int vm_helper_call(struct vm_run *r, s32 id, const u64 args[5], u64 *r0);

/* `n` bytes that the program may read (or write), or NULL; then r->error is set. */
u8 *vm_memory(struct vm_run *r, u64 addr, u64 n, bool write);
/* The value of a load of `size` bytes. */
u64 vm_load(struct vm_run *r, u64 addr, u32 size);
/* Where the members of the task that VM_TASK stands for lie. */
struct exec_task_layout vm_task_layout(void);
bool vm_is_task(u64 addr); /* does it point into that task? */
/* The map that a program's register holds, or NULL; then r->error is set. */
struct vm_map *vm_map_of(struct vm_run *r, u64 addr);

#endif
