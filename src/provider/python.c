// SPDX-License-Identifier: Apache-2.0
/*
 * python<PID>:module:function:function-entry and function-return. The agent in the process (agent/) passes each event
 * of a function that is wanted through a site, an empty function that a uprobe sits on; our program takes the arguments
 * of the site (agent/wire.h) from the registers.
 */
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "provider/python_impl.h"

static const char *const event_names[] = {
    [WIRE_ENTRY] = "function-entry",
    [WIRE_RETURN] = "function-return",
};
_Static_assert(ARRAY_SIZE(event_names) == WIRE_NEVENTS, "an event without a name");

static const char *const event_arg_types[] = {"uintptr_t", "uintptr_t", "int64_t", "int", "uint64_t"};

static bool python_claims(const char *prov)
{
	return !strncmp(prov, "python", 6);
}

static int python_open(struct provider_run **out, struct provider_env *env)
{
	struct provider_run *r = arena_alloc(env->arena, sizeof(*r));

	r->env = env;
	r->fd = r->ready_fd = -1;
	*out = r;
	return 0;
}

static struct python_proc *proc_by_pid(struct provider_run *r, pid_t pid)
{
	for (size_t i = 0; i < r->procs.n; i++)
		if (r->procs.v[i]->pid == pid)
			return r->procs.v[i];
	return NULL;
}

static void proc_add_events(struct provider_run *r, struct python_proc *p)
{
	struct provider_env *env = r->env;

	for (int ev = 0; ev < WIRE_NEVENTS; ev++) {
		struct python_event *e = &p->event[ev];

		e->proc = p;
		e->event = (enum wire_event)ev;
		e->group =
		    env->add_group(env, &(struct provider_group){
					    .provider = &provider_python,
					    .name = arena_printf(env->arena, "%s:::%s", p->prov, event_names[ev]),
					    .kind = ASM_UPROBE,
					    .ops = &python_site_ops,
					    .data = e,
					});
		env->add_probe(env, e->group,
			       &(struct probe){
				   .prov = p->prov,
				   .mod = "",
				   .func = "",
				   .name = event_names[ev],
				   .later = p->later,
				   .nargs = ARRAY_SIZE(event_arg_types),
				   .arg_types = event_arg_types,
			       });
	}
}

static bool is_target(const struct provider_env *env, pid_t pid)
{
	for (size_t i = 0; i < env->ntargets; i++)
		if (env->targets[i] == pid)
			return true;
	return false;
}

static int proc_find(const struct provider_env *env, struct python_proc *p, struct diag *diag)
{
	struct strbuf said = {0};
	struct diag quiet = {.sink = python_keep_error, .arg = &said};
	int err = python_find(p->target, &p->info, &quiet);

	strbuf_free(&said);
	p->bare = err == -ENOENT && env->follow && p->named;
	return !err || p->bare ? 0 : python_find(p->target, &p->info, diag);
}

/* Look at the process without touching it. */
static int proc_add(struct provider_run *r, pid_t pid, bool named, struct diag *diag)
{
	struct provider_env *env = r->env;
	struct python_proc *p = arena_alloc(env->arena, sizeof(*p));
	int err = 0;

	p->pid = pid;
	p->named = named;
	p->prov = arena_printf(env->arena, "python%d", pid);
	p->is_target = is_target(env, pid);
	p->of = p;
	if (env->child && env->child_target && pid == target_pid(env->child_target)) {
		if (!env->child_python && !env->follow)
			return diag_fail(diag, ENOENT, "process %d (%s) is not a Python process", pid,
					 target_comm(env->child_target));
		p->target = env->child_target;
		p->bare = !env->child_python;
		if (!p->bare)
			p->info = *env->child_python;
	} else {
		err = target_open(&p->target, pid, diag);
		if (err)
			return err;
		p->own_target = true;
		err = proc_find(env, p, diag);
		if (err)
			goto out;
	}
	p->plan = python_plan_new(env->strsize);
	if (!p->plan) {
		err = diag_fail(diag, ENOMEM, "out of memory");
		goto out;
	}
	proc_add_events(r, p);
	*vec_push(env->arena, &r->procs) = p;
out:
	if (err && p->own_target)
		target_close(p->target);
	return err;
}

/* All of -p. One that cannot be traced is left out, with a warning, unless it is the only one. */
static int add_targets(struct provider_run *r)
{
	struct provider_env *env = r->env;
	size_t added = 0;

	for (size_t i = 0; i < env->ntargets; i++) {
		struct python_proc *p = proc_by_pid(r, env->targets[i]);
		struct strbuf kept = {0};
		struct diag quiet = {.sink = python_keep_error, .arg = &kept};
		int err = p ? 0 : proc_add(r, env->targets[i], true, &quiet);

		if (p)
			p->named = true;
		if (err)
			python_left_out(r, DIAG_WARNING, &kept);
		added += !err;
		strbuf_free(&kept);
	}
	return added ? 0 : diag_fail(env->diag, ENOENT, "none of the %zu processes can be traced", env->ntargets);
}

/* "python1234": the process, or an error at the description. */
static int add_named(struct provider_run *r, const struct d_desc *d)
{
	const char *s = d->prov + 6;
	s64 pid;

	for (const char *c = s; *c; c++)
		if (!isdigit((unsigned char)*c))
			goto bad;
	if (parse_s64(*s == '0' ? "" : s, &pid) || pid < 1 || pid > INT_MAX)
		goto bad;

	struct python_proc *p = proc_by_pid(r, (pid_t)pid);

	if (p) {
		p->named = true;
		return 0;
	}
	return proc_add(r, (pid_t)pid, true, r->env->diag);
bad:
	diag_report(r->env->diag, DIAG_ERROR, d->pos,
		    *s ? "'%s' is not a process ID"
		       : "python%s needs a process ID: "
			 "python1234, python$target, python$1, or python* for all",
		    s);
	return -EINVAL;
}

/* For Python processes that start while we trace: once. */
static int add_later(struct provider_run *r)
{
	struct provider_env *env = r->env;
	struct python_proc *p;

	for (size_t i = 0; i < r->procs.n; i++)
		if (r->procs.v[i]->later)
			return 0;
	p = arena_alloc(env->arena, sizeof(*p));
	*p = (struct python_proc){.prov = "python*", .of = p, .bare = true, .later = true};
	p->plan = python_plan_new(env->strsize);
	if (!p->plan)
		return diag_fail(env->diag, ENOMEM, "out of memory");
	proc_add_events(r, p);
	*vec_push(env->arena, &r->procs) = p;
	return 0;
}

/* "python*": every Python process that the pattern matches; what cannot be traced is left out, with a note when it is Python. */
static int add_matching(struct provider_run *r, const struct d_desc *d)
{
	DIR *dir = opendir("/proc");
	struct dirent *ent;

	if (!dir)
		return diag_fail(r->env->diag, errno, "cannot list processes: /proc: %s", strerror(errno));
	while ((ent = readdir(dir))) {
		char prov[64];
		s64 pid;

		if (parse_s64(ent->d_name, &pid) || pid == getpid() || proc_by_pid(r, (pid_t)pid))
			continue;
		snprintf(prov, sizeof(prov), "python%d", (int)pid);
		if (!glob_match(d->prov, prov) || !python_looks_like((pid_t)pid, NULL))
			continue;

		struct strbuf kept = {0};
		struct diag quiet = {.sink = python_keep_error, .arg = &kept};
		int err = proc_add(r, (pid_t)pid, false, &quiet);

		if (err && err != -ENOENT && err != -ESRCH)
			python_left_out(r, DIAG_NOTE, &kept);
		strbuf_free(&kept);
	}
	closedir(dir);
	return !strcmp(d->prov, "python*") && !r->env->listing ? add_later(r) : 0;
}

static int python_expand(struct provider_run *r, const struct d_desc *d, void (*found)(void *arg, struct probe *p),
			 void *arg)
{
	int err = 0;

	if (d->of_target && r->env->ntargets > 1)
		err = add_targets(r);
	else if (!d->by_id)
		err = glob_has_magic(d->prov) ? add_matching(r, d) : add_named(r, d);
	if (err)
		return err;
	for (size_t i = 0; i < r->procs.n; i++) {
		for (int ev = 0; ev < WIRE_NEVENTS; ev++) {
			struct probe *p = r->procs.v[i]->event[ev].group->probes.v[0];

			/* Which modules and functions is for the agent to decide, when it sees them. */
			if (d->by_id ? d->id == p->id
				     : python_desc_names(r, d, r->procs.v[i]) && glob_match(d->name, p->name))
				found(arg, p);
		}
	}
	return 0;
}

static int python_fd(struct provider_run *r)
{
	return r->fd;
}

static bool python_busy(struct provider_run *r)
{
	return r->env->follow && (python_family_alive(r) || python_join_wait(r, 0));
}

static void python_watch(struct provider_run *r, void (*fn)(void *arg, int pidfd), void *arg)
{
	for (size_t i = 0; i < r->procs.n; i++)
		if (r->procs.v[i]->named && r->procs.v[i]->state != PROC_OUT)
			fn(arg, target_pidfd(r->procs.v[i]->target));
}

const struct provider provider_python = {
    .name = "python",
    .summary = "functions of a live Python process: python1234, python$target, python*",
    .needs_python = true,
    .claims = python_claims,
    .open = python_open,
    .expand = python_expand,
    .filter_open = python_filter_open,
    .filter_take = python_filter_take,
    .attach = python_group_attach,
    .names = python_names,
    .functions_find = python_functions_find,
    .functions_count = python_functions_count,
    .functions_matched = python_functions_matched,
    .functions_list = python_functions_list,
    .detach = python_provider_detach,
    .left = python_provider_left,
    .close = python_provider_close,
    .drops = python_drops,
    .timeout = python_timeout,
    .tick = python_tick,
    .watch = python_watch,
    .busy = python_busy,
    .fd = python_fd,
};
