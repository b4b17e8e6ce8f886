// SPDX-License-Identifier: Apache-2.0
/*
 * Providers: what can be probed. One file and one const table each; session/ walks provider_table[] and knows
 * none by name. A provider turns probe descriptions into probes, puts them into groups (codegen.h), gives the code that
 * turns a context into arguments, and attaches the group's program.
 */
#ifndef PYDTRACE_PROVIDER_H
#define PYDTRACE_PROVIDER_H

#include "codegen/codegen.h"
#include "exec/exec.h"

struct provider_run;   /* what a provider keeps for one session; its own */
struct provider_group; /* below */

struct probe {
	const char *prov, *mod, *func, *name;
	u32 id; /* the D `id`; the session numbers them */
	struct provider_group *group;
	u32 index; /* in the group */
	u32 nargs;
	const char *const *arg_types; /* nargs D type names: what args[n] is; NULL: all int64_t */
};

struct provider_group {
	const struct provider *provider;
	const char *name;
	enum asm_prog_kind kind;
	const struct cg_group_ops *ops;
	void *data;
	bool always, irq_context, by_thread; /* as in struct cg_group */
	VEC(struct probe *) probes;          /* by index; every probe that the group can fire, matched or not */
	/* filled by the session */
	u32 cg_index; /* number of the group's program */
};

/* What the session offers to a provider. */
struct provider_env {
	struct arena *arena;
	struct diag *diag;
	pid_t target_pid; /* $target; 0: none */
	/* -c: the held child (python/python.h); NULL: there is none */
	struct python_child *child;
	struct target *child_target;
	const struct python_info *child_python; /* NULL: it is no Python */
	u32 strsize;
	int cancel_fd; /* polls readable when the user wants no more */
	bool listing;  /* -l: name all that exists, functions too */
	/* Add a group / a probe to a group (probes may be added to groups while expanding only). */
	struct provider_group *(*add_group)(struct provider_env *env, const struct provider_group *g);
	struct probe *(*add_probe)(struct provider_env *env, struct provider_group *g, const struct probe *p);
};

struct provider {
	const char *name;
	/* For --help and -l: one line. */
	const char *summary;
	/*
	 * What a script loses where only single processes can be seen (completes "without eBPF ..."): "system calls of
	 * other processes are not seen". NULL: nothing.
	 */
	const char *only_kernel;
	/* Can probe a process only where its Python is ready: -c follows its child there before probes are looked for. */
	bool needs_python;
	/* Does a description with this provider field (a pattern; "" is any) speak of us? "python1234" does of python. */
	bool (*claims)(const char *prov);
	int (*open)(struct provider_run **out, struct provider_env *env);
	/*
	 * Call `found` for each probe that `d` matches. 0, or -errno with a located message. A description that matches nothing
	 * is no error here: the session says so.
	 */
	int (*expand)(struct provider_run *r, const struct d_desc *d, void (*found)(void *arg, struct probe *p),
		      void *arg);
	/*
	 * May the provider decide things once per function, instead of at each firing? filter_open() makes a filter of what
	 * the descriptions of clause `c` say about group `g`: its bit, or -errno with a message. filter_take() adds conjunct
	 * `n` of its predicate: true: taken, and left out of the program. NULL: every event of the group counts.
	 */
	int (*filter_open)(struct provider_run *r, struct provider_group *g, const struct d_clause *c);
	bool (*filter_take)(struct provider_run *r, struct provider_group *g, int filter, const struct d_node *n);
	/* Attach the program of the group. Called after the load, in the order of the table. */
	int (*attach)(struct provider_run *r, struct provider_group *g, struct exec *e);
	/* The names of a dynamic function of `p`; 0 or -ENOENT. NULL: there are none. */
	int (*names)(struct provider_run *r, const struct probe *p, u32 fid, const char **mod, const char **func);
	/* Undo attach (links of the exec are already off). Idempotent. 0, or -errno with a message: something was left behind. */
	int (*detach)(struct provider_run *r);
	void (*close)(struct provider_run *r);
	/* What was lost at the provider's side since the last call, reported on diag ("N functions not traced: ..."). */
	void (*drops)(struct provider_run *r);
	/* Nanoseconds to the next time-driven firing, and who fires: tick-N. -1: none. */
	s64 (*timeout)(struct provider_run *r);
	int (*tick)(struct provider_run *r, struct exec *e);
	/* Call fn with a pidfd of each process that the script names: when all have ended, the run ends. */
	void (*watch)(struct provider_run *r, void (*fn)(void *arg, int pidfd), void *arg);
};

extern const struct provider provider_dtrace, provider_syscall, provider_python, provider_profile;
extern const struct provider *const provider_table[]; /* NULL-terminated */

#endif
