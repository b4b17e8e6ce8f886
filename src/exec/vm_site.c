// SPDX-License-Identifier: Apache-2.0
/* An agent's event: the program of the site runs as a uprobe's would, with the arguments of the site in its registers. */
#include <asm/ptrace.h>
#include <errno.h>

#include "exec/vm_live_impl.h"

/*
 * A thread whose calls matter from now on is stopped at them before it goes on. One that matters no more is not stopped
 * for that: it is let run when it makes its next call.
 */
static void thread_arm(struct vm *vm, struct vm_thread *th)
{
	int err = vm_gate_open(vm, th) ? target_trace_arm(vm->live->trace, th->process, th->tid) : 0;

	if (err && err != -ESRCH)
		vm_lose(vm);
}

bool vm_site_take(struct vm *vm, struct vm_site *s)
{
	struct vm_live *l = vm->live;
	struct python_mail m;
	struct vm_thread *th;
	struct pt_regs regs = {0};

	if (!python_mail_take(s->python, &m))
		return false;
	th = s->prog[m.event] != VM_NO_PROG ? vm_thread_named(vm, s, m.tid) : NULL;
	if (!th && s->prog[m.event] != VM_NO_PROG)
		vm_lose(vm);
	if (th) {
		th->known = EXEC_CPU;
		th->cpu = m.cpu;
		regs.rdi = m.fid;
		regs.rsi = m.filters;
		regs.rdx = m.file;
		regs.rcx = m.func;
		regs.r8 = (u64)m.line;
		regs.r9 = m.function;
		vm_run_in(vm, s->prog[m.event], &regs, sizeof(regs), th, NULL);
		if (l->trace)
			target_trace_favour(l->trace, th->tid); /* it has the GIL */
		if (l->trace && l->gate != VM_NO_PROG)
			thread_arm(vm, th);
	}
	python_mail_answer(s->python);
	return true;
}
