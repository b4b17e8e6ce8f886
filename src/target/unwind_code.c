// SPDX-License-Identifier: Apache-2.0
/*
 * A frame of code that no call frame information describes, as musl's is built: where it returns to is found out by going on
 * in it as the processor would, to its `ret`, and keeping count of the stack pointer and of the registers that it restores. Of two
 * ways at a conditional jump the one that does not jump is taken: the stack is the same at the end of both. A function that it
 * calls leaves the stack as it was. Code with an instruction that is not known here is not followed.
 *
 * Intel's manual, volume 2, appendix A, has the instructions' forms.
 */
#include <errno.h>
#include <string.h>

#include "target/cfi_impl.h"

enum { STEPS_MAX = 400, INSN_MAX = 15, FRAME_MAX = 1 << 16 };

/* An instruction. */
struct insn {
	u8 byte[INSN_MAX];
	size_t n;   /* bytes of it that were looked at so far: its length in the end */
	u8 rex, op; /* op: the last byte of the opcode */
	bool two;   /* it is behind 0f */
	bool modrm; /* it has this: */
	u8 mod, reg, rm;
	bool has_sib;
	u8 base; /* of the SIB byte, with rex */
	s64 disp, imm;
};

static s64 take(struct insn *i, size_t size)
{
	s64 v = 0;

	if (i->n + size > INSN_MAX) {
		i->n = INSN_MAX + 1;
		return 0;
	}
	memcpy(&v, i->byte + i->n, size);
	i->n += size;
	return size == 8 ? v : (s64)((u64)v << (64 - 8 * size)) >> (64 - 8 * size);
}

static void take_modrm(struct insn *i)
{
	u8 b = (u8)take(i, 1), sib;

	i->modrm = true;
	i->mod = b >> 6;
	i->reg = (u8)((b >> 3 & 7) | (i->rex & 4) << 1);
	i->rm = (u8)((b & 7) | (i->rex & 1) << 3);
	if (i->mod == 3)
		return;
	if ((b & 7) == 4) {
		sib = (u8)take(i, 1);
		i->has_sib = (sib >> 3 & 7) == 4 && !(i->rex & 2); /* and no index */
		i->base = (u8)((sib & 7) | (i->rex & 1) << 3);
		if (i->mod == 0 && (sib & 7) == 5)
			i->disp = take(i, 4);
	} else if (i->mod == 0 && (b & 7) == 5) {
		i->disp = take(i, 4);
	}
	if (i->mod == 1)
		i->disp = take(i, 1);
	else if (i->mod == 2)
		i->disp = take(i, 4);
}

/* What follows the opcode: M a ModRM byte, 1 and 4 an immediate of so many bytes. 0: not known here. */
enum form { NONE = 1, M, I1, I4, M1, M4 };

static const u8 one_byte[256] = {
    [0x50 ... 0x5f] = NONE,
    [0x63] = M,
    [0x68] = I4,
    [0x6a] = I1,
    [0x69] = M4,
    [0x6b] = M1,
    [0x70 ... 0x7f] = I1,
    [0x80] = M1,
    [0x81] = M4,
    [0x83] = M1,
    [0x84 ... 0x8b] = M,
    [0x8d] = M,
    [0x90] = NONE,
    [0x98 ... 0x99] = NONE,
    [0xa8] = I1,
    [0xa9] = I4,
    [0xb0 ... 0xb7] = I1,
    [0xb8 ... 0xbf] = I4,
    [0xc0 ... 0xc1] = M1,
    [0xc3] = NONE,
    [0xc6] = M1,
    [0xc7] = M4,
    [0xc9] = NONE,
    [0xd0 ... 0xd3] = M,
    [0xe8 ... 0xe9] = I4,
    [0xeb] = I1,
    [0xf6 ... 0xf7] = M,
    [0xfe ... 0xff] = M,
    [0x00 ... 0x03] = M,
    [0x08 ... 0x0b] = M,
    [0x20 ... 0x23] = M,
    [0x28 ... 0x2b] = M,
    [0x30 ... 0x33] = M,
    [0x38 ... 0x3b] = M,
    [0x10 ... 0x13] = M,
    [0x18 ... 0x1b] = M,
    [0x04] = I1,
    [0x0c] = I1,
    [0x24] = I1,
    [0x2c] = I1,
    [0x34] = I1,
    [0x3c] = I1,
    [0x05] = I4,
    [0x0d] = I4,
    [0x25] = I4,
    [0x2d] = I4,
    [0x35] = I4,
    [0x3d] = I4,
};
static const u8 two_byte[256] = {
    [0x05] = NONE,       [0x10 ... 0x17] = M, [0x1e ... 0x1f] = M, [0x28 ... 0x2f] = M, [0x40 ... 0x4f] = M,
    [0x54 ... 0x5f] = M, [0x60 ... 0x6f] = M, [0x70] = M1,         [0x7e ... 0x7f] = M, [0x80 ... 0x8f] = I4,
    [0x90 ... 0x9f] = M, [0xa2 ... 0xa3] = M, [0xa4] = M1,         [0xab] = M,          [0xaf] = M,
    [0xb0 ... 0xb1] = M, [0xb3] = M,          [0xb6 ... 0xb7] = M, [0xba] = M1,         [0xbb ... 0xbf] = M,
    [0xc0 ... 0xc1] = M, [0xc6] = M1,         [0xd6] = M,          [0xef] = M,          [0xeb] = M,
};

/* False: not known. */
static bool decode(struct insn *i)
{
	static const u8 prefixes[] = {0x64, 0x66, 0xf0, 0xf2, 0xf3};
	bool short_imm = false;
	enum form form;

	while (i->n < INSN_MAX && memchr(prefixes, i->byte[i->n], sizeof(prefixes)))
		short_imm |= i->byte[i->n++] == 0x66;
	if (i->n < INSN_MAX && (i->byte[i->n] & 0xf0) == 0x40)
		i->rex = i->byte[i->n++];
	i->op = (u8)take(i, 1);
	i->two = i->op == 0x0f;
	if (i->two)
		i->op = (u8)take(i, 1);
	form = (enum form)(i->two ? two_byte : one_byte)[i->op];
	if (!form)
		return false;
	if (form == M || form == M1 || form == M4)
		take_modrm(i);
	if (form == I1 || form == M1)
		i->imm = take(i, 1);
	else if (form == I4 && (i->op & 0xf8) == 0xb8 && !i->two && i->rex & 8)
		i->imm = take(i, 8);
	else if (form == I4 || form == M4)
		i->imm = take(i, short_imm && !i->two && i->op < 0xe0 ? 2 : 4);
	else if (!i->two && (i->op == 0xf6 || i->op == 0xf7) && !(i->reg & 6))
		i->imm = take(i, i->op == 0xf6 ? 1 : short_imm ? 2 : 4);
	return i->n <= INSN_MAX;
}

/* --- what it does ----------------------------------------------------------------------------------------- */

struct walk {
	struct target_unwind *u;
	u64 pc, sp;
	bool done;
};

/* As the processor numbers them: what DWARF calls each. */
static const u8 dwarf[16] = {0, 2, 1, 3, 7, 6, 4, 5, 8, 9, 10, 11, 12, 13, 14, 15};
enum { RSP = 4, RBP = 5 };

static int load(struct walk *w, unsigned reg, u64 at)
{
	u64 value;
	int ret = target_read(w->u->t, at, &value, sizeof(value));

	if (ret)
		return ret;
	w->u->reg[dwarf[reg]] = value;
	w->u->known |= 1u << dwarf[reg];
	return 0;
}

static int pop(struct walk *w, unsigned reg)
{
	w->sp += 8;
	return load(w, reg, w->sp - 8);
}

/* The stack pointer becomes the frame pointer. */
static int from_rbp(struct walk *w)
{
	if (!(w->u->known >> CFI_RBP & 1))
		return -EAGAIN;
	w->sp = w->u->reg[CFI_RBP];
	return 0;
}

static int leave(struct walk *w)
{
	int ret = target_read(w->u->t, w->sp, &w->u->reg[CFI_RA], sizeof(u64));

	w->sp += 8;
	w->done = true;
	return ret;
}

/* With a ModRM byte, and rsp in it. */
static int on_stack_pointer(struct walk *w, const struct insn *i)
{
	bool to_rsp = (i->op == 0x8b || i->op == 0x8d) && i->reg == RSP;
	bool of_rsp = i->mod == 3 && i->rm == RSP && i->rex & 8;

	if (of_rsp && (i->op == 0x83 || i->op == 0x81) && (i->reg == 0 || i->reg == 5)) {
		w->sp += (u64)(i->reg ? -i->imm : i->imm);
		return 0;
	}
	if (i->op == 0x8d && to_rsp && i->has_sib && i->base == RSP && i->mod != 0) {
		w->sp += (u64)i->disp;
		return 0;
	}
	if (of_rsp && i->op == 0x89 && i->reg == RBP)
		return from_rbp(w);
	if (to_rsp || (of_rsp && i->op != 0x85 && i->op != 0x39 && i->op != 0x3b))
		return -ENOTSUP;
	if (i->op == 0x8b && i->rex & 8 && i->mod != 3 && i->has_sib && i->base == RSP)
		return load(w, i->reg, w->sp + (u64)i->disp);
	return 0;
}

static int act(struct walk *w, const struct insn *i)
{
	if (i->two)
		return 0;
	switch (i->op) {
	case 0x50 ... 0x57:
	case 0x68:
	case 0x6a: w->sp -= 8; return 0;
	case 0x58 ... 0x5f: return pop(w, (unsigned)((i->op & 7) | (i->rex & 1) << 3));
	case 0xc3: return leave(w);
	case 0xc9: return from_rbp(w) ? -EAGAIN : pop(w, RBP);
	case 0xe9:
	case 0xeb: w->pc += (u64)i->imm; return 0;
	case 0xff: return i->reg > 1 && i->reg != 2 && i->reg != 6 ? -ENOTSUP : i->reg == 6 ? (w->sp -= 8, 0) : 0;
	default: return i->modrm ? on_stack_pointer(w, i) : 0;
	}
}

static int step(struct walk *w)
{
	struct insn i = {.n = 0};
	int ret = target_read(w->u->t, w->pc, i.byte, sizeof(i.byte));

	if (ret)
		return ret;
	if (!decode(&i))
		return -ENOTSUP;
	w->pc += i.n;
	return act(w, &i);
}

int unwind_code(struct target_unwind *u)
{
	struct target_unwind before = *u;
	struct walk w = {.u = u, .pc = u->pc, .sp = u->sp};
	int ret = 0;

	for (int n = 0; n < STEPS_MAX && !w.done && !ret; n++)
		ret = step(&w);
	if (!ret && (!w.done || w.sp <= before.sp || w.sp - before.sp > FRAME_MAX))
		ret = -ENOEXEC;
	if (ret) {
		*u = before;
		return ret;
	}
	u->reg[CFI_RSP] = u->sp = w.sp;
	u->known |= 1u << CFI_RSP | 1u << CFI_RA;
	u->pc = u->reg[CFI_RA];
	u->called = true;
	return 1;
}
