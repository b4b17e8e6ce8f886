// SPDX-License-Identifier: Apache-2.0
/*
 * Random programs, the same on every run: registers r0, r2 to r8 are scalars, 64 bytes of stack and 64 of a map are
 * memory, jumps go forward. Whatever the kernel accepts must leave the same registers and memory in the vm.
 */
#include "exec_test.h"

#define PROGRAMS 1000
#define INPUTS   6
#define NREGS    8 /* r0, r2 ... r8 */
#define MEM      64

static u64 seed = 0x70796474;

static u32 rnd(u32 n)
{
	seed ^= seed << 13;
	seed ^= seed >> 7;
	seed ^= seed << 17;
	return (u32)(seed >> 20) % n;
}

static s32 rnd_imm(void)
{
	static const s32 some[] = {0, 1, -1, 2, 63, 64, 255, -128, INT32_MAX, INT32_MIN, 0x5555, 0x12345678};

	return rnd(3) ? some[rnd(ARRAY_SIZE(some))] : (s32)rnd(UINT32_MAX);
}

static u64 rnd_input(void)
{
	u64 v = (u64)(u32)rnd_imm() << 32 | (u32)rnd_imm();

	return rnd(2) ? v : (u64)(s64)rnd_imm();
}

static u8 reg(u32 n)
{
	return n ? (u8)(n + 1) : 0;
}

static u8 rnd_reg(void)
{
	return reg(rnd(NREGS));
}

/* --- one instruction each ------------------------------------------------------------------------- */

static void alu(struct code *c)
{
	static const u8 ops[] = {
	    BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR,  BPF_AND,
	    BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR, BPF_MOV, BPF_ARSH,
	};
	u8 op = ops[rnd(ARRAY_SIZE(ops))], class = rnd(2) ? BPF_ALU64 : BPF_ALU;
	s32 imm = rnd_imm();

	if (op == BPF_LSH || op == BPF_RSH || op == BPF_ARSH)
		imm &= 31;
	if (!imm && (op == BPF_DIV || op == BPF_MOD))
		imm = 3;
	if (rnd(2))
		emit(c, INSN(.code = class | op | BPF_X, .dst_reg = rnd_reg(), .src_reg = rnd_reg()));
	else
		emit(c, INSN(.code = class | op | BPF_K, .dst_reg = rnd_reg(), .imm = imm));
}

static void unary(struct code *c)
{
	static const s32 bits[] = {16, 32, 64};

	if (rnd(2))
		emit(c, INSN(.code = (rnd(2) ? BPF_ALU64 : BPF_ALU) | BPF_NEG, .dst_reg = rnd_reg()));
	else
		emit(c, INSN(.code = BPF_ALU | BPF_END | (rnd(2) ? BPF_TO_BE : BPF_TO_LE), .dst_reg = rnd_reg(),
			     .imm = bits[rnd(3)]));
}

/* The base register of a random piece of memory and the offset of its first byte: the stack, or the map (r9). */
static u8 memory(s16 *off)
{
	if (rnd(2)) {
		*off = -MEM;
		return 10;
	}
	*off = 0;
	return 9;
}

static void load_store(struct code *c)
{
	static const struct {
		u8 code;
		s16 bytes;
	} sizes[] = {{BPF_B, 1}, {BPF_H, 2}, {BPF_W, 4}, {BPF_DW, 8}};
	u32 s = rnd(4), what = rnd(3);
	s16 off;
	u8 base = memory(&off);

	off = (s16)(off + (s16)rnd((u32)(MEM / sizes[s].bytes)) * sizes[s].bytes);
	if (what == 0)
		emit(c, LOAD(sizes[s].code, rnd_reg(), base, off));
	else if (what == 1)
		emit(c, STORE(sizes[s].code, base, off, rnd_reg()));
	else
		emit(c, STORE_K(sizes[s].code, base, off, rnd_imm()));
}

static void atomic(struct code *c)
{
	static const s32 ops[] = {
	    BPF_ADD,
	    BPF_OR,
	    BPF_AND,
	    BPF_XOR,
	    BPF_ADD | BPF_FETCH,
	    BPF_OR | BPF_FETCH,
	    BPF_AND | BPF_FETCH,
	    BPF_XOR | BPF_FETCH,
	    BPF_XCHG,
	    BPF_CMPXCHG,
	};
	bool wide = rnd(2);
	s16 off, bytes = wide ? 8 : 4;
	u8 base = memory(&off);

	off = (s16)(off + (s16)rnd((u32)(MEM / bytes)) * bytes);
	emit(c, ATOMIC(wide ? BPF_DW : BPF_W, ops[rnd(ARRAY_SIZE(ops))], base, off, rnd_reg()));
}

static void constant(struct code *c)
{
	EMIT(c, INSN(.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = rnd_reg(), .imm = rnd_imm()),
	     INSN(.imm = rnd_imm()));
}

static void (*const kinds[])(struct code *c) = {alu, alu, alu, unary, load_store, load_store, atomic, constant};

/* A forward jump over a few instructions. */
static void jump(struct code *c)
{
	static const u8 ops[] = {
	    BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET, BPF_JNE, BPF_JSGT, BPF_JSGE, BPF_JLT, BPF_JLE, BPF_JSLT, BPF_JSLE,
	};
	u8 code = ops[rnd(ARRAY_SIZE(ops))] | (rnd(2) ? BPF_JMP : BPF_JMP32);
	size_t at = c->insns.n;

	if (rnd(2))
		emit(c, INSN(.code = code | BPF_X, .dst_reg = rnd_reg(), .src_reg = rnd_reg()));
	else
		emit(c, INSN(.code = code | BPF_K, .dst_reg = rnd_reg(), .imm = rnd_imm()));
	for (u32 i = 1 + rnd(3); i; i--)
		kinds[rnd(ARRAY_SIZE(kinds))](c);
	c->insns.v[at].off = (s16)(c->insns.n - at - 1);
}

/* Map "out": 8 words of registers, 8 of the stack, 8 that the program works on. */
static void program(struct code *c)
{
	emit_value(c, 9, 0, 16 * 8);
	for (u32 i = 0; i < NREGS; i++) {
		EMIT(c, LOAD(BPF_DW, 0, 1, 8 * i), STORE(BPF_DW, 10, -MEM + 8 * (s32)i, 0));
	}
	for (u32 i = 0; i < NREGS; i++)
		EMIT(c, LOAD(BPF_DW, reg(i), 10, -MEM + 8 * (s32)i));
	for (u32 i = 10 + rnd(50), jumps = 0; i; i--) {
		if (jumps < 6 && !rnd(5)) {
			jumps++;
			jump(c);
		} else {
			kinds[rnd(ARRAY_SIZE(kinds))](c);
		}
	}
	for (u32 i = 0; i < NREGS; i++)
		EMIT(c, STORE(BPF_DW, 9, 8 * ((s32)i - 16), reg(i)));
	for (u32 i = 0; i < NREGS; i++)
		EMIT(c, LOAD(BPF_DW, 0, 10, -MEM + 8 * (s32)i), STORE(BPF_DW, 9, 8 * ((s32)i - 8), 0));
	EMIT(c, MOV_K(0, 0), EXIT());
}

static void run(const struct code *c, u32 number)
{
	struct asm_map maps[] = {OUT_MAP(24)};
	struct asm_prog progs[] = {prog_of(c, "random", ASM_RAW_TRACEPOINT)};
	struct asm_image img = {maps, 1, progs, 1};
	struct both b = both_open(&img);
	u64 *out[2];

	for (u32 k = 0; k < b.n; k++)
		assert_non_null(out[k] = exec_map_memory(b.e[k], 0));
	for (u32 i = 0; i < INPUTS; i++) {
		u64 args[NREGS];

		for (u32 j = 0; j < NREGS; j++)
			args[j] = rnd_input();
		for (u32 k = 0; k < b.n; k++)
			assert_int_equal(exec_fire(b.e[k], 0, args, NREGS), 0);
		for (u32 j = 0; j < 24; j++) {
			if (b.n == 2 && out[0][j] != out[1][j])
				fail_msg("program %u, input %u, word %u: vm %#llx, kernel %#llx", number, i, j,
					 (unsigned long long)out[0][j], (unsigned long long)out[1][j]);
		}
	}
	both_close(&b);
}

static void same_as_the_kernel(void **state)
{
	for (u32 i = 0; i < PROGRAMS; i++) {
		struct code c = {.a = arena_new()};

		program(&c);
		run(&c, i);
		arena_free(c.a);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(same_as_the_kernel)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
