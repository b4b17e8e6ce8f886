// SPDX-License-Identifier: Apache-2.0
/* A clause in the program of a group: its set, its filter, its predicate; its body; and where its faults lead. */
#include <string.h>

#include "codegen_impl.h"

struct ir_val gen_state(struct gen *g, u32 off)
{
	return ir_mapval(cg_map(g->cg, CG_MAP_STATE), off);
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

/* --- which probe -------------------------------------------------------------------------------- */

struct ir_val gen_id(struct gen *g)
{
	return ir_alu(&g->ir, BPF_ADD, gen_lazy(g, LAZY_INDEX), ir_const(g->g->id_base));
}

struct ir_val gen_ident(struct gen *g)
{
	struct ir_val id = gen_id(g), fid;

	if (!g->g->ops->fid)
		return id;
	fid = ir_alu(&g->ir, BPF_LSH, gen_lazy(g, LAZY_FID), ir_const(32));
	return ir_alu(&g->ir, BPF_OR, fid, id);
}

static u32 count_bits(const u64 *set, u32 n, u32 *last)
{
	u32 count = 0;

	for (u32 i = 0; i < n; i++) {
		if (set[i / 64] >> (i % 64) & 1) {
			*last = i;
			count++;
		}
	}
	return count;
}

void gen_set_branch(struct gen *g, const u64 *set, bool sense, s32 to)
{
	struct ir *ir = &g->ir;
	u32 n = g->g->nprobes, only = 0, count = count_bits(set, n, &only);
	struct ir_val index, word, off;

	if (count == 0 || count == n) {
		if ((count == n) == sense)
			ir_jump(ir, to);
		return;
	}
	index = gen_lazy(g, LAZY_INDEX);
	if (count == 1) {
		ir_branch(ir, sense ? BPF_JEQ : BPF_JNE, index, ir_const(only), to);
		return;
	}
	if (n <= 64) {
		word = ir_const((s64)set[0]);
	} else {
		off = ir_alu(ir, BPF_LSH, ir_alu(ir, BPF_RSH, index, ir_const(6)), ir_const(3));
		word = ir_mapval(cg_map(g->cg, CG_MAP_RODATA), cg_rodata(g->cg, set, ALIGN_UP(n, 64u) / 8));
		word = ir_load(ir, 8, ir_alu(ir, BPF_ADD, word, off), 0);
		index = ir_alu(ir, BPF_AND, index, ir_const(63));
	}
	word = ir_alu(ir, BPF_RSH, word, index);
	word = ir_alu(ir, BPF_AND, word, ir_const(1));
	ir_branch(ir, sense ? BPF_JNE : BPF_JEQ, word, ir_const(0), to);
}

/* --- clauses ------------------------------------------------------------------------------------ */

static void gen_filter(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct ir_val word;

	if (g->en->filter < 0)
		return;
	word = ir_alu(ir, BPF_RSH, gen_lazy(g, LAZY_FILTERS), ir_const(g->en->filter));
	word = ir_alu(ir, BPF_AND, word, ir_const(1));
	ir_branch(ir, BPF_JEQ, word, ir_const(0), g->next);
}

static void gen_predicate(struct gen *g)
{
	if (g->en->set)
		gen_set_branch(g, g->en->set, false, g->next);
	gen_filter(g);
	for (u32 i = 0; i < g->en->nconj; i++) {
		s32 stack = g->ir.stack;

		g->scratch_used = 0;
		gen_branch(g, g->en->conj[i], false, g->next);
		g->ir.stack = stack;
	}
}

static void gen_body(struct gen *g)
{
	const struct d_clause *c = g->en->clause;

	g->record = (struct ir_val){.kind = IR_NONE};
	g->field = 0;
	if (g->layout->prints_line)
		gen_record_begin(g);
	for (u32 i = 0; i < c->nstmts; i++) {
		s32 stack = g->ir.stack;

		g->action = i + 1;
		g->scratch_used = 0;
		gen_stmt(g, c->stmts[i]);
		g->ir.stack = stack;
	}
	if (g->record.kind != IR_NONE)
		ir_helper(&g->ir, BPF_FUNC_ringbuf_submit, IR_ARGS(g->record, ir_const(0)));
}

/* struct cg_record and struct cg_fault, and on to the next clause. */
static void gen_fault_record(struct gen *g)
{
	struct ir *ir = &g->ir;
	u32 size = sizeof(struct cg_record);
	s32 dropped = ir_label_new(ir);
	struct ir_val rec;

	gen_make(g, LAZY_FID);
	gen_make(g, LAZY_TIME);
	rec = ir_helper(ir, BPF_FUNC_ringbuf_reserve,
			IR_ARGS(ir_map(cg_map(g->cg, CG_MAP_RING)), ir_const((s64)(size + sizeof(struct cg_fault))),
				ir_const(0)));

	ir_branch(ir, BPF_JEQ, rec, ir_const(0), dropped);
	gen_record_head(g, rec, ir_const((s64)(s32)(g->epid | CG_FAULT)));
	ir_store(ir, 8, rec, (s32)size, g->fault_code); /* code in the low word, action in the high one */
	ir_store(ir, 8, rec, (s32)(size + offsetof(struct cg_fault, value)), g->fault_value);
	ir_helper(ir, BPF_FUNC_ringbuf_submit, IR_ARGS(rec, ir_const(0)));
	ir_jump(ir, g->next);
	ir_label(ir, dropped);
	gen_drop(g, CG_DROP_RECORD);
}

static bool ends_by_exit(const struct d_clause *c)
{
	for (u32 i = 0; i < c->nstmts; i++) {
		if (c->stmts[i]->kind == D_STMT_ACTION && c->stmts[i]->action == D_ACTION_EXIT)
			return true;
	}
	return false;
}

static bool is_end(const struct cg_group *g)
{
	return g->always && g->nprobes == 1 && !strcmp(g->probes[0].name, "END");
}

/* Where what has gone wrong leads: `late` when a record was begun, -1: none ever is. */
static void gen_faults(struct gen *g, s32 early, s32 late)
{
	struct ir *ir = &g->ir;

	if (late != early) {
		ir_label(ir, late);
		ir_helper(ir, BPF_FUNC_ringbuf_discard, IR_ARGS(g->record, ir_const(0)));
		ir_jump(ir, early);
	}
	g->action = 0;
	g->fault = early;
	ir_label(ir, g->fault_args);
	gen_fault(g, CG_FAULT_BADADDR, ir_const(0));
	ir_label(ir, early);
	if (!ir->dead)
		gen_fault_record(g);
}

void gen_clause(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct lazy before;
	s32 early = ir_label_new(ir);

	g->next = ir_label_new(ir);
	g->end = ir_label_new(ir);
	g->fault = early;
	g->fault_args = ir_label_new(ir);
	g->fault_code = ir_new(ir);
	g->fault_value = ir_new(ir);
	g->action = 0;
	g->lazy.args = 0;
	gen_part(g, gen_predicate);
	before = g->lazy;
	gen_part(g, gen_body);
	ir_jump(ir, ends_by_exit(g->en->clause) && !is_end(g->g) ? g->end : g->next);
	g->lazy = before;
	gen_faults(g, early, g->fault);
	g->lazy = before;
	if (before.have[LAZY_SCRATCH]) {
		g->scratch_found = true;
		g->lazy.have[LAZY_SCRATCH] = false;
	}
	/* Each clause has its own way out: a jump reaches 32,767 instructions. */
	if (!ir->dead)
		ir_jump(ir, g->next);
	ir_label(ir, g->end);
	ir_exit(ir);
	ir_label(ir, g->next);
}
