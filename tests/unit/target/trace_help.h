// SPDX-License-Identifier: Apache-2.0
/* For the tests of target_trace_*: workloads in child processes, and a user of the trace that counts. */
#ifndef PYDTRACE_TRACE_HELP_H
#define PYDTRACE_TRACE_HELP_H

#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/ptrace.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "target/target_impl.h"

enum { CALLS = 512 };

/* What the ops were told. */
struct seen {
	u32 enter[CALLS], leave[CALLS], unknown, ended, execed;
	u32 wrong;      /* calls that ended without having begun, or the like */
	s64 ret[CALLS]; /* of the last one */
	u64 args[CALLS][6];
	pid_t former, ended_tid;
	bool stop;      /* answer false from now on */
	s64 stop_after; /* answer false after the leave of this call; 0: never */
};

/* Memory that test and workload share. */
struct shared {
	volatile u32 ready, go, done, signals, value, loops, breaks;
	volatile u64 count;
	volatile s64 ret;
};

struct job {
	struct target_trace *tr;
	struct target *t;
	struct shared *sh;
	struct seen seen;
	pid_t pid;
	int go[2]; /* the workload reads from it: a byte each */
};

/* What was said by the diag `quiet`. */
extern char told[512];
extern struct diag quiet;

pid_t tracer_of(pid_t pid);
char state_of(pid_t pid);
/* Fork a workload; with `hold` it waits for job_go() in a spin, so that it makes no call before. */
void job_start(struct job *j, void (*work)(struct job *j));
/* In the workload: ready, and spin until job_go(). */
void job_ready(struct job *j);
void job_go(struct job *j);
/* A new trace, after the last one was closed. */
void job_open(struct job *j);
/* Open a trace; of all threads, or of the first one. */
void job_trace_all(struct job *j);
void job_trace_first(struct job *j);
/* Serve stops until the process has ended (its wait status) or so many ms are over (-1). */
int job_serve(struct job *j, u32 ms);
/* Serve until *word >= value, for at most 10 s. */
void job_serve_until(struct job *j, volatile u32 *word, u32 value);
/* The trace is closed, the process waited for: its status. */
int job_end(struct job *j);
void job_kill(struct job *j);
/* So many getppid() were seen, and nothing strange. */
void job_counted(struct job *j, u32 n);

/* So many getppid(). */
void make_calls(u32 n);
/* A thread that makes 100 of them. */
void *thread_calls(void *arg);
/* A workload: threads that make calls and threads that start threads, until `done`; then value is 77, and it exits with 7. */
void storm(struct job *j);

#endif
