// SPDX-License-Identifier: Apache-2.0
/*
 * The programs of the python provider: from the arguments of a site (agent/wire.h) to those of the probe.
 */
#include <asm/ptrace.h>

#include "provider/python_impl.h"

#if defined(__x86_64__)
#define SITE_FID      offsetof(struct pt_regs, rdi)
#define SITE_FILTERS  offsetof(struct pt_regs, rsi)
#define SITE_FILE     offsetof(struct pt_regs, rdx)
#define SITE_FUNC     offsetof(struct pt_regs, rcx)
#define SITE_LINE     offsetof(struct pt_regs, r8)
#define SITE_FUNCTION offsetof(struct pt_regs, r9)
#elif defined(__aarch64__)
#define SITE_FID      0
#define SITE_FILTERS  8
#define SITE_FILE     16
#define SITE_FUNC     24
#define SITE_LINE     32
#define SITE_FUNCTION 40
#endif

static void site_fid(struct asm_buf *b, void *data)
{
	asm_load(b, BPF_W, BPF_REG_0, BPF_REG_6, SITE_FID);
}

static void site_filters(struct asm_buf *b, void *data)
{
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, SITE_FILTERS);
}

static void site_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	static const s16 regs[] = {SITE_FILE, SITE_FUNC, SITE_LINE};

	for (size_t n = 0; n < ARRAY_SIZE(regs); n++) {
		if (!(mask & 1u << n))
			continue;
		asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, regs[n]);
		asm_store(b, BPF_DW, BPF_REG_10, (s16)(off + 8 * (s16)n), BPF_REG_0);
	}
	provider_args_zero(b, mask & ~((1u << ARRAY_SIZE(regs)) - 1), off);
}

/* Read `size` bytes of the wire_function at `off` to r10 + to; what cannot be read is 0 (the kernel clears it). */
static void read_function(struct asm_buf *b, size_t off, s32 size, s32 to)
{
	asm_mov(b, BPF_REG_1, BPF_REG_10);
	asm_alu_imm(b, BPF_ADD, BPF_REG_1, to);
	asm_mov_imm(b, BPF_REG_2, size);
	asm_load(b, BPF_DW, BPF_REG_3, BPF_REG_6, SITE_FUNCTION);
	asm_alu_imm(b, BPF_ADD, BPF_REG_3, (s32)off);
	asm_call(b, BPF_FUNC_probe_read_user);
}

static void site_text(struct asm_buf *b, void *data, enum d_builtin which)
{
	size_t off = which == D_BUILTIN_PROBEMOD ? offsetof(struct wire_function, module)
						 : offsetof(struct wire_function, qualname);

	read_function(b, off, 4, -16);
	read_function(b, offsetof(struct wire_function, page), 8, -8);
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_10, -8);
	asm_load(b, BPF_W, BPF_REG_1, BPF_REG_10, -16);
	asm_alu(b, BPF_ADD, BPF_REG_0, BPF_REG_1);
}

const struct cg_group_ops python_site_ops = {
    .fid = site_fid,
    .filters = site_filters,
    .args = site_args,
    .text = site_text,
};
