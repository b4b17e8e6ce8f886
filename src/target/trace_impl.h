// SPDX-License-Identifier: Apache-2.0
/*
 * The table of threads that are seized. trace.c opens and arms, trace_close.c lets go; trace_table.c finds a row;
 * trace_stop.c has a handler for each kind of stop; trace_call.c makes calls that begin and end of the stops at the
 * kernel's entry and exit.
 */
#ifndef PYDTRACE_TARGET_TRACE_IMPL_H
#define PYDTRACE_TARGET_TRACE_IMPL_H

#include <sys/ptrace.h>

#include "target/target_impl.h"

/* A call that has begun, or was found under way, and has not ended. */
enum call_state {
	CALL_LIVE,   /* in the kernel */
	CALL_BROKEN, /* it stopped at its exit with ERESTARTSYS or its like, and no more is known yet */
	CALL_HANDLER, /* a signal's handler runs; the call's end is decided, but shows only when the handler returns */
	CALL_AGAIN    /* the handler has returned to the call's instruction */
};
struct trace_call {
	struct target_syscall c;
	enum call_state state;
	bool begun; /* enter() was called for it */
};

enum {
	TRACE_CALLS =
	    8, /* of one thread, each but the last below a signal's handler; more: the oldest is given up */
	TRACE_BUCKETS = 1024,
	STOP_MS = 2000, /* how long the end of a trace waits for stops */
	END_MS = 300    /* where it may go on beside something else */
};

struct trace_process {
	struct trace_process *next;
	struct target *t;
	u64 own_ip;
	bool all; /* target_trace_all() */
};

struct trace_row {
	struct target_thread th;       /* process == NULL: a child that PTRACE_O_TRACECLONE caught, to be let go */
	struct trace_row *chain;       /* in its bucket */
	struct trace_row *prev, *next; /* all */
	struct trace_process *p;
	bool armed;       /* its calls are wanted */
	bool reaped;      /* it has ended, and stop_seize() had to reap it: there will be no stop */
	bool fresh;       /* its first stop since it was seized or armed is still to come: is it in a call? */
	bool set_options; /* at its first stop */
	bool syscalls;    /* it runs by PTRACE_SYSCALL (else PTRACE_CONT) */
	bool own;         /* in a call of our own instruction */
	u32 quiet;        /* stops at calls while not armed */
	size_t ncalls;
	struct trace_call calls[TRACE_CALLS]; /* the innermost last */
};

struct target_trace {
	const struct target_trace_ops *ops;
	void *arg;
	struct trace_row *bucket[TRACE_BUCKETS];
	struct trace_row *first,
	    *cursor; /* cursor: who is next in a round (see stop_next()); NULL: there is none */
	struct trace_process *processes;
	u32 nthreads;
	u32 pause;   /* stops until the next round */
	u32 favours; /* stops in which the favourite might have come first */
	pid_t favourite;
	bool checked, blind; /* checked: is the kernel blind, without PTRACE_GET_SYSCALL_INFO (Linux 5.3)? */
	bool ending;         /* target_trace_end(): who stops is let go */
	bool reaped;         /* a row is */
	bool opening;        /* within target_trace_all() or _arm(): nothing is reported */
};

/* PTRACE_O_*: what the threads of a process are seized with (trace.c). */
unsigned long trace_options(const struct trace_process *p);

/* trace_table.c */
struct trace_row *row_find(struct target_trace *tr, pid_t tid);
/* NULL: no memory. p may be NULL. */
struct trace_row *row_add(struct target_trace *tr, struct trace_process *p, pid_t tid);
void row_rename(struct target_trace *tr, struct trace_row *r, pid_t tid);
/* An execve of thread r made it the first thread of process `pid`: the row of that one, if any, goes. */
void row_succeed(struct target_trace *tr, struct trace_row *r, pid_t pid);
/* stop_reaped_fn: mark the row. */
void row_reaped(void *trace, pid_t tid);
/* The rows so marked go. */
void rows_drop_reaped(struct target_trace *tr);
/* `told`: by ops->ended. */
void row_remove(struct target_trace *tr, struct trace_row *r, bool told);
/* The process's entry, made when it is not there; NULL: no memory. */
struct trace_process *trace_process_get(struct target_trace *tr, struct target *t);
/* The process with that pid for which target_trace_all() was called, or NULL. */
struct trace_process *trace_process_all(struct target_trace *tr, pid_t pid);
/* Is a thread of the process in the table? */
bool trace_has_process(struct target_trace *tr, pid_t pid);

/* trace_stop.c */
/* The next one of the table, or one that stop_handle() has a use for. */
bool stop_next(struct target_trace *tr, struct stop *out);
/* Deal with it. False: it is none of ours. */
bool stop_handle(struct target_trace *tr, const struct stop *s);
/* The thread stands in a stop: find out whether the kernel tells of calls. */
void stop_check(struct target_trace *tr, pid_t tid);
/* Let the thread go, or take note of its end; its row is gone then. False: it is none of ours. */
bool stop_release(struct target_trace *tr, const struct stop *s);

/* trace_close.c */
/* Let the threads of process p (NULL: all) go. Those that do not stop in time stay in the table. */
void rows_release(struct target_trace *tr, const struct trace_process *p, u32 ms);

/* trace_call.c */
/* A stop at a call's entry or exit. */
void call_stop(struct target_trace *tr, struct trace_row *r);
/* The first stop of a thread that was not seized or not armed before: what is under way? */
void call_look(struct target_trace *tr, struct trace_row *r);
/* A signal is about to be delivered: does it begin a handler on top of a call? */
void call_signal(struct trace_row *r, int sig);
/* The image was replaced: what was under way is gone, but for the execve itself. */
void call_exec(struct trace_row *r);
/* Is it necessary to stop at the calls of this thread? */
bool call_wanted(struct trace_row *r);

#endif
