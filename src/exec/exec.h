// SPDX-License-Identifier: Apache-2.0
/*
 * Where programs run, behind one interface: `kernel` (eBPF) and `vm` (a BPF interpreter in this process: the test
 * oracle, and the executor where there is no privilege). Takes an asm_image; knows nothing of D.
 *
 * Nothing here aborts; all return 0 or -errno, with a message in `diag` where it is known what went wrong.
 */
#ifndef PYDTRACE_EXEC_H
#define PYDTRACE_EXEC_H

#include <sys/types.h>

#include "asm/asm.h"

struct exec;

/* A thread as programs see it: what helpers answer while the vm runs a program "in" it. */
struct exec_thread {
	pid_t pid, tid, ppid; /* pid: thread group, as `pid` in D */
	uid_t uid;
	gid_t gid;
	char comm[16];
	u32 cpu;
	u64 cookie; /* names the thread for as long as it lives: the key of its task storage */
};

struct exec_ops {
	const char *name; /* "kernel", "vm": -x exec=NAME */
	/*
	 * May it be used here? 0, or -errno with a message that names what is missing (capability, kernel
	 * configuration, limit) and the remedy.
	 */
	int (*probe)(struct diag *diag);
	/* 0 and *out, without maps or programs yet; or -errno with a message. */
	int (*open)(struct exec **out, struct diag *diag);
};
extern const struct exec_ops exec_kernel, exec_vm;
/* NULL: there is none of that name. */
const struct exec_ops *exec_by_name(const char *name);

/* Make the image's maps and load its programs. The image must live as long as the exec. */
int exec_load(struct exec *e, const struct asm_image *image, struct diag *diag);

/*
 * Run program `prog` (ASM_RAW_TRACEPOINT) now, in this thread, with args[0..nargs) as its context, nargs <= 12.
 * How BEGIN, END, ERROR and tick-N fire.
 */
int exec_fire(struct exec *e, u32 prog, const u64 *args, u32 nargs);

/*
 * The vm only: run `prog` on `ctx` in thread `t`, whose user memory is read through `read` (NULL: this process's
 * own). This is how tests, and later an unprivileged tracer, bring events to the programs. The kernel: -EOPNOTSUPP.
 */
int exec_run(struct exec *e, u32 prog, const void *ctx, u32 size, const struct exec_thread *t,
	     int (*read)(void *arg, void *dst, u64 addr, u32 n), void *arg);

/* The kernel only (the vm: -EOPNOTSUPP). Links end with exec_detach() and with the exec. */
int exec_attach_raw_tracepoint(struct exec *e, u32 prog, const char *name, struct diag *diag);
/* `path` names the file, as any process sees it (/proc/PID/map_files/...); pid < 0: every process. */
int exec_attach_uprobe(struct exec *e, u32 prog, const char *path, u64 off, pid_t pid, bool is_return,
		       struct diag *diag);
/* A software clock event on `cpu` (-1: each) each `ns`: profile-N. */
int exec_attach_clock(struct exec *e, u32 prog, int cpu, u64 ns, struct diag *diag);

/* Take all links off (detach in the order of attaching); programs that run finish first. Idempotent. */
void exec_detach(struct exec *e);
void exec_close(struct exec *e); /* NULL is allowed */

/* Element 0 of an array map that has BPF_F_MMAPABLE, mapped read-write; NULL: it cannot be. */
void *exec_map_memory(struct exec *e, u32 map);

/*
 * Call fn for each element: key, and `nvalues` values of the map's value size, `stride` bytes apart (one for each CPU in
 * per-CPU maps). fn returning non-zero ends the walk and is returned. Elements that come or go meanwhile
 * may or may not be seen; none is seen twice.
 */
int exec_map_each(struct exec *e, u32 map,
		  int (*fn)(void *arg, const void *key, const void *values, u32 nvalues, u32 stride), void *arg);
/* `values`: one value, or one for each CPU as exec_map_each() gives them. */
int exec_map_update(struct exec *e, u32 map, const void *key, const void *values);
/* For task storage `key` is a pidfd (int) in the kernel, exec_thread.cookie in the vm: a thread that is gone. */
int exec_map_delete(struct exec *e, u32 map, const void *key);

/* Hand each record of ring map `map` to fn, oldest first, until it is empty or fn returns non-zero (returned). */
int exec_ring_drain(struct exec *e, u32 map, int (*fn)(void *arg, const void *rec, size_t size), void *arg);
/* A descriptor that polls readable when the ring has records; -1: there is none (poll by time). */
int exec_ring_fd(struct exec *e, u32 map);

/* Run statistics, if they are on: runs and nanoseconds of a program (bench/). */
int exec_prog_stats(struct exec *e, u32 prog, u64 *runs, u64 *ns);
/* Events that the kernel did not run a program for because it ran already on that CPU; 0 always in the vm. */
int exec_prog_misses(struct exec *e, u32 prog, u64 *misses);

/*
 * Where a program finds what it reads from bpf_get_current_task_btf(): byte offsets, 0 where not known. Of the running
 * kernel, or of the task that the vm makes up. May be asked before exec_load(). Takes 10 ms in the kernel.
 */
struct exec_task_layout {
	u32 real_parent, tgid, sum_exec_runtime;
};
struct exec_task_layout exec_task_layout(struct exec *e);

u32 exec_ncpus(struct exec *e); /* number of values in a per-CPU map's element */

#endif
