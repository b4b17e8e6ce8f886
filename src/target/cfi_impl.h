// SPDX-License-Identifier: Apache-2.0
/*
 * Call frame information: how to get from a function's frame to its caller's, as every compiler describes it in the
 * .eh_frame section (DWARF 5, 6.4; System V ABI for x86-64, 3.7; the header with its sorted table: LSB Core, 10.6.2).
 * Stripped files have it too, because exceptions need it. Reads a mapped image; any bytes are allowed there.
 */
#ifndef PYDTRACE_TARGET_CFI_IMPL_H
#define PYDTRACE_TARGET_CFI_IMPL_H

#include "target/target_impl.h"

/* DWARF's numbers of the registers (System V ABI for x86-64, figure 3.36). */
enum { CFI_RBX = 3, CFI_RBP = 6, CFI_RSP = 7, CFI_R12 = 12, CFI_RA = 16, CFI_REGS = 17 };

/* What holds at one instruction. */
struct cfi_row {
	u64 start, end; /* the code that this entry describes */
	bool signal;    /* the frame of a signal handler's return: the frame below was interrupted, not called */
	u32 cfa_reg;    /* the frame's address (CFA) is this register ... */
	s64 cfa_off;    /* ... plus this */
	u32 saved;      /* bit for each register whose value is in memory, at CFA + off[] */
	u32 undefined;  /* bit for each register whose value is lost; CFI_RA: this is the outermost frame */
	s64 off[CFI_REGS];
};

/*
 * The row for the instruction at `pc`, in the image that is mapped from `base` on. 0; -ENOENT: no entry covers pc;
 * -ENOTSUP: a rule that needs an expression, or an encoding that no linker writes; -ENOEXEC: nonsense; or what reading
 * answered.
 */
int cfi_find(const struct elf_source *src, u64 base, u64 pc, struct cfi_row *out);

#endif
