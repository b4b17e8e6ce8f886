// SPDX-License-Identifier: Apache-2.0
/* Numbers: 64 bits that are kept extended as their type says (but see gen_computed()), and what operators make of them. */
#include "gen_impl.h"

static const struct d_type type_u64 = {.kind = D_INT, .size = 8, .name = "uint64_t"};

const struct d_type *gen_int_type(const struct d_type *t)
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
	from = gen_int_type(from);
	to = gen_int_type(to);
	return fits(from, to) ? v : ir_ext(&g->ir, v, to->size, to->is_signed);
}

struct ir_val gen_truncate(struct gen *g, struct ir_val v, const struct d_type *t)
{
	return ir_ext(&g->ir, v, gen_int_type(t)->size, gen_int_type(t)->is_signed);
}

/*
 * What an operator of type t computed. An unsigned number wraps, as in C. A signed one that outgrows its type keeps its
 * 64 bits until it is stored or cast, as DTrace has it (in C that is undefined): `n * 1000000000` of an int n is right.
 */
struct ir_val gen_computed(struct gen *g, struct ir_val v, const struct d_type *t)
{
	return gen_int_type(t)->is_signed ? v : gen_truncate(g, v, t);
}

/* --- arithmetic --------------------------------------------------------------------------------- */

static const struct {
	int op;
	bool grows; /* the result may pass the type: see gen_computed() */
} alu_ops[D_NOPS] = {
    [D_ADD] = {BPF_ADD, true}, [D_SUB] = {BPF_SUB, true},  [D_MUL] = {BPF_MUL, true}, [D_AND] = {BPF_AND, false},
    [D_OR] = {BPF_OR, false},  [D_XOR] = {BPF_XOR, false}, [D_DIV] = {BPF_DIV, true}, [D_MOD] = {BPF_MOD, false},
    [D_SHL] = {BPF_LSH, true}, [D_SHR] = {BPF_RSH, false},
};

static struct ir_val gen_divide(struct gen *g, enum d_op op, struct ir_val a, struct ir_val b, bool is_signed)
{
	gen_fault_unless(g, BPF_JNE, b, CG_FAULT_DIVZERO, ir_const(0));
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

u32 gen_pointed_size(const struct d_type *t)
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
		return ir_rt(&g->ir, "rt_sdiv", IR_ARGS(v, ir_const(gen_pointed_size(ta))));
	}
	if (ta->kind == D_POINTER)
		b = scale(g, b, gen_pointed_size(ta));
	else
		a = scale(g, a, gen_pointed_size(tb));
	return ir_alu(&g->ir, alu_ops[op].op, a, b);
}

struct ir_val gen_arith(struct gen *g, const struct d_node *n, enum d_op op, struct ir_val a,
			const struct d_type *ta, struct ir_val b, const struct d_type *tb,
			const struct d_type *result)
{
	bool is_shift = op == D_SHL || op == D_SHR;
	const struct d_type *t;
	struct ir_val v;

	if (op >= D_NOPS || (!alu_ops[op].op && op != D_ADD)) {
		cg_error(g->cg, n->pos, "an operator that codegen does not know, which is a bug in pydtrace");
		return ir_const(0);
	}
	if ((op == D_ADD || op == D_SUB) && (ta->kind == D_POINTER || tb->kind == D_POINTER))
		return gen_pointer(g, op, a, ta, b, tb);
	t = is_shift ? gen_int_type(result) : d_type_arith(gen_int_type(ta), gen_int_type(tb));
	a = gen_convert(g, a, ta, t);
	if (!is_shift)
		b = gen_convert(g, b, tb, t);
	if (is_shift)
		v = gen_shift(g, op, a, b, t);
	else if (op == D_DIV || op == D_MOD)
		v = gen_divide(g, op, a, b, t->is_signed);
	else
		v = ir_alu(&g->ir, alu_ops[op].op, a, b);
	return alu_ops[op].grows ? gen_computed(g, v, t) : v;
}
