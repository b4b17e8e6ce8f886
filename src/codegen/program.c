// SPDX-License-Identifier: Apache-2.0
/*
 * The program of a group:
 *
 *   skip unless running
 *   skip a thread that has no slot, when every clause asks for one: the usual case at system calls, a few instructions
 *   which probe?
 *   each clause: its set, its filter, its predicate -> its body; and where its faults lead
 */
#include <errno.h>
#include <string.h>

#include "codegen_impl.h"

/* Does the truth of `x op c` imply that x, a thread-local variable, is not 0? */
static bool refuses_zero(enum d_op op, s64 c, bool is_signed)
{
	switch (op) {
	case D_EQ: return c != 0;
	case D_NE: return c == 0;
	case D_GT: return is_signed ? c >= 0 : true;
	case D_GE: return is_signed ? c > 0 : c != 0;
	case D_LT: return is_signed && c <= 0;
	case D_LE: return is_signed && c < 0;
	default: return false;
	}
}

static bool is_thread_int(const struct d_node *n)
{
	return n->op == D_VAR && n->var->scope == D_THREAD &&
	       (n->type->kind == D_INT || n->type->kind == D_POINTER);
}

bool cg_needs_thread(const struct d_node *n)
{
	if (n->op == D_LAND)
		return cg_needs_thread(n->arg[0]) || cg_needs_thread(n->arg[1]);
	if (n->op == D_LOR)
		return cg_needs_thread(n->arg[0]) && cg_needs_thread(n->arg[1]);
	if (is_thread_int(n))
		return true;
	return n->op >= D_LT && n->op <= D_NE && is_thread_int(n->arg[0]) && n->arg[1]->op == D_CONST &&
	       refuses_zero(n->op, n->arg[1]->value,
			    n->arg[0]->type->is_signed && (n->arg[0]->type->kind == D_INT) &&
				n->arg[1]->type->is_signed);
}

static bool all_need_thread(struct gen *g)
{
	const struct cg_input *in = g->cg->in;
	u32 seen = 0;

	for (u32 i = 0; i < in->nenablings; i++) {
		const struct cg_enabling *e = &in->enablings[i];
		bool needs = false;

		if (e->group != g->group)
			continue;
		seen++;
		for (u32 n = 0; n < e->nconj; n++)
			needs |= cg_needs_thread(e->conj[n]);
		if (!needs)
			return false;
	}
	return seen > 0;
}

/* What stands in the tree of clause-local variables: they are shared by the clauses, and 0 before the first. */
struct locals {
	bool *used; /* by place in prog->vars */
	bool strings;
};

static void find_locals(struct gen *g, const struct d_node *n, struct locals *out)
{
	if (!n)
		return;
	if (n->op == D_VAR && n->var->scope == D_CLAUSE) {
		out->used[cg_var(g->cg, n->var) - g->cg->vars] = true;
		out->strings |= n->var->type->kind == D_STRING;
	}
	for (u32 i = 0; i < n->narg; i++)
		find_locals(g, n->arg[i], out);
}

static void find_clause_locals(struct gen *g, const struct cg_enabling *e, struct locals *out)
{
	for (u32 n = 0; n < e->nconj; n++)
		find_locals(g, e->conj[n], out);
	for (u32 n = 0; n < e->clause->nstmts; n++) {
		const struct d_stmt *s = e->clause->stmts[n];

		find_locals(g, s->expr, out);
		find_locals(g, s->agg, out);
		for (u32 i = 0; i < s->narg; i++)
			find_locals(g, s->arg[i], out);
	}
}

static void gen_locals(struct gen *g)
{
	const struct d_program *prog = g->cg->in->prog;
	struct locals l = {.used = arena_new_array(g->cg->arena, bool, prog->vars.n + 1)};

	for (u32 i = 0; i < g->cg->in->nenablings; i++) {
		if (g->cg->in->enablings[i].group == g->group)
			find_clause_locals(g, &g->cg->in->enablings[i], &l);
	}
	g->locals = arena_new_array(g->cg->arena, struct ir_val, prog->vars.n + 1);
	if (l.strings)
		gen_make(g, LAZY_SCRATCH);
	for (size_t i = 0; i < prog->vars.n; i++) {
		if (!l.used[i])
			continue;
		if (prog->vars.v[i]->type->kind == D_STRING) {
			struct ir_val p = ir_at(&g->ir, g->lazy.v[LAZY_SCRATCH], g->cg->vars[i].off);

			ir_rt(&g->ir, "rt_str_zero", IR_ARGS(p, ir_const(g->cg->strsize)));
		} else {
			g->locals[i] = ir_new(&g->ir);
			ir_mov(&g->ir, g->locals[i], ir_const(0));
		}
	}
}

static void gen_prologue(struct gen *g)
{
	struct ir_val activity;
	s32 go_on = ir_label_new(&g->ir);

	g->end = ir_label_new(&g->ir);
	if (!g->g->always) {
		activity = ir_load(&g->ir, 4, gen_state(g, offsetof(struct cg_state, activity)), 0);
		ir_branch(&g->ir, BPF_JNE, activity, ir_const(CG_ACTIVE), g->end);
	}
	if (all_need_thread(g))
		gen_slot_or_leave(g);
	gen_make(g, LAZY_INDEX); /* it may find that the event is none of ours */
	gen_locals(g);
	ir_jump(&g->ir, go_on);
	ir_label(&g->ir, g->end);
	ir_exit(&g->ir);
	ir_label(&g->ir, go_on);
}

static const char *prog_name(struct cg *cg, const char *name)
{
	char *s = arena_printf(cg->arena, "%.15s", name);

	for (char *p = s; *p; p++) {
		if (!strchr("abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789_.", *p))
			*p = '_';
	}
	return s;
}

static void finish(struct gen *g, const char *name, enum asm_prog_kind kind, struct asm_prog *out)
{
	struct cg *cg = g->cg;
	int err;

	ir_exit(&g->ir);
	if (cg->err)
		return;
	ir_drop_unused(&g->ir);
	if (cg->ir_text) {
		strbuf_printf(cg->ir_text, "%s:\n", name);
		ir_dump(cg->ir_text, &g->ir);
	}
	err = ir_emit(&g->ir, ir_allocate(&g->ir), g->g, out);
	out->name = prog_name(cg, name);
	out->kind = kind;
	if (!err)
		return;
	cg->err = err;
	diag_report(cg->diag, DIAG_ERROR, NOWHERE,
		    err == -E2BIG ? "the clauses at %s are too long or too complex for one program"
				  : "the program of %s is malformed, which is a bug in pydtrace",
		    name);
}

void gen_program(struct cg *cg, u32 group, struct asm_prog *out)
{
	struct gen g = {.cg = cg, .group = group, .g = &cg->in->groups[group], .fault = -1, .fault_args = -1};
	const struct cg_input *in = cg->in;

	ir_init(&g.ir, cg->arena);
	g.args_at = ir_stack(&g.ir, 8 * NARGS).n;
	gen_prologue(&g);
	for (u32 i = 0; i < in->nenablings && !cg->err; i++) {
		if (in->enablings[i].group != group)
			continue;
		g.en = &in->enablings[i];
		g.layout = &cg->out->layouts[i];
		g.epid = i + 1;
		gen_clause(&g);
	}
	finish(&g, g.g->name, g.g->kind, out);
}

/* The end of a thread (raw tracepoint sched_process_exit): its slot is free for another. */
void gen_thread_exit(struct cg *cg, struct asm_prog *out)
{
	static const struct cg_group_ops no_ops;
	static const struct cg_group group = {.name = "thread_exit", .kind = ASM_RAW_TRACEPOINT, .ops = &no_ops};
	struct gen g = {.cg = cg, .g = &group};
	const struct cg_output *o = cg->out;

	ir_init(&g.ir, cg->arena);
	ir_rt(&g.ir, "rt_slot_free",
	      IR_ARGS(ir_map(cg_map(cg, CG_MAP_THREADS)), ir_map(cg_map(cg, CG_MAP_SLOTS)), gen_state(&g, 0),
		      ir_const(o->nslots), ir_const((s64)((u64)o->slots_off << 32 | o->slot_size))));
	finish(&g, group.name, group.kind, out);
}
