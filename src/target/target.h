// SPDX-License-Identifier: Apache-2.0
/*
 * A process: its state, maps, memory, ELF symbols, and how to stop one thread of it. Knows nothing of Python.
 * All functions return 0 or -errno and never abort: they may be holding somebody's process.
 */
#ifndef PYDTRACE_TARGET_H
#define PYDTRACE_TARGET_H

#include <sys/types.h>
#include <sys/user.h>

#include "util/util.h"

struct target;

/* Open process `pid` (a thread group). Says in `diag` why not: no such process, zombie, kernel thread, not permitted ... */
int target_open(struct target **out, pid_t pid, struct diag *diag);
void target_close(struct target *t);
pid_t target_pid(const struct target *t);
/* A pidfd; polls readable when the process has ended. */
int target_pidfd(const struct target *t);
const char *target_comm(const struct target *t);

/* Open a file of /proc/PID by its name there ("mem", "fd/3"): a descriptor, -ESRCH when the process has ended, or -errno. */
int target_proc_open(const struct target *t, const char *name, int flags);
/* A whole file of it with a NUL after it; `size` may be NULL. The caller frees *out; NULL on error. -EFBIG above 16 MB. */
int target_file_read(const struct target *t, const char *name, char **out, size_t *size);
/* The same of a process that is not held, by a number that may mean another one by now. */
int target_proc_read(pid_t pid, const char *name, char **out, size_t *size);

/* /proc/PID/status, as far as we need it. */
struct target_status {
	char state;   /* R S D T t Z X */
	pid_t tracer; /* who traces it; 0: nobody */
	char tracer_comm[16];
	uid_t uid; /* real */
	gid_t gid;
	uid_t fsuid; /* of the files that it makes and opens */
	gid_t fsgid;
	bool one_user; /* real, effective, saved and file-system user are the same */
	u64 caps;      /* permitted or effective */
	u32 nthreads;
	pid_t tgid;
	bool seccomp;      /* system calls are filtered */
	bool shadow_stack; /* user-space shadow stacks are on (x86_Thread_features) */
};
/* As it is now; -ESRCH: it is gone. */
int target_status(struct target *t, struct target_status *out);

/*
 * Why may process `pid` not be traced? One line, with the remedy, wherever the kernel answered EPERM, EACCES, EBUSY or
 * ENOSYS (`err`, > 0) to ptrace or to a look into /proc/PID. Asks the kernel for evidence, so it takes a moment. Returns
 * -err, or -EBUSY for one that is being traced.
 */
int target_refuse(pid_t pid, const char *comm, int err, struct diag *diag);
/* 0, or -EBUSY with a message that names who traces t, or a thread of it; what this process itself traces is none. */
int target_refuse_traced(struct target *t, struct diag *diag);

struct target_map {
	u64 start, end, off;
	dev_t dev;
	ino_t ino;
	char prot[5];     /* "r-xp" */
	const char *path; /* as the target sees it; "" for anonymous */
};
struct target_maps {
	struct target_map *v;
	size_t n;
	struct target_names *names; /* that the paths are in */
};
/*
 * How much is read of a memory map, which the process may have made as long as it likes: mappings (twice what
 * vm.max_map_count is by default), text (which only kernels before 6.11 have to make: a tenth of a second), and names that differ.
 */
enum { TARGET_MAPS_MAX = 131072, TARGET_MAPS_TEXT = 16 << 20, TARGET_MAPS_NAMES = 8 << 20 };
/*
 * /proc/PID/maps as it is now; target_maps_free(). -ESRCH when the process has ended; -E2BIG, -EFBIG, -ENAMETOOLONG: more
 * mappings, text, or names than that.
 */
int target_maps_read(struct target *t, struct target_maps *out);
void target_maps_free(struct target_maps *m);
/*
 * One mapping after the other, nothing of which is kept: the path is valid until fn returns. What fn returns other than 0 ends
 * it and is returned. Errors as above, but for the names.
 */
typedef int target_map_fn(void *arg, const struct target_map *m);
int target_maps_walk(const struct target *t, target_map_fn *fn, void *arg);
/* Of a process that is not held. */
int target_proc_maps_walk(pid_t pid, target_map_fn *fn, void *arg);

/* The mapping that an address is in; NULL: none. */
const struct target_map *target_map_at(const struct target_maps *maps, u64 addr);

/* All n bytes or -errno (-EFAULT: not mapped, -ESRCH: gone). */
int target_read(struct target *t, u64 addr, void *dst, size_t n);
int target_write(struct target *t, u64 addr, const void *src,
		 size_t n); /* through /proc/PID/mem: into read-only maps too */
/* At most max - 1 bytes up to the NUL. */
int target_read_string(struct target *t, u64 addr, char *dst, size_t max);

/*
 * Dynamic symbols of a mapped ELF file, read from the process's own memory (PT_DYNAMIC, DT_GNU_HASH or DT_HASH), so
 * that deleted, stripped or foreign-root files work. `base` is the load bias.
 */
struct target_elf;
/*
 * How many words and tables are read out of all images of a process together, from target_elf_begin() on: a process may map as many
 * images as it likes, and may have made their tables so that a look-up takes for ever. A big Python needs some thousands.
 */
enum { TARGET_ELF_READS = 1 << 20 };
void target_elf_begin(struct target *t);
bool target_elf_exhausted(const struct target *t); /* then all that is asked of images fails with -E2BIG */
/* The image that is mapped from `first_map_start` on. -ENOEXEC: it is no x86-64 ELF; -ENOENT: no dynamic symbols. */
int target_elf_open(struct target_elf **out, struct target *t, u64 first_map_start);
int target_elf_symbol(struct target_elf *e, const char *name, u64 *addr); /* run-time address; -ENOENT */
void target_elf_close(struct target_elf *e);

/* After an exec of the process: its memory is another one. */
int target_reopen(struct target *t);
/* The ids of all threads, the first thread first as /proc lists it; the caller frees *out. */
int target_threads(struct target *t, pid_t **out, size_t *n);

/*
 * One thread, stopped by PTRACE_SEIZE and PTRACE_INTERRUPT. Every step leaves a target that goes on unharmed when
 * this process is killed: a wait never consumes the stop's code (WNOWAIT), so a signal that was about to be
 * delivered still is. All calls must come from the thread of ours that made the stop.
 */
struct target_stop {
	pid_t tid;
	struct user_regs_struct regs;
	u64 mask; /* of signals */
};
/*
 * 0: stopped, regs read. -EAGAIN: it is stopped by a signal (state T); -EBUSY: another traces it; -ETIMEDOUT: it did
 * not stop in time (uninterruptible), and is let go of; -ESRCH: it has ended; -EPERM.
 */
int target_stop(struct target *t, pid_t tid, u32 timeout_ms, struct target_stop *out);
int target_stop_xstate(const struct target_stop *s, void *buf, size_t *size); /* NT_X86_XSTATE; size in and out */
/* What it is to go on with. 0 or -errno. */
int target_stop_set_regs(const struct target_stop *s, const struct user_regs_struct *regs);
int target_stop_set_mask(const struct target_stop *s, u64 mask);
/*
 * The word at an address of the memory that this thread runs in now, 0 or -errno. target_read() reads the memory that the
 * process had when it was opened, which is another one after an exec.
 */
int target_stop_peek(const struct target_stop *s, u64 addr, u64 *word);
/* Let it go on, untraced. */
int target_stop_end(const struct target_stop *s);
/*
 * The filters of system calls of a stopped thread (seccomp(2)), and what they would say to one that it makes at `ip`.
 * *out is NULL when there are none. -EACCES: the kernel tells only who has CAP_SYS_ADMIN and is under no filter itself.
 */
enum target_answer {
	TARGET_ALLOWS,
	TARGET_DENIES,   /* the call fails */
	TARGET_PUNISHES, /* it ends the thread or the process, raises SIGSYS, or waits for another process */
};
struct target_filters;
int target_filters_read(const struct target_stop *s, struct target_filters **out);
enum target_answer target_filters_ask(const struct target_filters *f, s64 nr, const u64 args[6], u64 ip);
void target_filters_free(struct target_filters *f);
/*
 * Where a thread that sleeps in a system call stands, from /proc without a stop: 0, or -EAGAIN when it is running.
 * nr is -1 when it sleeps outside of one.
 */
struct target_call {
	s64 nr;
	u64 args[6], sp, pc;
};
int target_thread_call(struct target *t, pid_t tid, struct target_call *out);

/*
 * The calls that a thread is in, from the innermost to the outermost (unwind.c). The thread must not run meanwhile; `maps`
 * are borrowed.
 */
struct target_unwind {
	u64 pc, sp; /* of this frame; pc is behind the call, but in the innermost one */
	/* The code of the frame that was looked at last, or left; 0: not known. */
	u64 function, function_end;
	bool signal; /* that frame was a signal handler's return: the frame below it was interrupted, not called */
	bool called; /* pc is a return address */
	u32 known;   /* bit for each register whose value is known */
	u64 reg[17]; /* as DWARF numbers them */
	struct target *t;
	const struct target_maps *maps;
};
void target_unwind_begin(struct target_unwind *u, struct target *t, const struct target_maps *maps,
			 const struct user_regs_struct *regs);
/* The same for a thread that sleeps in a call and has not been stopped: most of its registers are not known. */
void target_unwind_begin_asleep(struct target_unwind *u, struct target *t, const struct target_maps *maps,
				const struct target_call *c);
/*
 * To the caller's frame: 1. 0: the frame that was left is the outermost. -EAGAIN: it takes a register that is not known;
 * -ENOENT: the code has no call frame information; other -errno: it cannot be followed.
 */
int target_unwind_next(struct target_unwind *u);
/* Which code the frame is in, without leaving it. 0 or as above. */
int target_unwind_look(struct target_unwind *u);

/*
 * The system calls of other processes, by ptrace (trace.c): what an executor without eBPF sees of the kernel.
 *
 * Threads are seized (never stopped by a signal), one by one when they are armed, or all of a process and those that it
 * starts. Children are left alone. All calls must come from one thread of ours, the one that the kernel takes for the
 * tracer. As with target_stop(), being killed at any instant leaves targets that go on unharmed: what a stop stands for
 * (a signal) is left in the kernel until the thread is let go on.
 */
struct target_trace;
struct target_thread { /* a thread that is seized */
	pid_t tid;
	struct target *process;
	void *data; /* the user's; NULL at first */
};
struct target_syscall {
	/*
	 * As the kernel numbers it, also of a restarted one. In a leave() -1 where it is not known, for there was no enter(),
	 * and at the end of rt_sigreturn, where the kernel's tracepoint has -1, too.
	 */
	s64 nr;
	u64 args[6], ip, sp; /* as they were at the entry; ip is behind the instruction */
	s64 ret;             /* leave() only: -errno when it failed, as the kernel returns it */
};
struct target_trace_ops {
	/*
	 * A call begins, a call has ended; the thread stands still meanwhile. One that the kernel breaks off and makes again
	 * (ERESTARTSYS and its like) begins once and ends once, with what the program gets to see in the end. execve of
	 * success ends in the new image; exit and exit_group do not end. A call that was under way when the thread was
	 * armed ends without having begun. True: go on stopping at the calls of this thread; false: let it run until it is
	 * armed again (its call under way, if it has begun, still ends).
	 */
	bool (*enter)(void *arg, struct target_thread *th, const struct target_syscall *c);
	bool (*leave)(void *arg, struct target_thread *th, const struct target_syscall *c);
	/* The thread has ended, or is not ours any more; th is not valid after this. */
	void (*ended)(void *arg, struct target_thread *th);
	/* An exec made thread th, which was called `former`, the only thread of its process (tid is the process's now). */
	void (*execed)(void *arg, struct target_thread *th, pid_t former);
	/* Asked between two stops: does something else press, so that target_trace_poll() is to come back first? */
	bool (*presses)(void *arg);
};
/* 0, or -ENOMEM. All but enter and leave may be NULL. */
int target_trace_open(struct target_trace **out, const struct target_trace_ops *ops, void *arg);
/*
 * Let all threads go, as they are: running ones run, stopped ones stay stopped. Nothing is reported from here on. False: some
 * do not stop in time, as a vfork or a disk keeps them; target_trace_poll() lets them go when they do.
 */
bool target_trace_end(struct target_trace *tr);
/*
 * The same for a while, for a tracer that is about to be stopped itself: until target_trace_resume() nothing is reported, and
 * what is known of a thread is forgotten. ended() is told of each; of one that cannot be let go yet it is told again later. While
 * it is false, another call lets go those that have stopped meanwhile.
 */
bool target_trace_pause(struct target_trace *tr);
/* Threads may be armed, and target_trace_all() be called, as at first. */
void target_trace_resume(struct target_trace *tr);
/* target_trace_end(), and free it; what does not stop is let go by the kernel, at the end of our thread. NULL is allowed. */
void target_trace_close(struct target_trace *tr);
/*
 * See every call of every thread of t, also of those that start later. A process that this thread of ours holds by ptrace
 * already, in a stop (the child of -c), is taken over as it is and then runs. 0 or -errno with a message; -ESRCH without one:
 * it has ended, and there is nothing to see any more. A thread that cannot be stopped now (it waits for a vfork) is not waited
 * for: it will be before it runs in user mode again.
 */
int target_trace_all(struct target_trace *tr, struct target *t, struct diag *diag);
/*
 * See the calls of thread `tid` from here on; for one that runs in user mode, or is in a call whose instruction is the
 * process's own_ip. It goes on running. 0, also when it was armed, or cannot be stopped now (it waits for a vfork, its cgroup
 * is frozen): it will be before it runs in user mode again; -ESRCH: it has ended; -EBUSY: another traces it; -EPERM. Never
 * for a process that target_trace_all() was called for.
 */
int target_trace_arm(struct target_trace *tr, struct target *t, pid_t tid);
/* Calls made by the instruction that ends at `ip` are never reported: our own, in the agent. 0: none. */
void target_trace_own(struct target_trace *tr, struct target *t, u64 ip);
/*
 * Deal with what has stopped, but not for long; never waits. How many stops those were; 0: there are no more, nor can there
 * be where one thread alone is seized.
 */
u32 target_trace_poll(struct target_trace *tr);
/* Others wait for this thread: of several that have stopped it mostly comes first. */
void target_trace_favour(struct target_trace *tr, pid_t tid);
/*
 * Sleeps until something may have stopped are the caller's: a stop, and an end, sends SIGCHLD to this process. How many
 * threads are seized:
 */
u32 target_trace_threads(const struct target_trace *tr);
/*
 * The wait status of a child of our own that target_trace_poll() had to reap; false: it has not ended so. (Waiting for
 * any child takes them all.)
 */
bool target_exit_status(const struct target *t, int *status);

#endif
