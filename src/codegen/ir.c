// SPDX-License-Identifier: Apache-2.0
/* Building the intermediate form. */
#include "ir_impl.h"

void ir_init(struct ir *ir, struct arena *a)
{
	*ir = (struct ir){.arena = a, .stack = -CG_OPS_SCRATCH, .stack_low = -CG_OPS_SCRATCH};
}

struct ir_val ir_new(struct ir *ir)
{
	return ir_reg(ir->nregs++);
}

struct ir_val ir_stack(struct ir *ir, u32 size)
{
	ir->stack -= (s32)ALIGN_UP(size, 8u);
	if (ir->stack < ir->stack_low)
		ir->stack_low = ir->stack;
	return (struct ir_val){.kind = IR_STACK, .n = ir->stack};
}

struct ir_val ir_at(struct ir *ir, struct ir_val base, u32 off)
{
	if (base.kind == IR_STACK)
		base.n += (s32)off;
	else if (base.kind == IR_MAPVAL)
		base.imm += off;
	else
		base = ir_alu(ir, BPF_ADD, base, ir_const(off));
	return base;
}

/* A new instruction; when no path leads here, one that is thrown away. */
static struct ir_insn *put(struct ir *ir, enum ir_op op)
{
	static struct ir_insn nowhere;
	struct ir_insn *i = ir->dead ? &nowhere : vec_push(ir->arena, &ir->insns);

	*i = (struct ir_insn){.op = op, .dst = IR_NO_REG, .label = -1};
	return i;
}

static struct ir_val put_dst(struct ir *ir, struct ir_insn *i)
{
	struct ir_val v = ir_new(ir);

	i->dst = v.n;
	return v;
}

static void use_label(struct ir *ir, struct ir_insn *i, s32 label)
{
	i->label = label;
	if (!ir->dead && label >= 0)
		ir->label_refs.v[label]++;
}

void ir_mov(struct ir *ir, struct ir_val dst, struct ir_val v)
{
	struct ir_insn *i = put(ir, IR_MOV);

	i->dst = dst.n;
	i->a = v;
}

struct ir_val ir_alu(struct ir *ir, int op, struct ir_val a, struct ir_val b)
{
	struct ir_insn *i;
	s64 v;

	if (a.kind == IR_CONST && b.kind == IR_CONST && ir_fold_alu(op, a.imm, b.imm, &v))
		return ir_const(v);
	if (b.kind == IR_CONST && ir_is_neutral(op, b.imm))
		return a;
	i = put(ir, IR_ALU);
	i->sub = op;
	i->a = a;
	i->b = b;
	return put_dst(ir, i);
}

struct ir_val ir_ext(struct ir *ir, struct ir_val v, u32 size, bool is_signed)
{
	u32 bits = 64 - 8 * size;
	struct ir_insn *i;

	if (size >= 8)
		return v;
	if (v.kind == IR_CONST)
		return ir_const(is_signed ? (s64)((u64)v.imm << bits) >> bits
					  : (s64)(((u64)v.imm << bits) >> bits));
	i = put(ir, IR_EXT);
	i->sub = is_signed;
	i->size = (u8)size;
	i->a = v;
	return put_dst(ir, i);
}

/* An instruction on memory at base + off. Its own offset has 16 bits; records and keys may be longer. */
static struct ir_insn *put_memory(struct ir *ir, enum ir_op op, u32 size, struct ir_val base, s32 off)
{
	struct ir_insn *i;

	if (off != (s16)off) {
		base = ir_at(ir, base, (u32)off);
		off = 0;
	}
	i = put(ir, op);
	i->size = (u8)size;
	i->a = base;
	i->off = (s16)off;
	return i;
}

struct ir_val ir_load(struct ir *ir, u32 size, struct ir_val base, s32 off)
{
	struct ir_insn *i = put_memory(ir, IR_LOAD, size, base, off);

	return put_dst(ir, i);
}

void ir_store(struct ir *ir, u32 size, struct ir_val base, s32 off, struct ir_val v)
{
	put_memory(ir, IR_STORE, size, base, off)->b = v;
}

static struct ir_insn *put_add(struct ir *ir, struct ir_val base, s32 off, struct ir_val v)
{
	struct ir_insn *i = put_memory(ir, IR_ATOMIC, 8, base, off);

	i->sub = BPF_ADD;
	i->b = v;
	return i;
}

void ir_atomic_add(struct ir *ir, struct ir_val base, s32 off, struct ir_val v)
{
	put_add(ir, base, off, v);
}

struct ir_val ir_fetch_add(struct ir *ir, struct ir_val base, s32 off, struct ir_val v)
{
	struct ir_insn *i = put_add(ir, base, off, v);

	return put_dst(ir, i);
}

/* --- control ------------------------------------------------------------------------------------ */

s32 ir_label_new(struct ir *ir)
{
	*vec_push(ir->arena, &ir->label_refs) = 0;
	return (s32)ir->label_refs.n - 1;
}

void ir_label(struct ir *ir, s32 label)
{
	if (!ir->label_refs.v[label])
		return; /* all jumps lead forward: there will be none */
	ir->dead = false;
	put(ir, IR_LABEL)->label = label;
}

void ir_jump(struct ir *ir, s32 label)
{
	use_label(ir, put(ir, IR_JUMP), label);
	ir->dead = true;
}

void ir_branch(struct ir *ir, int op, struct ir_val a, struct ir_val b, s32 label)
{
	struct ir_insn *i;

	if (a.kind == IR_CONST && b.kind == IR_CONST) {
		if (ir_fold_branch(op, a.imm, b.imm))
			ir_jump(ir, label);
		return;
	}
	i = put(ir, IR_BRANCH);
	i->sub = op;
	i->a = a;
	i->b = b;
	use_label(ir, i, label);
}

void ir_exit(struct ir *ir, struct ir_val v)
{
	put(ir, IR_EXIT)->a = v;
	ir->dead = true;
}

/* --- calls -------------------------------------------------------------------------------------- */

static struct ir_val put_call(struct ir *ir, struct ir_insn *i, const struct ir_val *arg, u32 narg)
{
	for (u32 n = 0; n < narg && n < IR_MAX_ARGS; n++)
		i->arg[n] = arg[n];
	i->narg = narg;
	return put_dst(ir, i);
}

struct ir_val ir_helper(struct ir *ir, s32 helper, const struct ir_val *arg, u32 narg)
{
	struct ir_insn *i = put(ir, IR_HELPER);

	i->sub = helper;
	return put_call(ir, i, arg, narg);
}

struct ir_val ir_rt(struct ir *ir, const char *symbol, const struct ir_val *arg, u32 narg)
{
	struct ir_insn *i = put(ir, IR_RT);

	i->symbol = symbol;
	return put_call(ir, i, arg, narg);
}

struct ir_val ir_hook(struct ir *ir, enum ir_hook hook, s32 label)
{
	struct ir_insn *i = put(ir, IR_GROUP);

	i->sub = hook;
	use_label(ir, i, label);
	return put_dst(ir, i);
}

struct ir_val ir_hook_text(struct ir *ir, enum d_builtin which)
{
	struct ir_insn *i = put(ir, IR_GROUP);

	i->sub = IR_HOOK_TEXT;
	i->a = ir_const(which);
	return put_dst(ir, i);
}

void ir_hook_args(struct ir *ir, u32 mask, s32 at, s32 fault)
{
	struct ir_insn *i = put(ir, IR_GROUP);

	i->sub = IR_HOOK_ARGS;
	i->a = ir_const(mask);
	i->off = (s16)at;
	use_label(ir, i, fault);
}
