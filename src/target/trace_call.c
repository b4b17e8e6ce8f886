// SPDX-License-Identifier: Apache-2.0
/*
 * From stops at the kernel's entry and exit to calls that begin once and end once.
 *
 * A call that a signal breaks off stops at its exit with one of the kernel's own codes (ERESTARTSYS ...), which no
 * program ever sees. What comes of it is decided only when the signal is delivered (arch_do_signal_or_restart() and
 * handle_signal() in arch/x86/kernel/signal.c):
 *
 *  - no handler runs: the instruction is executed again, with the same number or as restart_syscall. Its entry stop is
 *    no new call.
 *  - a handler runs: before it starts, the context that it will return to is made either "has failed with EINTR" or
 *    "is about to execute the instruction again". The exit stop of the handler's rt_sigreturn shows that context.
 *
 * Calls made by the handler come on top of the call that it interrupts, hence a stack. A handler that is left by
 * siglongjmp() leaves its call on the stack: another call from the same instruction at the same stack pointer proves
 * that it is dead (a live one would have been passed by rt_sigreturn first).
 */
#include <errno.h>
#include <linux/audit.h>
#include <string.h>

#include "target/trace_impl.h"

enum { QUIET_MAX = 1000 }; /* stops at calls that nobody wants, for the sake of one that has begun */

/* Numbers of calls that are special to us, for each of the kernel's tables; 64 bits and x32 are one architecture. */
static const struct abi {
	u32 arch;
	s64 restart, sigreturn[2];
} abis[] = {
    {AUDIT_ARCH_X86_64, 219, {15, 15}},
    {AUDIT_ARCH_X86_64, 0x40000000 + 219, {0x40000000 + 513, 0x40000000 + 513}},
    {AUDIT_ARCH_I386, 0, {119, 173}},
};

static bool is_restart(u32 arch, s64 nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(abis); i++)
		if (abis[i].arch == arch && abis[i].restart == nr)
			return true;
	return false;
}

static bool is_sigreturn(u32 arch, s64 nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(abis); i++)
		if (abis[i].arch == arch && (abis[i].sigreturn[0] == nr || abis[i].sigreturn[1] == nr))
			return true;
	return false;
}

/* include/linux/errno.h: ERESTARTSYS, ERESTARTNOINTR, ERESTARTNOHAND, ERESTART_RESTARTBLOCK */
static bool is_broken_off(s64 ret)
{
	return ret == -512 || ret == -513 || ret == -514 || ret == -516;
}

static struct trace_call *call_top(struct trace_row *r)
{
	return r->ncalls ? &r->calls[r->ncalls - 1] : NULL;
}

static struct trace_call *call_push(struct trace_row *r)
{
	if (r->ncalls == TRACE_CALLS) {
		memmove(&r->calls[0], &r->calls[1], sizeof(r->calls[0]) * (TRACE_CALLS - 1));
		r->ncalls--;
	}
	memset(&r->calls[r->ncalls], 0, sizeof(r->calls[0]));
	return &r->calls[r->ncalls++];
}

/* The end of a call that is off the stack. */
static void call_end(struct target_trace *tr, struct trace_row *r, struct trace_call *call, s64 ret)
{
	if (!call->begun && !r->armed)
		return;
	call->c.ret = ret;
	r->armed = tr->ops->leave(tr->arg, &r->th, &call->c);
}

static bool is_again(const struct trace_call *call, const struct __ptrace_syscall_info *i)
{
	if (call->state != CALL_BROKEN && call->state != CALL_AGAIN)
		return false;
	return call->c.ip == i->instruction_pointer && call->c.sp == i->stack_pointer &&
	       (call->c.nr == (s64)i->entry.nr || is_restart(i->arch, (s64)i->entry.nr));
}

/* A new call at this place: what is still on the stack for the same place was left by siglongjmp(). */
static void drop_left(struct trace_row *r, u64 ip, u64 sp)
{
	size_t kept = 0;

	for (size_t n = 0; n < r->ncalls; n++)
		if (r->calls[n].state != CALL_LIVE && (r->calls[n].c.ip != ip || r->calls[n].c.sp != sp))
			r->calls[kept++] = r->calls[n];
	r->ncalls = kept;
}

static void call_entry(struct target_trace *tr, struct trace_row *r, const struct __ptrace_syscall_info *i)
{
	struct trace_call *call = call_top(r);

	r->own = r->p->own_ip && i->instruction_pointer == r->p->own_ip;
	if (r->own)
		return;
	if (call && is_again(call, i)) {
		call->state = CALL_LIVE;
		return;
	}
	if (call) {
		drop_left(r, i->instruction_pointer, i->stack_pointer);
		call = call_top(r);
		if (call)
			call->state = CALL_HANDLER;
	}
	call = call_push(r);
	call->c.nr = (s64)i->entry.nr;
	for (size_t n = 0; n < ARRAY_SIZE(call->c.args); n++)
		call->c.args[n] = i->entry.args[n];
	call->c.ip = i->instruction_pointer;
	call->c.sp = i->stack_pointer;
	if (r->armed) {
		call->begun = true;
		r->armed = tr->ops->enter(tr->arg, &r->th, &call->c);
	}
}

/* An exit whose entry was not seen: a thread that was taken over in the middle of a call. */
static void exit_only(struct target_trace *tr, struct trace_row *r, const struct __ptrace_syscall_info *i)
{
	struct user_regs_struct regs;
	struct trace_call call = {
	    .c = {.nr = -1, .ip = i->instruction_pointer, .sp = i->stack_pointer},
	};

	if (!ptrace(PTRACE_GETREGS, r->th.tid, 0, &regs))
		call.c.nr = (s64)regs.orig_rax;
	call_end(tr, r, &call, i->exit.rval);
}

/* A handler has returned to this context: to a call that it interrupted? */
static void call_restored(struct target_trace *tr, struct trace_row *r, u64 ip, u64 sp, s64 ax)
{
	for (size_t n = r->ncalls; n--;) {
		struct trace_call call = r->calls[n];

		if (call.state != CALL_HANDLER || call.c.sp != sp)
			continue;
		if (call.c.ip == ip && ax == -EINTR) {
			r->ncalls = n;
			call_end(tr, r, &call, ax);
			return;
		}
		if (call.c.ip - 2 == ip) { /* syscall, sysenter and int 0x80 have two bytes */
			r->ncalls = n + 1;
			r->calls[n].state = CALL_AGAIN;
			return;
		}
	}
}

static void call_exit(struct target_trace *tr, struct trace_row *r, const struct __ptrace_syscall_info *i)
{
	struct trace_call *top = call_top(r), call;
	bool handler_ends;

	if (r->own) {
		r->own = false;
		return;
	}
	if (!top || top->state != CALL_LIVE) {
		exit_only(tr, r, i);
		return;
	}
	handler_ends = is_sigreturn(i->arch, top->c.nr);
	if (is_broken_off(i->exit.rval) && !handler_ends) {
		top->state = CALL_BROKEN;
		return;
	}
	call = *top;
	r->ncalls--;
	if (handler_ends)
		call.c.nr =
		    -1; /* so does the kernel tell it (restore_sigcontext()), and all who see its tracepoint */
	call_end(tr, r, &call, i->exit.rval);
	if (handler_ends)
		call_restored(tr, r, i->instruction_pointer, i->stack_pointer, i->exit.rval);
}

void call_stop(struct target_trace *tr, struct trace_row *r)
{
	struct __ptrace_syscall_info i;

	if (ptrace(PTRACE_GET_SYSCALL_INFO, r->th.tid, sizeof(i), &i) < 0)
		return; /* it is being killed */
	if (i.op == PTRACE_SYSCALL_INFO_ENTRY)
		call_entry(tr, r, &i);
	else if (i.op == PTRACE_SYSCALL_INFO_EXIT)
		call_exit(tr, r, &i);
}

/* Is the next instruction `syscall`? */
static bool at_syscall(pid_t tid, u64 ip)
{
	long word;

	errno = 0;
	word = ptrace(PTRACE_PEEKTEXT, tid, ip, 0);
	return !errno && (word & 0xffff) == 0x050f;
}

void call_look(struct target_trace *tr, struct trace_row *r)
{
	struct user_regs_struct regs;
	struct trace_call call = {.state = CALL_BROKEN};
	u64 own = r->p->own_ip;

	/* orig_rax < 0: it was not by a call that it came into the kernel (arch/x86/entry) */
	if (ptrace(PTRACE_GETREGS, r->th.tid, 0, &regs) || (s64)regs.orig_rax < 0)
		return;
	if (own && (regs.rip == own || regs.rip == own - 2))
		return;
	call.c = (struct target_syscall){
	    .nr = is_restart(AUDIT_ARCH_X86_64, (s64)regs.orig_rax) ? -1 : (s64)regs.orig_rax,
	    .args = {regs.rdi, regs.rsi, regs.rdx, regs.r10, regs.r8, regs.r9},
	    .ip = regs.rip,
	    .sp = regs.rsp,
	};
	if (!is_broken_off((s64)regs.rax)) {
		/* An interrupt that is the second in a row finds the instruction to be executed again prepared. */
		if ((regs.rax != regs.orig_rax && !is_restart(AUDIT_ARCH_X86_64, (s64)regs.rax)) ||
		    !at_syscall(r->th.tid, regs.rip)) {
			if (!tr->opening)
				call_end(tr, r, &call,
					 (s64)regs.rax); /* just ended; or the start of a new thread */
			return;
		}
		call.c.ip += 2;
		call.state = CALL_AGAIN;
	}
	*call_push(r) = call;
}

/* Has the process a handler for this signal? */
static bool is_caught(pid_t tid, int sig)
{
	return status_field(tid, "\nSigCgt:", 16) >> (sig - 1) & 1;
}

void call_signal(struct trace_row *r, int sig)
{
	struct trace_call *top = call_top(r);

	if (top && (top->state == CALL_BROKEN || top->state == CALL_AGAIN) && is_caught(r->th.tid, sig))
		top->state = CALL_HANDLER;
}

void call_exec(struct trace_row *r)
{
	struct trace_call *top = call_top(r);
	bool live = top && top->state == CALL_LIVE;

	if (live)
		r->calls[0] = *top;
	r->ncalls = live;
	r->own = false;
}

bool call_wanted(struct trace_row *r)
{
	size_t n = r->ncalls;

	if (r->armed) {
		r->quiet = 0;
		return true;
	}
	while (n && !r->calls[n - 1].begun)
		n--;
	if (n && ++r->quiet < QUIET_MAX)
		return true;
	r->ncalls = 0;
	r->own = false;
	r->quiet = 0;
	return false;
}
