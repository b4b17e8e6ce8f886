// SPDX-License-Identifier: Apache-2.0
/*
 * The interpreter. What each instruction does is RFC 9669's and, where that leaves room, the kernel's
 * (kernel/bpf/core.c, and the verifier's patches): x / 0 is 0, x % 0 is x, shifts take the low bits of the count.
 */
#include <errno.h>
#include <string.h>

#include "exec/vm_impl.h"

/* Names that are younger than the headers of Debian 12. */
#define MODE_MEMSX 0x80 /* sign-extending load */

/* --- arithmetic ----------------------------------------------------------------------------------- */

static u64 divide(u64 a, u64 b, bool is_signed, bool wide)
{
	if (!b)
		return 0;
	if (!is_signed)
		return a / b;
	/* INT_MIN / -1 overflows in C; BPF defines it as INT_MIN. */
	if (wide)
		return b == ~0ull ? -a : (u64)((s64)a / (s64)b);
	return (u32)b == ~0u ? -(u32)a : (u32)((s32)a / (s32)b);
}

static u64 modulo(u64 a, u64 b, bool is_signed, bool wide)
{
	if (!b)
		return a;
	if (!is_signed)
		return a % b;
	if (wide)
		return b == ~0ull ? 0 : (u64)((s64)a % (s64)b);
	return (u32)b == ~0u ? 0 : (u32)((s32)a % (s32)b);
}

static u64 shift_arith(u64 a, u64 n, bool wide)
{
	return wide ? (u64)((s64)a >> (n & 63)) : (u32)((s32)a >> (n & 31));
}

static u64 sign_extend(u64 v, int bits)
{
	switch (bits) {
	case 8: return (u64)(s64)(int8_t)v;
	case 16: return (u64)(s64)(s16)v;
	case 32: return (u64)(s64)(s32)v;
	default: return v;
	}
}

static u64 swap(u64 v, s32 bits)
{
	switch (bits) {
	case 16: return __builtin_bswap16((u16)v);
	case 32: return __builtin_bswap32((u32)v);
	default: return __builtin_bswap64(v);
	}
}

static u64 truncate(u64 v, s32 bits)
{
	return bits == 16 ? (u16)v : bits == 32 ? (u32)v : v;
}

/* BPF_TO_LE keeps the order on this machine and truncates; in class ALU64 it is an unconditional swap. */
static u64 byte_order(const struct bpf_insn *i, u64 v)
{
	if (BPF_CLASS(i->code) == BPF_ALU && BPF_SRC(i->code) == BPF_TO_LE)
		return truncate(v, i->imm);
	return swap(v, i->imm);
}

/* False: there is no such instruction. The caller truncates 32-bit results. */
static bool alu(const struct bpf_insn *i, u64 a, u64 b, u64 *out)
{
	bool wide = BPF_CLASS(i->code) == BPF_ALU64;
	u64 n = b & (wide ? 63 : 31);

	if (!wide) {
		a = (u32)a;
		b = (u32)b;
	}
	switch (BPF_OP(i->code)) {
	case BPF_ADD: *out = a + b; break;
	case BPF_SUB: *out = a - b; break;
	case BPF_MUL: *out = a * b; break;
	case BPF_DIV: *out = divide(a, b, i->off == 1, wide); break;
	case BPF_MOD: *out = modulo(a, b, i->off == 1, wide); break;
	case BPF_OR: *out = a | b; break;
	case BPF_AND: *out = a & b; break;
	case BPF_XOR: *out = a ^ b; break;
	case BPF_LSH: *out = a << n; break;
	case BPF_RSH: *out = a >> n; break;
	case BPF_ARSH: *out = shift_arith(a, n, wide); break;
	case BPF_NEG: *out = -a; break;
	case BPF_MOV: *out = sign_extend(b, i->off); break;
	default: return false;
	}
	if (!wide)
		*out = (u32)*out;
	return true;
}

/* --- jumps ---------------------------------------------------------------------------------------- */

static bool taken(u8 code, u64 a, u64 b, bool *known)
{
	s64 sa = (s64)a, sb = (s64)b;

	if (BPF_CLASS(code) == BPF_JMP32) {
		sa = (s32)a;
		sb = (s32)b;
		a = (u32)a;
		b = (u32)b;
	}
	switch (BPF_OP(code)) {
	case BPF_JEQ: return a == b;
	case BPF_JNE: return a != b;
	case BPF_JGT: return a > b;
	case BPF_JGE: return a >= b;
	case BPF_JLT: return a < b;
	case BPF_JLE: return a <= b;
	case BPF_JSET: return (a & b) != 0;
	case BPF_JSGT: return sa > sb;
	case BPF_JSGE: return sa >= sb;
	case BPF_JSLT: return sa < sb;
	case BPF_JSLE: return sa <= sb;
	default: *known = false; return false;
	}
}

/* --- memory --------------------------------------------------------------------------------------- */

static u32 width(u8 code)
{
	static const u8 bytes[] = {[BPF_W >> 3] = 4, [BPF_H >> 3] = 2, [BPF_B >> 3] = 1, [BPF_DW >> 3] = 8};

	return bytes[BPF_SIZE(code) >> 3];
}

static void store(struct vm_run *r, u64 addr, u32 size, u64 v)
{
	u8 *p = vm_memory(r, addr, size, true);

	if (p)
		memcpy(p, &v, size);
}

#define ATOMIC(type)                                                                                               \
	static bool atomic_##type(type *p, s32 op, u64 *src, u64 *r0)                                              \
	{                                                                                                          \
		type v = (type)*src, old = (type)*r0;                                                              \
                                                                                                                   \
		switch (op) {                                                                                      \
		case BPF_ADD:                                                                                      \
		case BPF_ADD | BPF_FETCH: old = __atomic_fetch_add(p, v, __ATOMIC_SEQ_CST); break;                 \
		case BPF_OR:                                                                                       \
		case BPF_OR | BPF_FETCH: old = __atomic_fetch_or(p, v, __ATOMIC_SEQ_CST); break;                   \
		case BPF_AND:                                                                                      \
		case BPF_AND | BPF_FETCH: old = __atomic_fetch_and(p, v, __ATOMIC_SEQ_CST); break;                 \
		case BPF_XOR:                                                                                      \
		case BPF_XOR | BPF_FETCH: old = __atomic_fetch_xor(p, v, __ATOMIC_SEQ_CST); break;                 \
		case BPF_XCHG: old = __atomic_exchange_n(p, v, __ATOMIC_SEQ_CST); break;                           \
		case BPF_CMPXCHG:                                                                                  \
			__atomic_compare_exchange_n(p, &old, v, false, __ATOMIC_SEQ_CST, __ATOMIC_SEQ_CST);        \
			*r0 = old;                                                                                 \
			return true;                                                                               \
		default: return false;                                                                             \
		}                                                                                                  \
		if (op & BPF_FETCH)                                                                                \
			*src = old;                                                                                \
		return true;                                                                                       \
	}
ATOMIC(u32)
ATOMIC(u64)

/* The state array is shared with other writers (later the agent), so atomics are real ones. */
static void atomic(struct vm_run *r, const struct bpf_insn *i, u64 *reg)
{
	u32 size = width(i->code);
	u64 addr = reg[i->dst_reg] + (u64)(s64)i->off, *src = &reg[i->src_reg], *r0 = &reg[BPF_REG_0];
	u8 *p = vm_memory(r, addr, size, true);
	bool ok = size >= 4 && addr % size == 0;

	if (!p)
		return;
	if (ok)
		ok = size == 8 ? atomic_u64((u64 *)(void *)p, i->imm, src, r0)
			       : atomic_u32((u32 *)(void *)p, i->imm, src, r0);
	if (!ok)
		r->error = -EFAULT;
}

/* --- the loop ------------------------------------------------------------------------------------- */

/* One of LD, LDX, ST, STX. */
static void memory_insn(struct vm_run *r, const struct bpf_insn *i, u64 *reg)
{
	u32 size = width(i->code);
	u64 addr, v;

	switch (BPF_CLASS(i->code) | BPF_MODE(i->code)) {
	case BPF_LD | BPF_IMM: reg[i->dst_reg] = (u32)i[0].imm | (u64)(u32)i[1].imm << 32; break;
	case BPF_LDX | BPF_MEM: reg[i->dst_reg] = vm_load(r, reg[i->src_reg] + (u64)(s64)i->off, size); break;
	case BPF_LDX | MODE_MEMSX:
		v = vm_load(r, reg[i->src_reg] + (u64)(s64)i->off, size);
		reg[i->dst_reg] = sign_extend(v, (int)size * 8);
		break;
	case BPF_ST | BPF_MEM: store(r, reg[i->dst_reg] + (u64)(s64)i->off, size, (u64)(s64)i->imm); break;
	case BPF_STX | BPF_MEM:
		addr = reg[i->dst_reg] + (u64)(s64)i->off;
		store(r, addr, size, reg[i->src_reg]);
		break;
	case BPF_STX | BPF_ATOMIC: atomic(r, i, reg); break;
	default: r->error = -EINVAL; break;
	}
}

static void alu_insn(struct vm_run *r, const struct bpf_insn *i, u64 *reg)
{
	u64 b = BPF_SRC(i->code) == BPF_X ? reg[i->src_reg] : (u64)(s64)i->imm;

	if (BPF_OP(i->code) == BPF_END)
		reg[i->dst_reg] = byte_order(i, reg[i->dst_reg]);
	else if (!alu(i, reg[i->dst_reg], b, &reg[i->dst_reg]))
		r->error = -EINVAL;
}

/* A jump that is no call and no exit: how many instructions to skip. */
static s64 jump_insn(struct vm_run *r, const struct bpf_insn *i, const u64 *reg)
{
	u64 b = BPF_SRC(i->code) == BPF_X ? reg[i->src_reg] : (u64)(s64)i->imm;
	bool known = true;

	if (i->code == (BPF_JMP | BPF_JA))
		return i->off;
	if (i->code == (BPF_JMP32 | BPF_JA))
		return i->imm;
	if (taken(i->code, reg[i->dst_reg], b, &known))
		return i->off;
	if (!known)
		r->error = -EINVAL;
	return 0;
}

static void call_insn(struct vm_run *r, const struct bpf_insn *i, u32 pc, u64 *reg)
{
	if (i->src_reg == BPF_PSEUDO_CALL)
		vm_call(r, (u32)((s64)pc + 1 + i->imm), reg + BPF_REG_1, &reg[BPF_REG_0]);
	else
		vm_helper_call(r, i->imm, reg + BPF_REG_1, &reg[BPF_REG_0]);
}

static void loop(struct vm_run *r, u32 pc, u64 *reg)
{
	const struct bpf_code *c = r->code;

	while (!r->error) {
		const struct bpf_insn *i = c->insns + pc;
		bool two;

		if (pc >= c->n || i->dst_reg > BPF_REG_10 || i->src_reg > BPF_REG_10) {
			r->error = -EFAULT;
			return;
		}
		two = i->code == (BPF_LD | BPF_IMM | BPF_DW);
		if (two && pc + 1 == c->n) {
			r->error = -EFAULT;
			return;
		}
		if (!r->budget--) {
			r->error = -ELOOP;
			return;
		}
		if (i->code == (BPF_JMP | BPF_EXIT))
			return;
		switch (BPF_CLASS(i->code)) {
		case BPF_ALU:
		case BPF_ALU64: alu_insn(r, i, reg); break;
		case BPF_JMP:
		case BPF_JMP32:
			if (i->code == (BPF_JMP | BPF_CALL))
				call_insn(r, i, pc, reg);
			else
				pc = (u32)((s64)pc + jump_insn(r, i, reg));
			break;
		default: memory_insn(r, i, reg); break;
		}
		pc += two ? 2 : 1;
	}
}

int vm_call(struct vm_run *r, u32 pc, const u64 args[5], u64 *r0)
{
	u64 reg[BPF_REG_10 + 1] = {0};
	u8 *frame = r->stack + r->depth * VM_FRAME_SIZE;

	if (r->depth == VM_FRAMES) {
		r->error = -ELOOP;
		return r->error;
	}
	memset(frame, 0, VM_FRAME_SIZE);
	memcpy(reg + BPF_REG_1, args, 5 * sizeof(*reg));
	reg[BPF_REG_10] = (u64)(uintptr_t)(frame + VM_FRAME_SIZE);
	r->depth++;
	loop(r, pc, reg);
	r->depth--;
	*r0 = reg[BPF_REG_0];
	return r->error;
}
