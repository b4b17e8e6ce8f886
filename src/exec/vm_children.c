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

static bool ns_link(pid_t pid, char *out, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/ns/pid", pid);
	n = readlink(path, out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

/* The last number on the line NSpid of its status (Linux 4.1): as its own namespace has it. */
static pid_t inner_pid(pid_t pid)
{
	char *text, *line, *end;
	pid_t own = 0;

	if (target_proc_read(pid, "status", &text, NULL))
		return 0;
	line = strstr(text, "\nNSpid:");
	end = line ? strchr(line + 1, '\n') : NULL;
	if (end) {
		*end = '\0';
		line = strrchr(line, '\t');
		own = line ? (pid_t)strtol(line, NULL, 10) : 0;
	}
	free(text);
	return own;
}

/* The process that is called `own` in the pid namespace of `parent`; 0: there is none. */
static pid_t outer_pid(const struct target *parent, pid_t own)
{
	char ns[64], its[64];
	DIR *dir = ns_link(target_pid(parent), ns, sizeof(ns)) ? opendir("/proc") : NULL;
	struct dirent *ent;
	pid_t found = 0;
	s64 pid;

	while (dir && !found && (ent = readdir(dir)))
		if (!parse_s64(ent->d_name, &pid) && inner_pid((pid_t)pid) == own &&
		    ns_link((pid_t)pid, its, sizeof(its)) && !strcmp(ns, its))
			found = (pid_t)pid;
	if (dir)
		closedir(dir);
	return found;
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

static void child_take(void *arg, u32 box, pid_t pid)
{
	struct diag quiet = {.sink = silent};
	const struct taking *t = arg;
	struct vm_live *l = t->vm->live;
	struct vm_site own = t->parent, *s;

	if (is_served(l, t->parent.python, box))
		return;
	if (own.foreign_tids)
		pid = outer_pid(own.process, pid);
	if (!pid || target_open(&own.process, pid, &quiet))
		return;
	own.parent = t->parent.python;
	own.box = box;
	if (python_box_open(&own.python, t->parent.python, box, own.process)) {
		target_close(own.process);
		return;
	}
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
