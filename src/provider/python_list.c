// SPDX-License-Identifier: Apache-2.0
/* -l: the functions of live processes. An agent goes in, traces nothing, looks, and goes. */
#include <errno.h>
#include <string.h>

#include "provider/python_impl.h"

enum { LEAVE_MS = 10000 }; /* for the agent to be taken out again */

struct lister {
	struct provider_run *r;
	struct python_proc *p;
	struct python_event *wanted[WIRE_MAX_FILTERS]; /* by filter of the plan that the list is made by */
	provider_list_fn *fn;
	void *arg;
	bool enough;
};

static void list_one(void *arg, const struct python_name *name)
{
	struct lister *l = arg;

	for (int i = 0; i < WIRE_MAX_FILTERS && !l->enough; i++)
		if (name->filters >> i & 1 && l->wanted[i])
			l->enough = !l->fn(l->arg, l->wanted[i]->group->probes.v[0], name->module, name->qualname,
					   name->file, name->line);
}

static bool more(void *arg)
{
	return !((struct lister *)arg)->enough;
}

/* The descriptions of a clause that speak of an event of the process, as a filter. 0 or -errno. */
static int plan_clause(struct lister *l, struct python_plan *plan, const struct d_clause *c, enum wire_event ev)
{
	int filter = -1, err = 0;

	for (u32 i = 0; i < c->ndescs && !err; i++) {
		const struct d_desc *d = &c->descs[i];

		if (!python_desc_at(l->r, d, &l->p->event[ev]))
			continue;
		if (filter < 0)
			filter = python_plan_filter(plan, 1u << ev);
		if (filter < 0)
			return filter;
		l->wanted[filter] = &l->p->event[ev];
		err = d->by_id ? python_plan_any(plan, filter, "", "")
			       : python_plan_any(plan, filter, d->mod, d->func);
	}
	return err;
}

static int plan_all(struct lister *l, struct python_plan *plan, struct d_clause *const *clauses, size_t n)
{
	int err = 0;

	memset(l->wanted, 0, sizeof(l->wanted));
	for (size_t i = 0; i < n && !err; i++)
		for (int ev = 0; ev < WIRE_NEVENTS && !err; ev++)
			err = plan_clause(l, plan, clauses[i], (enum wire_event)ev);
	return err;
}

static int walk_refused(struct lister *l, int err, struct diag *diag)
{
	struct target *t = l->p->target;

	if (!err || err == -ECANCELED)
		return 0;
	if (err == -ENODATA) {
		diag_report(diag, DIAG_WARNING, NOWHERE,
			    "process %d (%s): there are functions that could not be listed", target_pid(t),
			    target_comm(t));
		return 0;
	}
	if (err == -ESRCH)
		return diag_fail(diag, ESRCH, "process %d (%s) has ended", target_pid(t), target_comm(t));
	if (err == -EINTR)
		return diag_fail(diag, EINTR, "interrupted while listing the functions of process %d (%s)",
				 target_pid(t), target_comm(t));
	if (err == -ENOTSUP)
		return diag_fail(diag, ENOTSUP,
				 "process %d (%s): the functions of a Python without a GIL cannot be listed",
				 target_pid(t), target_comm(t));
	return diag_fail(diag, -err, "process %d (%s): cannot list its functions: %s", target_pid(t),
			 target_comm(t), strerror(-err));
}

/* Its agent, and out again, whatever comes of it. */
static int list_process(struct lister *l, const struct python_plan *plan, struct diag *diag)
{
	const struct python_attach_options opt = {.cancel_fd = l->r->env->cancel_fd, .only_walk = true};
	struct python_walk walk = {.cancel_fd = l->r->env->cancel_fd, .each = list_one, .more = more, .arg = l};
	struct python *python;
	unsigned errors = diag->errors;
	int err, left;

	err = python_attach(&python, l->p->target, &l->p->info, plan, &opt, diag);
	if (err)
		return err;
	err = python_walk(python, &walk, diag);
	if (diag->errors == errors)
		err = walk_refused(l, err, diag);
	left = python_detach(python, LEAVE_MS, true, diag);
	python_close(python);
	return err ? err : left == -ESRCH || left == -EBUSY ? 0 : left;
}

static int list_named(struct lister *l, struct d_clause *const *clauses, size_t n, struct diag *diag)
{
	struct python_plan *plan = python_plan_new(l->r->env->strsize);
	int err = plan ? plan_all(l, plan, clauses, n) : -ENOMEM;

	if (err)
		err = diag_fail(diag, -err, "cannot plan the list of functions: %s", strerror(-err));
	else if (l->wanted[0])
		err = list_process(l, plan, diag);
	python_plan_free(plan);
	return err;
}

int python_functions_list(struct provider_run *r, struct d_clause *const *clauses, size_t n, provider_list_fn *fn,
			  void *arg)
{
	struct lister l = {.r = r, .fn = fn, .arg = arg};
	int err = 0;

	for (size_t i = 0; i < r->procs.n && !l.enough && !err; i++) {
		struct strbuf kept = {0};
		struct diag quiet = {.sink = python_keep_error, .arg = &kept};

		l.p = r->procs.v[i];
		err = list_named(&l, clauses, n, l.p->named ? r->env->diag : &quiet);
		if (err && !l.p->named && err != -EINTR) {
			python_left_out(r, DIAG_NOTE, &kept);
			err = 0;
		}
		strbuf_free(&kept);
	}
	return err;
}
