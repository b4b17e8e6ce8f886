// SPDX-License-Identifier: Apache-2.0
/*
 * While this process is stopped nobody brings events, so nobody may wait for that: the mail is shut and every thread is let
 * go before. A thread that is traced by a stopped process could not even take a signal.
 *
 * What programs knew of a thread is not true any more when it is met again: it may have returned from the function whose entry
 * set a thread-local variable, which then would stay set for good, and count system calls outside of the function. So each
 * thread is taken for one that has ended, and is met as a new one.
 */
#include <poll.h>

#include "exec/vm_live_impl.h"

/* The mail first: who waits for an answer holds the GIL. */
bool vm_pause(struct exec *e)
{
	struct vm *vm = vm_of(e);
	struct vm_live *l = vm->live;
	bool free = true;

	for (size_t i = 0; i < l->sites.n; i++)
		python_mail_open(l->sites.v[i].python, false);
	if (l->trace)
		free = l->lingers ? target_trace_end(l->trace) : target_trace_pause(l->trace);
	vm_threads_forget(vm);
	return free;
}

/* Its number may be another process's by now. */
static bool has_ended(const struct target *t)
{
	struct pollfd p = {.fd = target_pidfd(t), .events = POLLIN};

	return poll(&p, 1, 0) > 0;
}

/* Those that still live; each may have made an execve. An error of that: its memory is closed to us, and every access says so. */
static void processes_look(struct vm_live *l)
{
	size_t n = 0;

	for (size_t i = 0; i < l->processes.n; i++)
		if (!has_ended(l->processes.v[i]))
			l->processes.v[n++] = l->processes.v[i];
	l->processes.n = n;
	for (size_t i = 0; i < n; i++)
		target_reopen(l->processes.v[i]);
	for (size_t i = 0; i < l->sites.n; i++)
		if (!has_ended(l->sites.v[i].process))
			target_reopen(l->sites.v[i].process);
}

/* The mail last: from then on a thread may wait for us. */
void vm_resume(struct exec *e, struct diag *diag)
{
	struct vm *vm = vm_of(e);
	struct vm_live *l = vm->live;

	if (l->lingers)
		return;
	processes_look(l);
	if (l->trace)
		target_trace_resume(l->trace);
	if (l->trace && l->gate == VM_NO_PROG)
		vm_trace_processes(vm, diag);
	for (size_t i = 0; i < l->sites.n; i++)
		python_mail_open(l->sites.v[i].python, true);
}
