// SPDX-License-Identifier: Apache-2.0
/* @name[keys] = func(value): find or make the element of this CPU, and add to its words. */
#include "gen_impl.h"
#include "rt/rt.h"

/* Now an identity, now text: the word, and the text, zero when the word says it. */
static void gen_text_key(struct gen *g, const struct cg_field *f, const struct d_node *n, struct ir_val key)
{
	bool as_word = n->op == D_CONST || (n->op == D_BUILTIN && n->builtin == f->builtin);
	struct ir_val text = ir_at(&g->ir, key, f->off + 8);

	ir_store(&g->ir, 8, key, (s32)f->off, as_word ? gen_identity(g, n) : ir_const(0));
	if (as_word)
		ir_rt(&g->ir, "rt_str_zero", IR_ARGS(text, gen_strsize(g)));
	else
		gen_str_to(g, n, text);
}

static struct ir_val gen_agg_key(struct gen *g, const struct cg_agg *a, const struct d_node *ref)
{
	struct ir_val key = gen_key_memory(g, a->key_size);

	if (!a->nkeys)
		ir_store(&g->ir, 8, key, 0, ir_const(0));
	for (u32 k = 0; k < a->nkeys; k++) {
		const struct cg_field *f = &a->keys[k];
		const struct d_node *n = ref->arg[k];

		switch (f->kind) {
		case CG_IDENTITY: ir_store(&g->ir, 8, key, (s32)f->off, gen_identity(g, n)); break;
		case CG_TEXT: gen_text_key(g, f, n, key); break;
		default: ir_store(&g->ir, 8, key, (s32)f->off, gen_int_as(g, n, f->type)); break;
		}
	}
	return key;
}

/* --- functions ---------------------------------------------------------------------------------- */

static void add_count(struct gen *g, const struct d_aggregation *a, struct ir_val p, struct ir_val v)
{
}

static void add_sum(struct gen *g, const struct d_aggregation *a, struct ir_val p, struct ir_val v)
{
	ir_atomic_add(&g->ir, p, 8, v);
}

static void add_max(struct gen *g, const struct d_aggregation *a, struct ir_val p, struct ir_val v)
{
	s64 flip = (s64)(a->func == D_AGGFUNC_MIN ? RT_MIN_FLIP : RT_MAX_FLIP);

	v = ir_alu(&g->ir, BPF_XOR, v, ir_const(flip));
	ir_rt(&g->ir, "rt_agg_max", IR_ARGS(ir_at(&g->ir, p, 8), v));
}

static void add_stddev(struct gen *g, const struct d_aggregation *a, struct ir_val p, struct ir_val v)
{
	ir_atomic_add(&g->ir, p, 8, v);
	ir_rt(&g->ir, "rt_agg_square", IR_ARGS(ir_at(&g->ir, p, 16), v));
}

/* Count in bucket n, which is below `buckets`: the verifier must see it. */
static void add_bucket(struct gen *g, struct ir_val p, struct ir_val n, u32 buckets)
{
	struct ir *ir = &g->ir;
	s32 out = ir_label_new(ir);

	ir_branch(ir, BPF_JGE, n, ir_const(buckets), out);
	ir_atomic_add(ir, ir_alu(ir, BPF_ADD, ir_at(&g->ir, p, 8), ir_alu(ir, BPF_LSH, n, ir_const(3))), 0,
		      ir_const(1));
	ir_label(ir, out);
}

static void add_quantize(struct gen *g, const struct d_aggregation *a, struct ir_val p, struct ir_val v)
{
	add_bucket(g, p, ir_rt(&g->ir, "rt_quantize_bucket", IR_ARGS(v)), RT_QUANTIZE_BUCKETS);
}

static void add_lquantize(struct gen *g, const struct d_aggregation *a, struct ir_val p, struct ir_val v)
{
	struct ir_val n = ir_rt(&g->ir, "rt_lquantize_bucket",
				IR_ARGS(v, ir_const(a->param[0]), ir_const(a->param[1]), ir_const(a->param[2])));

	add_bucket(g, p, n, g->cg->out->aggs[a->id].value_words - 1);
}

static void add_llquantize(struct gen *g, const struct d_aggregation *a, struct ir_val p, struct ir_val v)
{
	struct ir_val n = ir_rt(
	    &g->ir, "rt_llquantize_bucket",
	    IR_ARGS(v, ir_const(a->param[0]), ir_const(a->param[1]), ir_const(a->param[2]), ir_const(a->param[3])));

	add_bucket(g, p, n, g->cg->out->aggs[a->id].value_words - 1);
}

static void (*const adders[D_NAGGFUNCS])(struct gen *g, const struct d_aggregation *a, struct ir_val p,
					 struct ir_val v) = {
    [D_AGGFUNC_COUNT] = add_count,
    [D_AGGFUNC_SUM] = add_sum,
    [D_AGGFUNC_MIN] = add_max,
    [D_AGGFUNC_MAX] = add_max,
    [D_AGGFUNC_AVG] = add_sum,
    [D_AGGFUNC_STDDEV] = add_stddev,
    [D_AGGFUNC_QUANTIZE] = add_quantize,
    [D_AGGFUNC_LQUANTIZE] = add_lquantize,
    [D_AGGFUNC_LLQUANTIZE] = add_llquantize,
};

void gen_agg(struct gen *g, const struct d_stmt *s)
{
	struct ir *ir = &g->ir;
	const struct d_aggregation *agg = s->agg->agg;
	const struct cg_agg *a = &g->cg->out->aggs[agg->id];
	struct ir_val v = s->narg ? gen_int(g, s->arg[0]) : ir_const(0), key, p = ir_new(ir), zero;
	s32 have = ir_label_new(ir), full = ir_label_new(ir), done = ir_label_new(ir);

	key = gen_agg_key(g, a, s->agg);
	ir_mov(ir, p, ir_helper(ir, BPF_FUNC_map_lookup_elem, IR_ARGS(ir_map(a->map), key)));
	ir_branch(ir, BPF_JNE, p, ir_const(0), have);
	zero = gen_rodata(g, cg_rodata_zeros(g->cg, 8 * a->value_words));
	ir_mov(ir, p, ir_rt(ir, "rt_map_make", IR_ARGS(ir_map(a->map), key, zero)));
	ir_branch(ir, BPF_JEQ, p, ir_const(0), full);
	ir_label(ir, have);
	ir_atomic_add(ir, p, 0, ir_const(1));
	adders[agg->func](g, agg, p, v);
	ir_jump(ir, done);
	ir_label(ir, full);
	gen_drop(g, CG_DROP_AGG);
	ir_label(ir, done);
}
