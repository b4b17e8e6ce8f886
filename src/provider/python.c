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

static const char *const event_arg_types[] = {"uintptr_t", "uintptr_t", "int64_t"};

static bool python_claims(const char *prov)
{
	return !strncmp(prov, "python", 6);
}

static int python_open(struct provider_run **out, struct provider_env *env)
{
	struct provider_run *r = arena_alloc(env->arena, sizeof(*r));

	r->env = env;
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
				   .nargs = ARRAY_SIZE(event_arg_types),
				   .arg_types = event_arg_types,
			       });
	}
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
	if (env->child && env->child_target && pid == target_pid(env->child_target)) {
		if (!env->child_python)
			return diag_fail(diag, ENOENT, "process %d (%s) is not a Python process", pid,
					 target_comm(env->child_target));
		p->target = env->child_target;
		p->info = *env->child_python;
	} else {
		err = target_open(&p->target, pid, diag);
		if (err)
			return err;
		p->own_target = true;
		err = python_find(p->target, &p->info, diag);
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

/* Does the process have a libpython or a python executable mapped? Keeps python* from asking every process at length. */
static int is_named_python(void *arg, const struct target_map *m)
{
	(void)arg;
	return strstr(m->path, "python") || strstr(m->path, "Python");
}

static bool looks_like_python(pid_t pid)
{
	int ret = target_proc_maps_walk(pid, is_named_python, NULL);

	return ret > 0 || ret == -E2BIG || ret == -EFBIG; /* then it is refused with a reason, if it is one */
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
		if (!glob_match(d->prov, prov) || !looks_like_python((pid_t)pid))
			continue;

		struct strbuf kept = {0};
		struct diag quiet = {.sink = python_keep_error, .arg = &kept};
		int err = proc_add(r, (pid_t)pid, false, &quiet);

		if (err && err != -ENOENT && err != -ESRCH)
			python_left_out(r, &kept);
		strbuf_free(&kept);
	}
	closedir(dir);
	return 0;
}

static int python_expand(struct provider_run *r, const struct d_desc *d, void (*found)(void *arg, struct probe *p),
			 void *arg)
{
	int err = 0;

	if (!d->by_id)
		err = glob_has_magic(d->prov) ? add_matching(r, d) : add_named(r, d);
	if (err)
		return err;
	for (size_t i = 0; i < r->procs.n; i++) {
		for (int ev = 0; ev < WIRE_NEVENTS; ev++) {
			struct probe *p = r->procs.v[i]->event[ev].group->probes.v[0];

			/* Which modules and functions is for the agent to decide, when it sees them. */
			if (d->by_id ? d->id == p->id
				     : glob_match(d->prov, p->prov) && glob_match(d->name, p->name))
				found(arg, p);
		}
	}
	return 0;
}

static void python_watch(struct provider_run *r, void (*fn)(void *arg, int pidfd), void *arg)
{
	for (size_t i = 0; i < r->procs.n; i++)
		if (r->procs.v[i]->named)
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
    .detach = python_provider_detach,
    .close = python_provider_close,
    .drops = python_drops,
    .watch = python_watch,
};
