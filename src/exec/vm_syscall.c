// SPDX-License-Identifier: Apache-2.0
/*
 * A system call that ptrace reports: the programs at sys_enter and sys_exit run with the context of those tracepoints
 * (include/trace/events/syscalls.h), the registers of the thread behind it.
 */
#include <asm/ptrace.h>
#include <errno.h>

#include "exec/vm_live_impl.h"

struct call_context {
	u64 args[2]; /* sys_enter: regs, id; sys_exit: regs, ret */
	struct pt_regs regs;
};

static void context_fill(struct call_context *ctx, const struct target_syscall *c, u64 rax)
{
	*ctx = (struct call_context){.args = {(u64)(uintptr_t)&ctx->regs}};
	ctx->regs.orig_rax = (u64)c->nr;
	ctx->regs.rax = rax;
	ctx->regs.rdi = c->args[0];
	ctx->regs.rsi = c->args[1];
	ctx->regs.rdx = c->args[2];
	ctx->regs.r10 = c->args[3];
	ctx->regs.r8 = c->args[4];
	ctx->regs.r9 = c->args[5];
	ctx->regs.rip = c->ip;
	ctx->regs.rsp = c->sp;
}

bool vm_gate_open(struct vm *vm, struct vm_thread *th)
{
	static const u64 ctx[EXEC_MAX_ARGS];
	u64 open = 1;

	if (vm->live->gate != VM_NO_PROG)
		vm_run_in(vm, vm->live->gate, ctx, sizeof(ctx), th, &open);
	th->matters = open;
	return open;
}

static struct vm_thread *thread_of(struct vm *vm, struct target_thread *th)
{
	struct vm_thread *own = th->data;

	if (!own) {
		th->data = own = vm_thread_get(vm, th->process, th->tid);
		if (own)
			vm_thread_traced(vm, own, true);
	}
	return own;
}

/* Run the program of a tracepoint, and say whether the thread's calls go on to matter. */
static bool call_run(struct vm *vm, enum vm_point point, struct target_thread *traced, struct call_context *ctx,
		     u64 arg)
{
	struct vm_thread *th = thread_of(vm, traced);
	u32 prog = vm->live->point[point];

	if (!th) {
		vm_lose(vm);
		return true;
	}
	if (prog == VM_NO_PROG)
		return th->matters || vm->live->gate == VM_NO_PROG;
	th->known = 0;
	ctx->args[1] = arg;
	vm_run_in(vm, prog, ctx, sizeof(*ctx), th, NULL);
	return vm_gate_open(vm, th);
}

static bool call_enter(void *arg, struct target_thread *th, const struct target_syscall *c)
{
	struct call_context ctx;

	context_fill(&ctx, c, (u64)-ENOSYS);
	return call_run(arg, VM_SYS_ENTER, th, &ctx, (u64)c->nr);
}

static bool call_leave(void *arg, struct target_thread *th, const struct target_syscall *c)
{
	struct call_context ctx;

	context_fill(&ctx, c, (u64)c->ret);
	return call_run(arg, VM_SYS_EXIT, th, &ctx, (u64)c->ret);
}

static void call_ended(void *arg, struct target_thread *th)
{
	struct vm_thread *own = th->data;

	th->data = NULL;
	if (!own)
		return;
	vm_thread_traced(arg, own, false);
	vm_thread_reap(arg, own);
}

static void call_execed(void *arg, struct target_thread *th, pid_t former)
{
	struct vm_thread *own = th->data;

	if (own)
		vm_thread_rename(arg, own, th->tid);
}

static bool mail_presses(void *arg)
{
	return vm_bell_waits(((struct vm *)arg)->live);
}

const struct target_trace_ops vm_trace_ops = {
    .enter = call_enter,
    .leave = call_leave,
    .ended = call_ended,
    .execed = call_execed,
    .presses = mail_presses,
};
