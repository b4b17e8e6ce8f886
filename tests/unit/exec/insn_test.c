// SPDX-License-Identifier: Apache-2.0
/* The vm computes what the kernel computes, instruction by instruction. */
#include "exec_test.h"

#define OUT_WORDS 4096
#define A         6 /* registers: the operands, the context, the results */
#define B         7
#define CTX       9
#define OUT       8

static const u64 edges[] = {
    0,
    1,
    2,
    7,
    31,
    32,
    33,
    63,
    64,
    0x7f,
    0x80,
    0xff,
    0x7fff,
    0x8000,
    0x7fffffff,
    0x80000000,
    0xffffffff,
    0x100000000,
    0x123456789abcdef0,
    0x7fffffffffffffff,
    0x8000000000000000,
    0xffffffff80000000,
    0xfffffffffffffffe,
    0xffffffffffffffff,
};
static const s32 imms[] = {1, -1, 2, 7, 31, 0x7f, -128, 0x7fffffff, INT32_MIN};
static const u8 alu_ops[] = {
    BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_OR, BPF_AND, BPF_LSH, BPF_RSH, BPF_MOD, BPF_XOR, BPF_MOV, BPF_ARSH,
};
static const u8 jump_ops[] = {
    BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET, BPF_JNE, BPF_JSGT, BPF_JSGE, BPF_JLT, BPF_JLE, BPF_JSLT, BPF_JSLE,
};

static void begin(struct code *c)
{
	EMIT(c, MOV(CTX, 1));
	emit_value(c, OUT, 0, 0);
}

/* Fresh operands, so that what one test tells the verifier about them does not reach the next. */
static void operands(struct code *c)
{
	EMIT(c, LOAD(BPF_DW, A, CTX, 0), LOAD(BPF_DW, B, CTX, 8));
}

static void result(struct code *c, u32 *n)
{
	assert_true(*n < OUT_WORDS);
	EMIT(c, STORE(BPF_DW, OUT, 8 * (*n)++, A));
}

static void end(struct code *c)
{
	EMIT(c, MOV_K(0, 0), EXIT());
}

/* Run the program on every pair of edge values in every executor and compare the results. */
static void compare(const struct code *c, u32 nresults)
{
	struct asm_map maps[] = {OUT_MAP(OUT_WORDS)};
	struct asm_prog progs[] = {prog_of(c, "insn", ASM_RAW_TRACEPOINT)};
	struct asm_image img = {maps, 1, progs, 1};
	struct both b = both_open(&img);
	u64 *vm = exec_map_memory(b.e[0], 0), *kernel = b.n == 2 ? exec_map_memory(b.e[1], 0) : vm;

	assert_non_null(vm);
	assert_non_null(kernel);
	for (size_t i = 0; i < ARRAY_SIZE(edges); i++) {
		for (size_t j = 0; j < ARRAY_SIZE(edges); j++) {
			u64 args[] = {edges[i], edges[j]};

			for (u32 k = 0; k < b.n; k++)
				assert_int_equal(exec_fire(b.e[k], 0, args, 2), 0);
			for (u32 k = 0; k < nresults; k++) {
				if (vm[k] != kernel[k])
					fail_msg("result %u of %#llx, %#llx: vm %#llx, kernel %#llx", k,
						 (unsigned long long)args[0], (unsigned long long)args[1],
						 (unsigned long long)vm[k], (unsigned long long)kernel[k]);
			}
		}
	}
	both_close(&b);
}

static struct code new_code(struct arena *a)
{
	return (struct code){.a = a};
}

static void arithmetic(void **state)
{
	struct code c = new_code(arena_new());
	u32 n = 0;

	begin(&c);
	for (size_t i = 0; i < ARRAY_SIZE(alu_ops); i++) {
		for (int wide = 0; wide < 2; wide++) {
			u8 code = alu_ops[i] | (wide ? BPF_ALU64 : BPF_ALU);
			bool shift = alu_ops[i] == BPF_LSH || alu_ops[i] == BPF_RSH || alu_ops[i] == BPF_ARSH;

			operands(&c);
			EMIT(&c, INSN(.code = code | BPF_X, .dst_reg = A, .src_reg = B));
			result(&c, &n);
			for (size_t j = 0; j < ARRAY_SIZE(imms); j++) {
				if (shift && (u32)imms[j] > 31)
					continue; /* the verifier lets no such count in */
				operands(&c);
				EMIT(&c, INSN(.code = code | BPF_K, .dst_reg = A, .imm = imms[j]));
				result(&c, &n);
			}
		}
	}
	for (int wide = 0; wide < 2; wide++) {
		operands(&c);
		EMIT(&c, INSN(.code = (wide ? BPF_ALU64 : BPF_ALU) | BPF_NEG, .dst_reg = A));
		result(&c, &n);
	}
	end(&c);
	compare(&c, n);
	arena_free(c.a);
}

static void byte_order(void **state)
{
	struct code c = new_code(arena_new());
	u32 n = 0;

	begin(&c);
	for (s32 bits = 16; bits <= 64; bits *= 2) {
		operands(&c);
		EMIT(&c, INSN(.code = BPF_ALU | BPF_END | BPF_TO_LE, .dst_reg = A, .imm = bits));
		result(&c, &n);
		operands(&c);
		EMIT(&c, INSN(.code = BPF_ALU | BPF_END | BPF_TO_BE, .dst_reg = A, .imm = bits));
		result(&c, &n);
	}
	end(&c);
	compare(&c, n);
	arena_free(c.a);
}

/* Of the instruction set's version 4 (Linux 6.6): signed division, sign extension, unconditional swaps, a long jump. */
static bool kernel_has_version_4(void)
{
	struct bpf_insn insns[] = {INSN(.code = BPF_JMP32 | BPF_JA, .imm = 0), MOV_K(0, 0), EXIT()};
	struct asm_prog prog = {.name = "v4", .insns = insns, .ninsns = 3};
	struct asm_image img = {NULL, 0, &prog, 1};
	struct messages m = MESSAGES(&m);
	struct exec *e;
	bool has;

	assert_int_equal(exec_kernel.open(&e, &m.diag), 0);
	has = !exec_load(e, &img, &m.diag);
	exec_close(e);
	strbuf_free(&m.text);
	return has;
}

static void version_4(void **state)
{
	if (have_kernel() && !kernel_has_version_4()) {
		fprintf(stderr, "SKIP: this kernel has no version 4 of the instruction set (Linux 6.6)\n");
		skip();
	}

	struct code c = new_code(arena_new());
	static const u8 divs[] = {BPF_DIV, BPF_MOD};
	u32 n = 0;

	begin(&c);
	for (size_t i = 0; i < 4; i++) {
		u8 code = divs[i / 2] | (i % 2 ? BPF_ALU64 : BPF_ALU);

		operands(&c);
		EMIT(&c, INSN(.code = code | BPF_X, .dst_reg = A, .src_reg = B, .off = 1));
		result(&c, &n);
		for (size_t j = 0; j < ARRAY_SIZE(imms); j++) {
			operands(&c);
			EMIT(&c, INSN(.code = code | BPF_K, .dst_reg = A, .off = 1, .imm = imms[j]));
			result(&c, &n);
		}
	}
	for (s16 bits = 8; bits <= 32; bits *= 2) {
		operands(&c);
		EMIT(&c, INSN(.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = A, .src_reg = B, .off = bits));
		result(&c, &n);
		if (bits < 32) {
			operands(&c);
			EMIT(&c, INSN(.code = BPF_ALU | BPF_MOV | BPF_X, .dst_reg = A, .src_reg = B, .off = bits));
			result(&c, &n);
		}
	}
	for (s32 bits = 16; bits <= 64; bits *= 2) {
		operands(&c);
		EMIT(&c, INSN(.code = BPF_ALU64 | BPF_END, .dst_reg = A, .imm = bits));
		result(&c, &n);
	}
	for (u8 size = BPF_W, i = 0; i < 3; size = i == 0 ? BPF_H : BPF_B, i++) {
		operands(&c);
		EMIT(&c, STORE(BPF_DW, 10, -8, B),
		     INSN(.code = BPF_LDX | 0x80 | size, .dst_reg = A, .src_reg = 10, .off = -8));
		result(&c, &n);
	}
	operands(&c);
	EMIT(&c, JUMP_K(BPF_JEQ, A, 0, 1), INSN(.code = BPF_JMP32 | BPF_JA, .imm = 1), MOV_K(A, 7));
	result(&c, &n);
	end(&c);
	compare(&c, n);
	arena_free(c.a);
}

static void jumps(void **state)
{
	struct code c = new_code(arena_new());
	u32 n = 0;

	begin(&c);
	for (size_t i = 0; i < ARRAY_SIZE(jump_ops); i++) {
		for (int wide = 0; wide < 2; wide++) {
			u8 code = jump_ops[i] | (wide ? BPF_JMP : BPF_JMP32);

			operands(&c);
			EMIT(&c, INSN(.code = code | BPF_X, .dst_reg = A, .src_reg = B, .off = 2), MOV_K(A, 0),
			     INSN(.code = BPF_JMP | BPF_JA, .off = 1), MOV_K(A, 1));
			result(&c, &n);
			for (size_t j = 0; j < ARRAY_SIZE(imms); j++) {
				operands(&c);
				EMIT(&c, INSN(.code = code | BPF_K, .dst_reg = A, .imm = imms[j], .off = 2),
				     MOV_K(A, 0), INSN(.code = BPF_JMP | BPF_JA, .off = 1), MOV_K(A, 1));
				result(&c, &n);
			}
		}
	}
	end(&c);
	compare(&c, n);
	arena_free(c.a);
}

static void atomics(void **state)
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
	struct code c = new_code(arena_new());
	u32 n = 0;

	begin(&c);
	for (size_t i = 0; i < ARRAY_SIZE(ops); i++) {
		for (int wide = 0; wide < 2; wide++) {
			/* Memory holds A, or (every second time) what CMPXCHG compares with; B is the operand. */
			operands(&c);
			EMIT(&c, STORE(BPF_DW, OUT, 8 * (OUT_WORDS - 1), A), MOV(0, A),
			     ATOMIC(wide ? BPF_DW : BPF_W, ops[i], OUT, 8 * (OUT_WORDS - 1), B), MOV(A, B));
			result(&c, &n);
			EMIT(&c, MOV(A, 0));
			result(&c, &n);
			EMIT(&c, LOAD(BPF_DW, A, OUT, 8 * (OUT_WORDS - 1)));
			result(&c, &n);
		}
	}
	/* CMPXCHG that does not find what it expects. */
	for (int wide = 0; wide < 2; wide++) {
		operands(&c);
		EMIT(&c, STORE(BPF_DW, OUT, 8 * (OUT_WORDS - 1), A), MOV(0, B),
		     ATOMIC(wide ? BPF_DW : BPF_W, BPF_CMPXCHG, OUT, 8 * (OUT_WORDS - 1), B), MOV(A, 0));
		result(&c, &n);
		EMIT(&c, LOAD(BPF_DW, A, OUT, 8 * (OUT_WORDS - 1)));
		result(&c, &n);
	}
	end(&c);
	compare(&c, n);
	arena_free(c.a);
}

/* Results that are known without a kernel. */
static void known_results(void **state)
{
	static const struct {
		u8 code;
		u64 a, b, want;
	} rows[] = {
	    {BPF_ALU64 | BPF_DIV, 7, 0, 0},
	    {BPF_ALU64 | BPF_MOD, 7, 0, 7},
	    {BPF_ALU | BPF_MOD, 0x500000007, 0, 7},
	    {BPF_ALU | BPF_ADD, 0xffffffff, 1, 0},
	    {BPF_ALU64 | BPF_ADD, 0xffffffff, 1, 0x100000000},
	    {BPF_ALU64 | BPF_LSH, 1, 65, 2},
	    {BPF_ALU | BPF_LSH, 1, 33, 2},
	    {BPF_ALU64 | BPF_ARSH, 0x8000000000000000, 63, ~0ull},
	    {BPF_ALU | BPF_ARSH, 0x80000000, 31, 0xffffffff},
	    {BPF_ALU64 | BPF_DIV, ~0ull, 2, 0x7fffffffffffffff},
	};
	struct arena *a = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct asm_map maps[] = {OUT_MAP(1)};
		struct code c = new_code(a);
		u64 args[] = {rows[i].a, rows[i].b};
		struct asm_prog prog;
		struct asm_image img = {maps, 1, &prog, 1};
		struct exec *e;

		begin(&c);
		operands(&c);
		EMIT(&c, INSN(.code = rows[i].code | BPF_X, .dst_reg = A, .src_reg = B), STORE(BPF_DW, OUT, 0, A));
		end(&c);
		prog = prog_of(&c, "known", ASM_RAW_TRACEPOINT);
		e = open_loaded(&exec_vm, &img);
		assert_int_equal(exec_fire(e, 0, args, 2), 0);
		assert_int_equal(*(u64 *)exec_map_memory(e, 0), rows[i].want);
		exec_close(e);
	}
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(known_results), cmocka_unit_test(arithmetic), cmocka_unit_test(byte_order),
	    cmocka_unit_test(version_4),     cmocka_unit_test(jumps),      cmocka_unit_test(atomics),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
