// SPDX-License-Identifier: Apache-2.0
/* The vm survives programs that no verifier has seen: each ends with an error, in bounded time, and leaks nothing. */
#include "exec_test.h"

enum { M_OUT, M_RING, M_HASH, NMAPS };

static struct asm_map maps[NMAPS] = {
    OUT_MAP(4),
    {"ring", BPF_MAP_TYPE_RINGBUF, 0, 0, 4096},
    {"hash", BPF_MAP_TYPE_PERCPU_HASH, 4, 12, 8},
};

static struct exec_thread thread = {
    .known = EXEC_ALL, .pid = 100, .tid = 101, .ppid = 99, .uid = 7, .gid = 8, .comm = "other", .cookie = 5};

/* What running the program on 16 bytes of context returns. */
static int run(struct code *c)
{
	struct asm_prog prog = prog_of(c, "bad", ASM_UPROBE);
	struct asm_image img = {maps, NMAPS, &prog, 1};
	struct exec *e = open_loaded(&exec_vm, &img);
	u64 ctx[2] = {1, 2};
	int ret = exec_run(e, 0, ctx, sizeof(ctx), &thread, NULL, NULL);

	exec_close(e);
	return ret;
}

/* A program from its instructions, run. */
#define RUN(...)                                                                                                   \
	({                                                                                                         \
		struct code c_ = {.a = arena_new()};                                                               \
		int ret_;                                                                                          \
		EMIT(&c_, __VA_ARGS__);                                                                            \
		ret_ = run(&c_);                                                                                   \
		arena_free(c_.a);                                                                                  \
		ret_;                                                                                              \
	})

static void stays_in_its_memory(void **state)
{
	/* in bounds */
	assert_int_equal(RUN(LOAD(BPF_DW, 0, 1, 8), STORE(BPF_DW, 10, -512, 0), STORE(BPF_B, 10, -1, 0), EXIT()),
			 0);
	/* the context's end, before it, and writing to it */
	assert_int_equal(RUN(LOAD(BPF_DW, 0, 1, 16), EXIT()), -EFAULT);
	assert_int_equal(RUN(LOAD(BPF_DW, 0, 1, 9), EXIT()), -EFAULT);
	assert_int_equal(RUN(LOAD(BPF_B, 0, 1, -1), EXIT()), -EFAULT);
	assert_int_equal(RUN(STORE(BPF_B, 1, 0, 1), EXIT()), -EFAULT);
	/* the frame's two ends */
	assert_int_equal(RUN(STORE(BPF_DW, 10, -520, 1), EXIT()), -EFAULT);
	assert_int_equal(RUN(STORE(BPF_DW, 10, -4, 1), EXIT()), -EFAULT);
	assert_int_equal(RUN(STORE(BPF_B, 10, 0, 1), EXIT()), -EFAULT);
	/* nowhere */
	assert_int_equal(RUN(MOV_K(2, 0), LOAD(BPF_DW, 0, 2, 0), EXIT()), -EFAULT);
	assert_int_equal(RUN(MOV_K(2, -8), STORE_K(BPF_DW, 2, 0, 1), EXIT()), -EFAULT);
	assert_int_equal(RUN(MOV_K(2, 1), ATOMIC(BPF_DW, BPF_ADD, 2, 0, 2), EXIT()), -EFAULT);
	/* atomics where the hardware has none */
	assert_int_equal(RUN(ATOMIC(BPF_DW, BPF_ADD, 10, -12, 1), EXIT()), -EFAULT);
}

static void stays_in_a_maps_value(void **state)
{
	static const struct {
		s16 off;
		int want;
	} rows[] = {{0, 0}, {24, 0}, {25, -EFAULT}, {32, -EFAULT}, {-1, -EFAULT}};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct code c = {.a = arena_new()};

		emit_value(&c, 1, M_OUT, 0);
		EMIT(&c, LOAD(BPF_DW, 0, 1, rows[i].off), EXIT());
		assert_int_equal(run(&c), rows[i].want);
		arena_free(c.a);
	}
}

/* Per-CPU values of 12 bytes stand 16 apart; the gap is not the program's. */
static void stays_in_its_cpus_value(void **state)
{
	for (s16 off = 0; off <= 12; off += 4) {
		struct code c = {.a = arena_new()};

		EMIT(&c, STORE_K(BPF_W, 10, -4, 1), STORE_K(BPF_DW, 10, -24, 0), STORE_K(BPF_DW, 10, -16, 0),
		     MOV(2, 10), ALU64_K(BPF_ADD, 2, -4), MOV(3, 10), ALU64_K(BPF_ADD, 3, -24), MOV_K(4, 0));
		emit_map(&c, 1, M_HASH);
		EMIT(&c, CALL(BPF_FUNC_map_update_elem), MOV(2, 10), ALU64_K(BPF_ADD, 2, -4));
		emit_map(&c, 1, M_HASH);
		EMIT(&c, CALL(BPF_FUNC_map_lookup_elem), STORE_K(BPF_W, 0, off, 1), EXIT());
		assert_int_equal(run(&c), off < 12 ? 0 : -EFAULT);
		arena_free(c.a);
	}
}

static void gives_helpers_only_what_is_allowed(void **state)
{
	/* maps that are none, memory that is not the program's, records that were never reserved */
	assert_int_equal(RUN(MOV_K(1, 0), MOV(2, 10), CALL(BPF_FUNC_map_lookup_elem), EXIT()), -EFAULT);
	assert_int_equal(RUN(MOV(1, 10), MOV(2, 10), CALL(BPF_FUNC_map_lookup_elem), EXIT()), -EFAULT);
	assert_int_equal(
	    RUN(MOV(1, 10), ALU64_K(BPF_ADD, 1, -8), MOV_K(2, 9), CALL(BPF_FUNC_get_current_comm), EXIT()),
	    -EFAULT);
	assert_int_equal(RUN(MOV(1, 10), MOV_K(2, 0), CALL(BPF_FUNC_ringbuf_submit), EXIT()), -EFAULT);
	for (u32 map = M_OUT; map < NMAPS; map++) {
		struct code c = {.a = arena_new()};

		emit_map(&c, 1, map);
		EMIT(&c, MOV(2, 10), CALL(BPF_FUNC_map_pop_elem), EXIT()); /* none is a queue */
		assert_int_equal(run(&c), -EFAULT);
		arena_free(c.a);
	}
}

static void ends(void **state)
{
	/* for ever; through the end; out of the program; a recursion; an instruction and an operation that do not exist */
	assert_int_equal(RUN(INSN(.code = BPF_JMP | BPF_JA, .off = -1)), -ELOOP);
	assert_int_equal(RUN(MOV_K(0, 0)), -EFAULT);
	assert_int_equal(RUN(INSN(.code = BPF_JMP | BPF_JA, .off = -2), EXIT()), -EFAULT);
	assert_int_equal(RUN(INSN(.code = BPF_JMP | BPF_JA, .off = 1000), EXIT()), -EFAULT);
	assert_int_equal(RUN(INSN(.code = BPF_LD | BPF_IMM | BPF_DW)), -EFAULT);
	assert_int_equal(RUN(INSN(.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = -1), EXIT()),
			 -ELOOP);
	assert_int_equal(RUN(INSN(.code = BPF_LD | BPF_ABS | BPF_W), EXIT()), -EINVAL);
	assert_int_equal(RUN(INSN(.code = BPF_ALU64 | 0xe0), EXIT()), -EINVAL);
	assert_int_equal(RUN(INSN(.code = BPF_JMP | 0xf0), EXIT()), -EINVAL);
	assert_int_equal(RUN(INSN(.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 11), EXIT()), -EFAULT);
}

/* A callee may use its caller's frame, a caller not what its callee left. */
static void frames(void **state)
{
	assert_int_equal(RUN(MOV(1, 10), ALU64_K(BPF_ADD, 1, -8),
			     INSN(.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 1), EXIT(),
			     STORE_K(BPF_DW, 1, 0, 1), STORE_K(BPF_DW, 10, -512, 1), EXIT()),
			 0);
	assert_int_equal(RUN(INSN(.code = BPF_JMP | BPF_CALL, .src_reg = BPF_PSEUDO_CALL, .imm = 2),
			     LOAD(BPF_DW, 0, 0, 0), EXIT(), MOV(0, 10), ALU64_K(BPF_ADD, 0, -8), EXIT()),
			 -EFAULT);
}

static int never(void *arg, const void *rec, size_t size)
{
	fail_msg("a record came out");
	return 0;
}

/* A record that is not submitted is a broken program; the ring goes on without it. */
static void abandoned_record(void **state)
{
	struct code c = {.a = arena_new()};
	struct asm_prog prog;
	struct asm_image img = {maps, NMAPS, &prog, 1};
	struct exec *e;
	u64 ctx = 0;

	emit_map(&c, 1, M_RING);
	EMIT(&c, MOV_K(2, 8), MOV_K(3, 0), CALL(BPF_FUNC_ringbuf_reserve), STORE_K(BPF_DW, 0, 0, 1), EXIT());
	prog = prog_of(&c, "abandon", ASM_RAW_TRACEPOINT);
	e = open_loaded(&exec_vm, &img);
	for (int i = 0; i < 300; i++) {
		assert_int_equal(exec_run(e, 0, &ctx, 8, &thread, NULL, NULL), -EFAULT);
		assert_int_equal(exec_ring_drain(e, M_RING, never, NULL), 0);
	}
	exec_close(e);
	arena_free(c.a);
}

/* --- events that are brought from elsewhere ------------------------------------------------------- */

static int read_memory(void *arg, void *dst, u64 addr, u32 n)
{
	const char *text = arg;

	for (u32 i = 0; i < n; i++) {
		if (addr + i < 0x1000 || addr + i >= 0x1000 + 4096)
			return -EFAULT;
		((char *)dst)[i] = addr + i - 0x1000 <= strlen(text) ? text[addr + i - 0x1000] : 'x';
	}
	return 0;
}

static void runs_in_another_thread(void **state)
{
	struct code c = {.a = arena_new()};
	struct asm_prog prog;
	struct asm_image img = {maps, NMAPS, &prog, 1};
	u64 ctx = 0x1000;
	struct exec *e;
	u64 *out;

	EMIT(&c, LOAD(BPF_DW, 3, 1, 0), MOV(1, 10), ALU64_K(BPF_ADD, 1, -16), MOV_K(2, 16),
	     CALL(BPF_FUNC_probe_read_user_str), LOAD(BPF_DW, 6, 10, -16), CALL(BPF_FUNC_get_current_pid_tgid));
	emit_value(&c, 1, M_OUT, 0);
	EMIT(&c, STORE(BPF_DW, 1, 0, 6), STORE(BPF_DW, 1, 8, 0), EXIT());
	prog = prog_of(&c, "other", ASM_UPROBE);
	e = open_loaded(&exec_vm, &img);
	assert_int_equal(exec_run(e, 0, &ctx, 8, &thread, read_memory, "its str"), 0);
	out = exec_map_memory(e, M_OUT);
	assert_string_equal((char *)out, "its str");
	assert_int_equal(out[1], 100ull << 32 | 101);
	exec_close(e);
	arena_free(c.a);
}

static void refuses_what_it_has_not(void **state)
{
	struct bpf_insn insns[] = {CALL(BPF_FUNC_skb_load_bytes), EXIT()};
	struct asm_prog prog = {.name = "net", .insns = insns, .ninsns = 2};
	struct asm_map lpm = {"lpm", BPF_MAP_TYPE_LPM_TRIE, 8, 8, 8};
	struct messages m = MESSAGES(&m);
	struct exec *e;

	assert_int_equal(exec_vm.probe(&m.diag), 0);
	assert_int_equal(exec_vm.open(&e, &m.diag), 0);
	assert_int_equal(exec_load(e, &(struct asm_image){NULL, 0, &prog, 1}, &m.diag), -EOPNOTSUPP);
	assert_string_equal(m.text.s, "pydtrace: the program of net calls helper 26, which the vm has not\n");
	strbuf_free(&m.text);
	m.text = (struct strbuf){0};
	assert_int_equal(exec_load(e, &(struct asm_image){&lpm, 1, NULL, 0}, &m.diag), -EOPNOTSUPP);
	assert_string_equal(m.text.s, "pydtrace: cannot make the map 'lpm': Operation not supported\n");
	strbuf_free(&m.text);
	exec_close(e);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(stays_in_its_memory),
	    cmocka_unit_test(stays_in_a_maps_value),
	    cmocka_unit_test(stays_in_its_cpus_value),
	    cmocka_unit_test(gives_helpers_only_what_is_allowed),
	    cmocka_unit_test(ends),
	    cmocka_unit_test(frames),
	    cmocka_unit_test(abandoned_record),
	    cmocka_unit_test(runs_in_another_thread),
	    cmocka_unit_test(refuses_what_it_has_not),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
