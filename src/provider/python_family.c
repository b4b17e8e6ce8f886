// SPDX-License-Identifier: Apache-2.0
/*
 * The descendants of the processes that are named. With -x follow they are traced as well:
 *
 *   a child that was forked under trace    has the agent and its page: its events come by themselves, from the first on;
 *                                          here it is only told of, and at the end the agent is taken out of it
 *   any other that runs Python             is attached by itself, and shares the probes of the one that is named
 *
 * Without, they are counted, and the user is told of them once.
 *
 * They are looked for in /proc/PID/task/TID/children again and again, as often as costs one part in twenty of a processor. A process
 * that was found is looked at again when it has made an execve: its stack begins somewhere else then.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "provider/python_impl.h"

#define LOOK_EACH       20000000ull /* ns */
#define TOLD_EACH       200000000ull
#define EVERYWHERE_EACH 1000000000ull
#define LOOK_SHARE      20            /* of the time that it takes */
#define TELL_AFTER      1000000000ull /* so that several are counted */
#define CLEAN_NS        2000000000ull /* for all together */
#define IMAGE_EACH      1000000ull
#define NEW_IMAGE       1000000000ull /* its libraries are mapped by then */

struct python_kin {
	struct python_kin *next;
	pid_t pid;
	u64 start, stack;         /* what tells it from another of its number, and its image from the one before */
	u64 image_since;          /* when that was seen first */
	struct python_proc *root; /* the named process that it descends from */
	struct python_proc *proc; /* attached by itself; NULL: not */
	bool python, inherits;    /* it runs Python; it has an agent that it was forked with */
	bool execed;              /* it has made an execve since it was seen first */
	bool counted;
	bool is_root; /* the named process itself, with the image that it had then */
	bool gone;
};

/* What /proc/PID/stat says (proc(5)): fields 22 and 28. A zombie has ended. */
static bool stat_read(pid_t pid, u64 *start, u64 *stack)
{
	char *text, *p, state;
	bool ok;

	if (target_proc_read(pid, "stat", &text, NULL))
		return false;
	p = strrchr(text, ')');
	ok = p && sscanf(p + 1,
			 " %c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %*u %*u %*d %*d %*d %*d %*d %*d %" SCNu64
			 " %*u %*d %*u %*u %*u %" SCNu64,
			 &state, start, stack) == 3;
	ok = ok && state != 'Z' && state != 'X';
	free(text);
	return ok;
}

static void comm_of(pid_t pid, char out[16])
{
	char *text;

	if (target_proc_read(pid, "comm", &text, NULL))
		text = NULL;
	snprintf(out, 16, "%.*s", text ? (int)strcspn(text, "\n") : 1, text ? text : "?");
	free(text);
}

struct look {
	bool python, inherits;
};

static int look_at_map(void *arg, const struct target_map *m)
{
	struct look *l = arg;

	l->inherits |= strstr(m->path, "pydtrace-agent-") != NULL;
	l->python |= strstr(m->path, "python") || strstr(m->path, "Python");
	return l->inherits && l->python;
}

bool python_looks_like(pid_t pid, bool *inherits)
{
	struct look l = {0};
	int ret = target_proc_maps_walk(pid, look_at_map, &l);

	if (inherits)
		*inherits = l.inherits;
	return l.python || ret == -E2BIG || ret == -EFBIG; /* then it is refused with a reason, if it is one */
}

static void silent(void *arg, enum diag_level level, const char *text)
{
}

/* --- with -x follow --------------------------------------------------------------------------------------- */

/* A place for one: that of a process which turned out to be no Python, if there is one. */
static struct python_proc *follower_place(struct provider_run *r)
{
	struct python_proc *p;

	for (size_t i = 0; i < r->procs.n; i++) {
		p = r->procs.v[i];
		if (p->state == PROC_OUT && p->of != p && !p->python && !p->own_target)
			return p;
	}
	p = arena_alloc(r->env->arena, sizeof(*p));
	*vec_push(r->env->arena, &r->procs) = p;
	return p;
}

static struct python_proc *follower_new(struct provider_run *r, const struct python_kin *k)
{
	struct diag quiet = {.sink = silent};
	struct target *t;
	struct python_proc *p;

	if (target_open(&t, k->pid, &quiet)) /* it has ended, or cannot be looked into */
		return NULL;
	p = follower_place(r);
	*p = (struct python_proc){
	    .pid = k->pid,
	    .prov = k->root->prov,
	    .of = k->root,
	    .target = t,
	    .own_target = true,
	    .fid_base = p->fid_base ? p->fid_base : ++k->root->sharing * PYTHON_FIDS,
	    .starting = k->execed || r->running, /* what comes now is young */
	};
	return p;
}

/* Attach it by itself. */
static void ask(struct provider_run *r, struct python_kin *k)
{
	int err;

	k->proc = follower_new(r, k);
	if (!k->proc)
		return;
	err = python_join_ask(r, k->proc, r->mail);
	if (!err)
		return;
	diag_report(r->env->diag, DIAG_WARNING, NOWHERE, "left out: process %d (%s): %s", k->pid,
		    target_comm(k->proc->target), strerror(-err));
	k->proc->state = PROC_OUT;
}

static void follow(struct provider_run *r, struct python_kin *k)
{
	char comm[16];

	if (r->ending || (k->proc && k->proc->pid == k->pid && k->proc->state != PROC_OUT))
		return;
	if (k->inherits && !k->root->later) {
		comm_of(k->pid, comm);
		python_tell(r, "process %d (%s): forked by one that is traced", k->pid, comm);
	} else {
		ask(r, k);
	}
}

/* --- what there is ------------------------------------------------------------------------------------------ */

static struct python_kin **bucket(struct provider_run *r, pid_t pid)
{
	return &r->kin[(u32)pid % ARRAY_SIZE(r->kin)];
}

static struct python_kin *kin_find(struct provider_run *r, pid_t pid)
{
	struct python_kin *k = *bucket(r, pid);

	while (k && (k->pid != pid || k->gone))
		k = k->next;
	return k;
}

static bool is_root(const struct provider_run *r, pid_t pid)
{
	for (size_t i = 0; i < r->procs.n; i++)
		if (r->procs.v[i]->of == r->procs.v[i] && r->procs.v[i]->pid == pid)
			return true;
	return false;
}

/* What does it run? Asked again while its image is new, as its libraries come one after the other. */
static void kin_look(struct provider_run *r, struct python_kin *k)
{
	if (k->python)
		return;
	k->python = python_looks_like(k->pid, &k->inherits);
	if (!k->python)
		return;
	k->root->children += !k->counted;
	k->counted = true;
	if (r->env->follow || k->root->later)
		follow(r, k);
}

/* A new image is mapped piece by piece. */
static void look_soon(struct provider_run *r)
{
	u64 soon = now_ns() + IMAGE_EACH;

	if (r->next_look > soon)
		r->next_look = soon;
}

static struct python_kin *kin_new(struct provider_run *r, struct python_proc *root, pid_t pid)
{
	u64 start, stack;
	struct python_kin *k;

	if (kin_find(r, pid) || !stat_read(pid, &start, &stack))
		return NULL;
	k = arena_alloc(r->env->arena, sizeof(*k));
	*k = (struct python_kin){.next = *bucket(r, pid), .pid = pid, .start = start, .stack = stack, .root = root};
	k->image_since = r->last_image = now_ns();
	look_soon(r);
	*bucket(r, pid) = k;
	r->nkin++;
	return k;
}

static void kin_came(struct provider_run *r, struct python_proc *root, pid_t pid)
{
	struct python_kin *k = is_root(r, pid) ? NULL : kin_new(r, root, pid);

	if (k)
		kin_look(r, k);
}

/* It may make an execve, too. */
static void root_came(struct provider_run *r, struct python_proc *p)
{
	struct python_kin *k = kin_new(r, p, p->pid);

	if (k)
		k->python = k->inherits = k->is_root = !p->bare;
}

static void kin_went(struct provider_run *r, struct python_kin *k)
{
	k->gone = true;
	r->nkin--;
	if (k->python && r->env->follow && !k->is_root)
		python_tell(r, "process %d has ended", k->pid);
}

/* True if a thread is at it; whichever image that finds, it is looked at when it is done. */
static bool is_asked(const struct python_kin *k)
{
	return k->proc && k->proc->pid == k->pid && (k->proc->state == PROC_ASKED || k->proc->state == PROC_DONE);
}

/* It has made an execve. */
static void new_image(struct provider_run *r, struct python_kin *k)
{
	k->image_since = r->last_image = now_ns();
	k->python = k->inherits = k->is_root = false;
	k->execed = true;
	look_soon(r);
}

static void kin_again(struct provider_run *r, struct python_kin *k)
{
	u64 start, stack, now = now_ns();

	if (!stat_read(k->pid, &start, &stack) || start != k->start) {
		kin_went(r, k);
		return;
	}
	if (is_asked(k))
		return;
	if (stack != k->stack)
		new_image(r, k);
	k->stack = stack;
	if (now - k->image_since < NEW_IMAGE)
		kin_look(r, k);
}

/* --- looking for more --------------------------------------------------------------------------------------- */

static void children_of_thread(struct provider_run *r, struct python_proc *root, pid_t pid, const char *tid)
{
	char name[300], *text, *p, *end;

	snprintf(name, sizeof(name), "task/%s/children", tid);
	if (target_proc_read(pid, name, &text, NULL))
		return;
	for (p = text; *p; p = end) {
		long child = strtol(p, &end, 10);

		if (end == p)
			break;
		kin_came(r, root, (pid_t)child);
		end += strspn(end, " ");
	}
	free(text);
}

static void children_of(struct provider_run *r, struct python_proc *root, pid_t pid)
{
	char path[32];
	struct dirent *ent;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	while (dir && (ent = readdir(dir)))
		if (*ent->d_name != '.')
			children_of_thread(r, root, pid, ent->d_name);
	if (dir)
		closedir(dir);
}

/* Those that start later share its probes; NULL: nobody asks for them. */
static struct python_proc *later_of(const struct provider_run *r)
{
	for (size_t i = 0; i < r->procs.n; i++)
		if (r->procs.v[i]->later)
			return r->procs.v[i];
	return NULL;
}

/* Where births are not told: every process that there is, from time to time. */
static void look_everywhere(struct provider_run *r, struct python_proc *later)
{
	struct dirent *ent;
	DIR *dir;
	s64 pid;

	if (now_ns() < r->next_everywhere)
		return;
	r->next_everywhere = now_ns() + EVERYWHERE_EACH;
	dir = opendir("/proc");
	while (dir && (ent = readdir(dir)))
		if (!parse_s64(ent->d_name, &pid) && pid != getpid())
			kin_came(r, later, (pid_t)pid);
	if (dir)
		closedir(dir);
}

/* Those that are found on the way are looked at in the same walk. */
static void look(struct provider_run *r)
{
	for (size_t i = 0; i < r->procs.n; i++)
		if (r->procs.v[i]->named && r->procs.v[i]->state != PROC_OUT)
			children_of(r, r->procs.v[i], r->procs.v[i]->pid);
	for (size_t b = 0; b < ARRAY_SIZE(r->kin); b++) {
		for (struct python_kin *k = r->kin[b]; k; k = k->next) {
			if (!k->gone)
				kin_again(r, k);
			if (!k->gone && !k->root->later)
				children_of(r, k->root, k->pid);
		}
	}
	if (later_of(r) && !r->births)
		look_everywhere(r, later_of(r));
}

/* How many of it runs Python, now or before, and that they are not traced; once. */
static void tell_children(struct provider_run *r, struct python_proc *p, bool at_once)
{
	if (!p->named || !p->children || p->told_children || r->env->follow)
		return;
	if (!p->children_since)
		p->children_since = now_ns();
	if (!at_once && now_ns() - p->children_since < TELL_AFTER)
		return;
	p->told_children = true;
	diag_report(r->env->diag, DIAG_NOTE, NOWHERE,
		    "note: process %d (%s) has %u Python child%s, which %s not traced: -x follow traces %s", p->pid,
		    target_comm(p->target), p->children, p->children == 1 ? "" : "ren",
		    p->children == 1 ? "is" : "are", p->children == 1 ? "it" : "them");
}

static void born(void *arg, enum target_birth what, pid_t pid, pid_t parent)
{
	struct provider_run *r = arg;
	struct python_kin *k;

	if (what == TARGET_LOST)
		r->births_lost = true;
	if (what == TARGET_LOST || pid <= 0) /* of another pid namespace */
		return;
	if (what == TARGET_EXEC && (k = kin_find(r, pid)) && !is_asked(k)) {
		new_image(r, k);
		if (r->env->follow && !k->root->later && !r->ending)
			ask(r, k); /* at once: what it runs is seen when its loader is through */
	}
	if (what == TARGET_EXEC && !kin_find(r, pid) && later_of(r) && pid != getpid())
		kin_came(r, later_of(r), pid);
	if (what != TARGET_FORK)
		return;
	k = kin_find(r, parent);
	if (!k && later_of(r) && is_root(r, parent))
		kin_came(r, later_of(r), pid);
	for (size_t i = 0; i < r->procs.n && !k; i++)
		if (r->procs.v[i]->named && r->procs.v[i]->pid == parent)
			kin_came(r, r->procs.v[i], pid);
	if (k)
		kin_came(r, k->root, pid);
}

static void fd_add(struct provider_run *r, int fd)
{
	struct epoll_event ev = {.events = EPOLLIN};

	if (fd >= 0)
		epoll_ctl(r->fd, EPOLL_CTL_ADD, fd, &ev); /* else it is seen a little later */
}

void python_family_open(struct provider_run *r)
{
	for (size_t i = 0; i < r->procs.n && r->env->follow; i++)
		if (r->procs.v[i]->named)
			root_came(r, r->procs.v[i]);
	r->ready_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	r->fd = epoll_create1(EPOLL_CLOEXEC);
	fd_add(r, r->ready_fd);
	for (size_t i = 0; i < r->procs.n && !r->births; i++)
		if ((r->procs.v[i]->named || r->procs.v[i]->later) && target_births_open(&r->births))
			return;
	if (r->births)
		fd_add(r, target_births_fd(r->births));
}

void python_family_close(struct provider_run *r)
{
	target_births_close(r->births);
	r->births = NULL;
	if (r->ready_fd >= 0)
		close(r->ready_fd);
	if (r->fd >= 0)
		close(r->fd);
	r->ready_fd = r->fd = -1;
}

/* Where births are told, it is looked only for what was missed, and for those that have ended. */
static u64 look_each(const struct provider_run *r)
{
	if (now_ns() - r->last_image < NEW_IMAGE)
		return IMAGE_EACH;
	return r->births && !r->births_lost ? TOLD_EACH : LOOK_EACH;
}

void python_family_look(struct provider_run *r, bool tell)
{
	u64 begin = now_ns(), took;
	bool named = false;

	if (r->births)
		target_births_take(r->births, born, r);
	for (size_t i = 0; i < r->procs.n; i++)
		named |= r->procs.v[i]->named || r->procs.v[i]->later;
	if (!named || (!tell && begin < r->next_look))
		return;
	look(r);
	for (size_t i = 0; i < r->procs.n; i++)
		tell_children(r, r->procs.v[i], tell);
	took = now_ns() - begin;
	r->next_look = begin + (took * LOOK_SHARE > look_each(r) ? took * LOOK_SHARE : look_each(r));
}

size_t python_family_alive(const struct provider_run *r)
{
	size_t n = 0;

	for (size_t b = 0; b < ARRAY_SIZE(r->kin); b++)
		for (const struct python_kin *k = r->kin[b]; k; k = k->next)
			n += !k->gone && k->python;
	return n;
}

/* The agents that children have inherited: out, when nobody holds them any more. */
void python_family_clean(struct provider_run *r)
{
	struct diag quiet = {.sink = silent};

	for (size_t b = 0; b < ARRAY_SIZE(r->kin); b++) {
		for (const struct python_kin *k = r->kin[b]; k; k = k->next) {
			struct python_proc *p;

			if (k->gone || !k->inherits || k->is_root)
				continue;
			p = arena_alloc(r->env->arena, sizeof(*p));
			*p = (struct python_proc){.pid = k->pid, .of = k->root, .clean = true, .state = PROC_OUT};
			if (target_open(&p->target, k->pid, &quiet))
				continue;
			p->own_target = true;
			*vec_push(r->env->arena, &r->procs) = p;
			if (python_join_ask(r, p, false))
				p->state = PROC_OUT;
		}
	}
	for (u64 deadline = now_ns() + CLEAN_NS; python_join_wait(r, deadline) && now_ns() < deadline;)
		while (python_join_next(r))
			;
	python_join_end(r);
}
