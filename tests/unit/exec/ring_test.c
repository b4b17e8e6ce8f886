// SPDX-License-Identifier: Apache-2.0
/* Records: their order and size, what is discarded, and that a full ring loses what is new and keeps what is old. */
#include <poll.h>

#include "exec_test.h"

enum { M_OUT, M_RING };
enum { P_RECORD, P_OUTPUT };

#define RECORD 24

/* Word 0 is written to a record of RECORD bytes, which is discarded if word 1 is set; out[0] = 1 if there was room. */
static struct asm_prog record_prog(struct arena *a)
{
	struct code c = {.a = a};

	EMIT(&c, LOAD(BPF_DW, 6, 1, 0), LOAD(BPF_DW, 7, 1, 8));
	emit_map(&c, 1, M_RING);
	EMIT(&c, MOV_K(2, RECORD), MOV_K(3, 0), CALL(BPF_FUNC_ringbuf_reserve), MOV_K(8, 0),
	     JUMP_K(BPF_JEQ, 0, 0, 10), /* to `out` */
	     MOV_K(8, 1), STORE(BPF_DW, 0, 0, 6), STORE_K(BPF_DW, 0, 8, -1), STORE_K(BPF_DW, 0, 16, 0), MOV(1, 0),
	     MOV_K(2, 0), JUMP_K(BPF_JNE, 7, 0, 2), CALL(BPF_FUNC_ringbuf_submit),
	     INSN(.code = BPF_JMP | BPF_JA, .off = 1), CALL(BPF_FUNC_ringbuf_discard));
	emit_value(&c, 1, M_OUT, 0);
	EMIT(&c, STORE(BPF_DW, 1, 0, 8), MOV_K(0, 0), EXIT());
	return prog_of(&c, "record", ASM_RAW_TRACEPOINT);
}

static struct asm_prog output_prog(struct arena *a)
{
	struct code c = {.a = a};

	EMIT(&c, LOAD(BPF_DW, 2, 1, 0), STORE(BPF_DW, 10, -8, 2), MOV(2, 10), ALU64_K(BPF_ADD, 2, -8), MOV_K(3, 5),
	     MOV_K(4, 0));
	emit_map(&c, 1, M_RING);
	EMIT(&c, CALL(BPF_FUNC_ringbuf_output));
	emit_value(&c, 1, M_OUT, 0);
	EMIT(&c, STORE(BPF_DW, 1, 0, 0), MOV_K(0, 0), EXIT());
	return prog_of(&c, "output", ASM_RAW_TRACEPOINT);
}

struct fixture {
	struct arena *a;
	struct asm_map maps[2];
	struct asm_prog progs[2];
	struct asm_image img;
	struct both b;
};

static void fixture_open(struct fixture *f, u32 size)
{
	*f = (struct fixture){
	    .a = arena_new(),
	    .maps = {OUT_MAP(8), {"ring", BPF_MAP_TYPE_RINGBUF, 0, 0, size}},
	};
	f->progs[P_RECORD] = record_prog(f->a);
	f->progs[P_OUTPUT] = output_prog(f->a);
	f->img = (struct asm_image){f->maps, 2, f->progs, 2};
	f->b = both_open(&f->img);
}

static void fixture_close(struct fixture *f)
{
	both_close(&f->b);
	arena_free(f->a);
}

static s64 fire(struct exec *e, u32 prog, u64 value, u64 discard)
{
	u64 args[] = {value, discard};

	assert_int_equal(exec_fire(e, prog, args, 2), 0);
	return *(s64 *)exec_map_memory(e, M_OUT);
}

struct taken {
	u64 values[4096];
	size_t sizes[4096];
	u32 n, stop_after;
};

static int take(void *arg, const void *rec, size_t size)
{
	struct taken *t = arg;

	assert_true(t->n < 4096);
	assert_int_equal((uintptr_t)rec % 8, 0);
	memcpy(&t->values[t->n], rec, size < 8 ? size : 8);
	t->sizes[t->n++] = size;
	return t->n == t->stop_after ? 99 : 0;
}

static void order_and_size(void **state)
{
	struct fixture f;

	fixture_open(&f, 4096);
	for (u32 i = 0; i < f.b.n; i++) {
		struct exec *e = f.b.e[i];
		struct taken t = {0};

		assert_int_equal(exec_ring_drain(e, M_RING, take, &t), 0);
		assert_int_equal(t.n, 0);
		assert_int_equal(fire(e, P_RECORD, 11, 0), 1);
		assert_int_equal(fire(e, P_RECORD, 12, 1), 1); /* discarded */
		assert_int_equal(fire(e, P_OUTPUT, 13, 0), 0);
		assert_int_equal(fire(e, P_RECORD, 14, 0), 1);

		t.stop_after = 1;
		assert_int_equal(exec_ring_drain(e, M_RING, take, &t), 99);
		assert_int_equal(t.n, 1);
		assert_int_equal(exec_ring_drain(e, M_RING, take, &t), 0);
		assert_int_equal(t.n, 3);
		assert_int_equal(t.values[0], 11);
		assert_int_equal(t.sizes[0], RECORD);
		assert_int_equal(t.values[1], 13);
		assert_int_equal(t.sizes[1], 5);
		assert_int_equal(t.values[2], 14);
		assert_int_equal(exec_ring_drain(e, M_RING, take, &t), 0);
		assert_int_equal(t.n, 3);
	}
	fixture_close(&f);
}

/* The same number fits in both; after a drain there is room again; over many rounds nothing is lost or doubled. */
static void full_and_round(void **state)
{
	struct fixture f;

	fixture_open(&f, 4096);
	for (u64 round = 0; round < 20; round++) {
		u32 fit[2] = {0};

		for (u32 i = 0; i < f.b.n; i++) {
			struct exec *e = f.b.e[i];
			struct taken t = {0};

			if (round % 3 == 1) /* so that the records' places move */
				fire(e, P_OUTPUT, round * 1000, 0);
			else
				fire(e, P_RECORD, round * 1000, 0);
			while (fire(e, P_RECORD, round * 1000 + ++fit[i], 0))
				;
			assert_int_equal(fire(e, P_RECORD, 1, 0), 0);
			assert_int_equal(exec_ring_drain(e, M_RING, take, &t), 0);
			assert_int_equal(t.n, fit[i]);
			/* one byte must stay free; the short record leaves room for one more */
			assert_int_equal(t.n, round % 3 == 1 ? 128 : 127);
			for (u32 n = 1; n < t.n; n++)
				assert_int_equal(t.values[n], round * 1000 + n);
		}
		if (f.b.n == 2)
			assert_int_equal(fit[0], fit[1]);
	}
	fixture_close(&f);
}

static void poll_wakes(void **state)
{
	struct fixture f;
	struct pollfd p = {.events = POLLIN};
	struct taken t = {0};

	NEED_KERNEL();
	fixture_open(&f, 4096);
	assert_int_equal(exec_ring_fd(f.b.e[0], M_RING), -1); /* the vm: by time */
	p.fd = exec_ring_fd(f.b.e[1], M_RING);
	assert_true(p.fd >= 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	fire(f.b.e[1], P_RECORD, 1, 0);
	assert_int_equal(poll(&p, 1, 1000), 1);
	assert_int_equal(exec_ring_drain(f.b.e[1], M_RING, take, &t), 0);
	assert_int_equal(poll(&p, 1, 0), 0);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(order_and_size),
	    cmocka_unit_test(full_and_round),
	    cmocka_unit_test(poll_wakes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
