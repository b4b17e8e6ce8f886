// SPDX-License-Identifier: Apache-2.0
/*
 * Children that are followed. One that was forked under trace has its parent's agent and page, takes a box for its mail there at its
 * first event, and waits until it is served: here it becomes a site of its own, with the programs of its parent's.
 */
#include <dirent.h>
#include <errno.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/vm_live_impl.h"

static void silent(void *arg, enum diag_level level, const char *text)
{
}

/* --- which process ---------------------------------------------------------------------------------------- */

/* The number that its own pid namespace has for it; 0: it is gone. */
static pid_t inner_pid(pid_t pid)
{
	char *status;
	pid_t own;

	if (target_proc_read(pid, "status", &status, NULL))
		return 0;
	own = vm_inner_number(status);
	free(status);
	return own;
}

/* --- in --------------------------------------------------------------------------------------------------- */

struct taking {
	struct vm *vm;
	struct vm_site parent;
};

static bool is_served(const struct vm_live *l, const struct python *parent, u32 box)
{
	for (size_t i = 0; i < l->sites.n; i++)
		if (l->sites.v[i].parent == parent && l->sites.v[i].box == box)
			return true;
	return false;
}

static void child_serve(struct vm *vm, const struct vm_site *s)
{
	struct diag quiet = {.sink = silent};
	struct vm_live *l = vm->live;

	if (l->trace)
		target_trace_own(l->trace, s->process, python_mail_own_ip(s->python));
	if (l->trace && l->gate == VM_NO_PROG && target_trace_all(l->trace, s->process, &quiet))
		vm_lose(vm);
	python_mail_open(s->python, true);
}

static bool is_site(const struct vm_live *l, pid_t pid)
{
	for (size_t i = 0; i < l->sites.n; i++)
		if (target_pid(l->sites.v[i].process) == pid)
			return true;
	return false;
}

/* Fill in the site of a child, if it is this process. */
static bool child_open(struct vm_site *own, const struct vm_site *parent, u32 box, pid_t pid)
{
	struct diag quiet = {.sink = silent};

	if (target_open(&own->process, pid, &quiet))
		return false;
	if (python_box_open(&own->python, parent->python, box, own->process)) {
		target_close(own->process);
		return false;
	}
	own->parent = parent->python;
	own->box = box;
	own->foreign_tids = vm_foreign_tids(own->process);
	return true;
}

/*
 * Find the child that calls itself `pid`. That is a number of its own pid namespace: its parent's, or one that it was the
 * first in (unshare(2) with CLONE_NEWPID). So all processes are looked at, where the one that we know by this number is another.
 */
static bool child_find(struct vm_site *own, const struct taking *t, u32 box, pid_t pid)
{
	DIR *dir = NULL;
	struct dirent *ent;
	bool found = !is_site(t->vm->live, pid) && inner_pid(pid) == pid && child_open(own, &t->parent, box, pid);
	s64 n;

	if (!found)
		dir = opendir("/proc");
	while (dir && !found && (ent = readdir(dir)))
		found = !parse_s64(ent->d_name, &n) && inner_pid((pid_t)n) == pid &&
			!is_site(t->vm->live, (pid_t)n) && child_open(own, &t->parent, box, (pid_t)n);
	if (dir)
		closedir(dir);
	return found;
}

static void child_take(void *arg, u32 box, pid_t pid)
{
	const struct taking *t = arg;
	struct vm_live *l = t->vm->live;
	struct vm_site own = t->parent, *s;

	if (is_served(l, t->parent.python, box) || !child_find(&own, t, box, pid))
		return;
	s = vm_site_add(l);
	if (!s) {
		python_box_close(own.python);
		target_close(own.process);
		vm_lose(t->vm);
		return;
	}
	*s = own;
	child_serve(t->vm, &own);
}

bool vm_children_wait(const struct vm_live *l)
{
	for (size_t i = 0; i < l->sites.n; i++)
		if (python_boxes_waiting(l->sites.v[i].python))
			return true;
	return false;
}

void vm_children_take(struct vm *vm)
{
	struct vm_live *l = vm->live;

	for (size_t i = 0; i < l->sites.n; i++) {
		struct taking t = {vm, l->sites.v[i]}; /* the list may be moved */

		if (python_boxes_waiting(t.parent.python))
			python_boxes_each(t.parent.python, child_take, &t);
	}
}

/* --- out -------------------------------------------------------------------------------------------------- */

static bool has_ended(const struct target *t)
{
	struct pollfd p = {.fd = target_pidfd(t), .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

bool vm_children_ended(const struct vm_live *l)
{
	for (size_t i = 0; i < l->sites.n; i++)
		if (l->sites.v[i].parent && has_ended(l->sites.v[i].process))
			return true;
	return false;
}

/* What traces system calls knows the process by its target for as long as it is open. */
static void child_drop(struct vm *vm, const struct vm_site *s)
{
	struct vm_live *l = vm->live;

	python_box_close(s->python);
	vm_threads_drop(vm, s->process);
	if (!l->trace || !vm_target_keep(l, s->process))
		target_close(s->process);
}

void vm_children_drop(struct vm *vm, bool all)
{
	struct vm_live *l = vm->live;
	size_t n = 0;

	for (size_t i = 0; i < l->sites.n; i++) {
		if (l->sites.v[i].parent && (all || has_ended(l->sites.v[i].process)))
			child_drop(vm, &l->sites.v[i]);
		else
			l->sites.v[n++] = l->sites.v[i];
	}
	l->sites.n = n;
}
