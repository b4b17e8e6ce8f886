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

#include "gen_impl.h"

/* The clause-local variables of the group: they are shared by its clauses, and 0 before the first. */
static bool *find_locals(struct gen *g)
{
	const struct cg_input *in = g->cg->in;
	bool *used = arena_new_array(g->cg->arena, bool, in->prog->vars.n + 1);

	for (u32 i = 0; i < in->nenablings; i++) {
		const struct cg_enabling *e = &in->enablings[i];

		if (e->group != g->group_index)
			continue;
		for (u32 n = 0; n < e->nconj; n++)
			cg_mark_vars(g->cg, e->conj[n], used);
		cg_mark_body_vars(g->cg, e->clause, used);
	}
	for (size_t i = 0; i < in->prog->vars.n; i++)
		used[i] &= in->prog->vars.v[i]->scope == D_CLAUSE;
	return used;
}

static void gen_locals(struct gen *g)
{
	const struct d_program *prog = g->cg->in->prog;
	const bool *used = find_locals(g);

	for (size_t i = 0; i < prog->vars.n; i++) {
		if (used[i] && prog->vars.v[i]->type->kind == D_STRING)
			gen_make(g, LAZY_SCRATCH);
	}
	g->locals = arena_new_array(g->cg->arena, struct ir_val, prog->vars.n + 1);
	for (size_t i = 0; i < prog->vars.n; i++) {
		if (!used[i])
			continue;
		if (prog->vars.v[i]->type->kind == D_STRING) {
			ir_rt(&g->ir, "rt_str_zero",
			      IR_ARGS(ir_at(&g->ir, g->lazy.v[LAZY_SCRATCH], g->cg->vars[i].off), gen_strsize(g)));
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
	if (!g->group->always) {
		activity = ir_load(&g->ir, 4, gen_state(g, offsetof(struct cg_state, activity)), 0);
		ir_branch(&g->ir, BPF_JNE, activity, ir_const(CG_ACTIVE), g->end);
	}
	if (gen_slot_is_needed(g))
		gen_give(g, LAZY_SLOT, gen_slot_or_leave(g));
	gen_make(g, LAZY_INDEX); /* it may find that the event is none of ours */
	gen_locals(g);
	ir_jump(&g->ir, go_on);
	ir_label(&g->ir, g->end);
	ir_exit(&g->ir, ir_const(0));
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

	ir_exit(&g->ir, ir_const(0));
	if (cg->err)
		return;
	ir_drop_unused(&g->ir);
	if (cg->ir_text) {
		strbuf_printf(cg->ir_text, "%s:\n", name);
		ir_dump(cg->ir_text, &g->ir);
	}
	err = ir_emit(&g->ir, ir_allocate(&g->ir), g->group, out);
	out->name = prog_name(cg, name);
	out->kind = kind;
	if (err == -E2BIG)
		cg_fail(cg, err, "the clauses at %s are too long or too complex for one program", name);
	else if (err)
		cg_fail(cg, err, "the program of %s is malformed, which is a bug in pydtrace", name);
}

void gen_program(struct cg *cg, u32 group, struct asm_prog *out)
{
	struct gen g = {
	    .cg = cg, .group = &cg->in->groups[group], .group_index = group, .fault = -1, .fault_args = -1};
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
	finish(&g, g.group->name, g.group->kind, out);
}

bool gen_gate(struct cg *cg, struct asm_prog *out)
{
	static const struct cg_group_ops no_ops;
	static const struct cg_group group = {.name = "gate", .kind = ASM_RAW_TRACEPOINT, .ops = &no_ops};
	struct gen g = {.cg = cg, .group = &group};

	ir_init(&g.ir, cg->arena);
	if (!gen_gate_body(&g))
		return false;
	finish(&g, group.name, group.kind, out);
	return true;
}

/* The end of a thread (raw tracepoint sched_process_exit): its slot is free for another. */
void gen_thread_exit(struct cg *cg, struct asm_prog *out)
{
	static const struct cg_group_ops no_ops;
	static const struct cg_group group = {.name = "thread_exit", .kind = ASM_RAW_TRACEPOINT, .ops = &no_ops};
	struct gen g = {.cg = cg, .group = &group};

	ir_init(&g.ir, cg->arena);
	gen_slot_free(&g);
	finish(&g, group.name, group.kind, out);
}
