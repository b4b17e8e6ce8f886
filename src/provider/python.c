// SPDX-License-Identifier: Apache-2.0
/*
 * python<PID>:module:function:function-entry and function-return. The agent in the process (agent/) passes each event
 * of a function that is wanted through a site, an empty function that a uprobe sits on; our program takes the arguments
 * of the site (agent/wire.h) from the registers.
 */
#include <asm/ptrace.h>
#include <ctype.h>
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "provider/python_impl.h"

#define HEARTBEAT_MS 100

static const char *const event_names[] = {
    [WIRE_ENTRY] = "function-entry",
    [WIRE_RETURN] = "function-return",
};
_Static_assert(ARRAY_SIZE(event_names) == WIRE_NEVENTS, "an event without a name");

static const char *const event_arg_types[] = {"uintptr_t", "uintptr_t", "int64_t"};

const char *python_event_name(enum wire_event ev)
{
	return event_names[ev];
}

/* --- the program: from the arguments of a site to those of the probe ------------------------------- */

#if defined(__x86_64__)
#define SITE_FID      offsetof(struct pt_regs, rdi)
#define SITE_FILTERS  offsetof(struct pt_regs, rsi)
#define SITE_FILE     offsetof(struct pt_regs, rdx)
#define SITE_FUNC     offsetof(struct pt_regs, rcx)
#define SITE_LINE     offsetof(struct pt_regs, r8)
#define SITE_FUNCTION offsetof(struct pt_regs, r9)
#elif defined(__aarch64__)
#define SITE_FID      0
#define SITE_FILTERS  8
#define SITE_FILE     16
#define SITE_FUNC     24
#define SITE_LINE     32
#define SITE_FUNCTION 40
#endif

static void site_fid(struct asm_buf *b, void *data)
{
	asm_load(b, BPF_W, BPF_REG_0, BPF_REG_6, SITE_FID);
}

static void site_filters(struct asm_buf *b, void *data)
{
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, SITE_FILTERS);
}

static void site_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	static const s16 regs[] = {SITE_FILE, SITE_FUNC, SITE_LINE};

	for (size_t n = 0; n < ARRAY_SIZE(regs); n++) {
		if (!(mask & 1u << n))
			continue;
		asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, regs[n]);
		asm_store(b, BPF_DW, BPF_REG_10, (s16)(off + 8 * (s16)n), BPF_REG_0);
	}
	provider_args_zero(b, mask & ~((1u << ARRAY_SIZE(regs)) - 1), off);
}

/* Read `size` bytes of the wire_function at `off` to r10 + to; what cannot be read is 0 (the kernel clears it). */
static void read_function(struct asm_buf *b, size_t off, s32 size, s32 to)
{
	asm_mov(b, BPF_REG_1, BPF_REG_10);
	asm_alu_imm(b, BPF_ADD, BPF_REG_1, to);
	asm_mov_imm(b, BPF_REG_2, size);
	asm_load(b, BPF_DW, BPF_REG_3, BPF_REG_6, SITE_FUNCTION);
	asm_alu_imm(b, BPF_ADD, BPF_REG_3, (s32)off);
	asm_call(b, BPF_FUNC_probe_read_user);
}

static void site_text(struct asm_buf *b, void *data, enum d_builtin which)
{
	size_t off = which == D_BUILTIN_PROBEMOD ? offsetof(struct wire_function, module)
						 : offsetof(struct wire_function, qualname);

	read_function(b, off, 4, -16);
	read_function(b, offsetof(struct wire_function, page), 8, -8);
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_10, -8);
	asm_load(b, BPF_W, BPF_REG_1, BPF_REG_10, -16);
	asm_alu(b, BPF_ADD, BPF_REG_0, BPF_REG_1);
}

static const struct cg_group_ops site_ops = {
    .fid = site_fid,
    .filters = site_filters,
    .args = site_args,
    .text = site_text,
};

/* --- processes -------------------------------------------------------------------------------------- */

static bool python_claims(const char *prov)
{
	return !strncmp(prov, "python", 6);
}

static int python_open(struct provider_run **out, struct provider_env *env)
{
	struct provider_run *r = arena_alloc(env->arena, sizeof(*r));

	r->env = env;
	r->stop[0] = r->stop[1] = -1;
	pthread_mutex_init(&r->lock, NULL);
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
					    .ops = &site_ops,
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

/*
 * A process that only a pattern names, and that cannot be traced, is no error: what would have been one is kept, to be
 * told as a note.
 */
static void sink_keep(void *arg, enum diag_level level, const char *text)
{
	struct strbuf *kept = arg;

	if (level == DIAG_ERROR && !kept->len)
		strbuf_puts(kept, text);
}

static void left_out_note(struct provider_run *r, struct strbuf *kept)
{
	static const char prefix[] = "pydtrace: ";

	if (kept->len > sizeof(prefix))
		diag_report(r->env->diag, DIAG_NOTE, NOWHERE, "note: left out: %.*s",
			    (int)strcspn(kept->s + sizeof(prefix) - 1, "\n"), kept->s + sizeof(prefix) - 1);
	strbuf_free(kept);
}

/* Does the process have a libpython or a python executable mapped? Keeps python* from asking every process at length. */
static bool looks_like_python(pid_t pid)
{
	char path[64], line[4096];
	bool yes = false;

	snprintf(path, sizeof(path), "/proc/%d/maps", pid);

	FILE *f = fopen(path, "re");

	if (!f)
		return false;
	while (!yes && fgets(line, sizeof(line), f))
		yes = strstr(line, "python") || strstr(line, "Python");
	fclose(f);
	return yes;
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
		struct diag quiet = {.sink = sink_keep, .arg = &kept};
		int err = proc_add(r, (pid_t)pid, false, &quiet);

		if (err && err != -ENOENT && err != -ESRCH)
			left_out_note(r, &kept);
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

/* --- attached --------------------------------------------------------------------------------------- */

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
	struct diag quiet = {.sink = sink_keep, .arg = &kept}, *diag = p->named ? env->diag : &quiet;
	struct python *python = NULL;
	int err;

	if (env->child && p->target == env->child_target)
		err = python_child_attach(env->child, &python, p->plan, &opt, diag);
	else
		err = python_attach(&python, p->target, &p->info, p->plan, &opt, diag);
	if (err && !p->named && err != -EINTR) {
		if (err != -ESRCH) /* it has just ended */
			left_out_note(r, &kept);
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

static int python_group_attach(struct provider_run *r, struct provider_group *g, struct exec *e)
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
				 event_names[ev->event], ev->proc->pid, strerror(-err));
	return exec_attach_uprobe(e, g->cg_index, path, off, ev->proc->pid, false, r->env->diag);
}

static int python_names(struct provider_run *r, const struct probe *p, u32 fid, const char **mod, const char **func)
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

static void python_provider_detach(struct provider_run *r)
{
	for (size_t i = 0; i < r->procs.n; i++) {
		struct python_proc *p = r->procs.v[i];

		if (p->python && !p->detached)
			python_detach(p->python, r->env->diag);
		p->detached = true;
	}
	heart_stop(r); /* last: an agent must not think us dead while it is being taken out */
}

static void python_provider_close(struct provider_run *r)
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

static void python_drops(struct provider_run *r)
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

static void python_watch(struct provider_run *r, void (*fn)(void *arg, int pidfd), void *arg)
{
	for (size_t i = 0; i < r->procs.n; i++)
		if (r->procs.v[i]->named)
			fn(arg, target_pidfd(r->procs.v[i]->target));
}

const struct provider provider_python = {
    .name = "python",
    .summary = "functions of a live Python process: python1234, python$target, python*",
    .not_in_vm = "has no events of live processes yet",
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
