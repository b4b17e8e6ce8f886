// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of session/ share. The stages of a run, in order, each a file:
 *
 *   process.c    -c and -p: the processes that the user names   list.c     -l
 *   source.c     texts of the script, C preprocessor            dump.c     -x dump, -S, -v
 *   providers.c  opened, and what they call                     signals.c  what ends a run
 *   plan.c       clauses -> probes, by group                    output.c   -o, and the last flush
 *   choose.c     who runs the programs: the kernel, or the vm   notice.c   what is said when it is the vm
 *   enable.c     probes -> enablings                            records.c  the consumer, and what it asks
 *   run.c        load, attach, and out again                    loop.c     while it runs (run_impl.h)
 *   stops.c      Ctrl-Z                                         watch.c    what ends a SIGSTOP
 */
#ifndef PYDTRACE_SESSION_IMPL_H
#define PYDTRACE_SESSION_IMPL_H

#include <pthread.h>
#include <semaphore.h>
#include <signal.h>

#include "bpf/bpf.h"
#include "consumer/consumer.h"
#include "provider/provider.h"
#include "python/python.h"
#include "session/session.h"

struct session_text {            /* a program of the configuration, read */
	const char *desc, *name; /* as in "script 'x.d' matched 3 probes" */
	size_t first, n;         /* its clauses */
	u64 matches;
};

struct session_provider {
	const struct provider *ops;
	struct provider_run *run;
};

/* A clause's probes in one group. */
struct session_match {
	struct provider_group *group;
	u64 *set; /* bit n: probe n of the group */
	u32 n;
};
struct session_clause {
	const struct d_clause *clause;
	VEC(struct session_match) matches;
};

/* What stops this process (stops.c). */
struct session_stops {
	pthread_mutex_t lock; /* held while we are stopped */
	bool holds;           /* threads of other processes would stand while we do */
	struct exec *served;  /* who holds them, and can be told to let go; NULL: nobody */
	int wanted;           /* the signal that is to stop us, 0: none; without the lock */
	u32 continued;        /* how often SIGCONT has come; without the lock */
};

/* A process that wakes us up when we are stopped and hold others (watch.c). */
struct session_watch {
	pid_t pid;
	u32 *holds; /* shared with it, a futex; NULL: there is none */
};

struct session {
	struct session_config *cfg;
	struct diag *diag;
	struct arena *arena;
	FILE *out;

	/* who runs the programs */
	const struct exec_ops *exec_ops;
	const char *exec_why;                             /* why it is not the kernel: "no CAP_BPF"; NULL: it is */
	const char *exec_caps;                            /* the capabilities that would help; NULL: none would */
	int (*exec_lack)(u32 need, struct bpf_lack *out); /* bpf_caps_lack() */

	/* processes */
	struct python_child *child;
	struct target *child_target;
	struct python_info child_python;
	bool child_is_python;
	VEC(struct target *) grabbed;

	/* the script */
	struct d_program prog;
	struct d_macros macros;
	VEC(struct session_text) texts;

	/* probes */
	struct provider_env env;
	VEC(struct session_provider) providers;
	VEC(struct provider_group *) groups;
	VEC(struct probe *) probes;         /* by id - 1 */
	VEC(struct session_clause) clauses; /* by d_clause, in the program's order */

	/* compiled */
	VEC(struct cg_group) cg_groups;
	VEC(struct provider_group *) used; /* by cg_index */
	VEC(struct cg_enabling) enablings;
	struct cg_input in;
	struct cg_output cg;

	/* running */
	struct exec *exec;
	struct consumer *consumer;
	struct cg_state *state;
	int signals, null; /* what polls readable after a signal; /dev/null. -1: none */
	sigset_t end_signals, stop_signals;
	pthread_t signal_thread;
	sem_t signal_thread_ready; /* posted by it: nothing may be held before the watch has begun */
	bool signal_thread_runs, mask_set;
	pid_t printer;  /* the thread of ours that may be stuck in a write; 0: none */
	u32 interrupts; /* signals so far */
	sigset_t old_mask;
	struct session_stops stops;
	struct session_watch watch;
	int status;
};

/* From here on a signal is only counted and makes `signals` readable; the first ends the tracing by itself. */
int session_signals_block(struct session *s);
/*
 * No more is read from the terminal. Until now SIGTTIN, which the kernel sends to who reads there in the background, stops us at
 * once: were it blocked, the read would fail (drivers/tty/tty_jobctrl.c, __tty_check_change()).
 */
int session_signals_input(struct session *s);
void session_signals_stop(struct session *s); /* from here on they are only held back */
void session_signals_close(struct session *s);
/* Hold all signals back in this thread, for one that it is about to start; not the one that gets a printer out of a write. */
void session_signals_hold(sigset_t *old, bool prints);

/* Those that stop us, unless somebody has set them to be ignored, and SIGCONT. */
void session_stops_set(sigset_t *set);
/* One of them has come. In the thread of signals.c: may stop us. */
void session_stops_signal(struct session *s, const siginfo_t *si);
/*
 * From here on threads of other processes may be held, so that nothing may stop us; or not any more: a stop that was wanted
 * meanwhile happens now.
 */
void session_hold(struct session *s, bool holds);
/* While it is held: who brings events, and is to leave exec_serve() when a stop is wanted. NULL: nobody. */
void session_stops_serve(struct session *s, struct exec *e);
bool session_stop_wanted(const struct session *s);
/*
 * While it is held, and all was let go of: be stopped, if that is still wanted, and go on when SIGCONT has come. False: the
 * kernel has not done it, as nobody could continue us (an orphaned process group), or it was not wanted any more.
 */
bool session_stop(struct session *s);

/* It ends with the thread that calls this. 0 or -errno: then a SIGSTOP lasts for those that we hold, too. */
int session_watch_start(struct session_watch *w);
void session_watch_hold(struct session_watch *w, bool holds);
void session_watch_end(struct session_watch *w);

/* An executor that the user names, and may it be used here? Before any process is touched. */
int session_exec_force(struct session *s);
/* Otherwise: the best that may be used, for the probes that were found. */
int session_exec_choose(struct session *s);

/* Grab what -p names and start what -c does. */
int session_processes_open(struct session *s);
int session_child_follow(struct session *s);
void session_processes_close(struct session *s);
/* 0 and the number; or -EINVAL with a message. */
int session_pid_parse(const char *text, pid_t *out, struct diag *diag);
/* Words of a command line, with the shell's quotes; NULL-terminated. 0 or -EINVAL with a message. */
int session_words_split(struct arena *a, const char *text, char ***out, struct diag *diag);

/* Read and parse all programs; apply the options that they set. */
int session_sources_parse(struct session *s);

/* Open all, in the order of their table. 0 or -errno with a message. */
int session_providers_open(struct session *s);
void session_providers_close(struct session *s);
/* The one that is open, by its table; NULL: there is none. */
struct session_provider *session_provider_of(struct session *s, const struct provider *ops);

/* Find the probes of each clause. */
int session_plan_expand(struct session *s);
/* d_check(), with the arguments of the probes that were found. */
int session_plan_resolve(struct session *s);
/* After that: open the executor, make the enablings and filters, and fill in what cg_generate() is to have. */
int session_enable(struct session *s);
/* The group of a probe that the session itself fires ("BEGIN", "END", "ERROR"), if some clause is at it; or NULL. */
const struct provider_group *session_group(const struct session *s, const char *name);

int session_list(struct session *s);     /* -l */
int session_dump(struct session *s);     /* -x dump, -S */
void session_explain(struct session *s); /* -v */

/* Are there probes whose events are dear where the kernel does not run the programs (cg_group.by_thread)? */
bool session_traces_threads(const struct session *s);
/* Is there anything to see for them? 0 or -errno with a message. */
int session_scope_check(struct session *s);
void session_scope_note(struct session *s); /* what is seen of them, in one line */
/* For so many ns nothing was seen of the processes, because we were stopped, or were to be. */
void session_stop_note(struct session *s, bool stopped, u64 ns);
void session_scope_explain(struct session *s); /* -v: what else is different */

/* The consumer of the loaded programs, into s->consumer. */
int session_consumer_open(struct session *s);
/* From the load to the last line. 0 or -errno, said already. */
int session_trace(struct session *s);

/* The file of -o, or standard output. */
int session_output_open(struct session *s);
/* `err`, or what closing says when that is 0. */
int session_output_close(struct session *s, int err);
/* Flush the output. `err`: what writing has said so far. Says so when it failed; a reader that went away is -EPIPE and no message. */
int session_flush(struct session *s, int err);

#endif
