/* SPDX-License-Identifier: Apache-2.0 */
/*
 * The probe sites: functions that do nothing, for a uprobe to sit on. The first instruction is the one five-byte nop
 * that Linux 6.18 can turn into a call to its trampoline instead of a trap (arch/x86/kernel/uprobes.c); it must not
 * cross a page, hence the alignment. Arguments are in registers as wire.h says; nothing is changed.
 */
#include "peer.h"

#ifndef __x86_64__
#error "the probe sites are written for x86-64 only"
#endif

.macro site name
	.balign 16
	.globl \name
	.type \name, @function
\name:
	.cfi_startproc
	.byte 0x0f, 0x1f, 0x44, 0x00, 0x00
	ret
	.cfi_endproc
	.size \name, . - \name
.endm

	.text
	site pydtrace_site_entry
	site pydtrace_site_return

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
	.balign 32
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

	.section .note.GNU-stack, "", @progbits
