// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of session/ share. The stages of a run, in order, each a file:
 *
 *   process.c    -c and -p: the processes that the user names   list.c     -l
 *   source.c     texts of the script, C preprocessor            dump.c     -x dump, -S, -v
 *   providers.c  opened, and what they call                     signals.c  what ends a run
 *   plan.c       clauses -> probes, by group                    output.c   -o, and the last flush
 *   enable.c     probes -> enablings
 *   run.c        load, attach, the loop, and out again          records.c  the consumer, and what it asks
 */
#ifndef PYDTRACE_SESSION_IMPL_H
#define PYDTRACE_SESSION_IMPL_H

#include <pthread.h>
#include <signal.h>

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

struct session {
	struct session_config *cfg;
	struct diag *diag;
	struct arena *arena;
	const struct exec_ops *exec_ops;
	FILE *out;

	/* processes */
	struct python_child *child;
	struct target *child_target;
	struct python_info child_python;
	bool child_is_python, child_released;
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
	int sigfd, signals, null; /* a signalfd; what polls readable after a signal; /dev/null. -1: none */
	pthread_t signal_thread, main_thread;
	bool signal_thread_runs, mask_set, printing;
	u32 interrupts; /* signals so far */
	sigset_t old_mask;
	int status;
};

/* From here on a signal is only counted and makes `signals` readable; the first ends the tracing by itself. */
int session_signals_block(struct session *s);
void session_signals_stop(struct session *s); /* from here on they are only held back */
void session_signals_close(struct session *s);

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
