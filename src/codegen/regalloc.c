// SPDX-License-Identifier: Apache-2.0
/*
 * Registers for the virtual ones: a linear scan. r7..r9 hold what lives over a call; r0, r4 and r5 what does not;
 * r1..r3 are left to emit.c, r6 is the context. When there is none, the one that lives longest goes to the stack, where
 * 8 bytes are shared by all that do not live at the same time.
 */
#include <stdlib.h>

#include "ir_impl.h"

struct interval {
	s32 reg;        /* virtual */
	s32 start, end; /* instructions of its first and last mention */
	bool over_call; /* a call stands between, or takes it at its end: r1..r5 are being filled then */
	bool in_call;   /* a call stands between: r0 is lost too */
	bool result;    /* it comes out of a call: in r0 */
	s32 hint;       /* the virtual register that it is a copy of, or computed in place from */
};

struct alloc {
	struct ir *ir;
	struct interval *iv; /* by virtual register; start -1: never mentioned */
	struct ir_place *place;
	s32 *calls;            /* for each instruction how many calls stand before it */
	s32 owner[BPF_REG_10]; /* the virtual register that is in it, IR_NO_REG */
	VEC(s32) slots;        /* for each stack slot the instruction up to which it is taken */
};

/* Those that are least asked for first. */
static const s16 pool[] = {BPF_REG_4, BPF_REG_5, BPF_REG_0, BPF_REG_7, BPF_REG_8, BPF_REG_9};

static bool is_call(const struct ir_insn *i)
{
	return i->op == IR_HELPER || i->op == IR_RT || i->op == IR_GROUP;
}

static void mention(struct alloc *al, s32 reg, s32 at)
{
	struct interval *iv = &al->iv[reg];

	if (iv->start < 0)
		iv->start = at;
	iv->end = at;
}

static void mention_val(struct alloc *al, const struct ir_val *v, s32 at)
{
	if (v->kind == IR_REG)
		mention(al, v->n, at);
}

static void find_intervals(struct alloc *al)
{
	struct ir *ir = al->ir;
	s32 ncalls = 0;

	for (s32 n = 0; n < ir->nregs; n++)
		al->iv[n] = (struct interval){.reg = n, .start = -1, .hint = IR_NO_REG};
	for (s32 at = 0; at < (s32)ir->insns.n; at++) {
		struct ir_insn *i = &ir->insns.v[at];

		al->calls[at] = ncalls;
		ncalls += is_call(i);
		mention_val(al, &i->a, at);
		mention_val(al, &i->b, at);
		for (u32 n = 0; n < i->narg; n++)
			mention_val(al, &i->arg[n], at);
		if (i->dst == IR_NO_REG)
			continue;
		mention(al, i->dst, at);
		if (i->a.kind == IR_REG && al->iv[i->dst].start == at)
			al->iv[i->dst].hint = i->a.n;
	}
	for (s32 n = 0; n < ir->nregs; n++) {
		struct interval *iv = &al->iv[n];

		if (iv->start < 0)
			continue;
		/* Calls in (start, end]: the one that makes it does no harm, the one that takes it does. */
		iv->in_call = al->calls[iv->end] > al->calls[iv->start] + is_call(&ir->insns.v[iv->start]);
		iv->result = is_call(&ir->insns.v[iv->start]);
		iv->over_call = al->calls[iv->end] + is_call(&ir->insns.v[iv->end]) >
				al->calls[iv->start] + is_call(&ir->insns.v[iv->start]);
	}
}

static int by_start(const void *a, const void *b)
{
	const struct interval *x = *(const struct interval *const *)a, *y = *(const struct interval *const *)b;

	return x->start != y->start ? (x->start < y->start ? -1 : 1) : (x->reg > y->reg) - (x->reg < y->reg);
}

static void to_stack(struct alloc *al, struct interval *iv)
{
	size_t n = 0;

	while (n < al->slots.n && al->slots.v[n] >= iv->start)
		n++;
	if (n == al->slots.n)
		vec_push(al->ir->arena, &al->slots);
	al->slots.v[n] = iv->end;
	al->place[iv->reg] = (struct ir_place){.reg = -1, .slot = (s16)(al->ir->stack_low - 8 * (s32)(n + 1))};
}

static void expire(struct alloc *al, s32 now)
{
	for (int r = 0; r < BPF_REG_10; r++) {
		if (al->owner[r] != IR_NO_REG && al->iv[al->owner[r]].end <= now)
			al->owner[r] = IR_NO_REG;
	}
}

static void give(struct alloc *al, struct interval *iv, s16 reg)
{
	al->owner[reg] = iv->reg;
	al->place[iv->reg] = (struct ir_place){.reg = reg};
}

static bool allowed(const struct interval *iv, s16 reg)
{
	return reg >= BPF_REG_6 || (reg == BPF_REG_0 ? !iv->in_call : !iv->over_call);
}

static bool take(struct alloc *al, struct interval *iv, s16 reg)
{
	if (reg < 0 || al->owner[reg] != IR_NO_REG || !allowed(iv, reg))
		return false;
	give(al, iv, reg);
	return true;
}

static void place_interval(struct alloc *al, struct interval *iv)
{
	struct interval *longest = iv;

	expire(al, iv->start);
	if (iv->result && take(al, iv, BPF_REG_0))
		return;
	if (iv->hint != IR_NO_REG && take(al, iv, al->place[iv->hint].reg))
		return;
	for (size_t n = 0; n < ARRAY_SIZE(pool); n++) {
		if (take(al, iv, pool[n]))
			return;
	}
	for (size_t n = 0; n < ARRAY_SIZE(pool); n++) {
		struct interval *other = &al->iv[al->owner[pool[n]]];

		if (allowed(iv, pool[n]) && other->end > longest->end)
			longest = other;
	}
	if (longest != iv)
		give(al, iv, al->place[longest->reg].reg);
	to_stack(al, longest);
}

struct ir_place *ir_allocate(struct ir *ir)
{
	struct alloc al = {.ir = ir};
	size_t n = (size_t)ir->nregs, used = 0;
	struct interval **order = arena_new_array(ir->arena, struct interval *, n + 1);

	al.iv = arena_new_array(ir->arena, struct interval, n + 1);
	al.place = arena_new_array(ir->arena, struct ir_place, n + 1);
	al.calls = arena_new_array(ir->arena, s32, ir->insns.n + 1);
	for (int r = 0; r < BPF_REG_10; r++)
		al.owner[r] = IR_NO_REG;
	find_intervals(&al);
	for (size_t i = 0; i < n; i++) {
		if (al.iv[i].start >= 0)
			order[used++] = &al.iv[i];
	}
	qsort(order, used, sizeof(*order), by_start);
	for (size_t i = 0; i < used; i++)
		place_interval(&al, order[i]);
	ir->stack_low -= 8 * (s32)al.slots.n;
	return al.place;
}
