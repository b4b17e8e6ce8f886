// SPDX-License-Identifier: Apache-2.0
/* Programs get the run-time functions that they call, each once, and every call arrives at a function's start. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "bpf/bpf.h"
#include "rt/rt.h"

#define CALL_RT       ((struct bpf_insn){.code = BPF_JMP | BPF_CALL})
#define MOV_K(dst, i) ((struct bpf_insn){.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = dst, .imm = i})
#define EXIT          ((struct bpf_insn){.code = BPF_JMP | BPF_EXIT})

static char said[512];

static void keep(void *arg, enum diag_level level, const char *text)
{
	snprintf(said, sizeof(said), "%s", text);
}

static struct diag diag = {.sink = keep};

/* A program that calls `n` functions, one after the other. */
static int link_calls(struct bpf_code *out, const char *const *names, u32 n, const void *elf, size_t size)
{
	struct bpf_insn insns[8] = {0};
	struct asm_reloc relocs[8] = {0};
	struct asm_prog p = {.name = "p", .insns = insns, .ninsns = n + 1, .relocs = relocs, .nrelocs = n};

	for (u32 i = 0; i < n; i++) {
		insns[i] = CALL_RT;
		relocs[i] = (struct asm_reloc){.kind = ASM_RELOC_RT, .insn = i, .symbol = names[i]};
	}
	insns[n] = EXIT;
	return bpf_code_link(out, &p, elf, size, &diag);
}

static bool is_start(const struct bpf_code *c, s64 at)
{
	for (u32 i = 0; i < c->nfuncs; i++) {
		if (c->funcs[i] == at)
			return true;
	}
	return false;
}

/* Every call of a function reaches the start of one; every function's piece ends with an exit. */
static void check_calls(const struct bpf_code *c)
{
	for (u32 i = 0; i < c->n; i++) {
		const struct bpf_insn *insn = &c->insns[i];

		if (insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL)
			assert_true(is_start(c, (s64)i + 1 + insn->imm));
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
			i++;
	}
	assert_int_equal(c->funcs[0], 0);
}

static void no_calls(void **state)
{
	struct bpf_insn insns[] = {MOV_K(0, 0), EXIT};
	struct asm_prog p = {.name = "p", .insns = insns, .ninsns = 2};
	struct bpf_code c;

	/* Nothing is linked, so that a broken object does not matter. */
	assert_int_equal(bpf_code_link(&c, &p, "x", 1, &diag), 0);
	assert_int_equal(c.n, 2);
	assert_int_equal(c.nfuncs, 1);
	assert_memory_equal(c.insns, insns, sizeof(insns));
	bpf_code_free(&c);
}

static void each_function_once(void **state)
{
	static const char *const twice[] = {"rt_sdiv", "rt_sdiv"};
	static const char *const two[] = {"rt_sdiv", "rt_smod"};
	struct bpf_code c, d;

	assert_int_equal(link_calls(&c, twice, 2, NULL, 0), 0);
	assert_int_equal(c.nfuncs, 2);
	assert_int_equal(c.funcs[1], 3);
	assert_int_equal(c.insns[0].imm, 2);
	assert_int_equal(c.insns[1].imm, 1);
	check_calls(&c);
	assert_int_equal(link_calls(&d, two, 2, NULL, 0), 0);
	assert_int_equal(d.nfuncs, 3);
	assert_true(d.n > c.n);
	check_calls(&d);
	bpf_code_free(&c);
	bpf_code_free(&d);
}

static void and_what_it_calls(void **state)
{
	static const char *const names[] = {"rt_str_join"};
	struct bpf_code c;

	assert_int_equal(link_calls(&c, names, 1, NULL, 0), 0);
	assert_int_equal(c.nfuncs, 4); /* the program, rt_str_join, rt_str_len, rt_str_zero */
	check_calls(&c);
	bpf_code_free(&c);
}

static void unknown_function(void **state)
{
	static const char *const names[] = {"rt_sdiv", "rt_none"};
	struct bpf_code c;

	assert_int_equal(link_calls(&c, names, 2, NULL, 0), -ENOENT);
	assert_string_equal(said, "pydtrace: no run-time function rt_none: a bug in pydtrace\n");
	assert_null(c.insns);
}

/* Whatever the object is cut to or a byte of it is changed to, linking ends, with or without an error. */
static void broken_objects(void **state)
{
	static const char *const names[] = {"rt_str_join"};
	size_t size = (size_t)(rt_bpf_o_end - rt_bpf_o);
	u8 *copy = malloc(size);
	struct bpf_code c;

	assert_non_null(copy);
	assert_true(link_calls(&c, names, 1, "no ELF file", 11) < 0);
	for (size_t n = 0; n < size; n += 61) {
		memcpy(copy, rt_bpf_o, n);
		if (!link_calls(&c, names, 1, copy, n))
			check_calls(&c);
		bpf_code_free(&c);
	}
	memcpy(copy, rt_bpf_o, size);
	for (size_t i = 0; i < size; i += 7) {
		copy[i] ^= 0xff;
		if (!link_calls(&c, names, 1, copy, size))
			check_calls(&c);
		bpf_code_free(&c);
		copy[i] ^= 0xff;
	}
	free(copy);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(no_calls),          cmocka_unit_test(each_function_once),
	    cmocka_unit_test(and_what_it_calls), cmocka_unit_test(unknown_function),
	    cmocka_unit_test(broken_objects),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
