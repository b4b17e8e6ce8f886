// SPDX-License-Identifier: Apache-2.0
/* What is attached to the vm's programs, and how it is switched on and off. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/vm_live_impl.h"

int vm_live_open(struct vm *vm)
{
	struct vm_live *l = calloc(1, sizeof(*l));

	if (!l)
		return -ENOMEM;
	l->gate = VM_NO_PROG;
	for (size_t i = 0; i < VM_NPOINTS; i++)
		l->point[i] = VM_NO_PROG;
	vm->live = l;
	return 0;
}

void vm_live_close(struct vm *vm)
{
	free(vm->live->processes.v);
	free(vm->live->sites.v);
	free(vm->live->clocks.v);
	free(vm->live);
}

/*
 * Room for one more in a LIST, zeroed; NULL: no memory. Processes may be held already when things are attached, so nothing
 * here aborts as an arena does.
 */
#define ONE_MORE(list) one_more((void **)&(list)->v, &(list)->n, sizeof(*(list)->v))
static void *one_more(void **v, size_t *n, size_t size)
{
	void *bigger = reallocarray(*v, *n + 1, size);

	if (!bigger)
		return NULL;
	*v = bigger;
	return memset((char *)bigger + size * (*n)++, 0, size);
}

/* --- attach ----------------------------------------------------------------------------------------- */

int vm_attach_raw_tracepoint(struct exec *e, u32 prog, const char *name, struct diag *diag)
{
	static const char *const names[] = {
	    [VM_SYS_ENTER] = "sys_enter",
	    [VM_SYS_EXIT] = "sys_exit",
	    [VM_PROCESS_EXIT] = "sched_process_exit",
	};

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		if (strcmp(names[i], name) != 0)
			continue;
		if (vm_of(e)->live->point[i] != VM_NO_PROG)
			return diag_fail(diag, EBUSY, "the tracepoint %s has a program already", name);
		vm_of(e)->live->point[i] = prog;
		return 0;
	}
	return diag_fail(diag, EOPNOTSUPP, "the tracepoint %s is one of the kernel's alone", name);
}

int vm_attach_site(struct exec *e, u32 prog, struct python *p, struct target *t, enum wire_event ev,
		   struct diag *diag)
{
	struct vm_live *l = vm_of(e)->live;
	struct vm_site *s = NULL;

	for (size_t i = 0; i < l->sites.n && !s; i++)
		if (l->sites.v[i].python == p)
			s = &l->sites.v[i];
	if (!s) {
		s = ONE_MORE(&l->sites);
		if (!s)
			return diag_fail(diag, ENOMEM, "out of memory");
		*s = (struct vm_site){.python = p, .process = t, .foreign_tids = vm_foreign_tids(t)};
		for (size_t i = 0; i < WIRE_NEVENTS; i++)
			s->prog[i] = VM_NO_PROG;
	}
	s->prog[ev] = prog;
	return 0;
}

int vm_attach_clock(struct exec *e, u32 prog, int cpu, u64 ns, struct diag *diag)
{
	struct vm_clock *c = ONE_MORE(&vm_of(e)->live->clocks);

	if (!c)
		return diag_fail(diag, ENOMEM, "out of memory");
	*c = (struct vm_clock){.prog = prog, .cpu = cpu, .period = ns};
	return 0;
}

int vm_add_process(struct exec *e, struct target *t)
{
	struct vm_live *l = vm_of(e)->live;
	struct target **one;

	for (size_t i = 0; i < l->processes.n; i++)
		if (target_pid(l->processes.v[i]) == target_pid(t))
			return 0;
	one = ONE_MORE(&l->processes);
	if (!one)
		return -ENOMEM;
	*one = t;
	return 0;
}

void vm_set_gate(struct exec *e, u32 prog)
{
	vm_of(e)->live->gate = prog;
}

/* --- on and off ------------------------------------------------------------------------------------- */

int vm_trace_processes(struct vm *vm, struct diag *diag)
{
	struct vm_live *l = vm->live;
	int first = 0;

	for (size_t i = 0; i < l->processes.n; i++) {
		int err = target_trace_all(l->trace, l->processes.v[i], diag);

		if (err != -ESRCH && !first) /* -ESRCH: it has just ended */
			first = err;
	}
	return first;
}

/* Without a gate every call of every thread is stopped at; with one, threads are armed when they matter. */
static int trace_start(struct vm *vm, struct diag *diag)
{
	struct vm_live *l = vm->live;
	int err = target_trace_open(&l->trace, &vm_trace_ops, vm);

	if (err)
		return diag_fail(diag, -err, "cannot trace system calls: %s", strerror(-err));
	for (size_t i = 0; i < l->sites.n; i++)
		target_trace_own(l->trace, l->sites.v[i].process, python_mail_own_ip(l->sites.v[i].python));
	return l->gate == VM_NO_PROG ? vm_trace_processes(vm, diag) : 0;
}

/* The mail first: tracing system calls may let a process run, and what has an event from then on waits for vm_serve(). */
int vm_start(struct exec *e, struct diag *diag)
{
	struct vm *vm = vm_of(e);
	struct vm_live *l = vm->live;
	u64 now = now_ns();

	for (size_t i = 0; i < l->clocks.n; i++)
		l->clocks.v[i].next = now + l->clocks.v[i].period;
	for (size_t i = 0; i < l->sites.n; i++)
		python_mail_open(l->sites.v[i].python, true);
	if (l->point[VM_SYS_ENTER] != VM_NO_PROG || l->point[VM_SYS_EXIT] != VM_NO_PROG)
		return trace_start(vm, diag);
	return 0;
}

bool vm_lingers(struct exec *e)
{
	return vm_of(e)->live->lingers;
}

/* The mail first: who waits for an answer holds the GIL. A second time, nobody is waited for any more. */
void vm_detach(struct exec *e)
{
	struct vm *vm = vm_of(e);
	struct vm_live *l = vm->live;

	for (size_t i = 0; i < l->sites.n; i++)
		python_mail_open(l->sites.v[i].python, false);
	l->lingers = l->trace && !l->lingers && !target_trace_end(l->trace);
	if (!l->lingers) {
		target_trace_close(l->trace);
		l->trace = NULL;
		vm_threads_free(vm);
	}
	l->sites.n = l->clocks.n = l->processes.n = 0;
	l->over = false;
	for (size_t i = 0; i < VM_NPOINTS; i++)
		l->point[i] = VM_NO_PROG;
}

u64 vm_lost(struct exec *e)
{
	return __atomic_load_n(&vm_of(e)->live->lost, __ATOMIC_RELAXED);
}
