// SPDX-License-Identifier: Apache-2.0
/* Maps as programs and as the tracer see them, the same in the vm and in the kernel. */
#include "exec_test.h"

enum { M_OUT, M_MAP };
enum { P_UPDATE, P_LOOKUP, P_DELETE, P_ADD, P_COUNT };

/* Key and value of a call, from context words 0 and 1, at r10 - 8 and r10 - 16; r2 is the key, r3 the value. */
static void key_value(struct code *c)
{
	EMIT(c, LOAD(BPF_DW, 2, 1, 0), STORE(BPF_DW, 10, -8, 2), LOAD(BPF_DW, 3, 1, 8), STORE(BPF_DW, 10, -16, 3),
	     LOAD(BPF_DW, 4, 1, 16), MOV(2, 10), ALU64_K(BPF_ADD, 2, -8), MOV(3, 10), ALU64_K(BPF_ADD, 3, -16));
	emit_map(c, 1, M_MAP);
}

/* out[0] = r0 */
static void result(struct code *c)
{
	emit_value(c, 1, M_OUT, 0);
	EMIT(c, STORE(BPF_DW, 1, 0, 0), MOV_K(0, 0), EXIT());
}

static void update(struct code *c)
{
	key_value(c);
	EMIT(c, CALL(BPF_FUNC_map_update_elem));
	result(c);
}

/* out[0] = the value, or -1 */
static void lookup(struct code *c)
{
	key_value(c);
	EMIT(c, CALL(BPF_FUNC_map_lookup_elem), JUMP_K(BPF_JNE, 0, 0, 2), MOV_K(0, -1),
	     INSN(.code = BPF_JMP | BPF_JA, .off = 1), LOAD(BPF_DW, 0, 0, 0));
	result(c);
}

static void delete (struct code *c)
{
	key_value(c);
	EMIT(c, CALL(BPF_FUNC_map_delete_elem));
	result(c);
}

/* Add word 1 to the value atomically; out[0] = 0, or -1 where there is none. */
static void add(struct code *c)
{
	EMIT(c, MOV(6, 1));
	key_value(c);
	EMIT(c, CALL(BPF_FUNC_map_lookup_elem), JUMP_K(BPF_JNE, 0, 0, 2), MOV_K(0, -1),
	     INSN(.code = BPF_JMP | BPF_JA, .off = 3), LOAD(BPF_DW, 2, 6, 8), ATOMIC(BPF_DW, BPF_ADD, 0, 0, 2),
	     MOV_K(0, 0));
	result(c);
}

static void (*const ops[P_COUNT])(struct code *c) = {
    [P_UPDATE] = update,
    [P_LOOKUP] = lookup,
    [P_DELETE] = delete,
    [P_ADD] = add,
};

/* One map under test. */
struct fixture {
	struct arena *a;
	struct asm_map maps[2];
	struct asm_prog progs[P_COUNT];
	struct asm_image img;
	struct both b;
};

static void fixture_open(struct fixture *f, struct asm_map map)
{
	*f = (struct fixture){.a = arena_new(), .maps = {OUT_MAP(16), map}};
	for (u32 i = 0; i < P_COUNT; i++) {
		struct code c = {.a = f->a};

		ops[i](&c);
		f->progs[i] = prog_of(&c, "map", ASM_RAW_TRACEPOINT);
	}
	f->img = (struct asm_image){f->maps, 2, f->progs, P_COUNT};
	f->b = both_open(&f->img);
}

static void fixture_close(struct fixture *f)
{
	both_close(&f->b);
	arena_free(f->a);
}

/* What program `prog` answers; every executor the same. */
static s64 ask(struct fixture *f, u32 prog, u64 key, u64 value, u64 flags)
{
	u64 args[] = {key, value, flags};
	s64 got[2] = {0};

	for (u32 i = 0; i < f->b.n; i++) {
		assert_int_equal(exec_fire(f->b.e[i], prog, args, 3), 0);
		got[i] = *(s64 *)exec_map_memory(f->b.e[i], M_OUT);
	}
	if (f->b.n == 2)
		assert_int_equal(got[0], got[1]);
	return got[0];
}

static void array(void **state)
{
	static const u64 init = 77;
	struct fixture f;

	fixture_open(&f, (struct asm_map){"array", BPF_MAP_TYPE_ARRAY, 4, 8, 3, 0, &init});
	assert_int_equal(ask(&f, P_LOOKUP, 0, 0, 0), 77);
	assert_int_equal(ask(&f, P_LOOKUP, 2, 0, 0), 0);
	assert_int_equal(ask(&f, P_LOOKUP, 3, 0, 0), -1);
	assert_int_equal(ask(&f, P_UPDATE, 2, 5, BPF_ANY), 0);
	assert_int_equal(ask(&f, P_LOOKUP, 2, 0, 0), 5);
	assert_int_equal(ask(&f, P_UPDATE, 2, 5, BPF_NOEXIST), -EEXIST);
	assert_int_equal(ask(&f, P_UPDATE, 3, 5, BPF_ANY), -E2BIG);
	assert_int_equal(ask(&f, P_DELETE, 2, 0, 0), -EINVAL);
	fixture_close(&f);
}

static void hash(void **state)
{
	struct fixture f;

	fixture_open(&f, (struct asm_map){"hash", BPF_MAP_TYPE_HASH, 8, 8, 4});
	assert_int_equal(ask(&f, P_LOOKUP, 1, 0, 0), -1);
	assert_int_equal(ask(&f, P_UPDATE, 1, 9, BPF_EXIST), -ENOENT);
	assert_int_equal(ask(&f, P_UPDATE, 1, 9, BPF_NOEXIST), 0);
	assert_int_equal(ask(&f, P_UPDATE, 1, 8, BPF_NOEXIST), -EEXIST);
	assert_int_equal(ask(&f, P_LOOKUP, 1, 0, 0), 9);
	for (u64 k = 2; k <= 4; k++)
		assert_int_equal(ask(&f, P_UPDATE, k, k, BPF_ANY), 0);
	assert_int_equal(ask(&f, P_UPDATE, 5, 5, BPF_ANY), -E2BIG);
	assert_int_equal(ask(&f, P_UPDATE, 4, 44, BPF_ANY), 0);
	assert_int_equal(ask(&f, P_DELETE, 1, 0, 0), 0);
	assert_int_equal(ask(&f, P_DELETE, 1, 0, 0), -ENOENT);
	assert_int_equal(ask(&f, P_LOOKUP, 1, 0, 0), -1);
	assert_int_equal(ask(&f, P_UPDATE, 5, 5, BPF_ANY), 0);
	assert_int_equal(ask(&f, P_LOOKUP, 4, 0, 0), 44);
	assert_int_equal(ask(&f, P_UPDATE, 5, 5, 77), -EINVAL);
	fixture_close(&f);
}

/* --- walks ---------------------------------------------------------------------------------------- */

#define NKEYS 1000u

struct walk {
	u64 sums[NKEYS];
	u32 seen[NKEYS], n, nvalues, stop_after;
};

static int count(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	struct walk *w = arg;
	u64 k;

	memcpy(&k, key, sizeof(k));
	assert_true(k < NKEYS);
	w->seen[k]++;
	w->nvalues = nvalues;
	for (u32 i = 0; i < nvalues; i++) {
		u64 v;

		memcpy(&v, (const u8 *)values + (size_t)i * stride, sizeof(v));
		w->sums[k] += v;
	}
	return ++w->n == w->stop_after ? 42 : 0;
}

/* A thousand keys, of which programs made some and the tracer others: each is seen once, with what was added. */
static void walk_per_cpu_hash(void **state)
{
	struct fixture f;

	fixture_open(&f, (struct asm_map){"percpu", BPF_MAP_TYPE_PERCPU_HASH, 8, 8, NKEYS});
	for (u32 i = 0; i < f.b.n; i++) {
		struct exec *e = f.b.e[i];
		u64 *zero = calloc(exec_ncpus(e), sizeof(*zero));

		for (u64 k = 0; k < NKEYS; k += 2)
			assert_int_equal(exec_map_update(e, M_MAP, &k, zero), 0);
		free(zero);
	}
	for (u64 k = 1; k < NKEYS; k += 2)
		assert_int_equal(ask(&f, P_UPDATE, k, 0, BPF_NOEXIST), 0);
	for (u64 k = 0; k < NKEYS; k++)
		assert_int_equal(ask(&f, P_ADD, k, k * 3, 0), 0);
	assert_int_equal(ask(&f, P_UPDATE, NKEYS, 0, BPF_NOEXIST), -E2BIG);

	for (u32 i = 0; i < f.b.n; i++) {
		struct walk w = {0};

		assert_int_equal(exec_map_each(f.b.e[i], M_MAP, count, &w), 0);
		assert_int_equal(w.n, NKEYS);
		assert_int_equal(w.nvalues, exec_ncpus(f.b.e[i]));
		for (u64 k = 0; k < NKEYS; k++) {
			assert_int_equal(w.seen[k], 1);
			assert_int_equal(w.sums[k], k * 3);
		}
		w = (struct walk){.stop_after = 10};
		assert_int_equal(exec_map_each(f.b.e[i], M_MAP, count, &w), 42);
		assert_int_equal(w.n, 10);
	}
	fixture_close(&f);
}

static void walk_hash(void **state)
{
	struct fixture f;

	fixture_open(&f, (struct asm_map){"hash", BPF_MAP_TYPE_HASH, 8, 8, 50});
	for (u32 i = 0; i < f.b.n; i++) {
		struct walk empty = {0}, w = {0};

		assert_int_equal(exec_map_each(f.b.e[i], M_MAP, count, &empty), 0);
		assert_int_equal(empty.n, 0);
		for (u64 k = 0; k < 50; k++)
			assert_int_equal(exec_map_update(f.b.e[i], M_MAP, &k, &k), 0);
		for (u64 k = 0; k < 50; k += 5)
			assert_int_equal(exec_map_delete(f.b.e[i], M_MAP, &k), 0);
		assert_int_equal(exec_map_each(f.b.e[i], M_MAP, count, &w), 0);
		assert_int_equal(w.n, 40);
		assert_int_equal(w.nvalues, 1);
		for (u64 k = 0; k < 50; k++)
			assert_int_equal(w.sums[k], k % 5 ? k : 0);
	}
	fixture_close(&f);
}

/* Each value is 12 bytes of its key's number. */
static int check_element(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	u8 want[12];
	u32 k;

	memcpy(&k, key, sizeof(k));
	assert_int_equal(k, *(u32 *)arg);
	memset(want, (int)k & 0xff, sizeof(want));
	for (u32 i = 0; i < nvalues; i++)
		assert_memory_equal((const u8 *)values + (size_t)i * stride, want, sizeof(want));
	++*(u32 *)arg;
	return 0;
}

static void walk_arrays(void **state)
{
	static const enum bpf_map_type types[] = {BPF_MAP_TYPE_ARRAY, BPF_MAP_TYPE_PERCPU_ARRAY};

	for (size_t t = 0; t < ARRAY_SIZE(types); t++) {
		struct asm_map maps[] = {{"array", types[t], 4, 12, 700}};
		struct asm_image img = {maps, 1, NULL, 0};
		struct both b = both_open(&img);

		for (u32 i = 0; i < b.n; i++) {
			u8 *values = malloc(16 * (size_t)exec_ncpus(b.e[i]));
			u32 n = 0;

			for (u32 k = 0; k < 700; k++) {
				memset(values, (int)k & 0xff, 16 * (size_t)exec_ncpus(b.e[i]));
				assert_int_equal(exec_map_update(b.e[i], 0, &k, values), 0);
			}
			free(values);
			assert_int_equal(exec_map_each(b.e[i], 0, check_element, &n), 0);
			assert_int_equal(n, 700);
		}
		both_close(&b);
	}
}

static int stop(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	++*(u32 *)arg;
	return -EINVAL;
}

/* What the caller's function returns is the answer, whatever it is, and ends the walk. */
static void walk_is_stopped(void **state)
{
	struct asm_map maps[] = {{"array", BPF_MAP_TYPE_ARRAY, 4, 8, 700}};
	struct asm_image img = {maps, 1, NULL, 0};
	struct both b = both_open(&img);

	for (u32 i = 0; i < b.n; i++) {
		u32 n = 0;

		assert_int_equal(exec_map_each(b.e[i], 0, stop, &n), -EINVAL);
		assert_int_equal(n, 1);
	}
	both_close(&b);
}

/* --- queue and stack ------------------------------------------------------------------------------ */

enum { Q_PUSH, Q_POP, Q_PEEK };

/* out[0] = result, out[1] = the value that came */
static struct asm_prog queue_prog(struct arena *a, s32 helper)
{
	struct code c = {.a = a};

	EMIT(&c, LOAD(BPF_DW, 2, 1, 0), STORE(BPF_DW, 10, -8, 2), MOV(2, 10), ALU64_K(BPF_ADD, 2, -8));
	if (helper == BPF_FUNC_map_push_elem)
		EMIT(&c, LOAD(BPF_DW, 3, 1, 8));
	emit_map(&c, 1, M_MAP);
	EMIT(&c, CALL(helper), LOAD(BPF_DW, 2, 10, -8));
	emit_value(&c, 1, M_OUT, 0);
	EMIT(&c, STORE(BPF_DW, 1, 8, 2));
	result(&c);
	return prog_of(&c, "queue", ASM_RAW_TRACEPOINT);
}

static void check_queue(struct both *b, u32 prog, u64 value, u64 flags, s64 want, s64 want_value)
{
	u64 args[] = {value, flags};

	for (u32 i = 0; i < b->n; i++) {
		s64 *out = exec_map_memory(b->e[i], M_OUT);

		assert_int_equal(exec_fire(b->e[i], prog, args, 2), 0);
		assert_int_equal(out[0], want);
		if (prog != Q_PUSH)
			assert_int_equal(out[1], want_value);
	}
}

static void queue_and_stack(void **state)
{
	static const enum bpf_map_type types[] = {BPF_MAP_TYPE_QUEUE, BPF_MAP_TYPE_STACK};
	struct arena *a = arena_new();

	for (u32 t = 0; t < 2; t++) {
		struct asm_map maps[] = {OUT_MAP(2), {"queue", types[t], 0, 8, 3}};
		struct asm_prog progs[] = {queue_prog(a, BPF_FUNC_map_push_elem),
					   queue_prog(a, BPF_FUNC_map_pop_elem),
					   queue_prog(a, BPF_FUNC_map_peek_elem)};
		struct asm_image img = {maps, 2, progs, 3};
		struct both b = both_open(&img);
		u64 first = t ? 3 : 1;

		check_queue(&b, Q_POP, 5, 0, -ENOENT, 0);
		for (u64 v = 1; v <= 3; v++)
			check_queue(&b, Q_PUSH, v, BPF_ANY, 0, 0);
		check_queue(&b, Q_PUSH, 4, BPF_ANY, -E2BIG, 0);
		check_queue(&b, Q_PEEK, 0, 0, 0, (s64)first);
		check_queue(&b, Q_POP, 0, 0, 0, (s64)first);
		check_queue(&b, Q_PUSH, 4, BPF_ANY, 0, 0);
		check_queue(&b, Q_PUSH, 5, BPF_EXIST, 0, 0);
		check_queue(&b, Q_POP, 0, 0, 0, t ? 5 : 3);
		check_queue(&b, Q_POP, 0, 0, 0, 4);
		check_queue(&b, Q_POP, 0, 0, 0, t ? 2 : 5);
		check_queue(&b, Q_PEEK, 0, 0, -ENOENT, 0);
		both_close(&b);
	}
	arena_free(a);
}

/* --- memory --------------------------------------------------------------------------------------- */

static void memory_is_shared(void **state)
{
	struct fixture f;
	u32 key = 0;

	fixture_open(&f, (struct asm_map){"state", BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE});
	for (u32 i = 0; i < f.b.n; i++) {
		u64 *p = exec_map_memory(f.b.e[i], M_MAP);

		assert_non_null(p);
		assert_ptr_equal(p, exec_map_memory(f.b.e[i], M_MAP));
		*p = 1000;
	}
	assert_int_equal(ask(&f, P_ADD, 0, 5, 0), 0);
	for (u32 i = 0; i < f.b.n; i++) {
		u64 v = 7;

		assert_int_equal(*(u64 *)exec_map_memory(f.b.e[i], M_MAP), 1005);
		assert_int_equal(exec_map_update(f.b.e[i], M_MAP, &key, &v), 0);
		assert_int_equal(*(u64 *)exec_map_memory(f.b.e[i], M_MAP), 7);
	}
	assert_int_equal(ask(&f, P_LOOKUP, 0, 0, 0), 7);
	fixture_close(&f);
}

static void wrong_numbers(void **state)
{
	struct fixture f;
	struct messages m = MESSAGES(&m);
	u64 args[13] = {0};

	fixture_open(&f, (struct asm_map){"hash", BPF_MAP_TYPE_HASH, 8, 8, 4});
	for (u32 i = 0; i < f.b.n; i++) {
		struct exec *e = f.b.e[i];

		assert_int_equal(exec_fire(e, P_COUNT, args, 1), -EINVAL);
		assert_int_equal(exec_fire(e, P_LOOKUP, args, 13), -EINVAL);
		assert_int_equal(exec_map_each(e, 2, count, NULL), -EINVAL);
		assert_int_equal(exec_ring_drain(e, M_MAP, NULL, NULL), -EINVAL);
		assert_null(exec_map_memory(e, M_MAP)); /* not BPF_F_MMAPABLE */
		exec_detach(e);
		exec_detach(e);
	}
	assert_int_equal(exec_attach_raw_tracepoint(f.b.e[0], 0, "sched_switch", &m.diag), -EOPNOTSUPP);
	assert_non_null(strstr(m.text.s, "sched_switch is one of the kernel's alone"));
	strbuf_free(&m.text);
	assert_ptr_equal(exec_by_name("vm"), &exec_vm);
	assert_ptr_equal(exec_by_name("kernel"), &exec_kernel);
	assert_null(exec_by_name("none"));
	exec_close(NULL);
	fixture_close(&f);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(array),
	    cmocka_unit_test(hash),
	    cmocka_unit_test(walk_per_cpu_hash),
	    cmocka_unit_test(walk_hash),
	    cmocka_unit_test(walk_arrays),
	    cmocka_unit_test(walk_is_stopped),
	    cmocka_unit_test(queue_and_stack),
	    cmocka_unit_test(memory_is_shared),
	    cmocka_unit_test(wrong_numbers),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
