// SPDX-License-Identifier: Apache-2.0
/* Statements: an expression for its effect, an action, or an aggregation. */
#include "gen_impl.h"

static void gen_action(struct gen *g, const struct d_stmt *s)
{
	struct ir *ir = &g->ir;

	switch (s->action) {
	case D_ACTION_EXIT:
		gen_record_fields(g, s);
		ir_store(ir, 4, gen_state(g, offsetof(struct cg_state, activity)), 0, ir_const(CG_DRAINING));
		break;
	case D_ACTION_STOP: ir_helper(ir, BPF_FUNC_send_signal, IR_ARGS(ir_const(19 /* SIGSTOP */))); break;
	case D_ACTION_RAISE: ir_helper(ir, BPF_FUNC_send_signal, IR_ARGS(gen_int(g, s->arg[0]))); break;
	default:
		if (cg_action_records(s->action))
			gen_record_fields(g, s);
		break;
	}
}

void gen_stmt(struct gen *g, const struct d_stmt *s)
{
	switch (s->kind) {
	case D_STMT_EXPR: gen_effect(g, s->expr); break;
	case D_STMT_ACTION: gen_action(g, s); break;
	case D_STMT_AGG: gen_agg(g, s); break;
	}
}
