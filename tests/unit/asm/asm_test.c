// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "asm/asm.h"

struct state {
	struct arena *arena;
	struct asm_buf *b;
	struct asm_prog p;
};

static int setup(void **state)
{
	static struct state s;

	s = (struct state){.arena = arena_new()};
	s.b = asm_new(s.arena);
	*state = &s;
	return 0;
}

static int teardown(void **state)
{
	arena_free(((struct state *)*state)->arena);
	return 0;
}

static void assert_dump(struct state *s, const struct asm_image *image, const char *want)
{
	struct strbuf out = {0};

	assert_int_equal(asm_finish(s->b, &s->p), 0);
	asm_dump(&out, &s->p, image);
	assert_string_equal(out.s, want);
	strbuf_free(&out);
}

static void test_notation(void **state)
{
	struct state *s = *state;
	struct asm_buf *b = s->b;

	asm_mov(b, BPF_REG_6, BPF_REG_1);
	asm_mov_imm(b, BPF_REG_1, -7);
	asm_mov_imm(b, BPF_REG_2, 0x123456789all);
	asm_alu(b, BPF_ADD, BPF_REG_1, BPF_REG_2);
	asm_alu_imm(b, BPF_ARSH, BPF_REG_1, 3);
	asm_alu32(b, BPF_MOV, BPF_REG_1, BPF_REG_2);
	asm_alu32_imm(b, BPF_AND, BPF_REG_1, 255);
	asm_alu_imm(b, BPF_NEG, BPF_REG_1, 0);
	asm_load(b, BPF_W, BPF_REG_0, BPF_REG_6, 8);
	asm_store(b, BPF_DW, BPF_REG_10, -16, BPF_REG_0);
	asm_store_imm(b, BPF_B, BPF_REG_10, -1, 5);
	asm_atomic(b, BPF_DW, BPF_ADD, BPF_REG_1, 0, BPF_REG_2);
	asm_atomic(b, BPF_DW, BPF_ADD | BPF_FETCH, BPF_REG_1, 8, BPF_REG_2);
	asm_atomic(b, BPF_W, BPF_CMPXCHG, BPF_REG_1, 4, BPF_REG_2);
	asm_atomic(b, BPF_W, BPF_XCHG, BPF_REG_1, 4, BPF_REG_2);
	asm_call(b, BPF_FUNC_ktime_get_ns);
	asm_call_rt(b, "rt_str_len");
	asm_exit(b);
	assert_dump(
	    s, NULL,
	    "\tr6 = r1\n\tr1 = -7\n\tr2 = 0x123456789a\n\tr1 += r2\n\tr1 s>>= 3\n\tw1 = w2\n\tw1 &= 255\n\tr1 = "
	    "-r1\n"
	    "\tr0 = *(u32 *)(r6 +8)\n\t*(u64 *)(r10 -16) = r0\n\t*(u8 *)(r10 -1) = 5\n\tlock *(u64 *)(r1 +0) += "
	    "r2\n"
	    "\tr2 = atomic64_fetch_add((u64 *)(r1 +8), r2)\n\tr0 = atomic32_cmpxchg((u32 *)(r1 +4), r0, r2)\n"
	    "\tr2 = atomic32_xchg((u32 *)(r1 +4), r2)\n\tcall bpf_ktime_get_ns#5\n\tcall rt_str_len\n\texit\n");
}

static void test_labels(void **state)
{
	struct state *s = *state;
	struct asm_buf *b = s->b;
	asm_label back = asm_label_new(b), out = asm_label_new(b);

	asm_label_here(b, back);
	asm_branch_imm(b, BPF_JEQ, BPF_REG_1, 0, out);
	asm_mov_imm(b, BPF_REG_2, 1ll << 40); /* two instructions: distances count both */
	asm_branch(b, BPF_JSGT, BPF_REG_1, BPF_REG_2, back);
	asm_jump(b, out);
	asm_label_here(b, out);
	asm_exit(b);
	assert_dump(
	    s, NULL,
	    "L1:\n\tif r1 == 0 goto L2\n\tr2 = 0x10000000000\n\tif r1 s> r2 goto L1\n\tgoto L2\nL2:\n\texit\n");
	assert_int_equal(s->p.insns[0].off, 4);
	assert_int_equal(s->p.insns[3].off, -4);
	assert_int_equal(s->p.insns[4].off, 0);
}

static void test_relocs(void **state)
{
	struct state *s = *state;
	struct asm_map maps[] = {{.name = "state"}, {.name = "ring"}};
	struct asm_image image = {.maps = maps, .nmaps = 2};

	asm_map_ptr(s->b, BPF_REG_1, 1);
	asm_map_value(s->b, BPF_REG_2, 0, 24);
	asm_call_rt(s->b, "rt_x");
	asm_exit(s->b);
	assert_dump(s, &image, "\tr1 = map[ring]\n\tr2 = map[state][0]+24\n\tcall rt_x\n\texit\n");
	assert_int_equal(s->p.nrelocs, 3);
	assert_int_equal(s->p.relocs[1].insn, 2);
	assert_int_equal(s->p.relocs[1].kind, ASM_RELOC_MAP_VALUE);
	assert_int_equal(s->p.relocs[1].addend, 24);
	assert_int_equal(s->p.insns[2].src_reg, BPF_PSEUDO_MAP_VALUE);
	assert_int_equal(s->p.relocs[2].insn, 4);
	assert_int_equal(s->p.insns[4].src_reg, BPF_PSEUDO_CALL);
	assert_string_equal(s->p.relocs[2].symbol, "rt_x");
}

static void test_unplaced_label(void **state)
{
	struct state *s = *state;

	asm_jump(s->b, asm_label_new(s->b));
	asm_exit(s->b);
	assert_int_equal(asm_finish(s->b, &s->p), -EINVAL);
}

static void test_label_twice(void **state)
{
	struct state *s = *state;
	asm_label l = asm_label_new(s->b);

	asm_label_here(s->b, l);
	asm_exit(s->b);
	asm_label_here(s->b, l);
	assert_int_equal(asm_finish(s->b, &s->p), -EINVAL);
}

static void test_label_past_the_end(void **state)
{
	struct state *s = *state;
	asm_label l = asm_label_new(s->b);

	asm_jump(s->b, l);
	asm_label_here(s->b, l);
	assert_int_equal(asm_finish(s->b, &s->p), -EINVAL);
}

static void test_jump_too_far(void **state)
{
	struct state *s = *state;
	asm_label l = asm_label_new(s->b);

	asm_branch_imm(s->b, BPF_JEQ, BPF_REG_1, 0, l);
	for (int i = 0; i < 32768; i++)
		asm_mov_imm(s->b, BPF_REG_0, 0);
	asm_label_here(s->b, l);
	asm_exit(s->b);
	assert_int_equal(asm_finish(s->b, &s->p), -E2BIG);
}

static void test_bad_register(void **state)
{
	struct state *s = *state;

	asm_mov(s->b, 11, BPF_REG_1);
	asm_exit(s->b);
	assert_int_equal(asm_finish(s->b, &s->p), -EINVAL);
}

/* What a provider offers and nobody jumps to is left out, and what stands behind it moves up. */
static void test_unreachable(void **state)
{
	struct state *s = *state;
	asm_label end = asm_label_new(s->b), fault = asm_label_new(s->b);

	asm_branch_imm(s->b, BPF_JEQ, BPF_REG_1, 0, end);
	asm_jump(s->b, end);
	asm_label_here(s->b, fault);
	asm_mov_imm(s->b, BPF_REG_0, 1ll << 40);
	asm_map_ptr(s->b, BPF_REG_1, 0);
	asm_exit(s->b);
	asm_label_here(s->b, end);
	asm_map_ptr(s->b, BPF_REG_2, 3);
	asm_exit(s->b);
	assert_dump(s, NULL, "\tif r1 == 0 goto L1\n\tgoto L1\nL1:\n\tr2 = map[3]\n\texit\n");
	assert_int_equal(s->p.nrelocs, 1);
	assert_int_equal(s->p.relocs[0].insn, 2);
}

static void test_dump_of_rubbish(void **state)
{
	struct bpf_insn insns[] = {{.code = BPF_JMP | BPF_JA, .off = 100},
				   {.code = 0xff, .imm = 9},
				   {.code = BPF_JMP | BPF_CALL, .imm = 123456}};
	struct asm_prog p = {.insns = insns, .ninsns = 3};
	struct strbuf out = {0};

	asm_dump(&out, &p, NULL);
	assert_string_equal(out.s, "\tgoto pc+100\n\tr0 ?= r0\n\tcall unknown#123456\n");
	strbuf_free(&out);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_notation),        TEST(test_labels),       TEST(test_relocs),
	    TEST(test_unplaced_label),  TEST(test_label_twice),  TEST(test_label_past_the_end),
	    TEST(test_jump_too_far),    TEST(test_bad_register), TEST(test_unreachable),
	    TEST(test_dump_of_rubbish),
	};

	return cmocka_run_group_tests_name("asm", tests, NULL, NULL);
}
