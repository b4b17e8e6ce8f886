// SPDX-License-Identifier: Apache-2.0
/*
 * Which probe fires: its number, its identity, the texts of its names. What the identity fixes is compared when the
 * program is made, and never as text where the probe is static.
 */
#include <string.h>

#include "gen_impl.h"

struct ir_val gen_id(struct gen *g)
{
	return ir_alu(&g->ir, BPF_ADD, gen_lazy(g, LAZY_INDEX), ir_const(g->group->id_base));
}

struct ir_val gen_ident(struct gen *g)
{
	struct ir_val id = gen_id(g), fid;

	if (!g->group->ops->fid)
		return id;
	fid = ir_alu(&g->ir, BPF_LSH, gen_lazy(g, LAZY_FID), ir_const(32));
	return ir_alu(&g->ir, BPF_OR, fid, id);
}

struct ir_val gen_identity(struct gen *g, const struct d_node *n)
{
	if (n->op == D_CONST)
		return ir_const((s64)(CG_LITERAL | cg_literal(g->cg, n->str)));
	return gen_ident(g);
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
	u32 n = g->group->nprobes, only = 0, count = count_bits(set, n, &only);
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
		word = gen_rodata(g, cg_rodata(g->cg, set, ALIGN_UP(n, 64u) / 8));
		word = ir_load(ir, 8, ir_alu(ir, BPF_ADD, word, off), 0);
		index = ir_alu(ir, BPF_AND, index, ir_const(63));
	}
	word = ir_alu(ir, BPF_RSH, word, index);
	word = ir_alu(ir, BPF_AND, word, ir_const(1));
	ir_branch(ir, sense ? BPF_JNE : BPF_JEQ, word, ir_const(0), to);
}

/* --- the names ----------------------------------------------------------------------------------- */

static const char *probe_text(const struct cg_probe *p, enum d_builtin b)
{
	switch (b) {
	case D_BUILTIN_PROBEPROV: return p->prov;
	case D_BUILTIN_PROBEMOD: return p->mod;
	case D_BUILTIN_PROBEFUNC: return p->func;
	default: return p->name;
	}
}

/* Does only the running function tell the text? */
static bool is_dynamic(struct gen *g, enum d_builtin b)
{
	return g->group->ops->text && (b == D_BUILTIN_PROBEMOD || b == D_BUILTIN_PROBEFUNC);
}

/* The text from a table with a row for each probe of the group. */
static struct ir_val static_name(struct gen *g, enum d_builtin b)
{
	struct ir *ir = &g->ir;
	u32 n = g->group->nprobes, strsize = g->cg->strsize;
	char *table;
	struct ir_val index;

	if (n == 1)
		return gen_text_const(g, probe_text(&g->group->probes[0], b));
	if (!g->names[b - D_BUILTIN_PROBEPROV]) {
		table = arena_alloc(g->cg->arena, (size_t)n * strsize);
		for (u32 i = 0; i < n; i++)
			strncpy(table + (size_t)i * strsize, probe_text(&g->group->probes[i], b), strsize - 1);
		g->names[b - D_BUILTIN_PROBEPROV] = 1 + cg_rodata(g->cg, table, (size_t)n * strsize);
	}
	index = ir_alu(ir, BPF_MUL, gen_lazy(g, LAZY_INDEX), ir_const(strsize));
	return ir_alu(ir, BPF_ADD, gen_rodata(g, g->names[b - D_BUILTIN_PROBEPROV] - 1), index);
}

struct ir_val gen_name(struct gen *g, enum d_builtin b)
{
	struct ir *ir = &g->ir;
	struct ir_val p, dst;
	s32 done;

	if (!is_dynamic(g, b))
		return static_name(g, b);
	p = ir_new(ir);
	done = ir_label_new(ir);
	ir_mov(ir, p, static_name(g, b));
	ir_branch(ir, BPF_JEQ, gen_lazy(g, LAZY_FID), ir_const(0), done);
	dst = gen_scratch(g, g->cg->strsize);
	ir_rt(ir, "rt_copyinstr", IR_ARGS(dst, ir_hook_text(ir, b), gen_strsize(g), gen_strsize(g)));
	ir_mov(ir, p, dst);
	ir_label(ir, done);
	return p;
}

static bool holds(enum d_op op, int cmp)
{
	switch (op) {
	case D_LT: return cmp < 0;
	case D_LE: return cmp <= 0;
	case D_GT: return cmp > 0;
	case D_GE: return cmp >= 0;
	case D_EQ: return cmp == 0;
	default: return cmp != 0;
	}
}

bool gen_name_is_static(struct gen *g, const struct d_node *n)
{
	return n->op == D_BUILTIN && d_builtin_is_identity(n->builtin) && !is_dynamic(g, n->builtin);
}

/* The name of a static probe against a constant: decided now, for each probe. */
void gen_name_compare(struct gen *g, const struct d_node *n, bool swapped, bool sense, s32 to)
{
	const struct d_node *name = n->arg[swapped], *text = n->arg[!swapped];
	u32 nprobes = g->group->nprobes;
	u64 *set = arena_new_array(g->cg->arena, u64, nprobes / 64 + 1);

	for (u32 i = 0; i < nprobes; i++) {
		int cmp = strncmp(probe_text(&g->group->probes[i], name->builtin), text->str, g->cg->strsize - 1);

		if (holds(n->op, swapped ? -cmp : cmp))
			set[i / 64] |= 1ull << (i % 64);
	}
	gen_set_branch(g, set, sense, to);
}
