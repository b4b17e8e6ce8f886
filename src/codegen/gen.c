// SPDX-License-Identifier: Apache-2.0
/* What all makers of code use: the state of the run, constants, drops and faults. */
#include "gen_impl.h"

struct ir_val gen_state(struct gen *g, u32 off)
{
	return ir_mapval(cg_map(g->cg, CG_MAP_STATE), off);
}

struct ir_val gen_rodata(struct gen *g, u32 off)
{
	return ir_mapval(cg_map(g->cg, CG_MAP_RODATA), off);
}

struct ir_val gen_text_const(struct gen *g, const char *s)
{
	return gen_rodata(g, cg_rodata_text(g->cg, s));
}

struct ir_val gen_task_storage(struct gen *g, enum cg_mapid map, s64 flags)
{
	struct ir_val task = ir_helper(&g->ir, BPF_FUNC_get_current_task_btf, NULL, 0);

	return ir_helper(&g->ir, BPF_FUNC_task_storage_get,
			 IR_ARGS(ir_map(cg_map(g->cg, map)), task, ir_const(0), ir_const(flags)));
}

void gen_drop(struct gen *g, enum cg_drop what)
{
	ir_atomic_add(&g->ir, gen_state(g, (u32)(offsetof(struct cg_state, drops) + 8 * what)), 0, ir_const(1));
}

void gen_fault(struct gen *g, enum cg_fault_code code, struct ir_val value)
{
	ir_mov(&g->ir, g->fault_code, ir_const((s64)((u64)g->action << 32 | code)));
	ir_mov(&g->ir, g->fault_value, value);
	ir_jump(&g->ir, g->fault);
}

void gen_fault_unless(struct gen *g, int op, struct ir_val v, enum cg_fault_code code, struct ir_val value)
{
	s32 ok = ir_label_new(&g->ir);

	ir_branch(&g->ir, op, v, ir_const(0), ok);
	gen_fault(g, code, value);
	ir_label(&g->ir, ok);
}
