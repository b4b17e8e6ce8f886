// SPDX-License-Identifier: Apache-2.0
/* A clause in the program of a group: its set, its filter, its predicate; its body; and where its faults lead. */
#include <string.h>

#include "gen_impl.h"

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

/* Where what has gone wrong leads: to `early`; to `late`, another label, once a record was begun, to give it back. */
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
		gen_record_fault(g);
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
	ir_jump(ir, ends_by_exit(g->en->clause) && !is_end(g->group) ? g->end : g->next);
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
	ir_exit(ir, ir_const(0));
	ir_label(ir, g->next);
}
