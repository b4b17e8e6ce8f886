// SPDX-License-Identifier: Apache-2.0
/* Expressions of integers and pointers: the walk over their tree. What they compute, arith.c does. */
#include "gen_impl.h"

/* The value of n as one of type `to` that is kept: what its operators outgrew is cut off. */
static struct ir_val gen_kept(struct gen *g, const struct d_node *n, const struct d_type *to)
{
	bool is_plain =
	    n->op == D_CONST || n->op == D_BUILTIN || n->op == D_VAR || n->op == D_ARGS || n->op == D_CALL;
	struct ir_val v = gen_int(g, n);

	return is_plain ? gen_convert(g, v, n->type, to) : gen_truncate(g, v, to);
}

/* --- operators ---------------------------------------------------------------------------------- */

static struct ir_val gen_binary(struct gen *g, const struct d_node *n)
{
	struct ir_val a = gen_int(g, n->arg[0]), b;

	b = gen_int(g, n->arg[1]);
	return gen_arith(g, n, n->op, a, n->arg[0]->type, b, n->arg[1]->type, n->type);
}

static struct ir_val gen_unary(struct gen *g, const struct d_node *n)
{
	struct ir_val v = gen_int_as(g, n->arg[0], n->type);

	switch (n->op) {
	case D_NEG: v = ir_alu(&g->ir, BPF_SUB, ir_const(0), v); break;
	case D_BITNOT: v = ir_alu(&g->ir, BPF_XOR, v, ir_const(-1)); break;
	default: return v; /* D_PLUS */
	}
	return gen_computed(g, v, n->type);
}

/* --- truth -------------------------------------------------------------------------------------- */

static const struct {
	int u, s; /* jumps of unsigned and signed numbers */
	enum d_op inverse;
} compare_ops[D_NOPS] = {
    [D_LT] = {BPF_JLT, BPF_JSLT, D_GE}, [D_LE] = {BPF_JLE, BPF_JSLE, D_GT}, [D_GT] = {BPF_JGT, BPF_JSGT, D_LE},
    [D_GE] = {BPF_JGE, BPF_JSGE, D_LT}, [D_EQ] = {BPF_JEQ, BPF_JEQ, D_NE},  [D_NE] = {BPF_JNE, BPF_JNE, D_EQ},
};

static void gen_compare(struct gen *g, const struct d_node *n, bool sense, s32 to)
{
	const struct d_type *ta = n->arg[0]->type, *tb = n->arg[1]->type, *t;
	enum d_op op = sense ? n->op : compare_ops[n->op].inverse;
	struct ir_val a, b;

	if (ta->kind == D_STRING || tb->kind == D_STRING) {
		gen_str_compare(g, n, sense, to);
		return;
	}
	a = gen_int(g, n->arg[0]);
	b = gen_int(g, n->arg[1]);
	t = d_type_arith(gen_int_type(ta), gen_int_type(tb));
	a = gen_convert(g, a, ta, t);
	b = gen_convert(g, b, tb, t);
	ir_branch(&g->ir, t->is_signed ? compare_ops[op].s : compare_ops[op].u, a, b, to);
}

/* a && b is false: to `to` when either is; true: past the other first. || is its mirror. */
static void gen_logical(struct gen *g, const struct d_node *n, bool sense, s32 to)
{
	bool decides = n->op == D_LOR; /* the value of one side that decides the whole */
	s32 past;

	if (sense == decides) {
		gen_branch(g, n->arg[0], sense, to);
		gen_branch(g, n->arg[1], sense, to);
		return;
	}
	past = ir_label_new(&g->ir);
	gen_branch(g, n->arg[0], decides, past);
	gen_branch(g, n->arg[1], sense, to);
	ir_label(&g->ir, past);
}

/* The empty text is false. */
static void gen_str_truth(struct gen *g, const struct d_node *n, bool sense, s32 to)
{
	struct ir_val first = ir_load(&g->ir, 1, gen_str(g, n), 0);

	ir_branch(&g->ir, sense ? BPF_JNE : BPF_JEQ, first, ir_const(0), to);
}

void gen_branch(struct gen *g, const struct d_node *n, bool sense, s32 to)
{
	switch (n->op) {
	case D_LT:
	case D_LE:
	case D_GT:
	case D_GE:
	case D_EQ:
	case D_NE: gen_compare(g, n, sense, to); break;
	case D_LAND:
	case D_LOR: gen_logical(g, n, sense, to); break;
	case D_NOT: gen_branch(g, n->arg[0], !sense, to); break;
	default:
		if (n->type->kind == D_STRING)
			gen_str_truth(g, n, sense, to);
		else
			ir_branch(&g->ir, sense ? BPF_JNE : BPF_JEQ, gen_int(g, n), ir_const(0), to);
		break;
	}
}

static struct ir_val gen_truth(struct gen *g, const struct d_node *n)
{
	struct ir_val v = ir_new(&g->ir);
	s32 no = ir_label_new(&g->ir), done = ir_label_new(&g->ir);

	gen_branch(g, n, false, no);
	ir_mov(&g->ir, v, ir_const(1));
	ir_jump(&g->ir, done);
	ir_label(&g->ir, no);
	ir_mov(&g->ir, v, ir_const(0));
	ir_label(&g->ir, done);
	return v;
}

static struct ir_val gen_lxor(struct gen *g, const struct d_node *n)
{
	struct ir_val a = gen_truth(g, n->arg[0]);

	return ir_alu(&g->ir, BPF_XOR, a, gen_truth(g, n->arg[1]));
}

struct ir_val gen_cond(struct gen *g, const struct d_node *n,
		       struct ir_val (*arm)(struct gen *g, const struct d_node *n, const struct d_type *to))
{
	struct ir_val v = ir_new(&g->ir);
	s32 no = ir_label_new(&g->ir), done = ir_label_new(&g->ir);

	gen_branch(g, n->arg[0], false, no);
	ir_mov(&g->ir, v, arm(g, n->arg[1], n->type));
	ir_jump(&g->ir, done);
	ir_label(&g->ir, no);
	ir_mov(&g->ir, v, arm(g, n->arg[2], n->type));
	ir_label(&g->ir, done);
	return v;
}

static struct ir_val int_cond(struct gen *g, const struct d_node *n)
{
	return gen_cond(g, n, gen_int_as);
}

/* --- memory of the user, assignment -------------------------------------------------------------- */

static struct ir_val gen_deref(struct gen *g, const struct d_node *n)
{
	const struct d_type *t = gen_int_type(n->type);
	struct ir_val addr = gen_int(g, n->arg[0]), at = ir_stack(&g->ir, 8), err;

	g->ir.stack += 8; /* it is read before anything else is put there */
	err = ir_rt(&g->ir, "rt_copyint", IR_ARGS(at, addr, ir_const(t->size)));
	gen_fault_unless(g, BPF_JEQ, err, CG_FAULT_BADADDR, addr);
	return gen_truncate(g, ir_load(&g->ir, 8, at, 0), t);
}

/* var op= value, when the variable is one that others may change meanwhile and the operator adds. */
static bool is_shared_add(const struct d_node *n)
{
	return (n->assign_op == D_ADD || n->assign_op == D_SUB) && gen_var_is_shared(n->arg[0]);
}

static struct ir_val gen_assign(struct gen *g, const struct d_node *n)
{
	const struct d_node *var = n->arg[0], *value = n->arg[1];
	struct ir_val v, old;

	if (n->assign_op == D_CONST) {
		v = gen_kept(g, value, var->type);
		gen_var_assign_int(g, var, v);
		return v;
	}
	if (is_shared_add(n)) {
		v = gen_int(g, value);
		if (var->type->kind == D_POINTER)
			v = ir_alu(&g->ir, BPF_MUL, v, ir_const(gen_pointed_size(var->type)));
		if (n->assign_op == D_SUB)
			v = ir_alu(&g->ir, BPF_SUB, ir_const(0), v);
		return gen_truncate(g, gen_var_add(g, var, v, true), var->type);
	}
	v = gen_int(g, value);
	old = gen_var_int(g, var);
	v = gen_arith(g, n, n->assign_op, old, var->type, v, value->type,
		      d_type_arith(gen_int_type(var->type), gen_int_type(var->type)));
	v = gen_truncate(g, v, var->type);
	gen_var_assign_int(g, var, v);
	return v;
}

static struct ir_val gen_step(struct gen *g, const struct d_node *n)
{
	const struct d_node *var = n->arg[0];
	bool up = n->op == D_PREINC || n->op == D_POSTINC, pre = n->op == D_PREINC || n->op == D_PREDEC;
	s64 by = var->type->kind == D_POINTER ? gen_pointed_size(var->type) : 1;
	struct ir_val old, v;

	if (gen_var_is_shared(var))
		return gen_truncate(g, gen_var_add(g, var, ir_const(up ? by : -by), pre), var->type);
	old = ir_new(&g->ir);
	ir_mov(&g->ir, old, gen_var_int(g, var));
	v = gen_truncate(g, ir_alu(&g->ir, BPF_ADD, old, ir_const(up ? by : -by)), var->type);
	gen_var_assign_int(g, var, v);
	return pre ? v : old;
}

/* copyin() gives bytes; as a pointer they are read where they are: in the user's memory. */
static struct ir_val gen_cast(struct gen *g, const struct d_node *n)
{
	const struct d_node *from = n->arg[0];

	if (from->type->kind == D_BYTES && from->op == D_CALL)
		return gen_int(g, from->arg[0]);
	return gen_kept(g, from, n->type);
}

static struct ir_val gen_comma(struct gen *g, const struct d_node *n)
{
	gen_effect(g, n->arg[0]);
	return gen_int(g, n->arg[1]);
}

static struct ir_val gen_const(struct gen *g, const struct d_node *n)
{
	return ir_const(n->value);
}

static struct ir_val gen_args(struct gen *g, const struct d_node *n)
{
	return gen_truncate(g, gen_arg(g, (u32)n->value), n->type);
}

static struct ir_val (*const generators[D_NOPS])(struct gen *g, const struct d_node *n) = {
    [D_CONST] = gen_const,       [D_BUILTIN] = gen_builtin, [D_ARGS] = gen_args,   [D_VAR] = gen_var_int,
    [D_CALL] = gen_str_call_int, [D_NEG] = gen_unary,       [D_NOT] = gen_truth,   [D_BITNOT] = gen_unary,
    [D_PLUS] = gen_unary,        [D_DEREF] = gen_deref,     [D_CAST] = gen_cast,   [D_ADD] = gen_binary,
    [D_SUB] = gen_binary,        [D_MUL] = gen_binary,      [D_DIV] = gen_binary,  [D_MOD] = gen_binary,
    [D_SHL] = gen_binary,        [D_SHR] = gen_binary,      [D_AND] = gen_binary,  [D_OR] = gen_binary,
    [D_XOR] = gen_binary,        [D_LT] = gen_truth,        [D_LE] = gen_truth,    [D_GT] = gen_truth,
    [D_GE] = gen_truth,          [D_EQ] = gen_truth,        [D_NE] = gen_truth,    [D_LAND] = gen_truth,
    [D_LOR] = gen_truth,         [D_LXOR] = gen_lxor,       [D_COND] = int_cond,   [D_COMMA] = gen_comma,
    [D_ASSIGN] = gen_assign,     [D_PREINC] = gen_step,     [D_PREDEC] = gen_step, [D_POSTINC] = gen_step,
    [D_POSTDEC] = gen_step,
};

struct ir_val gen_int(struct gen *g, const struct d_node *n)
{
	if (n->op >= D_NOPS || !generators[n->op] || n->type->kind == D_STRING) {
		cg_error(g->cg, n->pos, "a value of type %s cannot be used as a number here", n->type->name);
		return ir_const(0);
	}
	return generators[n->op](g, n);
}

struct ir_val gen_int_as(struct gen *g, const struct d_node *n, const struct d_type *to)
{
	return gen_convert(g, gen_int(g, n), n->type, to);
}

void gen_effect(struct gen *g, const struct d_node *n)
{
	if (n->op == D_ASSIGN && n->arg[0]->type->kind == D_STRING) {
		gen_var_assign_str(g, n->arg[0], n->arg[1]);
	} else if (n->op == D_COMMA) {
		gen_effect(g, n->arg[0]);
		gen_effect(g, n->arg[1]);
	} else if (n->type->kind == D_STRING) {
		gen_str(g, n);
	} else if (n->op == D_CALL && n->type->kind == D_BYTES) {
		gen_int(g, n->arg[0]); /* copyin() for nothing */
	} else {
		gen_int(g, n);
	}
}
