// SPDX-License-Identifier: Apache-2.0
/* The python provider while it traces: agents in and out, and their sites. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "provider/python_impl.h"

/*
 * A process that only a pattern names, and that cannot be traced, is no error: what would have been one is kept, to be
 * told as a note.
 */
void python_keep_error(void *arg, enum diag_level level, const char *text)
{
	struct strbuf *kept = arg;

	if (level == DIAG_ERROR && !kept->len)
		strbuf_puts(kept, text);
}

void python_left_out(struct provider_run *r, struct strbuf *kept)
{
	static const char prefix[] = "pydtrace: ";

	if (kept->len > sizeof(prefix))
		diag_report(r->env->diag, DIAG_NOTE, NOWHERE, "note: left out: %.*s",
			    (int)strcspn(kept->s + sizeof(prefix) - 1, "\n"), kept->s + sizeof(prefix) - 1);
	strbuf_free(kept);
}

static int proc_attach(struct provider_run *r, struct python_proc *p, struct exec *e)
{
	struct provider_env *env = r->env;
	const struct python_attach_options opt = {.cancel_fd = env->cancel_fd, .mail = exec_serves(e)};
	struct strbuf kept = {0};
	struct diag quiet = {.sink = python_keep_error, .arg = &kept}, *diag = p->named ? env->diag : &quiet;
	struct python *python = NULL;
	int err;

	if (env->child && p->target == env->child_target)
		err = python_child_attach(env->child, &python, p->plan, &opt, diag);
	else
		err = python_attach(&python, p->target, &p->info, p->plan, &opt, diag);
	if (err && !p->named && err != -EINTR) {
		if (err != -ESRCH) /* it has just ended */
			python_left_out(r, &kept);
		p->left_out = true;
		err = 0;
	}
	strbuf_free(&kept);
	if (err)
		return err;
	p->python = python;
	return exec_add_process(e, p->target);
}

int python_group_attach(struct provider_run *r, struct provider_group *g, struct exec *e)
{
	struct python_event *ev = g->data;
	int err = 0;

	if (!ev->proc->python && !ev->proc->left_out)
		err = proc_attach(r, ev->proc, e);
	if (err || ev->proc->left_out)
		return err;
	return exec_attach_site(e, g->cg_index, ev->proc->python, ev->proc->target, ev->event, r->env->diag);
}

int python_names(struct provider_run *r, const struct probe *p, u32 fid, const char **mod, const char **func)
{
	const struct python_event *e = p->group->data;
	const struct python *python = e->proc->python;
	const struct wire_function *f = python ? python_function(python, fid) : NULL;

	if (!f)
		return -ENOENT;
	*mod = python_text(python, f->module);
	*func = python_text(python, f->qualname);
	return 0;
}

/* Events of process `p` that were lost since this was last called. */
static void proc_drops(struct provider_run *r, struct python_proc *p)
{
	u64 n = __atomic_load_n(&python_page(p->python)->dropped_events, __ATOMIC_RELAXED), lost = n - p->dropped;

	if (n > p->dropped)
		diag_report(r->env->diag, DIAG_NOTE, NOWHERE,
			    "%llu python drop%s in process %d (more functions match than the agent has room for)",
			    (unsigned long long)lost, lost > 1 ? "s" : "", p->pid);
	p->dropped = n;
}

/* What process `p` has lost since this was last called. */
static void proc_losses(struct provider_run *r, struct python_proc *p)
{
	const struct wire_page *page = p->python && !p->detached ? python_page(p->python) : NULL;

	if (!page)
		return;
	if (python_page_check(p->python, r->env->diag))
		return;
	proc_drops(r, p);
	if (__atomic_load_n(&page->state, __ATOMIC_ACQUIRE) == WIRE_INERT && !p->gave_up) {
		p->gave_up = true;
		diag_report(r->env->diag, DIAG_WARNING, NOWHERE, "process %d: %.*s", p->pid,
			    (int)sizeof(page->message), page->message);
	}
}

void python_drops(struct provider_run *r)
{
	for (size_t i = 0; i < r->procs.n; i++)
		proc_losses(r, r->procs.v[i]);
}

/* An agent that had to stay, inert, is no error (-EBUSY), nor is a process that has ended. */
int python_provider_detach(struct provider_run *r)
{
	int err = 0;

	for (size_t i = 0; i < r->procs.n; i++) {
		struct python_proc *p = r->procs.v[i];

		proc_losses(r, p); /* the last chance: the agent goes now */
		if (p->python && !p->detached) {
			int ret = python_detach(p->python, r->env->diag);

			if (ret && ret != -ESRCH && ret != -EBUSY)
				err = ret;
			proc_drops(r, p); /* until the events were off */
		}
		p->detached = true;
	}
	return err;
}

void python_provider_close(struct provider_run *r)
{
	python_provider_detach(r);
	for (size_t i = 0; i < r->procs.n; i++) {
		struct python_proc *p = r->procs.v[i];

		if (p->python)
			python_close(p->python);
		python_plan_free(p->plan);
		if (p->own_target)
			target_close(p->target);
	}
}
