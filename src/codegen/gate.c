// SPDX-License-Identifier: Apache-2.0
/*
 * Clauses that ask for a thread-local variable (/self->t/), at the least for a thread that has any. Where all clauses of a
 * group do, its program leaves a thread without a slot at once; where all clauses at the groups do whose events are dear
 * (cg_group.by_thread), the gate tells in which threads they are worth having.
 */
#include "gen_impl.h"

/* What is known of a thread in which an expression is true. */
enum demand {
	DEMAND_NONE,
	DEMAND_SLOT, /* it has a slot, as an element of its arrays is not 0 */
	DEMAND_VAR,  /* a scalar of its slot is not 0 */
};

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

static bool is_thread_int(struct d_node *n)
{
	return n->op == D_VAR && n->var->scope == D_THREAD &&
	       (n->type->kind == D_INT || n->type->kind == D_POINTER);
}

static bool compares_thread_int(struct d_node *n)
{
	return n->op >= D_LT && n->op <= D_NE && is_thread_int(n->arg[0]) && n->arg[1]->op == D_CONST &&
	       refuses_zero(n->op, n->arg[1]->value,
			    n->arg[0]->type->is_signed && (n->arg[0]->type->kind == D_INT) &&
				n->arg[1]->type->is_signed);
}

/* Is it to be run in every thread: does it do more than give a value? */
static bool is_felt(struct d_node *n)
{
	return d_has_effect(n) || d_can_fault(n);
}

/* The variable that is not 0 where n, no && or ||, is true; NULL: it tells of none, or is to be run to know (its keys). */
static const struct d_var *demanded(struct d_node *n)
{
	if (is_felt(n))
		return NULL;
	if (is_thread_int(n))
		return n->var;
	return compares_thread_int(n) ? n->arg[0]->var : NULL;
}

static enum demand demand(struct d_node *n)
{
	const struct d_var *v = demanded(n);

	if (n->op == D_LAND || n->op == D_LOR) {
		enum demand a = demand(n->arg[0]), b = demand(n->arg[1]);

		if (n->op == D_LOR)
			return a < b ? a : b;
		/* Whether the right side is true does not tell what the left one has done already. */
		return a >= b || is_felt(n->arg[0]) ? a : b;
	}
	return !v ? DEMAND_NONE : v->nkeys ? DEMAND_SLOT : DEMAND_VAR;
}

/* The conjunct that asks for most, of those that are reached before anything is felt; NULL: none asks for anything. */
static struct d_node *demanding(const struct cg_enabling *e)
{
	struct d_node *best = NULL;

	for (u32 i = 0; i < e->nconj; i++) {
		if (demand(e->conj[i]) > (best ? demand(best) : DEMAND_NONE))
			best = e->conj[i];
		if (is_felt(e->conj[i]))
			break;
	}
	return best;
}

bool gen_slot_is_needed(struct gen *g)
{
	const struct cg_input *in = g->cg->in;
	u32 seen = 0;

	for (u32 i = 0; i < in->nenablings; i++) {
		if (in->enablings[i].group != g->group_index)
			continue;
		seen++;
		if (!demanding(&in->enablings[i]))
			return false;
	}
	return seen > 0;
}

/* --- the gate --------------------------------------------------------------------------------------- */

/* Add the variables one of which is not 0 where n is true. */
static void collect(struct cg *cg, struct d_node *n, bool *used)
{
	if (n->op == D_LOR) {
		collect(cg, n->arg[0], used);
		collect(cg, n->arg[1], used);
	} else if (n->op == D_LAND) {
		collect(cg, n->arg[demand(n) != demand(n->arg[0])], used);
	} else {
		used[cg_var(cg, demanded(n)) - cg->vars] = true;
	}
}

static bool find_gate(struct cg *cg)
{
	const struct cg_input *in = cg->in;
	const struct d_program *prog = in->prog;
	bool *used = arena_new_array(cg->arena, bool, prog->vars.n + 1);
	struct cg_output *out = cg->out;

	for (u32 i = 0; i < in->nenablings; i++) {
		struct d_node *n;

		if (!in->groups[in->enablings[i].group].by_thread)
			continue;
		n = demanding(&in->enablings[i]);
		if (!n)
			return false;
		collect(cg, n, used);
	}
	out->gate = arena_new_array(cg->arena, const struct d_var *, prog->vars.n);
	for (size_t i = 0; i < prog->vars.n; i++) {
		if (used[i])
			out->gate[out->ngate++] = prog->vars.v[i];
	}
	return out->ngate > 0;
}

/* Which element of an array is meant only the clause knows: a thread that has a slot is let through. */
static struct ir_val is_set(struct gen *g, const struct d_var *v)
{
	return v->nkeys ? ir_load(&g->ir, 8, gen_lazy(g, LAZY_SLOT), 0) : gen_scalar_int(g, v);
}

bool gen_gate_body(struct gen *g)
{
	struct ir *ir = &g->ir;

	if (!find_gate(g->cg))
		return false;
	g->end = ir_label_new(ir);
	gen_give(g, LAZY_SLOT, gen_slot_or_leave(g));
	for (u32 i = 0; i < g->cg->out->ngate; i++) {
		s32 next = ir_label_new(ir);

		ir_branch(ir, BPF_JEQ, is_set(g, g->cg->out->gate[i]), ir_const(0), next);
		ir_exit(ir, ir_const(1));
		ir_label(ir, next);
	}
	ir_label(ir, g->end);
	return true;
}
