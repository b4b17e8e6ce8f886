// SPDX-License-Identifier: Apache-2.0
/* The python provider while it traces: agents in and out, and their sites. */
#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

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

void python_left_out(struct provider_run *r, enum diag_level level, struct strbuf *kept)
{
	static const char prefix[] = "pydtrace: ";

	if (kept->len > sizeof(prefix))
		diag_report(r->env->diag, level, NOWHERE, "%sleft out: %.*s", level == DIAG_NOTE ? "note: " : "",
			    (int)strcspn(kept->s + sizeof(prefix) - 1, "\n"), kept->s + sizeof(prefix) - 1);
	strbuf_free(kept);
}

void python_tell(struct provider_run *r, const char *fmt, ...)
{
	char text[256];
	va_list ap;

	if (!r->env->verbose)
		return;
	va_start(ap, fmt);
	vsnprintf(text, sizeof(text), fmt, ap);
	va_end(ap);
	diag_report(r->env->diag, DIAG_NOTE, NOWHERE, "%s", text);
}

/* --- in ----------------------------------------------------------------------------------------------------- */

static bool has_ended(const struct python_proc *p)
{
	struct pollfd fd = {.fd = target_pidfd(p->target), .events = POLLIN};

	return poll(&fd, 1, 0) > 0;
}

#define STARTS_NS 1000000000ull /* an interpreter's libraries are mapped by then */

static int load(struct provider_run *r, struct python_proc *p, const struct python_attach_options *opt,
		struct diag *diag)
{
	int err = python_find(p->target, &p->info, diag);

	if (err && opt->starting)
		python_starting_end(p->target);
	return err ? err : python_attach(&p->python, p->target, &p->info, p->of->plan, opt, diag);
}

/* May it be that the process was met in the middle of an execve, or before its loader was through? */
static bool may_come(int err)
{
	return err == -ENOENT || err == -ENOTSUP || err == -EAGAIN || err == -EIO;
}

/* A process that has come meanwhile: it may have just begun. -ENOENT, without a message: it is no Python. */
static int load_new(struct provider_run *r, struct python_proc *p, struct python_attach_options *opt,
		    struct diag *diag)
{
	u64 deadline = now_ns() + STARTS_NS;
	struct pollfd cancel = {.fd = opt->cancel_fd, .events = POLLIN};
	bool held;
	int err;

	opt->starting = held = p->starting && !python_starting_hold(p->target);
	for (;;) {
		bool last = now_ns() > deadline;
		struct strbuf said = {0};
		struct diag quiet = {.sink = python_keep_error, .arg = &said};

		err = load(r, p, opt, last ? diag : &quiet);
		strbuf_free(&said);
		opt->starting = false;
		if (!may_come(err) || (held && err == -ENOENT) || last || has_ended(p))
			return err;
		if (poll(&cancel, 1, 1) > 0)
			return -EINTR;
	}
}

int python_proc_load(struct provider_run *r, struct python_proc *p, bool mail, int cancel_fd, struct diag *diag)
{
	struct python_attach_options opt = {
	    .cancel_fd = cancel_fd,
	    .mail = mail,
	    .follow = r->env->follow && p->of->named,
	    .fid_base = p->fid_base,
	};

	if (r->env->child && p->target == r->env->child_target)
		return python_child_attach(r->env->child, &p->python, p->plan, &opt, diag);
	if (p->of != p)
		return load_new(r, p, &opt, diag);
	return python_attach(&p->python, p->target, &p->info, p->of->plan, &opt, diag);
}

/* The agent is in: its events to the programs. */
static int proc_on(struct provider_run *r, struct python_proc *p, struct exec *e, struct diag *diag)
{
	int err = 0;

	for (int ev = 0; ev < WIRE_NEVENTS && !err; ev++)
		if (p->of->event[ev].enabled)
			err = exec_attach_site(e, p->of->event[ev].group->cg_index, p->python, p->target,
					       (enum wire_event)ev, diag);
	if (err)
		return err;
	err = exec_add_process(e, p->target);
	return err ? diag_fail(diag, -err, "cannot add process %d: %s", p->pid, strerror(-err)) : 0;
}

/* The process cannot be traced, which does not matter to the others. */
static void proc_out(struct provider_run *r, struct python_proc *p, int err)
{
	bool ended = err == -ESRCH || err == -ENOENT || has_ended(p);

	if (p->named && ended)
		diag_report(r->env->diag, DIAG_WARNING, NOWHERE, "left out: process %d (%s) has ended", p->pid,
			    target_comm(p->target));
	else if (!ended)
		python_left_out(r, p->named ? DIAG_WARNING : DIAG_NOTE, &p->kept);
	strbuf_free(&p->kept);
	python_join_settle(r, p, PROC_OUT);
	if (p->of != p && !p->python) {
		target_close(p->target);
		p->own_target = false;
	}
}

static void proc_take(struct provider_run *r, struct python_proc *p, struct exec *e)
{
	struct diag quiet = {.sink = python_keep_error, .arg = &p->kept};

	if (!p->err)
		p->err = proc_on(r, p, e, &quiet);
	if (p->err)
		proc_out(r, p, p->err);
	else
		python_join_settle(r, p, PROC_ON);
	if (!p->err && p->starting && python_had_begun(p->python))
		diag_report(
		    r->env->diag, DIAG_NOTE, NOWHERE,
		    "process %d (%s): had begun when it was attached: its first calls were perhaps not seen",
		    p->pid, target_comm(p->target));
	if (!p->err && r->running)
		python_tell(r, "process %d (%s): traced from now on", p->pid, target_comm(p->target));
}

/* The only one: what goes wrong with it is an error. */
static int attach_alone(struct provider_run *r, struct python_proc *p, struct exec *e)
{
	int err;

	p->state = PROC_ASKED;
	err = python_proc_load(r, p, exec_serves(e), r->env->cancel_fd, r->env->diag);
	if (!err)
		err = proc_on(r, p, e, r->env->diag);
	p->state = err ? PROC_OUT : PROC_ON;
	return err;
}

/* Those that do not come to a safe point are not waited for any longer than this, when others have. */
#define PATIENCE_NS 1000000000ull
#define LOOK_NS     20000000ll

static bool is_enabled(const struct python_proc *p)
{
	if (p->of != p || p->bare)
		return false;
	for (int ev = 0; ev < WIRE_NEVENTS; ev++)
		if (p->event[ev].enabled)
			return true;
	return false;
}

/* What has been attached meanwhile. How many that were; *interrupted: the user wants no more. */
static size_t take_all(struct provider_run *r, struct exec *e, struct python_proc **interrupted)
{
	struct python_proc *p;
	size_t on = 0;

	while ((p = python_join_next(r))) {
		if (p->err == -EINTR)
			*interrupted = p;
		else
			proc_take(r, p, e);
		on += p->state == PROC_ON;
	}
	return on;
}

/* Until all that are asked for are on, or some are and the others take long. How many are on; or -EINTR, with a message. */
static int wait_for_most(struct provider_run *r, struct exec *e, bool some)
{
	u64 deadline = now_ns() + PATIENCE_NS;
	struct python_proc *p = NULL;
	size_t on = some, pending;

	do {
		pending = python_join_wait(r, now_ns() + LOOK_NS);
		on += take_all(r, e, &p);
		if (p)
			return diag_fail(r->env->diag, EINTR,
					 "interrupted while waiting for the Python of process %d (%s)", p->pid,
					 target_comm(p->target));
	} while (pending && (now_ns() < deadline || !on || exec_holds(e)));
	return (int)on;
}

static int attach_many(struct provider_run *r, struct exec *e, size_t named)
{
	int err = 0, on;

	for (size_t i = 0; i < r->procs.n && !err; i++)
		if (is_enabled(r->procs.v[i]))
			err = python_join_ask(r, r->procs.v[i], exec_serves(e));
	if (err)
		return diag_fail(r->env->diag, -err, "cannot start a thread: %s", strerror(-err));
	on = wait_for_most(r, e, false);
	if (on < 0)
		return on;
	return on || !named ? 0 : diag_fail(r->env->diag, ESRCH, "none of the %zu processes can be traced", named);
}

/* Each process takes several descriptors. */
static void files_allow(void)
{
	struct rlimit l;

	if (getrlimit(RLIMIT_NOFILE, &l) || l.rlim_cur == l.rlim_max)
		return;
	l.rlim_cur = l.rlim_max;
	setrlimit(RLIMIT_NOFILE, &l);
}

static int attach_all(struct provider_run *r, struct exec *e)
{
	struct python_proc *only = NULL;
	size_t n = 0, named = 0;
	int err = 0;

	r->attached = true;
	for (size_t i = 0; i < r->procs.n; i++) {
		struct python_proc *p = r->procs.v[i];

		if (!is_enabled(p))
			continue;
		only = p;
		n++;
		named += p->named;
	}
	python_owner_here();
	files_allow();
	python_family_open(r);
	if (r->env->follow)
		python_family_look(r, true);
	if (n)
		err = n == 1 && named ? attach_alone(r, only, e) : attach_many(r, e, named);
	if (err)
		return err;
	/* Again, for those that were forked before the agent was there. */
	python_family_look(r, true);
	err = wait_for_most(r, e, true);
	r->running = true;
	return err < 0 ? err : 0;
}

int python_group_attach(struct provider_run *r, struct provider_group *g, struct exec *e)
{
	r->mail = exec_serves(e);
	return r->attached ? 0 : attach_all(r, e);
}

s64 python_timeout(struct provider_run *r)
{
	s64 left = r->next_look ? (s64)(r->next_look - now_ns()) : INT64_MAX;

	if (python_join_wait(r, 0) && left > LOOK_NS)
		return LOOK_NS;
	return left == INT64_MAX ? -1 : left > 0 ? left : 0;
}

static void rung(const struct provider_run *r)
{
	u64 n;

	if (r->ready_fd >= 0 && read(r->ready_fd, &n, sizeof(n)) < 0)
		return; /* nothing was */
}

/* Who starts meanwhile must not be faster than we are, on a busy machine; where that is not allowed it may be. */
void python_hurry(void)
{
	setpriority(PRIO_PROCESS, (id_t)gettid(), -20);
}

int python_tick(struct provider_run *r, struct exec *e)
{
	struct python_proc *interrupted = NULL;

	if (r->env->follow && !r->hurries)
		python_hurry();
	r->hurries = true;
	rung(r);
	python_family_look(r, false);
	take_all(r, e, &interrupted);
	return 0;
}

/* -------------------------------------------------------------------------------------------------------------- */

int python_names(struct provider_run *r, const struct probe *p, u32 fid, const char **mod, const char **func)
{
	const struct python_event *e = p->group->data;
	const struct python *python = NULL;
	const struct wire_function *f;

	for (size_t i = 0; i < r->procs.n && !python; i++)
		if (r->procs.v[i]->of == e->proc && r->procs.v[i]->state == PROC_ON && r->procs.v[i]->python &&
		    python_has_fid(r->procs.v[i]->python, fid))
			python = r->procs.v[i]->python;
	f = python ? python_function(python, fid) : NULL;

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
	const struct wire_page *page = p->state >= PROC_ON && p->python ? python_page(p->python) : NULL;

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

/* --- out ---------------------------------------------------------------------------------------------------- */

/*
 * One that does not come to a safe point keeps none of the others waiting: each gets a short try, and those that are not done get
 * another one, until the time is over for all.
 */
#define TRY_MS   400
#define TELL_MS  1000
#define LEAVE_MS 12000 /* longer than another tracer's attach that comes to nothing */

/* What is not done yet. */
static bool is_in(const struct python_proc *p)
{
	return p->python && !p->detached;
}

/* Who waits is told which process it is for, why, and how to end it. */
static void tell_long(struct provider_run *r, struct python_proc *p)
{
	if (p->told_leave)
		return;
	p->told_leave = true;
	__atomic_store_n(&r->env->told_leave, 1, __ATOMIC_SEQ_CST);
	diag_report(r->env->diag, DIAG_NOTE, NOWHERE,
		    "process %d (%s): waiting to take the agent out: %s; Ctrl-C leaves it there, inert", p->pid,
		    target_comm(p->target), python_waits_for(p->python));
}

/* An agent that had to stay, inert, is no error (-EBUSY), nor is a process that has ended. */
static int proc_detach(struct provider_run *r, struct python_proc *p, bool last)
{
	int ret = python_detach(p->python, TRY_MS, last, r->env->diag);

	if (ret == -EAGAIN && !last)
		return 0;
	__atomic_store_n(&p->detached, true, __ATOMIC_SEQ_CST);
	return ret == -ESRCH || ret == -EBUSY ? 0 : ret;
}

static int detach_all(struct provider_run *r)
{
	u64 begin = now_ns();
	size_t n = r->procs.n;
	int err = 0;

	for (bool last = false; n; last = now_ns() - begin > LEAVE_MS * 1000000ull) {
		n = 0;
		for (size_t i = 0; i < r->procs.n; i++) {
			struct python_proc *p = r->procs.v[i];
			int ret = is_in(p) ? proc_detach(r, p, last) : 0;

			err = ret ? ret : err;
			n += is_in(p);
			if (is_in(p) && now_ns() - begin > TELL_MS * 1000000ull)
				tell_long(r, p);
		}
	}
	return err;
}

void python_provider_left(struct provider_run *r, void (*fn)(void *arg, pid_t pid, const char *comm), void *arg)
{
	for (size_t i = 0; i < r->procs.n; i++) {
		const struct python_proc *p = r->procs.v[i];

		if ((p->state == PROC_ASKED || p->python) && !__atomic_load_n(&p->detached, __ATOMIC_SEQ_CST))
			fn(arg, p->pid, target_comm(p->target));
	}
}

int python_provider_detach(struct provider_run *r)
{
	int err;

	if (r->ending)
		return 0;
	r->ending = true;
	python_join_end(r);
	if (r->running)
		python_family_look(r, true);
	err = detach_all(r);
	if (r->running)
		python_family_clean(r);
	return err;
}

void python_provider_close(struct provider_run *r)
{
	python_provider_detach(r);
	python_family_close(r);
	python_found_free(r);
	for (size_t i = 0; i < r->procs.n; i++) {
		struct python_proc *p = r->procs.v[i];

		if (p->python)
			python_close(p->python);
		strbuf_free(&p->kept);
		python_plan_free(p->plan);
		if (p->own_target)
			target_close(p->target);
	}
}
