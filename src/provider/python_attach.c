// SPDX-License-Identifier: Apache-2.0
/* The python provider while it traces: agents in and out, their sites, and the sign of life that they need. */
#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <unistd.h>

#include "provider/python_impl.h"

#define HEARTBEAT_MS 100

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

static void *heart(void *arg)
{
	struct provider_run *r = arg;
	struct pollfd end = {.fd = r->stop[0], .events = POLLIN};

	while (poll(&end, 1, HEARTBEAT_MS) <= 0) {
		pthread_mutex_lock(&r->lock);
		for (size_t i = 0; i < r->procs.n; i++)
			if (r->procs.v[i]->python)
				python_heartbeat(r->procs.v[i]->python);
		pthread_mutex_unlock(&r->lock);
	}
	return NULL;
}

static int heart_start(struct provider_run *r)
{
	if (r->beating)
		return 0;
	if (pipe2(r->stop, O_CLOEXEC))
		return diag_fail(r->env->diag, errno, "cannot make a pipe: %s", strerror(errno));

	int err = pthread_create(&r->heart, NULL, heart, r);

	if (err)
		return diag_fail(r->env->diag, err, "cannot start a thread: %s", strerror(err));
	r->beating = true;
	return 0;
}

static void heart_stop(struct provider_run *r)
{
	if (r->stop[1] >= 0)
		close(r->stop[1]);
	if (r->beating)
		pthread_join(r->heart, NULL);
	if (r->stop[0] >= 0)
		close(r->stop[0]);
	r->stop[0] = r->stop[1] = -1;
	r->beating = false;
}

static int proc_attach(struct provider_run *r, struct python_proc *p)
{
	struct provider_env *env = r->env;
	const struct python_attach_options opt = {.cancel_fd = env->cancel_fd};
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
	pthread_mutex_lock(&r->lock);
	p->python = python;
	pthread_mutex_unlock(&r->lock);
	return 0;
}

int python_group_attach(struct provider_run *r, struct provider_group *g, struct exec *e)
{
	struct python_event *ev = g->data;
	char path[PATH_MAX];
	u64 off;
	int err = heart_start(r);

	if (!err && !ev->proc->python && !ev->proc->left_out)
		err = proc_attach(r, ev->proc);
	if (err || ev->proc->left_out)
		return err;
	err = python_site(ev->proc->python, ev->event, path, sizeof(path), &off);
	if (err)
		return diag_fail(r->env->diag, -err, "cannot find the agent's site for %s in process %d: %s",
				 python_event_name(ev->event), ev->proc->pid, strerror(-err));
	return exec_attach_uprobe(e, g->cg_index, path, off, ev->proc->pid, false, r->env->diag);
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

void python_provider_detach(struct provider_run *r)
{
	for (size_t i = 0; i < r->procs.n; i++) {
		struct python_proc *p = r->procs.v[i];

		if (p->python && !p->detached)
			python_detach(p->python, r->env->diag);
		p->detached = true;
	}
	heart_stop(r); /* last: an agent must not think us dead while it is being taken out */
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
	pthread_mutex_destroy(&r->lock);
}

void python_drops(struct provider_run *r)
{
	for (size_t i = 0; i < r->procs.n; i++) {
		struct python_proc *p = r->procs.v[i];
		u64 n =
		    p->python ? __atomic_load_n(&python_page(p->python)->dropped_functions, __ATOMIC_RELAXED) : 0;

		if (n > p->dropped)
			diag_report(r->env->diag, DIAG_WARNING, NOWHERE,
				    "%llu functions of process %d are not traced: the agent's table is full",
				    (unsigned long long)(n - p->dropped), p->pid);
		p->dropped = n;
	}
}
