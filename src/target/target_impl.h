// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of target/ share. The parsers of what /proc and a process's memory say are pure: text or bytes in,
 * numbers out, any input allowed.
 */
#ifndef PYDTRACE_TARGET_IMPL_H
#define PYDTRACE_TARGET_IMPL_H

#include "target/target.h"

struct target {
	pid_t pid;
	int dir; /* /proc/PID, held: never another process that gets the same number later */
	int pidfd, mem;
	u32 elf_reads; /* since target_elf_begin() */
	char comm[16];
	bool ended; /* and we had to reap it: status */
	int status;
};

/* The text of /proc/PID/status. -EINVAL when it has no State line. */
int parse_status(const char *text, struct target_status *out, bool *kernel_thread);
/* One line of /proc/PID/maps without its newline; `path` is a part of it. -EINVAL. */
int parse_map_line(const char *line, struct target_map *out);
/* From `fd`, which is such a file or looks like one, to fn; target_maps_walk(). Some 70 kB. */
enum { MAPS_RECENT = 64, MAPS_FILES = 2048 };
struct maps_reader {
	target_map_fn *fn;
	void *arg;
	u32 maps;
	int over;  /* what fn returned */
	bool kept; /* the path that fn gets is one of `names` */
	struct target_names *names;
	size_t name_bytes;
	const char *recent[MAPS_RECENT];
	struct maps_file {
		dev_t dev;
		ino_t ino;
		const char *name;
	} files[MAPS_FILES];
};
int maps_walk(int fd, struct maps_reader *r, bool text_only);
void maps_names_free(struct target_names *n);
/* A file name in /proc/PID/task; 0 when it is no thread id. */
pid_t parse_tid(const char *name);

/* Who a process is to the kernel, from /proc/PID/status: what decides who may trace it. */
struct creds {
	uid_t uid[3]; /* real, effective, saved */
	gid_t gid[3];
	u64 permitted, effective; /* capabilities */
	pid_t parent;
	u32 seccomp; /* 2: a filter */
};
/* -EINVAL when it lacks the users or groups. */
int parse_creds(const char *text, struct creds *out);
/* /proc/PID/uid_map: how many users there are in it, and is one of them a user that the reader's namespace has not? */
bool parse_uid_map(const char *text, u64 *users, bool *unmapped);
/* The value of hidepid= of what is mounted at /proc, from the text of /proc/self/mounts; false: nothing is hidden. */
bool parse_hidepid(const char *mounts, char *out, size_t size);

/*
 * What there is to know when the kernel does not let us trace a process: permit.c finds it out, refuse.c tells from it what
 * the reason is.
 */
struct permit {
	pid_t pid;
	struct creds we, it;
	bool it_known;            /* its status could be read */
	bool ptrace_cap;          /* CAP_SYS_PTRACE is in effect, in our user namespace */
	bool outside;             /* it is in a user namespace that is not ours nor below it */
	uid_t owner;              /* of its files in /proc: not its own user when it is undumpable */
	bool readable;            /* we may look at it, if not trace it */
	bool attachable;          /* the kernel would let us trace it, were it not traced */
	bool descendant;          /* of ours */
	int yama;                 /* kernel.yama.ptrace_scope; -1: there is none */
	int probe;                /* tracing a child of our own: 0, or -errno */
	char label[80];           /* what a security module takes us for; "": nobody asks one */
	pid_t traced_tid, tracer; /* one of its threads, and who traces that; 0: nobody */
	char tracer_comm[16];
};
void permit_find(struct permit *p, pid_t pid);
/* kernel.yama.ptrace_scope, out of the file `path`; -1: there is no such file. */
int permit_yama(const char *path);
/* A thread of `pid` that a process other than this one traces: fills traced_tid, tracer, tracer_comm; false: none. */
bool permit_traced(struct permit *p, pid_t pid);
/* The reason: the text without "process N (comm) " at its front where *of_process. False: nothing known explains it. */
bool refuse_reason(const struct permit *p, char *why, size_t size, bool *of_process);
/* 0 when /proc is there, and of our own pid namespace: only then a number means the same process to it and to us. */
int refuse_proc(struct diag *diag);
/* There is no /proc/PID, or it may not be looked into: `err` > 0. */
int refuse_unseen(pid_t pid, int err, struct diag *diag);

/* target_status() of any thread. */
int status_read(pid_t pid, struct target_status *out, bool *kernel_thread);

/* One number of /proc/PID/status, of any thread: that behind `label`; 0 when it is not there. */
u64 status_field(pid_t pid, const char *label, int base);

/*
 * A stop or an end of a thread that we trace (stop.c). Looking leaves the stop's code where it is, in the kernel, until the
 * thread is let go on: were it taken and we then killed before, the signal that it stood for would be lost
 * (kernel/signal.c, ptrace_stop(); kernel/exit.c, wait_task_stopped()).
 */
struct stop {
	pid_t tid;
	bool ended;
	int code; /* the signal, and the event << 8 */
};
/*
 * PTRACE_SEIZE of a thread of process `pid`. 0; 1: it is ours already; 2: it is now, but an execve of its own has made it the first thread of its process
 * meanwhile, by that name; -EBUSY: another traces it; -ESRCH: it has ended; -EPERM; -ETIMEDOUT: its process is in an execve
 * that does not come to an end. It may have to reap other threads of the process that we trace (stop_watch.c).
 */
int stop_seize(pid_t pid, pid_t tid, unsigned long options);
/* Who is told of those, in this thread of ours: in a signal's handler, within stop_seize(). NULL: nobody. */
typedef void (*stop_reaped_fn)(void *arg, pid_t tid);
void stop_tell_reaped(stop_reaped_fn fn, void *arg);
/* The bare PTRACE_SEIZE of a thread of process `pid`, in bounded time (stop_watch.c). 0 or -errno. */
int watch_seize(pid_t pid, pid_t tid, unsigned long options);
/*
 * Has thread `tid` (0: any that this thread of ours traces or has started) stopped or ended? One in PTRACE_LISTEN is not
 * shown again (kernel/exit.c, task_stopped_code()).
 */
bool stop_peek(pid_t tid, struct stop *out);
/* Until it has. 0; -ETIMEDOUT; -ESRCH: it is none of ours. */
int stop_wait(pid_t tid, u64 deadline, struct stop *out);
/* Between two looks at what does not stop at once: the spins-th. A stop takes microseconds, so at first it is short. */
void stop_pause(unsigned spins);
/* The signal that is about to be delivered at this stop; 0: it is another kind of stop. */
int stop_signal(const struct stop *s);
/* The thread has ended: leave no zombie. Of the first one of t the status is kept; t may be NULL. */
void stop_reap(struct target *t, pid_t tid);

/* What a filter answers to a call: a SECCOMP_RET_ value. -EINVAL: it is no filter that the kernel would take. */
struct sock_filter;
struct seccomp_data;
int seccomp_run(const struct sock_filter *code, size_t n, const struct seccomp_data *data, u32 *answer);

/* A file of /proc/PID, of any process: a descriptor or -errno; -ESRCH: there is none (proc.c). */
int proc_open(pid_t pid, const char *name, int flags);
/* The memory of t, a descriptor or -errno (memory.c). */
int mem_open(const struct target *t);

/*
 * Bytes of a mapped ELF file: a process's memory, or a buffer in the tests. All n bytes at `addr` or -errno.
 */
struct elf_source {
	int (*read)(void *arg, u64 addr, void *dst, size_t n);
	void *arg;
};
/* What the dynamic section says, with run-time addresses. */
struct elf_dynamic {
	u64 bias, symtab, strtab, strsz, hash, gnu_hash;
};
/* -ENOEXEC: not an x86-64 ELF image or nonsense in it; -ENOENT: no dynamic symbols. */
int elf_dynamic_read(const struct elf_source *src, u64 base, struct elf_dynamic *out);
int elf_symbol_find(const struct elf_source *src, const struct elf_dynamic *dyn, const char *name, u64 *addr,
		    u64 *size);

#endif
