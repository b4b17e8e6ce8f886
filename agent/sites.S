/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe sites: functions that do nothing, for a uprobe to sit on. The first instruction is the one five-byte nop
 * that Linux 6.18 can turn into a call to its trampoline instead of a trap (arch/x86/kernel/uprobes.c); it must not
 * cross a page, hence the alignment. Arguments are in registers as wire.h says; nothing is changed. The agent calls a site
 * by the instructions before it, which put the two arguments that C passes on the stack into registers.
 */
#include "peer.h"

#ifndef __x86_64__
#error "the probe sites are written for x86-64 only"
#endif

.macro site name, pass, nop:vararg
	.balign 16
	.skip 6, 0x90 /* the two loads are 10 bytes, and the site is at a multiple of 16 */
	.globl \pass
	.hidden \pass
	.type \pass, @function
\pass:
	.cfi_startproc
	mov 8(%rsp), %r10
	mov 16(%rsp), %r11
	.cfi_endproc
	.size \pass, . - \pass
	.balign 16
	.globl \name
	.type \name, @function
\name:
	.cfi_startproc
	.byte \nop
	ret
	.cfi_endproc
	.size \name, . - \name
.endm

	.text
	site pydtrace_site_entry, agent_pass_entry, 0x0f, 0x1f, 0x44, 0x00, 0x00
	site pydtrace_site_return, agent_pass_return, 0x0f, 0x1f, 0x44, 0x00, 0x00

/*
 * For who is followed by children: a call to the trampoline is inherited by a forked child, but the trampoline is not (it is
 * mapped VM_DONTCOPY), so the child would jump into nothing. A one-byte nop stays a trap, which works in the child.
 */
	site pydtrace_trap_entry, agent_trap_entry, 0x90
	site pydtrace_trap_return, agent_trap_return, 0x90

/* long agent_syscall(long nr, long a, long b, long c, long d, long e, long f) */
	.balign 16
	.globl agent_syscall, agent_syscall_end
	.hidden agent_syscall, agent_syscall_end
	.type agent_syscall, @function
agent_syscall:
	.cfi_startproc
	mov %rdi, %rax
	mov %rsi, %rdi
	mov %rdx, %rsi
	mov %rcx, %rdx
	mov %r8, %r10
	mov %r9, %r8
	mov 8(%rsp), %r9
	syscall
agent_syscall_end:
	ret
	.cfi_endproc
	.size agent_syscall, . - agent_syscall

/*
 * The frame evaluator (evalframe.c), with a mark before it by which another instance of the agent knows it for one of
 * its kind and finds agent_poke().
 */
	.balign 64 /* so the function never begins a page, and what is before it can be read */
	.skip 16
	.quad AGENT_PEER_MARK
	.quad agent_poke - .
	.globl pydtrace_evalframe
	.hidden pydtrace_evalframe
	.type pydtrace_evalframe, @function
pydtrace_evalframe:
	.cfi_startproc
	jmp evalframe_call
	.cfi_endproc
	.size pydtrace_evalframe, . - pydtrace_evalframe

/* What a new interpreter calls (interps.c), with a mark before it and the distance to the word that says what was there before. */
	.balign 64 /* so the function never begins a page, and what is before it can be read */
	.skip 16
	.quad AGENT_FILL_MARK
	.quad interp_next - .
	.globl pydtrace_fill
	.hidden pydtrace_fill
	.type pydtrace_fill, @function
pydtrace_fill:
	.cfi_startproc
	jmp interp_fill
	.cfi_endproc
	.size pydtrace_fill, . - pydtrace_fill

/* The evaluator of an interpreter that is to be entered or left (inside.c), with a mark before it and the distance to turn_next(). */
	.balign 64
	.skip 16
	.quad AGENT_TURN_MARK
	.quad turn_next - .
	.globl pydtrace_turn
	.hidden pydtrace_turn
	.type pydtrace_turn, @function
pydtrace_turn:
	.cfi_startproc
	jmp interp_turn
	.cfi_endproc
	.size pydtrace_turn, . - pydtrace_turn

	.section .note.GNU-stack, "", @progbits
