// SPDX-License-Identifier: Apache-2.0
/*
 * The slot of a thread: its row of the state array, where its scalar variables stand. Its number is in the thread's task
 * storage. A thread without a slot has slot 0, in which all variables are 0 for ever; it gets one of its own when it
 * writes something that is not 0, and the end of the thread frees it.
 */
#include "gen_impl.h"

/* A run-time function on all that slots are made of. */
static struct ir_val rt_slots(struct gen *g, const char *symbol)
{
	const struct cg_output *o = g->cg->out;

	return ir_rt(&g->ir, symbol,
		     IR_ARGS(ir_map(cg_map(g->cg, CG_MAP_THREADS)), ir_map(cg_map(g->cg, CG_MAP_SLOTS)),
			     gen_state(g, 0), ir_const(o->nslots),
			     ir_const((s64)((u64)o->slots_off << 32 | o->slot_size))));
}

/* The slot's address from its number, which is below nslots. */
static struct ir_val slot_address(struct gen *g, struct ir_val n)
{
	const struct cg_output *o = g->cg->out;

	n = ir_alu(&g->ir, BPF_MUL, n, ir_const(o->slot_size));
	return ir_alu(&g->ir, BPF_ADD, gen_state(g, o->slots_off), n);
}

struct ir_val gen_slot_find(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct ir_val n = ir_new(ir), t;
	s32 none = ir_label_new(ir);

	t = gen_task_storage(g, CG_MAP_THREADS, 0);
	ir_mov(ir, n, ir_const(0));
	ir_branch(ir, BPF_JEQ, t, ir_const(0), none);
	ir_mov(ir, n, ir_load(ir, 4, t, 0));
	ir_branch(ir, BPF_JGE, n, ir_const(g->cg->out->nslots), g->end);
	ir_label(ir, none);
	return slot_address(g, n);
}

/* Every clause is false where there is no slot: leave at once. */
struct ir_val gen_slot_or_leave(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct ir_val t = gen_task_storage(g, CG_MAP_THREADS, 0), n;

	ir_branch(ir, BPF_JEQ, t, ir_const(0), g->end);
	n = ir_load(ir, 4, t, 0);
	ir_branch(ir, BPF_JGE, n, ir_const(g->cg->out->nslots), g->end);
	return slot_address(g, n);
}

void gen_slot_ensure(struct gen *g, struct ir_val slot, s32 skip)
{
	struct ir *ir = &g->ir;
	struct ir_val made;
	s32 have = ir_label_new(ir);

	ir_branch(ir, BPF_JNE, ir_load(ir, 8, slot, 0), ir_const(0), have);
	made = rt_slots(g, "rt_slot_make");
	ir_branch(ir, BPF_JEQ, made, ir_const(0), skip);
	ir_mov(ir, slot, made);
	ir_label(ir, have);
}

void gen_slot_free(struct gen *g)
{
	rt_slots(g, "rt_slot_free");
}
