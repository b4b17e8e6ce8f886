// SPDX-License-Identifier: Apache-2.0
/*
 * The python provider: processes and their groups (python.c), their programs (python_site.c), what the agent decides for
 * us (python_filter.c), and attaching (python_attach.c).
 */
#ifndef PYDTRACE_PROVIDER_PYTHON_IMPL_H
#define PYDTRACE_PROVIDER_PYTHON_IMPL_H

#include <limits.h>

#include "provider/provider_impl.h"
#include "python/python.h"

/* A probe of ours is (process, event); functions are dynamic identities within it. */
struct python_event {
	struct python_proc *proc;
	enum wire_event event;
	struct provider_group *group;
	bool enabled; /* has a clause */
};

struct python_proc {
	pid_t pid;
	const char *prov; /* "python1234" */
	bool named;       /* by its number, not by a pattern: its end ends the run, and it must be traced */
	bool left_out;    /* matched by a pattern, and cannot be traced */
	struct target *target;
	bool own_target; /* close it */
	struct python_info info;
	struct python_plan *plan;
	struct python *python; /* attached; NULL: not (yet) */
	bool detached;
	u64 dropped;  /* functions, as last reported */
	bool gave_up; /* the agent has, and it was reported */
	struct python_event event[WIRE_NEVENTS];
};

struct provider_run {
	struct provider_env *env;
	VEC(struct python_proc *) procs;
};

extern const struct cg_group_ops python_site_ops;

int python_group_attach(struct provider_run *r, struct provider_group *g, struct exec *e);
int python_names(struct provider_run *r, const struct probe *p, u32 fid, const char **mod, const char **func);
int python_provider_detach(struct provider_run *r);
void python_provider_close(struct provider_run *r);
void python_drops(struct provider_run *r);
/* A diag sink: keep the first error in the strbuf `arg`, to be told by python_left_out() as a note. */
void python_keep_error(void *arg, enum diag_level level, const char *text);
void python_left_out(struct provider_run *r, struct strbuf *kept);

int python_filter_open(struct provider_run *r, struct provider_group *g, const struct d_clause *c);
bool python_filter_take(struct provider_run *r, struct provider_group *g, int filter, const struct d_node *n);

#endif
