// SPDX-License-Identifier: Apache-2.0
/*
 * Text. An expression gives the address of strsize bytes: of a variable, of a constant, or of scratch memory that is
 * this statement's.
 */
#include <string.h>

#include "gen_impl.h"

/* What the verifier bears of a search: of a constant, of other text. */
#define MAX_SEARCH_CONST 2048u
#define MAX_SEARCH_TEXT  256u

/* --- functions that give text -------------------------------------------------------------------- */

static struct ir_val copyinstr(struct gen *g, struct ir_val addr, struct ir_val max, struct ir_val dst)
{
	struct ir_val err = ir_rt(&g->ir, "rt_copyinstr", IR_ARGS(dst, addr, max, gen_strsize(g)));

	gen_fault_unless(g, BPF_JEQ, err, CG_FAULT_BADADDR, addr);
	return dst;
}

static struct ir_val call_copyinstr(struct gen *g, const struct d_node *n, struct ir_val dst)
{
	struct ir_val addr = gen_int(g, n->arg[0]), max = gen_strsize(g);

	if (n->narg > 1)
		max = gen_int(g, n->arg[1]);
	return copyinstr(g, addr, max, dst);
}

static struct ir_val call_strjoin(struct gen *g, const struct d_node *n, struct ir_val dst)
{
	struct ir_val a = gen_str(g, n->arg[0]), b = gen_str(g, n->arg[1]);

	ir_rt(&g->ir, "rt_str_join", IR_ARGS(dst, a, b, gen_strsize(g)));
	return dst;
}

static struct ir_val call_path(struct gen *g, const struct d_node *n, struct ir_val dst)
{
	struct ir_val path = gen_str(g, n->arg[0]);

	ir_rt(&g->ir, n->subr == D_SUBR_BASENAME ? "rt_str_basename" : "rt_str_dirname",
	      IR_ARGS(dst, path, gen_strsize(g)));
	return dst;
}

static struct ir_val call_substr(struct gen *g, const struct d_node *n, struct ir_val dst)
{
	struct ir_val s = gen_str(g, n->arg[0]), index = gen_int(g, n->arg[1]), len = gen_strsize(g);

	if (n->narg > 2)
		len = gen_int(g, n->arg[2]);
	ir_rt(&g->ir, "rt_str_substr", IR_ARGS(dst, s, index, len, gen_strsize(g)));
	return dst;
}

/* Where n->arg[1] stands in n->arg[0]; *s: the text that is searched. */
static struct ir_val search(struct gen *g, const struct d_node *n, struct ir_val start, struct ir_val *s)
{
	const struct d_node *sub = n->arg[1];
	u32 strsize = g->cg->strsize, words = strsize / 8;
	struct ir_val wide, what;

	*s = gen_str(g, n->arg[0]);
	what = gen_str(g, sub);
	if (sub->op == D_CONST)
		words = (u32)strnlen(sub->str, strsize - 1) / 8 + 1;
	if (strsize > (sub->op == D_CONST ? MAX_SEARCH_CONST : MAX_SEARCH_TEXT))
		cg_error(g->cg, n->pos, "%s() needs a strsize of at most %u to search for %s", d_subr_name(n->subr),
			 sub->op == D_CONST ? MAX_SEARCH_CONST : MAX_SEARCH_TEXT,
			 sub->op == D_CONST ? "a constant" : "what is no constant");
	wide = gen_scratch(g, 2 * strsize);
	ir_rt(&g->ir, "rt_str_copy", IR_ARGS(wide, *s, gen_strsize(g)));
	ir_rt(&g->ir, "rt_str_zero", IR_ARGS(ir_at(&g->ir, wide, strsize), gen_strsize(g)));
	return ir_rt(&g->ir, "rt_str_index", IR_ARGS(wide, what, ir_const(words), start, gen_strsize(g)));
}

static struct ir_val call_strstr(struct gen *g, const struct d_node *n, struct ir_val dst)
{
	struct ir *ir = &g->ir;
	struct ir_val s, pos = search(g, n, ir_const(0), &s);
	s32 none = ir_label_new(ir);

	ir_rt(ir, "rt_str_zero", IR_ARGS(dst, gen_strsize(g)));
	ir_branch(ir, BPF_JSLT, pos, ir_const(0), none);
	ir_rt(ir, "rt_str_substr", IR_ARGS(dst, s, pos, gen_strsize(g), gen_strsize(g)));
	ir_label(ir, none);
	return dst;
}

static struct ir_val (*const text_calls[D_NSUBRS])(struct gen *g, const struct d_node *n, struct ir_val dst) = {
    [D_SUBR_COPYINSTR] = call_copyinstr, [D_SUBR_STRJOIN] = call_strjoin, [D_SUBR_BASENAME] = call_path,
    [D_SUBR_DIRNAME] = call_path,        [D_SUBR_SUBSTR] = call_substr,   [D_SUBR_STRSTR] = call_strstr,
};

struct ir_val gen_str_call_int(struct gen *g, const struct d_node *n)
{
	struct ir_val s;

	switch (n->subr) {
	case D_SUBR_STRLEN: return ir_rt(&g->ir, "rt_str_len", IR_ARGS(gen_str(g, n->arg[0]), gen_strsize(g)));
	case D_SUBR_INDEX: return search(g, n, n->narg > 2 ? gen_int(g, n->arg[2]) : ir_const(0), &s);
	default: cg_error(g->cg, n->pos, "%s() gives no number", d_subr_name(n->subr)); return ir_const(0);
	}
}

/* --- expressions -------------------------------------------------------------------------------- */

static struct ir_val str_const(struct gen *g, const struct d_node *n)
{
	return gen_text_const(g, n->op == D_CONST && n->str ? n->str : "");
}

static struct ir_val str_builtin(struct gen *g, const struct d_node *n)
{
	struct ir_val dst;

	if (d_builtin_is_identity(n->builtin))
		return gen_name(g, n->builtin);
	dst = gen_scratch(g, g->cg->strsize); /* execname */
	ir_rt(&g->ir, "rt_execname", IR_ARGS(dst, gen_strsize(g)));
	return dst;
}

static struct ir_val str_args(struct gen *g, const struct d_node *n)
{
	struct ir_val addr = gen_arg(g, (u32)n->value);

	return copyinstr(g, addr, gen_strsize(g), gen_scratch(g, g->cg->strsize));
}

static struct ir_val str_call(struct gen *g, const struct d_node *n)
{
	struct ir_val dst = gen_scratch(g, (n->subr == D_SUBR_STRJOIN ? 2 : 1) * g->cg->strsize);

	if (!text_calls[n->subr]) {
		cg_error(g->cg, n->pos, "%s() gives no text", d_subr_name(n->subr));
		return dst;
	}
	return text_calls[n->subr](g, n, dst);
}

static struct ir_val str_arm(struct gen *g, const struct d_node *n, const struct d_type *to)
{
	return gen_str(g, n);
}

static struct ir_val str_cond(struct gen *g, const struct d_node *n)
{
	return gen_cond(g, n, str_arm);
}

static struct ir_val str_comma(struct gen *g, const struct d_node *n)
{
	gen_effect(g, n->arg[0]);
	return gen_str(g, n->arg[1]);
}

static struct ir_val str_assign(struct gen *g, const struct d_node *n)
{
	gen_effect(g, n);
	return gen_str(g, n->arg[0]);
}

/* (string)p, stringof(p): the text at the user's address p. */
static struct ir_val str_cast(struct gen *g, const struct d_node *n)
{
	const struct d_node *from = n->arg[0];
	struct ir_val max = gen_strsize(g);

	if (from->type->kind == D_STRING)
		return gen_str(g, from);
	if (from->type->kind == D_BYTES && from->op == D_CALL) {
		max = gen_int(g, from->arg[1]);
		from = from->arg[0];
	}
	return copyinstr(g, gen_int(g, from), max, gen_scratch(g, g->cg->strsize));
}

static struct ir_val (*const generators[D_NOPS])(struct gen *g, const struct d_node *n) = {
    [D_CONST] = str_const, [D_BUILTIN] = str_builtin, [D_ARGS] = str_args,
    [D_VAR] = gen_var_str, [D_CALL] = str_call,       [D_COND] = str_cond,
    [D_COMMA] = str_comma, [D_ASSIGN] = str_assign,   [D_CAST] = str_cast,
};

struct ir_val gen_str(struct gen *g, const struct d_node *n)
{
	/* NULL and 0 stand for no text. */
	if (n->op == D_CONST && n->type->kind != D_STRING)
		return str_const(g, n);
	if (n->op >= D_NOPS || !generators[n->op] || (n->type->kind != D_STRING)) {
		cg_error(g->cg, n->pos, "a value of type %s cannot be used as text here", n->type->name);
		return ir_const(0);
	}
	return generators[n->op](g, n);
}

void gen_str_to(struct gen *g, const struct d_node *n, struct ir_val dst)
{
	if (n->op == D_CALL && n->subr == D_SUBR_COPYINSTR)
		call_copyinstr(g, n, dst);
	else
		ir_rt(&g->ir, "rt_str_copy", IR_ARGS(dst, gen_str(g, n), gen_strsize(g)));
}

/* --- comparison --------------------------------------------------------------------------------- */

static const struct {
	int yes, no; /* jumps on the sign of rt_str_cmp() */
} sign_ops[D_NOPS] = {
    [D_LT] = {BPF_JSLT, BPF_JSGE},
    [D_LE] = {BPF_JSLE, BPF_JSGT},
    [D_GT] = {BPF_JSGT, BPF_JSLE},
    [D_GE] = {BPF_JSGE, BPF_JSLT},
};

void gen_str_compare(struct gen *g, const struct d_node *n, bool sense, s32 to)
{
	const struct d_node *x = n->arg[0], *y = n->arg[1];
	struct ir_val a, b, r;

	if (gen_name_is_static(g, x) && y->op == D_CONST && y->str) {
		gen_name_compare(g, n, false, sense, to);
		return;
	}
	if (gen_name_is_static(g, y) && x->op == D_CONST && x->str) {
		gen_name_compare(g, n, true, sense, to);
		return;
	}
	a = gen_str(g, x);
	b = gen_str(g, y);
	if (n->op == D_EQ || n->op == D_NE) {
		r = ir_rt(&g->ir, "rt_str_eq", IR_ARGS(a, b, gen_strsize(g)));
		ir_branch(&g->ir, (n->op == D_EQ) == sense ? BPF_JNE : BPF_JEQ, r, ir_const(0), to);
	} else {
		r = ir_rt(&g->ir, "rt_str_cmp", IR_ARGS(a, b, gen_strsize(g)));
		ir_branch(&g->ir, sense ? sign_ops[n->op].yes : sign_ops[n->op].no, r, ir_const(0), to);
	}
}
