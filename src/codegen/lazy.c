// SPDX-License-Identifier: Apache-2.0
/* What a program computes once (struct lazy): which probe it is, the thread's slot, memory for text, the arguments. */
#include <string.h>

#include "gen_impl.h"

#define MAX_STACK_KEY 64u /* bytes; a longer key is made in the memory for text */

struct ir_val gen_lazy(struct gen *g, enum lazy_id id)
{
	if (!g->lazy.have[id]) {
		g->want[id] = true;
		return ir_new(&g->ir);
	}
	return g->lazy.v[id];
}

static struct ir_val make_index(struct gen *g)
{
	struct ir_val n;

	if (!g->group->ops->index)
		return ir_const(0);
	n = ir_hook(&g->ir, IR_HOOK_INDEX, g->end);
	ir_branch(&g->ir, BPF_JGE, n, ir_const(g->group->nprobes),
		  g->end); /* for the verifier, should it be spilled */
	return n;
}

static struct ir_val make_fid(struct gen *g)
{
	return g->group->ops->fid ? ir_hook(&g->ir, IR_HOOK_FID, -1) : ir_const(0);
}

static struct ir_val make_filters(struct gen *g)
{
	return ir_hook(&g->ir, IR_HOOK_FILTERS, -1);
}

/*
 * Memory for text: of the thread, as its programs may be interrupted by those of another thread on the same CPU; of
 * the CPU where an interrupt's program may meet one of the thread's at work. NULL: there is none.
 */
static struct ir_val find_scratch(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct ir_val key, p;
	s32 stack = ir->stack;

	if (!g->group->irq_context)
		return gen_task_storage(g, CG_MAP_SCRATCH, BPF_LOCAL_STORAGE_GET_F_CREATE);
	key = ir_stack(ir, 8);
	ir_store(ir, 4, key, 0, ir_const(0));
	p = ir_helper(ir, BPF_FUNC_map_lookup_elem, IR_ARGS(ir_map(cg_map(g->cg, CG_MAP_SCRATCH_CPU)), key));
	ir->stack = stack;
	return p;
}

/* A clause that has none is aborted; the next one looks again at what was found. */
static struct ir_val make_scratch(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct ir_val p = g->scratch_found ? g->lazy.v[LAZY_SCRATCH] : find_scratch(g);
	s32 have = ir_label_new(ir);

	ir_branch(ir, BPF_JNE, p, ir_const(0), have);
	if (g->fault >= 0)
		gen_fault(g, CG_FAULT_NOSCRATCH, ir_const(0));
	else
		ir_jump(ir, g->end);
	ir_label(ir, have);
	return p;
}

/* One firing happens at one time: `timestamp` is the same each time that a clause reads it, as in DTrace. */
static struct ir_val make_time(struct gen *g)
{
	return ir_helper(&g->ir, BPF_FUNC_ktime_get_ns, NULL, 0);
}

static struct ir_val (*const makers[LAZY_NIDS])(struct gen *g) = {
    [LAZY_INDEX] = make_index,   [LAZY_FID] = make_fid,         [LAZY_FILTERS] = make_filters,
    [LAZY_SLOT] = gen_slot_find, [LAZY_SCRATCH] = make_scratch, [LAZY_TIME] = make_time,
};

void gen_give(struct gen *g, enum lazy_id id, struct ir_val v)
{
	g->lazy.v[id] = v;
	g->lazy.have[id] = true;
}

void gen_make(struct gen *g, enum lazy_id id)
{
	if (g->lazy.have[id])
		return;
	gen_give(g, id, makers[id](g));
}

static struct ir_val arg_place(const struct gen *g, u32 n)
{
	return (struct ir_val){.kind = IR_STACK, .n = g->args_at + 8 * (s32)n};
}

static void make_args(struct gen *g, u32 mask)
{
	mask &= ~g->lazy.args;
	if (!mask)
		return;
	if (g->group->ops->args) {
		ir_hook_args(&g->ir, mask, g->args_at, g->fault_args);
	} else {
		for (u32 n = 0; n < NARGS; n++) {
			if (mask & 1u << n)
				ir_store(&g->ir, 8, arg_place(g, n), 0, ir_const(0));
		}
	}
	g->lazy.args |= mask;
}

/* Make a part of the clause; see struct lazy. */
void gen_part(struct gen *g, void (*part)(struct gen *g))
{
	struct ir saved = g->ir;
	s32 fault = g->fault;
	size_t nrefs = saved.label_refs.n;
	u32 *refs = arena_new_array(g->cg->arena, u32, nrefs);

	memcpy(refs, saved.label_refs.v, nrefs * sizeof(*refs));
	memset(g->want, 0, sizeof(g->want));
	g->want_args = 0;
	part(g);
	if (g->cg->err)
		return;
	/* Arrays that have grown keep what was before; the rest is undone. */
	g->ir.insns.n = saved.insns.n;
	g->ir.label_refs.n = nrefs;
	memcpy(g->ir.label_refs.v, refs, nrefs * sizeof(*refs));
	g->ir.nregs = saved.nregs;
	g->ir.stack = saved.stack;
	g->ir.dead = saved.dead;
	g->fault = fault;
	for (int id = 0; id < LAZY_NIDS; id++) {
		if (g->want[id])
			gen_make(g, (enum lazy_id)id);
	}
	make_args(g, g->want_args);
	memset(g->want, 0, sizeof(g->want));
	part(g);
	for (int id = 0; id < LAZY_NIDS; id++) {
		if (g->want[id] && !g->cg->err)
			cg_error(g->cg, g->en->clause->pos,
				 "the trial did not want value %d, which is a bug in pydtrace", id);
	}
}

struct ir_val gen_arg(struct gen *g, u32 n)
{
	if (!(g->lazy.args & 1u << n))
		g->want_args |= 1u << n;
	return ir_load(&g->ir, 8, arg_place(g, n), 0);
}

struct ir_val gen_scratch(struct gen *g, u32 size)
{
	struct ir_val base = gen_lazy(g, LAZY_SCRATCH);
	u32 off = g->cg->scratch_fixed + g->scratch_used;

	g->scratch_used += ALIGN_UP(size, 8u);
	if (g->cg->scratch_fixed + g->scratch_used > g->cg->scratch_size)
		g->cg->scratch_size = g->cg->scratch_fixed + g->scratch_used;
	return ir_at(&g->ir, base, off);
}

struct ir_val gen_key_memory(struct gen *g, u32 size)
{
	return size <= MAX_STACK_KEY ? ir_stack(&g->ir, size) : gen_scratch(g, size);
}
