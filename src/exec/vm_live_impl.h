// SPDX-License-Identifier: Apache-2.0
/*
 * Events from other processes, brought to the programs of the vm: the agents hand theirs over (python_mail), system calls
 * come by ptrace (target_trace), time is our own clock. All of it happens in one thread, the one that calls exec_serve().
 *
 *   vm_live.c     what is attached; start and detach      vm_threads.c  the threads that programs have met
 *   vm_site.c     an agent's event                        vm_syscall.c  a system call
 *   vm_clock.c    profile-N                               vm_serve.c    the loop, and its sleep
 *   vm_bell.c     how an agent ends that sleep            vm_pause.c    while this process is stopped
 */
#ifndef PYDTRACE_EXEC_VM_LIVE_IMPL_H
#define PYDTRACE_EXEC_VM_LIVE_IMPL_H

#include "exec/vm_impl.h"

#define VM_NO_PROG UINT32_MAX

/* A thread of another process that an event came from. */
struct vm_thread {
	struct vm_thread *next; /* in its bucket of vm_live.threads */
	struct target *process;
	pid_t tid, own_tid; /* as we, and as its own pid namespace, name it */
	u64 cookie;
	u32 known, cpu; /* EXEC_CPU: what the event said itself */
	bool matters;   /* what vm_gate_open() said last */
	bool traced;    /* target_trace knows of us, and says when it is over */
};

/* An agent whose events come by mail. */
struct vm_site {
	struct python *python;
	struct target *process;
	u32 prog[WIRE_NEVENTS];
	bool foreign_tids; /* its pid namespace is not ours */
};

struct vm_clock {
	u32 prog;
	int cpu; /* -1: each */
	u64 period, next;
};

/* The raw tracepoints that there are here. */
enum vm_point { VM_SYS_ENTER, VM_SYS_EXIT, VM_PROCESS_EXIT, VM_NPOINTS };

#define VM_THREAD_BUCKETS 256

#define LIST(type)                                                                                                 \
	struct {                                                                                                   \
		type *v;                                                                                           \
		size_t n;                                                                                          \
	}

struct vm_live {
	LIST(struct target *) processes;
	LIST(struct vm_site) sites;
	LIST(struct vm_clock) clocks;
	u32 point[VM_NPOINTS]; /* programs */
	u32 gate;
	struct target_trace *trace; /* NULL: system calls are not looked at */
	struct vm_thread *threads[VM_THREAD_BUCKETS];
	u64 next_cookie, next_reap;
	u32 nuntraced; /* of the threads: nobody says when these end */
	u64 lost;
	struct vm_bell *bell; /* NULL: no agent, or not serving */
	pthread_t server;     /* while it is `serving` */
	bool serving;
	bool over;    /* exec_serve_end() was called */
	bool broken;  /* exec_serve_break() was */
	bool lingers; /* detached, but some threads could not be let go yet */
};

/* vm_live.c: the methods of the executor */
int vm_live_open(struct vm *vm);
void vm_live_close(struct vm *vm);
int vm_attach_raw_tracepoint(struct exec *e, u32 prog, const char *name, struct diag *diag);
int vm_attach_site(struct exec *e, u32 prog, struct python *p, struct target *t, enum wire_event ev,
		   struct diag *diag);
int vm_attach_clock(struct exec *e, u32 prog, int cpu, u64 ns, struct diag *diag);
int vm_add_process(struct exec *e, struct target *t);
void vm_set_gate(struct exec *e, u32 prog);
int vm_start(struct exec *e, struct diag *diag);
u64 vm_lost(struct exec *e);
void vm_detach(struct exec *e);
bool vm_lingers(struct exec *e);
/* All calls of all threads of the processes. 0, or the first error: each is said. */
int vm_trace_processes(struct vm *vm, struct diag *diag);

/* vm_bell.c: from here on the calling thread is sent SIGCHLD when an agent rings. 0 or -errno. */
int vm_bell_start(struct vm_live *l);
void vm_bell_stop(struct vm_live *l);
/* Agents ring while we are asleep. */
void vm_bell_asleep(struct vm_live *l, bool yes);
/* Has some agent not been answered? While we are asleep that is certain: who asks later rings. */
bool vm_bell_waits(const struct vm_live *l);

/* vm_serve.c */
int vm_serve(struct exec *e);
void vm_serve_end(struct exec *e);
void vm_serve_break(struct exec *e);

/* vm_pause.c */
bool vm_pause(struct exec *e);
void vm_resume(struct exec *e, struct diag *diag);

/* vm_threads.c */
/* Run a program in thread `th`, whose memory its process gives. */
int vm_run_in(struct vm *vm, u32 prog, const void *ctx, u32 size, struct vm_thread *th, u64 *r0);
void vm_lose(struct vm *vm); /* one event could not be brought to its program */
/* The record of a thread, by either of its names; NULL: there is no such thread in the process. */
struct vm_thread *vm_thread_get(struct vm *vm, struct target *process, pid_t tid);
struct vm_thread *vm_thread_named(struct vm *vm, const struct vm_site *s, pid_t own_tid);
/* It has become what its process is called: exec. */
void vm_thread_rename(struct vm *vm, struct vm_thread *th, pid_t tid);
/* target_trace knows of the thread, or no more. */
void vm_thread_traced(struct vm *vm, struct vm_thread *th, bool traced);
/* Forget one that is not traced any more, if it has ended; or all such, once the time has come. */
void vm_thread_reap(struct vm *vm, struct vm_thread *th);
void vm_threads_reap(struct vm *vm, u64 now);
void vm_threads_forget(struct vm *vm); /* as if all had ended */
void vm_threads_free(struct vm *vm);
bool vm_foreign_tids(struct target *t); /* is its pid namespace another than ours? */

/* vm_site.c: the event that waits, if there is one. */
bool vm_site_take(struct vm *vm, struct vm_site *s);

/* vm_syscall.c */
extern const struct target_trace_ops vm_trace_ops;
/* Does some program look at the system calls of this thread now? After a program has run in it: nothing else changes that. */
bool vm_gate_open(struct vm *vm, struct vm_thread *th);

/* vm_clock.c: fire what is due. How many that were. */
u32 vm_clocks_fire(struct vm *vm, u64 now);
u64 vm_clocks_next(const struct vm *vm); /* when the next one is due; UINT64_MAX: never */

#endif
