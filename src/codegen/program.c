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

/* --- values that are made once ------------------------------------------------------------------- */

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

	if (!g->g->ops->index)
		return ir_const(0);
	n = ir_hook(&g->ir, IR_HOOK_INDEX, g->end);
	ir_branch(&g->ir, BPF_JGE, n, ir_const(g->g->nprobes), g->end); /* for the verifier, should it be spilled */
	return n;
}

static struct ir_val make_fid(struct gen *g)
{
	return g->g->ops->fid ? ir_hook(&g->ir, IR_HOOK_FID, -1) : ir_const(0);
}

static struct ir_val make_filters(struct gen *g)
{
	return ir_hook(&g->ir, IR_HOOK_FILTERS, -1);
}

/* The slot's address from its number, which is below nslots. */
static struct ir_val slot_address(struct gen *g, struct ir_val n)
{
	const struct cg_output *o = g->cg->out;

	n = ir_alu(&g->ir, BPF_MUL, n, ir_const(o->slot_size));
	return ir_alu(&g->ir, BPF_ADD, gen_state(g, o->slots_off), n);
}

static struct ir_val find_thread(struct gen *g)
{
	struct ir_val task = ir_helper(&g->ir, BPF_FUNC_get_current_task_btf, NULL, 0);

	return ir_helper(&g->ir, BPF_FUNC_task_storage_get,
			 IR_ARGS(ir_map(cg_map(g->cg, CG_MAP_THREADS)), task, ir_const(0), ir_const(0)));
}

/* A thread without a slot has slot 0, in which all variables are 0 for ever. */
static struct ir_val make_slot(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct ir_val n = ir_new(ir), t;
	s32 none = ir_label_new(ir);

	t = find_thread(g);
	ir_mov(ir, n, ir_const(0));
	ir_branch(ir, BPF_JEQ, t, ir_const(0), none);
	ir_mov(ir, n, ir_load(ir, 4, t, 0));
	ir_branch(ir, BPF_JGE, n, ir_const(g->cg->out->nslots), g->end);
	ir_label(ir, none);
	return slot_address(g, n);
}

/* Every clause is false where there is no slot: leave at once. */
static struct ir_val make_slot_or_leave(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct ir_val t = find_thread(g), n;

	ir_branch(ir, BPF_JEQ, t, ir_const(0), g->end);
	n = ir_load(ir, 4, t, 0);
	ir_branch(ir, BPF_JGE, n, ir_const(g->cg->out->nslots), g->end);
	return slot_address(g, n);
}

/*
 * Memory for text: of the thread, as its programs may be interrupted by those of another thread on the same CPU; of
 * the CPU where an interrupt's program may meet one of the thread's at work.
 */
static struct ir_val make_scratch(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct ir_val key, p;
	s32 have = ir_label_new(ir), stack = ir->stack;

	if (g->g->always || g->g->irq_context) {
		key = ir_stack(ir, 8);
		ir_store(ir, 4, key, 0, ir_const(0));
		p = ir_helper(ir, BPF_FUNC_map_lookup_elem,
			      IR_ARGS(ir_map(cg_map(g->cg, CG_MAP_SCRATCH_CPU)), key));
		ir->stack = stack;
	} else {
		struct ir_val task = ir_helper(ir, BPF_FUNC_get_current_task_btf, NULL, 0);

		p = ir_helper(ir, BPF_FUNC_task_storage_get,
			      IR_ARGS(ir_map(cg_map(g->cg, CG_MAP_SCRATCH)), task, ir_const(0),
				      ir_const(BPF_LOCAL_STORAGE_GET_F_CREATE)));
	}
	ir_branch(ir, BPF_JNE, p, ir_const(0), have);
	if (g->fault >= 0)
		gen_fault(g, CG_FAULT_NOSCRATCH, ir_const(0));
	else
		ir_jump(ir, g->end);
	ir_label(ir, have);
	return p;
}

static struct ir_val (*const makers[LAZY_NIDS])(struct gen *g) = {
    [LAZY_INDEX] = make_index, [LAZY_FID] = make_fid,         [LAZY_FILTERS] = make_filters,
    [LAZY_SLOT] = make_slot,   [LAZY_SCRATCH] = make_scratch,
};

static void make(struct gen *g, enum lazy_id id)
{
	if (g->lazy.have[id])
		return;
	g->lazy.v[id] = makers[id](g);
	g->lazy.have[id] = true;
}

static void make_args(struct gen *g, u32 mask)
{
	mask &= ~g->lazy.args;
	if (!mask)
		return;
	if (g->g->ops->args) {
		ir_hook_args(&g->ir, mask, g->args_at, g->fault_args);
	} else {
		for (u32 n = 0; n < NARGS; n++) {
			if (mask & 1u << n)
				ir_store(&g->ir, 8, (struct ir_val){.kind = IR_STACK, .n = g->args_at + 8 * (s32)n},
					 0, ir_const(0));
		}
	}
	g->lazy.args |= mask;
}

/* Make a part of the clause; see struct lazy. */
static void gen_part(struct gen *g, void (*part)(struct gen *g))
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
			make(g, (enum lazy_id)id);
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
	return ir_load(&g->ir, 8, (struct ir_val){.kind = IR_STACK, .n = g->args_at + 8 * (s32)n}, 0);
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

	make(g, LAZY_FID); /* for the identity */
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

static void gen_clause(struct gen *g)
{
	struct ir *ir = &g->ir;
	struct lazy before;
	s32 early = ir_label_new(ir);

	g->next = ir_label_new(ir);
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
	ir_label(ir, g->next);
}

/* --- the program -------------------------------------------------------------------------------- */

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
		make(g, LAZY_SCRATCH);
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

	if (!g->g->always) {
		activity = ir_load(&g->ir, 4, gen_state(g, offsetof(struct cg_state, activity)), 0);
		ir_branch(&g->ir, BPF_JNE, activity, ir_const(CG_ACTIVE), g->end);
	}
	if (all_need_thread(g)) {
		g->lazy.v[LAZY_SLOT] = make_slot_or_leave(g);
		g->lazy.have[LAZY_SLOT] = true;
	}
	make(g, LAZY_INDEX); /* it may find that the event is none of ours */
	gen_locals(g);
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

	ir_label(&g->ir, g->end);
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
	g.end = ir_label_new(&g.ir);
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
	g.end = ir_label_new(&g.ir);
	ir_rt(&g.ir, "rt_slot_free",
	      IR_ARGS(ir_map(cg_map(cg, CG_MAP_THREADS)), ir_map(cg_map(cg, CG_MAP_SLOTS)), gen_state(&g, 0),
		      ir_const(o->nslots), ir_const((s64)((u64)o->slots_off << 32 | o->slot_size))));
	finish(&g, group.name, group.kind, out);
}
