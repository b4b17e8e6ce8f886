// SPDX-License-Identifier: Apache-2.0
/* Expressions of integers and pointers: 64 bits that are kept extended as their type says (but see computed()). */
#include "codegen_impl.h"

static const struct d_type type_u64 = {.kind = D_INT, .size = 8, .name = "uint64_t"};

/* A pointer is computed with as an unsigned number. */
static const struct d_type *as_int(const struct d_type *t)
{
	return t->kind == D_INT ? t : &type_u64;
}

/* --- conversions -------------------------------------------------------------------------------- */

/* Does every value of `from` stand as it is in `to`, extended? */
static bool fits(const struct d_type *from, const struct d_type *to)
{
	if (to->size == 8)
		return true;
	if (from->is_signed == to->is_signed)
		return from->size <= to->size;
	return !from->is_signed && from->size < to->size;
}

struct ir_val gen_convert(struct gen *g, struct ir_val v, const struct d_type *from, const struct d_type *to)
{
	from = as_int(from);
	to = as_int(to);
	return fits(from, to) ? v : ir_ext(&g->ir, v, to->size, to->is_signed);
}

static struct ir_val truncate_to(struct gen *g, struct ir_val v, const struct d_type *t)
{
	return ir_ext(&g->ir, v, as_int(t)->size, as_int(t)->is_signed);
}

/*
 * What an operator of type t computed. An unsigned number wraps, as in C. A signed one that outgrows its type keeps its
 * 64 bits until it is stored or cast, as DTrace has it (in C that is undefined): `n * 1000000000` of an int n is right.
 */
static struct ir_val computed(struct gen *g, struct ir_val v, const struct d_type *t)
{
	return as_int(t)->is_signed ? v : truncate_to(g, v, t);
}

/* The value of n as one of type `to` that is kept: what its operators outgrew is cut off. */
static struct ir_val gen_kept(struct gen *g, const struct d_node *n, const struct d_type *to)
{
	bool is_plain =
	    n->op == D_CONST || n->op == D_BUILTIN || n->op == D_VAR || n->op == D_ARGS || n->op == D_CALL;
	struct ir_val v = gen_int(g, n);

	return is_plain ? gen_convert(g, v, n->type, to) : truncate_to(g, v, to);
}

/* --- arithmetic --------------------------------------------------------------------------------- */

static const struct {
	int op;
	bool grows; /* the result may pass the type, and is cut to it */
} alu_ops[D_NOPS] = {
    [D_ADD] = {BPF_ADD, true}, [D_SUB] = {BPF_SUB, true},  [D_MUL] = {BPF_MUL, true}, [D_AND] = {BPF_AND, false},
    [D_OR] = {BPF_OR, false},  [D_XOR] = {BPF_XOR, false}, [D_DIV] = {BPF_DIV, true}, [D_MOD] = {BPF_MOD, false},
    [D_SHL] = {BPF_LSH, true}, [D_SHR] = {BPF_RSH, false},
};

static struct ir_val gen_divide(struct gen *g, enum d_op op, struct ir_val a, struct ir_val b, bool is_signed)
{
	s32 ok = ir_label_new(&g->ir);

	ir_branch(&g->ir, BPF_JNE, b, ir_const(0), ok);
	gen_fault(g, CG_FAULT_DIVZERO, ir_const(0));
	ir_label(&g->ir, ok);
	if (is_signed)
		return ir_rt(&g->ir, op == D_DIV ? "rt_sdiv" : "rt_smod", IR_ARGS(a, b));
	return ir_alu(&g->ir, alu_ops[op].op, a, b);
}

/* All shifts are of 64 bits; of a count past that, which is undefined in C, only the low bits count. */
static struct ir_val gen_shift(struct gen *g, enum d_op op, struct ir_val a, struct ir_val n,
			       const struct d_type *t)
{
	int alu = op == D_SHL ? BPF_LSH : t->is_signed ? BPF_ARSH : BPF_RSH;

	n = ir_alu(&g->ir, BPF_AND, n, ir_const(63));
	return ir_alu(&g->ir, alu, a, n);
}

static u32 pointed_size(const struct d_type *t)
{
	if (!t->to || t->to->kind == D_VOID)
		return 1;
	return t->to->kind == D_INT ? t->to->size : 8;
}

static struct ir_val scale(struct gen *g, struct ir_val v, u32 by)
{
	return ir_alu(&g->ir, BPF_MUL, v, ir_const(by));
}

/* pointer + integer, integer + pointer, pointer - integer, pointer - pointer */
static struct ir_val gen_pointer(struct gen *g, enum d_op op, struct ir_val a, const struct d_type *ta,
				 struct ir_val b, const struct d_type *tb)
{
	struct ir_val v;

	if (ta->kind == D_POINTER && tb->kind == D_POINTER) {
		v = ir_alu(&g->ir, BPF_SUB, a, b);
		return ir_rt(&g->ir, "rt_sdiv", IR_ARGS(v, ir_const(pointed_size(ta))));
	}
	if (ta->kind == D_POINTER)
		b = scale(g, b, pointed_size(ta));
	else
		a = scale(g, a, pointed_size(tb));
	return ir_alu(&g->ir, alu_ops[op].op, a, b);
}

struct ir_val gen_arith(struct gen *g, const struct d_node *n, enum d_op op, struct ir_val a,
			const struct d_type *ta, struct ir_val b, const struct d_type *tb,
			const struct d_type *result)
{
	const struct d_type *t;
	struct ir_val v;

	if (op >= D_NOPS || (!alu_ops[op].op && op != D_ADD)) {
		cg_error(g->cg, n->pos, "an operator that codegen does not know, which is a bug in pydtrace");
		return ir_const(0);
	}
	if ((op == D_ADD || op == D_SUB) && (ta->kind == D_POINTER || tb->kind == D_POINTER))
		return gen_pointer(g, op, a, ta, b, tb);
	t = op == D_SHL || op == D_SHR ? as_int(result) : d_type_arith(as_int(ta), as_int(tb));
	a = gen_convert(g, a, ta, t);
	if (op == D_SHL || op == D_SHR)
		v = gen_shift(g, op, a, b, t);
	else if (b = gen_convert(g, b, tb, t), op == D_DIV || op == D_MOD)
		v = gen_divide(g, op, a, b, t->is_signed);
	else
		v = ir_alu(&g->ir, alu_ops[op].op, a, b);
	return alu_ops[op].grows ? computed(g, v, t) : v;
}

static struct ir_val gen_binary(struct gen *g, const struct d_node *n)
{
	struct ir_val a = gen_int(g, n->arg[0]), b;

	b = gen_int(g, n->arg[1]);
	return gen_arith(g, n, n->op, a, n->arg[0]->type, b, n->arg[1]->type, n->type);
}

static struct ir_val gen_unary(struct gen *g, const struct d_node *n)
{
	struct ir_val v = gen_convert(g, gen_int(g, n->arg[0]), n->arg[0]->type, n->type);

	switch (n->op) {
	case D_NEG: v = ir_alu(&g->ir, BPF_SUB, ir_const(0), v); break;
	case D_BITNOT: v = ir_alu(&g->ir, BPF_XOR, v, ir_const(-1)); break;
	default: return v; /* D_PLUS */
	}
	return computed(g, v, n->type);
}

/* --- truth -------------------------------------------------------------------------------------- */

static const struct {
	int u, s; /* jumps of unsigned and signed numbers */
	enum d_op not ;
} compare_ops[D_NOPS] = {
    [D_LT] = {BPF_JLT, BPF_JSLT, D_GE}, [D_LE] = {BPF_JLE, BPF_JSLE, D_GT}, [D_GT] = {BPF_JGT, BPF_JSGT, D_LE},
    [D_GE] = {BPF_JGE, BPF_JSGE, D_LT}, [D_EQ] = {BPF_JEQ, BPF_JEQ, D_NE},  [D_NE] = {BPF_JNE, BPF_JNE, D_EQ},
};

static void gen_compare(struct gen *g, const struct d_node *n, bool sense, s32 to)
{
	const struct d_type *ta = n->arg[0]->type, *tb = n->arg[1]->type, *t;
	enum d_op op = sense ? n->op : compare_ops[n->op].not ;
	struct ir_val a, b;

	if (ta->kind == D_STRING || tb->kind == D_STRING) {
		gen_str_compare(g, n, sense, to);
		return;
	}
	a = gen_int(g, n->arg[0]);
	b = gen_int(g, n->arg[1]);
	t = d_type_arith(as_int(ta), as_int(tb));
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

static struct ir_val gen_cond(struct gen *g, const struct d_node *n)
{
	struct ir_val v = ir_new(&g->ir);
	s32 no = ir_label_new(&g->ir), done = ir_label_new(&g->ir);

	gen_branch(g, n->arg[0], false, no);
	ir_mov(&g->ir, v, gen_convert(g, gen_int(g, n->arg[1]), n->arg[1]->type, n->type));
	ir_jump(&g->ir, done);
	ir_label(&g->ir, no);
	ir_mov(&g->ir, v, gen_convert(g, gen_int(g, n->arg[2]), n->arg[2]->type, n->type));
	ir_label(&g->ir, done);
	return v;
}

/* --- memory of the user, assignment -------------------------------------------------------------- */

static struct ir_val gen_deref(struct gen *g, const struct d_node *n)
{
	const struct d_type *t = as_int(n->type);
	struct ir_val addr = gen_int(g, n->arg[0]), at = ir_stack(&g->ir, 8), err;
	s32 ok = ir_label_new(&g->ir);

	g->ir.stack += 8; /* it is read before anything else is put there */
	err = ir_rt(&g->ir, "rt_copyint", IR_ARGS(at, addr, ir_const(t->size)));
	ir_branch(&g->ir, BPF_JEQ, err, ir_const(0), ok);
	gen_fault(g, CG_FAULT_BADADDR, addr);
	ir_label(&g->ir, ok);
	return truncate_to(g, ir_load(&g->ir, 8, at, 0), t);
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
			v = scale(g, v, pointed_size(var->type));
		if (n->assign_op == D_SUB)
			v = ir_alu(&g->ir, BPF_SUB, ir_const(0), v);
		return truncate_to(g, gen_var_add(g, var, v, true), var->type);
	}
	v = gen_int(g, value);
	old = gen_var_int(g, var);
	v = gen_arith(g, n, n->assign_op, old, var->type, v, value->type,
		      d_type_arith(as_int(var->type), as_int(var->type)));
	v = truncate_to(g, v, var->type);
	gen_var_assign_int(g, var, v);
	return v;
}

static struct ir_val gen_step(struct gen *g, const struct d_node *n)
{
	const struct d_node *var = n->arg[0];
	bool up = n->op == D_PREINC || n->op == D_POSTINC, pre = n->op == D_PREINC || n->op == D_PREDEC;
	s64 by = var->type->kind == D_POINTER ? pointed_size(var->type) : 1;
	struct ir_val old, v;

	if (gen_var_is_shared(var))
		return truncate_to(g, gen_var_add(g, var, ir_const(up ? by : -by), pre), var->type);
	old = ir_new(&g->ir);
	ir_mov(&g->ir, old, gen_var_int(g, var));
	v = truncate_to(g, ir_alu(&g->ir, BPF_ADD, old, ir_const(up ? by : -by)), var->type);
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
	return truncate_to(g, gen_arg(g, (u32)n->value), n->type);
}

static struct ir_val (*const generators[D_NOPS])(struct gen *g, const struct d_node *n) = {
    [D_CONST] = gen_const,       [D_BUILTIN] = gen_builtin, [D_ARGS] = gen_args,   [D_VAR] = gen_var_int,
    [D_CALL] = gen_str_call_int, [D_NEG] = gen_unary,       [D_NOT] = gen_truth,   [D_BITNOT] = gen_unary,
    [D_PLUS] = gen_unary,        [D_DEREF] = gen_deref,     [D_CAST] = gen_cast,   [D_ADD] = gen_binary,
    [D_SUB] = gen_binary,        [D_MUL] = gen_binary,      [D_DIV] = gen_binary,  [D_MOD] = gen_binary,
    [D_SHL] = gen_binary,        [D_SHR] = gen_binary,      [D_AND] = gen_binary,  [D_OR] = gen_binary,
    [D_XOR] = gen_binary,        [D_LT] = gen_truth,        [D_LE] = gen_truth,    [D_GT] = gen_truth,
    [D_GE] = gen_truth,          [D_EQ] = gen_truth,        [D_NE] = gen_truth,    [D_LAND] = gen_truth,
    [D_LOR] = gen_truth,         [D_LXOR] = gen_lxor,       [D_COND] = gen_cond,   [D_COMMA] = gen_comma,
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

/* For what it does only. */
void gen_effect(struct gen *g, const struct d_node *n)
{
	if (n->op == D_ASSIGN && n->arg[0]->type->kind == D_STRING)
		gen_var_assign_str(g, n->arg[0], n->arg[1]);
	else if (n->op == D_COMMA)
		gen_effect(g, n->arg[0]), gen_effect(g, n->arg[1]);
	else if (n->type->kind == D_STRING)
		gen_str(g, n);
	else if (n->op == D_CALL && n->type->kind == D_BYTES)
		gen_int(g, n->arg[0]); /* copyin() for nothing */
	else
		gen_int(g, n);
}
