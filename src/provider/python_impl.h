// SPDX-License-Identifier: Apache-2.0
/*
 * The python provider: processes and their groups (python.c), their programs (python_site.c), what the agent decides for
 * us (python_filter.c), attaching (python_attach.c), and the threads that do that (python_join.c).
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

/* A description of a clause, as the filter that was made of it for an event has it. */
struct python_wish {
	struct python_event *event;
	const struct d_clause *clause;
	const struct d_desc *desc;
	int filter;
	u32 nth; /* of the filter's descriptions */
};
/* A conjunct of its predicate that compares a name with a constant. */
struct python_name_wish {
	struct python_event *event;
	int filter;
	enum wire_field field;
	const char *text;
};
/* Functions of a process that match the same filters. */
struct python_tally {
	u64 filters, n;
};

enum python_proc_state {
	PROC_NEW,
	PROC_ASKED, /* a thread attaches it (python_join.c), and until it is done nobody else looks at `python` */
	PROC_DONE,
	PROC_ON,  /* its events come */
	PROC_OUT, /* it cannot be traced */
};

struct python_proc {
	pid_t pid;
	const char *prov; /* "python1234" */
	bool later;       /* "python*": no process, but those that start later share its probes */
	bool bare;        /* it is no Python; what descends from it may be (-x follow) */
	bool starting;    /* it was seen to make its execve */
	bool clean;       /* only what it has inherited of ours is to be taken out of it */
	bool named;       /* by its number, not by a pattern: its end ends the run, and it must be traced */
	bool is_target;   /* by -p or -c */
	enum python_proc_state state;
	int err;                  /* PROC_DONE: of the attach */
	struct strbuf kept;       /* what was said of that */
	struct python_proc *next; /* in a queue of python_join.c */
	/* Whose probes, programs and plan it shares: itself, or the named process that it descends from. */
	struct python_proc *of;
	u32 fid_base;       /* of its functions, among those that share them */
	u32 children;       /* that run Python, so far */
	u64 children_since; /* when the first was seen */
	bool told_children;
	u32 sharing; /* how many have come to share ours, with us */
	struct target *target;
	bool own_target; /* close it */
	struct python_info info;
	struct python_plan *plan;
	struct python *python; /* attached; NULL: not (yet) */
	bool detached;
	bool told_leave; /* that it takes long to leave it */
	u64 dropped;     /* functions, as last reported */
	bool gave_up;    /* the agent has, and it was reported */
	/* of its functions, as they were found; `exist` 0: they were not looked for */
	VEC(struct python_tally) tallies;
	u64 exist;
	bool partial;
	struct python_event event[WIRE_NEVENTS];
};

struct python_found;

struct provider_run {
	struct provider_env *env;
	VEC(struct python_proc *) procs;
	bool attached, running;   /* asked for; and those that came at once are on */
	struct python_join *join; /* NULL: nothing was asked of it yet */
	bool hurries;
	bool ending;                 /* nothing is attached any more */
	bool mail;                   /* events are handed over by mail */
	struct python_kin *kin[256]; /* descendants of those that are named, by number */
	size_t nkin;                 /* that live */
	u64 next_look;
	u64 last_image;               /* when a process was seen with a new image */
	struct target_births *births; /* NULL: not told */
	bool births_lost;
	u64 next_everywhere;
	int ready_fd, fd; /* readable when there is a result; the same, or when births are told. -1: none */
	VEC(struct python_wish) wishes;
	VEC(struct python_name_wish) name_wishes;
	struct python_found *found; /* names of functions; NULL: none */
};

/* True if the description speaks of the process. */
bool python_desc_names(const struct provider_run *r, const struct d_desc *d, const struct python_proc *p);

/* python_join.c; after python_owner_here(). 0 or -errno. */
int python_join_ask(struct provider_run *r, struct python_proc *p, bool mail);
/* Until there is a result, or all that were asked for are done, or until then. How many are not. */
size_t python_join_wait(struct provider_run *r, u64 deadline);
struct python_proc *python_join_next(struct provider_run *r); /* one that is done; NULL: there is none now */
void python_join_settle(struct provider_run *r, struct python_proc *p, enum python_proc_state state);
void python_join_end(struct provider_run *r); /* gives up what is not done */
/* python_family.c: look for descendants, if it is time to; `tell`: now, and say what there is to be said of them. */
void python_family_look(struct provider_run *r, bool tell);
void python_family_open(struct provider_run *r); /* be told of births, where that can be had */
void python_family_close(struct provider_run *r);
size_t python_family_alive(const struct provider_run *r); /* that run Python */
void python_family_clean(struct provider_run *r);         /* at the end, when nobody is held any more */
/* Has it a libpython or a python executable mapped? And (may be NULL) an agent? By their names; costs little. */
bool python_looks_like(pid_t pid, bool *inherits);

void python_hurry(void); /* the calling thread */
/* With -v: who comes and goes. */
void python_tell(struct provider_run *r, const char *fmt, ...) PRINTF_LIKE(2, 3);
/* python_attach.c: the agent of `p`, in any thread. 0, or -errno with a message. */
int python_proc_load(struct provider_run *r, struct python_proc *p, bool mail, int cancel_fd, struct diag *diag);

extern const struct cg_group_ops python_site_ops;

int python_group_attach(struct provider_run *r, struct provider_group *g, struct exec *e);
int python_names(struct provider_run *r, const struct probe *p, u32 fid, const char **mod, const char **func);
int python_provider_detach(struct provider_run *r);
void python_provider_left(struct provider_run *r, void (*fn)(void *arg, pid_t pid, const char *comm), void *arg);
void python_provider_close(struct provider_run *r);
s64 python_timeout(struct provider_run *r);
int python_tick(struct provider_run *r, struct exec *e);
void python_drops(struct provider_run *r);
/* A diag sink: keep the first error in the strbuf `arg`, to be told by python_left_out() as a note. */
void python_keep_error(void *arg, enum diag_level level, const char *text);
void python_left_out(struct provider_run *r, enum diag_level level, struct strbuf *kept);

/* python_functions.c */
void python_functions_find(struct provider_run *r);
bool python_functions_count(struct provider_run *r, struct d_clause *const *clauses, size_t n,
			    struct provider_functions *out);
int python_functions_matched(struct provider_run *r, const struct d_desc *d);
/* python_list.c */
int python_functions_list(struct provider_run *r, struct d_clause *const *clauses, size_t n, provider_list_fn *fn,
			  void *arg);
/* python_near.c: names of functions that were found, some of them at least, to be compared with what was asked for. */
void python_found_add(struct provider_run *r, const char *mod, const char *func);
const char *python_near(struct provider_run *r, struct d_clause *const *clauses, size_t n);
void python_found_free(struct provider_run *r);

/* True if the description speaks of this event of its process. */
bool python_desc_at(const struct provider_run *r, const struct d_desc *d, const struct python_event *e);
int python_filter_open(struct provider_run *r, struct provider_group *g, const struct d_clause *c);
bool python_filter_take(struct provider_run *r, struct provider_group *g, int filter, const struct d_node *n);

#endif
