// SPDX-License-Identifier: Apache-2.0
/*
 * Where programs run, and what brings events to them, behind one interface: `kernel` (eBPF at the kernel's own probes) and
 * `vm` (a BPF interpreter in this process, to which the agents hand their events and ptrace brings system calls: for who
 * has no privilege, and the test oracle). Takes an asm_image; knows nothing of D.
 *
 * Nothing here aborts; all return 0 or -errno, with a message in `diag` where it is known what went wrong.
 */
#ifndef PYDTRACE_EXEC_H
#define PYDTRACE_EXEC_H

#include <sys/types.h>

#include "asm/asm.h"
#include "python/python.h"

struct exec;

/*
 * A thread as programs see it: what helpers answer while the vm runs a program "in" it. What is not `known` is looked up in
 * /proc when a program asks for it.
 */
enum exec_known { EXEC_PPID = 1, EXEC_IDS = 2, EXEC_COMM = 4, EXEC_CPU = 8, EXEC_ALL = 15 };
struct exec_thread {
	pid_t pid, tid; /* pid: thread group, as `pid` in D */
	u64 cookie;     /* names the thread for as long as it lives: the key of its task storage */
	u32 known;      /* enum exec_known */
	pid_t ppid;
	uid_t uid; /* EXEC_IDS: both */
	gid_t gid;
	char comm[16];
	u32 cpu;
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
 * own). This is how tests bring events to the programs. The kernel: -EOPNOTSUPP.
 */
int exec_run(struct exec *e, u32 prog, const void *ctx, u32 size, struct exec_thread *t,
	     int (*read)(void *arg, void *dst, u64 addr, u32 n), void *arg);

/*
 * Links end with exec_detach() and with the exec. The vm has sys_enter, sys_exit and sched_process_exit, with the
 * arguments that the kernel gives, of the processes of exec_add_process() alone.
 */
int exec_attach_raw_tracepoint(struct exec *e, u32 prog, const char *name, struct diag *diag);
/* The kernel only (the vm: -EOPNOTSUPP). `path` names the file, as any process sees it; pid < 0: every process. */
int exec_attach_uprobe(struct exec *e, u32 prog, const char *path, u64 off, pid_t pid, bool is_return,
		       struct diag *diag);
/* An event of an agent: `prog` (ASM_UPROBE) runs with the arguments of the site (agent/wire.h) in its registers. */
int exec_attach_site(struct exec *e, u32 prog, struct python *p, struct target *t, enum wire_event ev,
		     struct diag *diag);
/* On `cpu` (-1: each) each `ns`: profile-N. The kernel interrupts whatever runs there; the vm keeps the time itself. */
int exec_attach_clock(struct exec *e, u32 prog, int cpu, u64 ns, struct diag *diag);

/* A process whose system calls are to be seen, where the kernel does not show all. Before exec_start(). */
int exec_add_process(struct exec *e, struct target *t);
/*
 * `prog` (ASM_RAW_TRACEPOINT; its context is of no use) returns non-zero in a thread whose system calls the programs look
 * at: others need not be stopped. Without one, all calls of all processes are. The kernel: does nothing.
 */
void exec_set_gate(struct exec *e, u32 prog);
/*
 * After all is attached: events come. Where exec_serves(), somebody must be in exec_serve() from now on: the thread that
 * has called exec_start(), which is the one that holds the processes (ptrace); and agents are to hand their events over
 * (python_attach_options.mail). 0 or -errno with a message.
 */
int exec_start(struct exec *e, struct diag *diag);
bool exec_serves(const struct exec *e);
/* Bring events to the programs, until exec_serve_end() or exec_serve_break() is called in any thread. 0 or -errno. */
int exec_serve(struct exec *e);
void exec_serve_end(struct exec *e);
/* The call that serves returns, or the next one does, if none serves now; the one after that serves again. */
void exec_serve_break(struct exec *e);
/*
 * Between two calls of exec_serve(), in the same thread: let go of every thread of other processes, for this process is about
 * to be stopped; and take them back. There are no events between. What the programs know of those threads, their
 * thread-local variables, is forgotten, because a return may be missed that was to reset them. exec_pause() is
 * false while there are threads that could not be let go yet: then call it again. What cannot be taken back is said in `diag`.
 */
bool exec_pause(struct exec *e);
void exec_resume(struct exec *e, struct diag *diag);
/* Events that could not be brought to a program, of all kinds, since the start (threads that another traces ...). */
u64 exec_lost(struct exec *e);

/* Take all links off (detach in the order of attaching); programs that run finish first. Idempotent. */
void exec_detach(struct exec *e);
/*
 * After exec_detach(): are there threads that could not be let go yet? Whoever has more to do that may take its time (a
 * pager reads what is printed) does it beside exec_serve(), which lets them go when it can.
 */
bool exec_lingers(struct exec *e);
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
