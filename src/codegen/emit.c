// SPDX-License-Identifier: Apache-2.0
/* From IR with places to instructions. r1..r3 are ours between two IR instructions. */
#include <errno.h>

#include "ir_impl.h"

#define MAX_STACK 512 /* of the kernel, for a program and all functions that it calls one in another */
#define RT_STACK  128 /* what our run-time functions may need of it */

struct emit {
	const struct ir *ir;
	const struct ir_place *place;
	const struct cg_group *group;
	struct asm_buf *b;
	asm_label *labels;
};

static int bpf_size(u8 bytes)
{
	return bytes == 1 ? BPF_B : bytes == 2 ? BPF_H : bytes == 4 ? BPF_W : BPF_DW;
}

static bool is_s32(s64 v)
{
	return v == (s32)v;
}

/* The register that holds v: its own, or `scratch` into which it is brought. */
static int get(struct emit *e, const struct ir_val *v, int scratch)
{
	switch (v->kind) {
	case IR_REG:
		if (e->place[v->n].reg >= 0)
			return e->place[v->n].reg;
		asm_load(e->b, BPF_DW, scratch, BPF_REG_10, e->place[v->n].slot);
		break;
	case IR_CONST: asm_mov_imm(e->b, scratch, v->imm); break;
	case IR_STACK:
		asm_mov(e->b, scratch, BPF_REG_10);
		asm_alu_imm(e->b, BPF_ADD, scratch, v->n);
		break;
	case IR_MAP: asm_map_ptr(e->b, scratch, (u32)v->n); break;
	case IR_MAPVAL: asm_map_value(e->b, scratch, (u32)v->n, (u32)v->imm); break;
	case IR_NONE: break;
	}
	return scratch;
}

/* Bring v into just this register. */
static void get_into(struct emit *e, const struct ir_val *v, int reg)
{
	int r = get(e, v, reg);

	if (r != reg)
		asm_mov(e->b, reg, r);
}

/* A base of memory: a register, with what is to be added to the offset. */
static int get_base(struct emit *e, const struct ir_val *v, int scratch, s16 *off)
{
	if (v->kind != IR_STACK)
		return get(e, v, scratch);
	*off = (s16)(*off + v->n);
	return BPF_REG_10;
}

static int dst_reg(struct emit *e, s32 vreg, int scratch)
{
	return e->place[vreg].reg >= 0 ? e->place[vreg].reg : scratch;
}

static void put_dst(struct emit *e, s32 vreg, int from)
{
	const struct ir_place *p = &e->place[vreg];

	if (p->reg < 0)
		asm_store(e->b, BPF_DW, BPF_REG_10, p->slot, from);
	else if (p->reg != from)
		asm_mov(e->b, p->reg, from);
}

static void emit_mov(struct emit *e, const struct ir_insn *i)
{
	int d = dst_reg(e, i->dst, BPF_REG_1);

	get_into(e, &i->a, d);
	put_dst(e, i->dst, d);
}

static bool in_reg(struct emit *e, const struct ir_val *v, int reg)
{
	return v->kind == IR_REG && e->place[v->n].reg == reg;
}

static void emit_alu(struct emit *e, const struct ir_insn *i)
{
	int d = dst_reg(e, i->dst, BPF_REG_1);

	if (in_reg(e, &i->b, d))
		d = BPF_REG_1; /* writing a first would spoil b */
	get_into(e, &i->a, d);
	if (i->b.kind == IR_CONST && is_s32(i->b.imm))
		asm_alu_imm(e->b, i->sub, d, (s32)i->b.imm);
	else
		asm_alu(e->b, i->sub, d, get(e, &i->b, BPF_REG_2));
	put_dst(e, i->dst, d);
}

static void emit_ext(struct emit *e, const struct ir_insn *i)
{
	int d = dst_reg(e, i->dst, BPF_REG_1), bits = 64 - 8 * i->size;

	if (i->sub) {
		get_into(e, &i->a, d);
		asm_alu_imm(e->b, BPF_LSH, d, bits);
		asm_alu_imm(e->b, BPF_ARSH, d, bits);
	} else if (i->size == 4) {
		asm_alu32(e->b, BPF_MOV, d, get(e, &i->a, BPF_REG_1));
	} else {
		get_into(e, &i->a, d);
		asm_alu_imm(e->b, BPF_AND, d, (1 << (8 * i->size)) - 1);
	}
	put_dst(e, i->dst, d);
}

static void emit_load(struct emit *e, const struct ir_insn *i)
{
	s16 off = i->off;
	int base = get_base(e, &i->a, BPF_REG_1, &off), d = dst_reg(e, i->dst, BPF_REG_1);

	asm_load(e->b, bpf_size(i->size), d, base, off);
	put_dst(e, i->dst, d);
}

static void emit_store(struct emit *e, const struct ir_insn *i)
{
	s16 off = i->off;
	int base = get_base(e, &i->a, BPF_REG_1, &off);

	if (i->b.kind == IR_CONST && is_s32(i->b.imm))
		asm_store_imm(e->b, bpf_size(i->size), base, off, (s32)i->b.imm);
	else
		asm_store(e->b, bpf_size(i->size), base, off, get(e, &i->b, BPF_REG_2));
}

static void emit_atomic(struct emit *e, const struct ir_insn *i)
{
	s16 off = i->off;
	int base = get_base(e, &i->a, BPF_REG_1, &off);

	if (i->dst == IR_NO_REG) {
		asm_atomic(e->b, BPF_DW, i->sub, base, off, get(e, &i->b, BPF_REG_2));
	} else {
		get_into(e, &i->b, BPF_REG_2);
		asm_atomic(e->b, BPF_DW, i->sub | BPF_FETCH, base, off, BPF_REG_2);
		put_dst(e, i->dst, BPF_REG_2);
	}
}

/* The same comparison with its sides changed. */
static int mirrored(int op)
{
	switch (op) {
	case BPF_JGT: return BPF_JLT;
	case BPF_JLT: return BPF_JGT;
	case BPF_JGE: return BPF_JLE;
	case BPF_JLE: return BPF_JGE;
	case BPF_JSGT: return BPF_JSLT;
	case BPF_JSLT: return BPF_JSGT;
	case BPF_JSGE: return BPF_JSLE;
	case BPF_JSLE: return BPF_JSGE;
	default: return op;
	}
}

static void emit_branch(struct emit *e, const struct ir_insn *i)
{
	const struct ir_val *a = &i->a, *b = &i->b;
	int op = i->sub, ra;

	if (a->kind == IR_CONST) {
		a = &i->b;
		b = &i->a;
		op = mirrored(op);
	}
	ra = get(e, a, BPF_REG_1);
	if (b->kind == IR_CONST && is_s32(b->imm))
		asm_branch_imm(e->b, op, ra, (s32)b->imm, e->labels[i->label]);
	else
		asm_branch(e->b, op, ra, get(e, b, BPF_REG_2), e->labels[i->label]);
}

static void emit_call(struct emit *e, const struct ir_insn *i)
{
	for (u32 n = 0; n < i->narg; n++)
		get_into(e, &i->arg[n], BPF_REG_1 + (int)n);
	if (i->op == IR_RT)
		asm_call_rt(e->b, i->symbol);
	else
		asm_call(e->b, i->sub);
	if (i->dst != IR_NO_REG)
		put_dst(e, i->dst, BPF_REG_0);
}

static void emit_group(struct emit *e, const struct ir_insn *i)
{
	const struct cg_group_ops *ops = e->group->ops;
	asm_label to = i->label >= 0 ? e->labels[i->label] : -1;

	switch ((enum ir_hook)i->sub) {
	case IR_HOOK_INDEX: ops->index(e->b, e->group->data, to); break;
	case IR_HOOK_FID: ops->fid(e->b, e->group->data); break;
	case IR_HOOK_FILTERS: ops->filters(e->b, e->group->data); break;
	case IR_HOOK_TEXT: ops->text(e->b, e->group->data, (enum d_builtin)i->a.imm); break;
	case IR_HOOK_ARGS: ops->args(e->b, e->group->data, (u32)i->a.imm, i->off, to); break;
	}
	if (i->dst != IR_NO_REG)
		put_dst(e, i->dst, BPF_REG_0);
}

static void emit_label(struct emit *e, const struct ir_insn *i)
{
	asm_label_here(e->b, e->labels[i->label]);
}

/* Do only labels stand between the jump and where it leads? */
static bool leads_to_next(struct emit *e, const struct ir_insn *i)
{
	const struct ir_insn *end = e->ir->insns.v + e->ir->insns.n, *n = i;

	while (++n < end && n->op == IR_LABEL) {
		if (n->label == i->label)
			return true;
	}
	return false;
}

static void emit_jump(struct emit *e, const struct ir_insn *i)
{
	if (!leads_to_next(e, i))
		asm_jump(e->b, e->labels[i->label]);
}

static void emit_exit(struct emit *e, const struct ir_insn *i)
{
	get_into(e, &i->a, BPF_REG_0);
	asm_exit(e->b);
}

static void (*const emitters[])(struct emit *e, const struct ir_insn *i) = {
    [IR_MOV] = emit_mov,       [IR_ALU] = emit_alu,       [IR_EXT] = emit_ext,     [IR_LOAD] = emit_load,
    [IR_STORE] = emit_store,   [IR_ATOMIC] = emit_atomic, [IR_LABEL] = emit_label, [IR_JUMP] = emit_jump,
    [IR_BRANCH] = emit_branch, [IR_HELPER] = emit_call,   [IR_RT] = emit_call,     [IR_GROUP] = emit_group,
    [IR_EXIT] = emit_exit,
};

int ir_emit(const struct ir *ir, const struct ir_place *place, const struct cg_group *group, struct asm_prog *out)
{
	struct emit e = {.ir = ir, .place = place, .group = group, .b = asm_new(ir->arena)};

	if (-ir->stack_low > MAX_STACK - RT_STACK)
		return -E2BIG;
	e.labels = arena_new_array(ir->arena, asm_label, ir->label_refs.n + 1);
	for (size_t n = 0; n < ir->label_refs.n; n++)
		e.labels[n] = asm_label_new(e.b);
	asm_mov(e.b, BPF_REG_6, BPF_REG_1);
	for (size_t n = 0; n < ir->insns.n; n++)
		emitters[ir->insns.v[n].op](&e, &ir->insns.v[n]);
	return asm_finish(e.b, out);
}
