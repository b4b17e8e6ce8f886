// SPDX-License-Identifier: Apache-2.0
#include <errno.h>

#include "asm/asm.h"

#define UNPLACED (-1)

struct fixup { /* a jump whose distance is known only at the end */
	u32 insn;
	asm_label label;
};

struct asm_buf {
	struct arena *arena;
	VEC(struct bpf_insn) insns;
	VEC(struct asm_reloc) relocs;
	VEC(s32) labels; /* the instruction that each stands before, or UNPLACED */
	VEC(struct fixup) fixups;
	int err; /* the first misuse */
};

struct asm_buf *asm_new(struct arena *a)
{
	struct asm_buf *b = arena_alloc(a, sizeof(*b));

	b->arena = a;
	return b;
}

static void fail(struct asm_buf *b, int err)
{
	if (!b->err)
		b->err = err;
}

static void put(struct asm_buf *b, int code, int dst, int src, s64 off, s32 imm)
{
	if (dst < 0 || dst > BPF_REG_10 || src < 0 || src > BPF_REG_10 || off != (s16)off)
		fail(b, -EINVAL);
	*vec_push(b->arena, &b->insns) =
	    (struct bpf_insn){.code = code, .dst_reg = dst & 15, .src_reg = src & 15, .off = (s16)off, .imm = imm};
}

static void put_imm64(struct asm_buf *b, int dst, int src, u64 imm)
{
	put(b, BPF_LD | BPF_IMM | BPF_DW, dst, src, 0, (s32)(u32)imm);
	put(b, 0, 0, 0, 0, (s32)(u32)(imm >> 32));
}

/* --- labels ------------------------------------------------------------------------------------- */

asm_label asm_label_new(struct asm_buf *b)
{
	*vec_push(b->arena, &b->labels) = UNPLACED;
	return (asm_label)b->labels.n - 1;
}

void asm_label_here(struct asm_buf *b, asm_label l)
{
	if (l < 0 || (size_t)l >= b->labels.n || b->labels.v[l] != UNPLACED)
		fail(b, -EINVAL);
	else
		b->labels.v[l] = (s32)b->insns.n;
}

static void put_jump(struct asm_buf *b, int code, int dst, int src, s32 imm, asm_label to)
{
	*vec_push(b->arena, &b->fixups) = (struct fixup){(u32)b->insns.n, to};
	put(b, code, dst, src, 0, imm);
}

/* --- instructions ------------------------------------------------------------------------------- */

void asm_mov(struct asm_buf *b, int dst, int src)
{
	asm_alu(b, BPF_MOV, dst, src);
}

void asm_mov_imm(struct asm_buf *b, int dst, s64 imm)
{
	if (imm == (s32)imm)
		asm_alu_imm(b, BPF_MOV, dst, (s32)imm);
	else
		put_imm64(b, dst, 0, (u64)imm);
}

void asm_alu(struct asm_buf *b, int op, int dst, int src)
{
	put(b, BPF_ALU64 | BPF_OP(op) | BPF_X, dst, src, 0, 0);
}

void asm_alu_imm(struct asm_buf *b, int op, int dst, s32 imm)
{
	put(b, BPF_ALU64 | BPF_OP(op) | BPF_K, dst, 0, 0, imm);
}

void asm_alu32(struct asm_buf *b, int op, int dst, int src)
{
	put(b, BPF_ALU | BPF_OP(op) | BPF_X, dst, src, 0, 0);
}

void asm_alu32_imm(struct asm_buf *b, int op, int dst, s32 imm)
{
	put(b, BPF_ALU | BPF_OP(op) | BPF_K, dst, 0, 0, imm);
}

void asm_load(struct asm_buf *b, int size, int dst, int src, s16 off)
{
	put(b, BPF_LDX | BPF_SIZE(size) | BPF_MEM, dst, src, off, 0);
}

void asm_store(struct asm_buf *b, int size, int dst, s16 off, int src)
{
	put(b, BPF_STX | BPF_SIZE(size) | BPF_MEM, dst, src, off, 0);
}

void asm_store_imm(struct asm_buf *b, int size, int dst, s16 off, s32 imm)
{
	put(b, BPF_ST | BPF_SIZE(size) | BPF_MEM, dst, 0, off, imm);
}

void asm_atomic(struct asm_buf *b, int size, s32 op, int dst, s16 off, int src)
{
	if (size != BPF_W && size != BPF_DW)
		fail(b, -EINVAL);
	put(b, BPF_STX | BPF_SIZE(size) | BPF_ATOMIC, dst, src, off, op);
}

void asm_jump(struct asm_buf *b, asm_label to)
{
	put_jump(b, BPF_JMP | BPF_JA, 0, 0, 0, to);
}

void asm_branch(struct asm_buf *b, int op, int dst, int src, asm_label to)
{
	put_jump(b, BPF_JMP | BPF_OP(op) | BPF_X, dst, src, 0, to);
}

void asm_branch_imm(struct asm_buf *b, int op, int dst, s32 imm, asm_label to)
{
	put_jump(b, BPF_JMP | BPF_OP(op) | BPF_K, dst, 0, imm, to);
}

void asm_call(struct asm_buf *b, s32 helper)
{
	put(b, BPF_JMP | BPF_CALL, 0, 0, 0, helper);
}

static struct asm_reloc *add_reloc(struct asm_buf *b, enum asm_reloc_kind kind)
{
	struct asm_reloc *r = vec_push(b->arena, &b->relocs);

	r->kind = kind;
	r->insn = (u32)b->insns.n;
	return r;
}

void asm_call_rt(struct asm_buf *b, const char *symbol)
{
	add_reloc(b, ASM_RELOC_RT)->symbol = arena_strdup(b->arena, symbol);
	put(b, BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, -1);
}

void asm_map_ptr(struct asm_buf *b, int dst, u32 map)
{
	add_reloc(b, ASM_RELOC_MAP)->target = map;
	put_imm64(b, dst, BPF_PSEUDO_MAP_FD, 0);
}

void asm_map_value(struct asm_buf *b, int dst, u32 map, u32 off)
{
	struct asm_reloc *r = add_reloc(b, ASM_RELOC_MAP_VALUE);

	r->target = map;
	r->addend = off;
	put_imm64(b, dst, BPF_PSEUDO_MAP_VALUE, (u64)off << 32);
}

void asm_exit(struct asm_buf *b)
{
	put(b, BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
}

/* --- the end ------------------------------------------------------------------------------------ */

static void resolve(struct asm_buf *b, const struct fixup *f)
{
	s64 off;

	if (f->label < 0 || (size_t)f->label >= b->labels.n || b->labels.v[f->label] == UNPLACED) {
		fail(b, -EINVAL);
		return;
	}
	off = (s64)b->labels.v[f->label] - f->insn - 1;
	if (off != (s16)off)
		fail(b, -E2BIG);
	else if ((size_t)b->labels.v[f->label] >= b->insns.n)
		fail(b, -EINVAL); /* leads out of the program */
	else
		b->insns.v[f->insn].off = (s16)off;
}

/*
 * Leave out what no path leads to: the kernel refuses programs that have such. There is some where a piece of code offers
 * more ways out than the code that is put into it takes.
 */
struct reach {
	asm_label *jump; /* by instruction: the label it jumps to; NO_JUMP */
	bool *seen;
	u32 *work; /* instructions to follow */
	size_t nwork;
};
#define NO_JUMP (-1)

static void reach(struct asm_buf *b, struct reach *r, size_t insn)
{
	if (insn < b->insns.n && !r->seen[insn]) {
		r->seen[insn] = true;
		r->work[r->nwork++] = (u32)insn;
	}
}

static void follow(struct asm_buf *b, struct reach *r, u32 i)
{
	u8 code = b->insns.v[i].code;
	asm_label l = r->jump[i];

	if (l >= 0 && (size_t)l < b->labels.n && b->labels.v[l] != UNPLACED)
		reach(b, r, (size_t)b->labels.v[l]);
	if (code == (BPF_LD | BPF_IMM | BPF_DW))
		r->seen[i + 1] = true;
	if (code != (BPF_JMP | BPF_EXIT) && code != (BPF_JMP | BPF_JA))
		reach(b, r, code == (BPF_LD | BPF_IMM | BPF_DW) ? i + 2 : i + 1);
}

/* Move what is reached together; place[i] is where instruction i, or the next one that is left, has come to stand. */
static void compact(struct asm_buf *b, const bool *seen, u32 *place)
{
	size_t n = 0, nfixups = 0, nrelocs = 0;

	for (size_t i = 0; i < b->insns.n; i++) {
		place[i] = (u32)n;
		if (seen[i])
			b->insns.v[n++] = b->insns.v[i];
	}
	place[b->insns.n] = (u32)n;
	for (size_t i = 0; i < b->labels.n; i++)
		if (b->labels.v[i] != UNPLACED)
			b->labels.v[i] = (s32)place[b->labels.v[i]];
	for (size_t i = 0; i < b->fixups.n; i++)
		if (seen[b->fixups.v[i].insn])
			b->fixups.v[nfixups++] = (struct fixup){place[b->fixups.v[i].insn], b->fixups.v[i].label};
	for (size_t i = 0; i < b->relocs.n; i++) {
		if (!seen[b->relocs.v[i].insn])
			continue;
		b->relocs.v[nrelocs] = b->relocs.v[i];
		b->relocs.v[nrelocs].insn = place[b->relocs.v[nrelocs].insn];
		nrelocs++;
	}
	b->insns.n = n;
	b->fixups.n = nfixups;
	b->relocs.n = nrelocs;
}

static void prune(struct asm_buf *b)
{
	size_t n = b->insns.n;
	struct reach r = {
	    .jump = arena_new_array(b->arena, asm_label, n),
	    .seen = arena_new_array(b->arena, bool, n + 1),
	    .work = arena_new_array(b->arena, u32, n),
	};

	for (size_t i = 0; i < n; i++)
		r.jump[i] = NO_JUMP;
	for (size_t i = 0; i < b->fixups.n; i++)
		r.jump[b->fixups.v[i].insn] = b->fixups.v[i].label;
	reach(b, &r, 0);
	while (r.nwork)
		follow(b, &r, r.work[--r.nwork]);
	compact(b, r.seen, arena_new_array(b->arena, u32, n + 1));
}

int asm_finish(struct asm_buf *b, struct asm_prog *out)
{
	if (!b->err)
		prune(b);
	for (size_t i = 0; i < b->fixups.n; i++)
		resolve(b, &b->fixups.v[i]);
	out->insns = b->insns.v;
	out->ninsns = (u32)b->insns.n;
	out->relocs = b->relocs.v;
	out->nrelocs = (u32)b->relocs.n;
	return b->err;
}
