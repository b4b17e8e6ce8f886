// SPDX-License-Identifier: Apache-2.0
/*
 * The intermediate form of a program: three-address instructions over any number of virtual registers of 64 bits,
 * labels, and symbolic maps and functions. All jumps lead forward (loops stand in the run-time functions), so that a
 * register lives from its first to its last mention, and an instruction that no path reaches is left out as it is made.
 *
 *   tree -> [stmt.c, expr.c ...: gen_impl.h] -> IR -> [unused.c] -> IR without what nobody reads
 *        -> [regalloc.c] -> registers and stack slots -> [emit.c] -> instructions
 */
#ifndef PYDTRACE_IR_IMPL_H
#define PYDTRACE_IR_IMPL_H

#include "codegen/codegen.h"

enum ir_kind {
	IR_NONE,
	IR_REG,    /* n: the virtual register */
	IR_CONST,  /* imm */
	IR_STACK,  /* the address r10 + n */
	IR_MAP,    /* n: the map itself, as helpers take it */
	IR_MAPVAL, /* the address imm in element 0 of array map n */
};

struct ir_val {
	enum ir_kind kind;
	s32 n;
	s64 imm;
};

enum ir_op {
	IR_MOV,    /* dst = a */
	IR_ALU,    /* dst = a `sub` b; sub: BPF_ADD ... */
	IR_EXT,    /* dst = the low `size` bytes of a, extended by its sign when `sub` is 1 */
	IR_LOAD,   /* dst = *(size *)(a + off) */
	IR_STORE,  /* *(size *)(a + off) = b */
	IR_ATOMIC, /* *(size *)(a + off) `sub` b; dst (may be none) the old value */
	IR_LABEL,  /* label */
	IR_JUMP,   /* to label */
	IR_BRANCH, /* to label if a `sub` b; sub: BPF_JEQ ... */
	IR_HELPER, /* dst = helper `sub`(arg[0..narg)) */
	IR_RT,     /* dst = `symbol`(arg[0..narg)) */
	IR_GROUP,  /* code of the group: sub: enum ir_hook */
	IR_EXIT,   /* the program gives a */
};

enum ir_hook { IR_HOOK_INDEX, IR_HOOK_FID, IR_HOOK_FILTERS, IR_HOOK_ARGS, IR_HOOK_TEXT };

#define IR_MAX_ARGS 5
#define IR_NO_REG   (-1)

struct ir_insn {
	enum ir_op op;
	s32 sub;
	u8 size; /* bytes: 1, 2, 4, 8 */
	s16 off;
	s32 dst; /* virtual register, IR_NO_REG */
	s32 label;
	struct ir_val a, b;
	struct ir_val arg[IR_MAX_ARGS];
	u32 narg;
	const char *symbol;
};

struct ir {
	struct arena *arena;
	VEC(struct ir_insn) insns;
	VEC(u32) label_refs; /* jumps to each label so far */
	s32 nregs;
	s32 stack;     /* the lowest byte in use, counted from r10: negative */
	s32 stack_low; /* the lowest that ever was */
	bool dead;     /* no path leads to what comes next */
};

/* An empty program; its stack begins below what the group's code may use (CG_OPS_SCRATCH). */
void ir_init(struct ir *ir, struct arena *a);

static inline struct ir_val ir_const(s64 v)
{
	return (struct ir_val){.kind = IR_CONST, .imm = v};
}
static inline struct ir_val ir_reg(s32 n)
{
	return (struct ir_val){.kind = IR_REG, .n = n};
}
static inline struct ir_val ir_map(u32 map)
{
	return (struct ir_val){.kind = IR_MAP, .n = (s32)map};
}
static inline struct ir_val ir_mapval(u32 map, u64 off)
{
	return (struct ir_val){.kind = IR_MAPVAL, .n = (s32)map, .imm = (s64)off};
}

struct ir_val ir_new(struct ir *ir); /* a new virtual register */
/* `size` bytes of stack, aligned to 8; given back by setting ir->stack to what it was. */
struct ir_val ir_stack(struct ir *ir, u32 size);

struct ir_val ir_at(struct ir *ir, struct ir_val base, u32 off); /* the address base + off */
void ir_mov(struct ir *ir, struct ir_val dst, struct ir_val v);  /* dst: a register, for the first time or again */
struct ir_val ir_alu(struct ir *ir, int op, struct ir_val a, struct ir_val b);  /* folds constants */
struct ir_val ir_ext(struct ir *ir, struct ir_val v, u32 size, bool is_signed); /* extends its low `size` bytes */
/* Memory at base + off; size 1, 2, 4 or 8. A load extends with zeros; the adds are of 8 bytes. */
struct ir_val ir_load(struct ir *ir, u32 size, struct ir_val base, s32 off);
void ir_store(struct ir *ir, u32 size, struct ir_val base, s32 off, struct ir_val v);
void ir_atomic_add(struct ir *ir, struct ir_val base, s32 off, struct ir_val v);
struct ir_val ir_fetch_add(struct ir *ir, struct ir_val base, s32 off, struct ir_val v); /* gives the old value */
/* A label is placed once, behind all jumps to it; one that nothing jumps to vanishes. */
s32 ir_label_new(struct ir *ir);
void ir_label(struct ir *ir, s32 label);
void ir_jump(struct ir *ir, s32 label);
void ir_branch(struct ir *ir, int op, struct ir_val a, struct ir_val b, s32 label); /* op: BPF_JEQ ...; folds */
void ir_exit(struct ir *ir, struct ir_val v);                                       /* the program gives v */

#define IR_ARGS(...)                                                                                               \
	(const struct ir_val[]){__VA_ARGS__}, sizeof((struct ir_val[]){__VA_ARGS__}) / sizeof(struct ir_val)
/* Calls: at most IR_MAX_ARGS arguments; the result may be left unused. */
struct ir_val ir_helper(struct ir *ir, s32 helper, const struct ir_val *arg, u32 narg);
struct ir_val ir_rt(struct ir *ir, const char *symbol, const struct ir_val *arg, u32 narg);
/* Code of the group (cg_group_ops). INDEX: label is `skip`, others: -1. ARGS: at: the place of arg0 on the stack. */
struct ir_val ir_hook(struct ir *ir, enum ir_hook hook, s32 label);
struct ir_val ir_hook_text(struct ir *ir, enum d_builtin which);
void ir_hook_args(struct ir *ir, u32 mask, s32 at, s32 fault);

void ir_dump(struct strbuf *out, const struct ir *ir); /* dump.c */

/* ir_fold.c: a `op` b of 64 bits (false: not folded); is a `op` b just a? does the branch on a `op` b jump? */
bool ir_fold_alu(int op, s64 a, s64 b, s64 *out);
bool ir_is_neutral(int op, s64 b);
bool ir_fold_branch(int op, s64 a, s64 b);

/* --- from IR to instructions ---------------------------------------------------------------------- */

/* Where a virtual register is: in reg (>= 0), or on the stack at r10 + slot. */
struct ir_place {
	s16 reg;
	s16 slot;
};

/* Leave out what computes a value that nobody reads. */
void ir_drop_unused(struct ir *ir);
/* A place for each virtual register; lowers ir->stack_low for those on the stack. */
struct ir_place *ir_allocate(struct ir *ir);
/* 0 or -E2BIG (stack or jumps), -EINVAL (a bug). */
int ir_emit(const struct ir *ir, const struct ir_place *place, const struct cg_group *group, struct asm_prog *out);

#endif
