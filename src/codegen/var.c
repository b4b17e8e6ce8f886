// SPDX-License-Identifier: Apache-2.0
/*
 * Variables. A scalar has 8 bytes (text: strsize) in the state array: global, or in the thread's slot. Numbers are read
 * with the width of their type and written whole, so that an atomic add of 64 bits serves all. An array is a hash.
 */
#include "gen_impl.h"

static u32 number_size(const struct d_type *t)
{
	return t->kind == D_INT ? t->size : 8;
}

static struct ir_val load_number(struct gen *g, struct ir_val base, u32 off, const struct d_type *t)
{
	struct ir_val v = ir_load(&g->ir, number_size(t), base, (s32)off);

	return t->kind == D_INT && t->is_signed ? ir_ext(&g->ir, v, t->size, true) : v;
}

/* Where a scalar that is no clause-local number stands. */
static struct ir_val scalar_address(struct gen *g, const struct d_var *v)
{
	struct var_place *p = cg_var(g->cg, v);

	switch (v->scope) {
	case D_GLOBAL: return gen_state(g, p->off);
	case D_THREAD: return ir_at(&g->ir, gen_lazy(g, LAZY_SLOT), p->off);
	default: return ir_at(&g->ir, gen_lazy(g, LAZY_SCRATCH), p->off);
	}
}

static struct ir_val *local(struct gen *g, const struct d_var *v)
{
	return &g->locals[cg_var(g->cg, v) - g->cg->vars];
}

static bool is_local_number(const struct d_var *v)
{
	return v->scope == D_CLAUSE && v->type->kind != D_STRING;
}

/* --- keys --------------------------------------------------------------------------------------- */

static struct ir_val gen_key(struct gen *g, const struct d_node *n, const struct var_place *p)
{
	const struct d_var *v = n->var;
	struct ir_val key = gen_key_memory(g, p->key_size);
	u32 off = 0;

	if (v->scope == D_THREAD) { /* the number of the thread */
		ir_store(&g->ir, 8, key, 0, ir_load(&g->ir, 8, gen_lazy(g, LAZY_SLOT), 0));
		off = 8;
	}
	for (u32 k = 0; k < v->nkeys; k++) {
		const struct d_node *part = n->arg[k];

		if (v->keys[k]->kind == D_STRING) {
			gen_str_to(g, part, ir_at(&g->ir, key, off));
			off += g->cg->strsize;
		} else {
			ir_store(&g->ir, 8, key, (s32)off, gen_int_as(g, part, v->keys[k]));
			off += 8;
		}
	}
	return key;
}

static struct ir_val lookup(struct gen *g, u32 map, struct ir_val key)
{
	return ir_helper(&g->ir, BPF_FUNC_map_lookup_elem, IR_ARGS(ir_map(map), key));
}

/* Look up the element that n names; the memory of the key is free again then. */
static struct ir_val find(struct gen *g, const struct d_node *n)
{
	struct var_place *p = cg_var(g->cg, n->var);
	s32 stack = g->ir.stack;
	u32 scratch = g->scratch_used;
	struct ir_val elem = lookup(g, p->map, gen_key(g, n, p));

	g->ir.stack = stack;
	g->scratch_used = scratch;
	return elem;
}

/* --- reading ------------------------------------------------------------------------------------ */

static struct ir_val array_int(struct gen *g, const struct d_node *n)
{
	struct ir_val elem = find(g, n), v = ir_new(&g->ir);
	s32 none = ir_label_new(&g->ir);

	ir_mov(&g->ir, v, ir_const(0));
	ir_branch(&g->ir, BPF_JEQ, elem, ir_const(0), none);
	ir_mov(&g->ir, v, load_number(g, elem, 0, n->var->type));
	ir_label(&g->ir, none);
	return v;
}

struct ir_val gen_scalar_int(struct gen *g, const struct d_var *v)
{
	return load_number(g, scalar_address(g, v), 0, v->type);
}

struct ir_val gen_var_int(struct gen *g, const struct d_node *n)
{
	if (n->var->nkeys)
		return array_int(g, n);
	if (is_local_number(n->var))
		return *local(g, n->var);
	return gen_scalar_int(g, n->var);
}

struct ir_val gen_var_str(struct gen *g, const struct d_node *n)
{
	struct ir_val elem, v;
	s32 none;

	if (!n->var->nkeys)
		return scalar_address(g, n->var);
	v = ir_new(&g->ir);
	elem = find(g, n);
	none = ir_label_new(&g->ir);
	ir_mov(&g->ir, v, gen_text_const(g, ""));
	ir_branch(&g->ir, BPF_JEQ, elem, ir_const(0), none);
	ir_mov(&g->ir, v, elem);
	ir_label(&g->ir, none);
	return v;
}

/* --- writing ------------------------------------------------------------------------------------ */

static void array_delete(struct gen *g, u32 map, struct ir_val key)
{
	ir_helper(&g->ir, BPF_FUNC_map_delete_elem, IR_ARGS(ir_map(map), key));
}

static void array_update(struct gen *g, u32 map, struct ir_val key, struct ir_val value)
{
	struct ir_val err =
	    ir_helper(&g->ir, BPF_FUNC_map_update_elem, IR_ARGS(ir_map(map), key, value, ir_const(BPF_ANY)));
	s32 ok = ir_label_new(&g->ir);

	ir_branch(&g->ir, BPF_JEQ, err, ir_const(0), ok);
	gen_drop(g, CG_DROP_DYNVAR);
	ir_label(&g->ir, ok);
}

/* What is 0 takes no room. */
static void array_assign_int(struct gen *g, const struct d_node *n, struct ir_val v, s32 done)
{
	struct ir *ir = &g->ir;
	struct var_place *p = cg_var(g->cg, n->var);
	s32 nonzero = ir_label_new(ir), ready = ir_label_new(ir);
	struct ir_val key, value;

	if (n->var->scope == D_THREAD) {
		ir_branch(ir, BPF_JEQ, v, ir_const(0), ready);
		gen_slot_ensure(g, gen_lazy(g, LAZY_SLOT), done);
		ir_label(ir, ready);
	}
	key = gen_key(g, n, p);
	ir_branch(ir, BPF_JNE, v, ir_const(0), nonzero);
	array_delete(g, p->map, key);
	ir_jump(ir, done);
	ir_label(ir, nonzero);
	value = ir_stack(ir, 8);
	ir_store(ir, 8, value, 0, v);
	array_update(g, p->map, key, value);
}

void gen_var_assign_int(struct gen *g, const struct d_node *n, struct ir_val v)
{
	struct ir *ir = &g->ir;
	s32 done = ir_label_new(ir), ready = ir_label_new(ir);

	if (n->var->nkeys) {
		array_assign_int(g, n, v, done);
	} else if (is_local_number(n->var)) {
		ir_mov(ir, *local(g, n->var), v);
	} else {
		if (n->var->scope == D_THREAD) { /* 0 may be written to slot 0: it is 0 */
			ir_branch(ir, BPF_JEQ, v, ir_const(0), ready);
			gen_slot_ensure(g, gen_lazy(g, LAZY_SLOT), done);
			ir_label(ir, ready);
		}
		ir_store(ir, 8, scalar_address(g, n->var), 0, v);
	}
	ir_label(ir, done);
}

static void array_assign_str(struct gen *g, const struct d_node *n, struct ir_val text, s32 done)
{
	struct ir *ir = &g->ir;
	struct var_place *p = cg_var(g->cg, n->var);
	s32 some = ir_label_new(ir);
	struct ir_val key = gen_key(g, n, p);

	ir_branch(ir, BPF_JNE, ir_load(ir, 1, text, 0), ir_const(0), some);
	array_delete(g, p->map, key);
	ir_jump(ir, done);
	ir_label(ir, some);
	array_update(g, p->map, key, text);
}

void gen_var_assign_str(struct gen *g, const struct d_node *n, const struct d_node *value)
{
	struct ir *ir = &g->ir;
	s32 done = ir_label_new(ir);
	struct ir_val text = gen_str(g, value);

	if (n->var->scope == D_THREAD)
		gen_slot_ensure(g, gen_lazy(g, LAZY_SLOT), done);
	if (n->var->nkeys)
		array_assign_str(g, n, text, done);
	else
		ir_rt(ir, "rt_str_copy", IR_ARGS(scalar_address(g, n->var), text, gen_strsize(g)));
	ir_label(ir, done);
}

/* --- adding ------------------------------------------------------------------------------------- */

bool gen_var_is_shared(const struct d_node *n)
{
	return n->var->nkeys || n->var->scope == D_GLOBAL;
}

/* The element is made as 0 when there is none. The arrays of a thread lose it again when it has become 0. */
static struct ir_val array_add(struct gen *g, const struct d_node *n, struct ir_val by)
{
	struct ir *ir = &g->ir;
	struct var_place *p = cg_var(g->cg, n->var);
	struct ir_val old = ir_new(ir), key, elem = ir_new(ir);
	s32 have = ir_label_new(ir), done = ir_label_new(ir), full = ir_label_new(ir);

	ir_mov(ir, old, ir_const(0));
	if (n->var->scope == D_THREAD)
		gen_slot_ensure(g, gen_lazy(g, LAZY_SLOT), done);
	key = gen_key(g, n, p);
	ir_mov(ir, elem, lookup(g, p->map, key));
	ir_branch(ir, BPF_JNE, elem, ir_const(0), have);
	ir_mov(ir, elem,
	       ir_rt(ir, "rt_map_make", IR_ARGS(ir_map(p->map), key, gen_rodata(g, cg_rodata_zeros(g->cg, 8)))));
	ir_branch(ir, BPF_JEQ, elem, ir_const(0), full);
	ir_label(ir, have);
	ir_mov(ir, old, ir_fetch_add(ir, elem, 0, by));
	if (n->var->scope == D_THREAD) {
		ir_branch(ir, BPF_JNE, ir_alu(ir, BPF_ADD, old, by), ir_const(0), done);
		array_delete(g, p->map, key);
	}
	ir_jump(ir, done);
	ir_label(ir, full);
	gen_drop(g, CG_DROP_DYNVAR);
	ir_label(ir, done);
	return old;
}

struct ir_val gen_var_add(struct gen *g, const struct d_node *n, struct ir_val by, bool want_new)
{
	struct ir_val old =
	    n->var->nkeys ? array_add(g, n, by) : ir_fetch_add(&g->ir, scalar_address(g, n->var), 0, by);

	return want_new ? ir_alu(&g->ir, BPF_ADD, old, by) : old;
}
