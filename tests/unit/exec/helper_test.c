// SPDX-License-Identifier: Apache-2.0
/* Helpers and run-time functions give a program the same answers in the vm and in the kernel. */
#include <pthread.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "exec_test.h"
#include "rt/rt.h"

enum { M_OUT, M_THREADS };

#define NOUT 64

/* out[n] = reg */
static void out(struct code *c, u32 n, u8 reg)
{
	emit_value(c, 1, M_OUT, 8 * n);
	EMIT(c, STORE(BPF_DW, 1, 0, reg));
}

static void end(struct code *c)
{
	EMIT(c, MOV_K(0, 0), EXIT());
}

/* One program in all executors. */
struct fixture {
	struct asm_map maps[2];
	struct asm_prog prog;
	struct asm_image img;
	struct both b;
};

static void fixture_open(struct fixture *f, const struct code *c)
{
	*f = (struct fixture){
	    .maps = {OUT_MAP(NOUT), {"threads", BPF_MAP_TYPE_TASK_STORAGE, 4, 16, 0, BPF_F_NO_PREALLOC}},
	    .prog = prog_of(c, "helper", ASM_RAW_TRACEPOINT),
	};
	f->img = (struct asm_image){f->maps, 2, &f->prog, 1};
	f->b = both_open(&f->img);
}

static void fixture_close(struct fixture *f, struct code *c)
{
	both_close(&f->b);
	arena_free(c->a);
}

static const u64 *fire(struct fixture *f, u32 i, const u64 *args, u32 nargs)
{
	const u64 *mem = exec_map_memory(f->b.e[i], M_OUT);

	assert_non_null(mem);
	assert_int_equal(exec_fire(f->b.e[i], 0, args, nargs), 0);
	return mem;
}

static u64 now(clockid_t clock)
{
	struct timespec t;

	clock_gettime(clock, &t);
	return (u64)t.tv_sec * 1000000000u + (u64)t.tv_nsec;
}

static void who_and_when(void **state)
{
	struct code c = {.a = arena_new()};
	struct fixture f;
	char comm[16] = "";

	EMIT(&c, CALL(BPF_FUNC_get_current_pid_tgid));
	out(&c, 0, 0);
	EMIT(&c, CALL(BPF_FUNC_get_current_uid_gid));
	out(&c, 1, 0);
	EMIT(&c, CALL(BPF_FUNC_ktime_get_ns));
	out(&c, 2, 0);
	EMIT(&c, CALL(BPF_FUNC_ktime_get_tai_ns));
	out(&c, 3, 0);
	EMIT(&c, CALL(BPF_FUNC_get_smp_processor_id));
	out(&c, 4, 0);
	EMIT(&c, MOV(1, 10), ALU64_K(BPF_ADD, 1, -16), MOV_K(2, 16), CALL(BPF_FUNC_get_current_comm));
	out(&c, 5, 0);
	EMIT(&c, LOAD(BPF_DW, 2, 10, -16), LOAD(BPF_DW, 3, 10, -8));
	out(&c, 6, 2);
	out(&c, 7, 3);
	end(&c);
	fixture_open(&f, &c);
	prctl(PR_GET_NAME, comm);
	for (u32 i = 0; i < f.b.n; i++) {
		u64 mono = now(CLOCK_MONOTONIC), tai = now(CLOCK_TAI);
		const u64 *o = fire(&f, i, NULL, 0);

		assert_int_equal(o[0], (u64)getpid() << 32 | (u32)gettid());
		assert_int_equal(o[1], (u64)getgid() << 32 | getuid());
		assert_in_range(o[2], mono, now(CLOCK_MONOTONIC));
		assert_in_range(o[3], tai, now(CLOCK_TAI));
		assert_true(o[4] < exec_ncpus(f.b.e[i]));
		assert_int_equal(o[5], 0);
		assert_memory_equal(&o[6], comm, 16);
	}
	fixture_close(&f, &c);
}

/* --- reading user memory -------------------------------------------------------------------------- */

/* helper(dst: 32 bytes of stack filled with 0xee, n = 24, addr = word 0); out[0] the result, out[1..4] the bytes. */
static void read_prog(struct code *c, s32 helper)
{
	EMIT(c, LOAD(BPF_DW, 3, 1, 0));
	for (s32 i = 1; i <= 4; i++)
		EMIT(c, STORE_K(BPF_W, 10, -8 * i, (s32)0xeeeeeeee),
		     STORE_K(BPF_W, 10, -8 * i + 4, (s32)0xeeeeeeee));
	EMIT(c, MOV(1, 10), ALU64_K(BPF_ADD, 1, -32), MOV_K(2, 24), CALL(helper));
	out(c, 0, 0);
	for (s32 i = 0; i < 4; i++) {
		EMIT(c, LOAD(BPF_DW, 2, 10, -32 + 8 * i));
		out(c, (u32)i + 1, 2);
	}
	end(c);
}

/* A page of text, `len` bytes of it just before a page that is not there. */
static char *page_end(const char *text, size_t len)
{
	size_t page = (size_t)sysconf(_SC_PAGESIZE);
	char *p = mmap(NULL, 2 * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	assert_true(p != MAP_FAILED);
	munmap(p + page, page);
	return memcpy(p + page - len, text, len);
}

static void reads_strings(void **state)
{
	const struct {
		const char *s;
		s64 want;
	} rows[] = {
	    {page_end("", 1), 1},
	    {page_end("hello", 6), 6},
	    {page_end("exactly 23 bytes long..", 24), 24},
	    {"longer than what there is room for", 24},
	    {page_end("no end", 6), -EFAULT},
	    {NULL, -EFAULT},
	    {(const char *)0x7fff00000000ull, -EFAULT},
	    {(const char *)0xffff800000000000ull, -EFAULT},
	};
	struct code c = {.a = arena_new()};
	struct fixture f;

	read_prog(&c, BPF_FUNC_probe_read_user_str);
	fixture_open(&f, &c);
	for (size_t r = 0; r < ARRAY_SIZE(rows); r++) {
		u64 args[] = {(u64)(uintptr_t)rows[r].s};

		for (u32 i = 0; i < f.b.n; i++) {
			const u64 *o = fire(&f, i, args, 1);
			const char *got = (const char *)(o + 1);

			assert_int_equal((s64)o[0], rows[r].want);
			if (rows[r].want > 0) {
				assert_memory_equal(got, rows[r].s, (size_t)rows[r].want - 1);
				assert_int_equal(got[rows[r].want - 1], 0);
			} else {
				for (int j = 0; j < 24; j++)
					assert_int_equal(got[j], 0);
			}
			assert_int_equal(o[4], 0xeeeeeeeeeeeeeeee); /* behind the buffer */
		}
	}
	fixture_close(&f, &c);
}

static void reads_bytes(void **state)
{
	static const char text[] = "twenty-four bytes, all of";
	struct code c = {.a = arena_new()};
	struct fixture f;

	read_prog(&c, BPF_FUNC_probe_read_user);
	fixture_open(&f, &c);
	for (u32 i = 0; i < f.b.n; i++) {
		u64 good = (u64)(uintptr_t)text, bad = (u64)(uintptr_t)page_end("short", 5);
		const u64 *o = fire(&f, i, &good, 1);

		assert_int_equal(o[0], 0);
		assert_memory_equal(o + 1, text, 24);
		o = fire(&f, i, &bad, 1);
		assert_int_equal((s64)o[0], -EFAULT);
		for (u32 j = 1; j < 4; j++)
			assert_int_equal(o[j], 0);
	}
	fixture_close(&f, &c);
}

/* --- task storage --------------------------------------------------------------------------------- */

/* Count word 1 into the thread's storage, made if word 0 is set. out[0]: what it holds then, -1: there is none. */
static void storage_prog(struct code *c)
{
	EMIT(c, LOAD(BPF_DW, 7, 1, 8), LOAD(BPF_DW, 6, 1, 0), STORE_K(BPF_DW, 10, -16, 5),
	     STORE_K(BPF_DW, 10, -8, 0), CALL(BPF_FUNC_get_current_task_btf), MOV(2, 0), MOV(3, 10),
	     ALU64_K(BPF_ADD, 3, -16), MOV_K(4, 0), JUMP_K(BPF_JEQ, 6, 0, 1), MOV_K(4, 1));
	emit_map(c, 1, M_THREADS);
	EMIT(c, CALL(BPF_FUNC_task_storage_get), JUMP_K(BPF_JNE, 0, 0, 2), MOV_K(6, -1),
	     INSN(.code = BPF_JMP | BPF_JA, .off = 2), ATOMIC(BPF_DW, BPF_ADD, 0, 0, 7), LOAD(BPF_DW, 6, 0, 0));
	out(c, 0, 6);
	end(c);
}

/* In this thread: the vm is told so, as what it fires itself is always in the first. */
static u64 result_here(struct fixture *f, u32 i, const u64 *args, u32 nargs)
{
	struct exec_thread t = {.pid = getpid(), .tid = gettid(), .known = EXEC_ALL, .cookie = (u64)gettid()};
	u64 ctx[12] = {0};

	memcpy(ctx, args, nargs * sizeof(*args));
	if (exec_run(f->b.e[i], 0, ctx, sizeof(ctx), &t, NULL, NULL) == -EOPNOTSUPP)
		return fire(f, i, args, nargs)[0];
	return ((const u64 *)exec_map_memory(f->b.e[i], M_OUT))[0];
}

struct in_thread {
	struct fixture *f;
	u64 args[2];
	u64 first[2], second[2], third[2];
};

static void *in_thread(void *arg)
{
	struct in_thread *t = arg;
	u64 no[] = {0, 1};

	for (u32 i = 0; i < t->f->b.n; i++) {
		t->first[i] = result_here(t->f, i, no, 2);
		t->second[i] = result_here(t->f, i, t->args, 2);
		t->third[i] = result_here(t->f, i, no, 2);
	}
	return NULL;
}

static void storage_is_a_threads_own(void **state)
{
	struct code c = {.a = arena_new()};
	struct fixture f;

	storage_prog(&c);
	fixture_open(&f, &c);
	for (u64 n = 0; n < 20; n++) {
		struct in_thread t = {.f = &f, .args = {1, n * 100}};
		pthread_t th;

		assert_int_equal(pthread_create(&th, NULL, in_thread, &t), 0);
		pthread_join(th, NULL);
		for (u32 i = 0; i < f.b.n; i++) {
			assert_int_equal(t.first[i], -1ull);
			assert_int_equal(t.second[i], 5 + n * 100);
			assert_int_equal(t.third[i], 5 + n * 100 + 1);
		}
	}
	fixture_close(&f, &c);
}

/* --- the current task ----------------------------------------------------------------------------- */

/* Follow task->real_parent->tgid by loads as codegen's `ppid` does. */
static void follow_task(struct code *c, struct exec_task_layout l)
{
	EMIT(c, CALL(BPF_FUNC_get_current_task_btf), LOAD(BPF_DW, 6, 0, l.sum_exec_runtime),
	     LOAD(BPF_W, 7, 0, l.tgid), LOAD(BPF_DW, 0, 0, l.real_parent), LOAD(BPF_W, 0, 0, l.tgid));
	out(c, 0, 0);
	out(c, 1, 6);
	out(c, 2, 7);
	end(c);
}

static void task_members(void **state)
{
	static const struct exec_ops *const ops[] = {&exec_vm, &exec_kernel};

	for (u32 i = 0; i < (have_kernel() ? 2 : 1); i++) {
		struct code c = {.a = arena_new()};
		struct messages m = MESSAGES(&m);
		struct asm_map maps[] = {OUT_MAP(NOUT)};
		struct asm_prog prog;
		struct asm_image img = {maps, 1, &prog, 1};
		struct exec_task_layout l;
		struct exec *e;
		const u64 *o;

		assert_int_equal(ops[i]->open(&e, &m.diag), 0);
		l = exec_task_layout(e);
		assert_true(l.real_parent && l.tgid && l.sum_exec_runtime);
		follow_task(&c, l);
		prog = prog_of(&c, "task", ASM_RAW_TRACEPOINT);
		if (exec_load(e, &img, &m.diag))
			fail_msg("%s", m.text.s);
		assert_int_equal(exec_fire(e, 0, NULL, 0), 0);
		o = exec_map_memory(e, 0);
		assert_int_equal(o[0], getppid());
		assert_in_range(o[1], 1, now(CLOCK_MONOTONIC));
		assert_int_equal(o[2], getpid());
		exec_close(e);
		arena_free(c.a);
	}
}

/* --- run-time functions --------------------------------------------------------------------------- */

static void calls_run_time_functions(void **state)
{
	static const s64 values[] = {0, 1, -1, 2, 3, 4, 1000, -1000, INT64_MAX, INT64_MIN, 1ll << 40};
	struct code c = {.a = arena_new()};
	struct fixture f;

	EMIT(&c, LOAD(BPF_DW, 6, 1, 0), LOAD(BPF_DW, 7, 1, 8), MOV(1, 6));
	emit_rt(&c, "rt_quantize_bucket");
	EMIT(&c, MOV(8, 0));
	out(&c, 0, 8);
	EMIT(&c, MOV(1, 6), MOV(2, 7));
	emit_rt(&c, "rt_sdiv");
	EMIT(&c, MOV(8, 0));
	out(&c, 1, 8);
	/* The same function again, and one that calls others. */
	EMIT(&c, MOV(1, 7));
	emit_rt(&c, "rt_quantize_bucket");
	EMIT(&c, MOV(8, 0));
	out(&c, 2, 8);
	EMIT(&c, STORE_K(BPF_DW, 10, -32, 'b'), STORE_K(BPF_DW, 10, -24, 0), STORE_K(BPF_DW, 10, -16, 0x2f61),
	     STORE_K(BPF_DW, 10, -8, 0), MOV(1, 10), ALU64_K(BPF_ADD, 1, -48), STORE_K(BPF_DW, 10, -48, -1),
	     STORE_K(BPF_DW, 10, -40, -1), MOV(2, 10), ALU64_K(BPF_ADD, 2, -16), MOV(3, 10),
	     ALU64_K(BPF_ADD, 3, -32), MOV_K(4, 16));
	emit_rt(&c, "rt_str_join");
	EMIT(&c, LOAD(BPF_DW, 8, 10, -48));
	out(&c, 3, 8);
	end(&c);
	fixture_open(&f, &c);
	for (size_t v = 0; v < ARRAY_SIZE(values); v++) {
		u64 args[] = {(u64)values[v], (u64)values[(v + 3) % ARRAY_SIZE(values)]};

		if (!args[1])
			continue;
		for (u32 i = 0; i < f.b.n; i++) {
			const u64 *o = fire(&f, i, args, 2);

			assert_int_equal(o[0], rt_quantize_bucket((s64)args[0]));
			assert_int_equal(o[1], rt_sdiv((s64)args[0], (s64)args[1]));
			assert_int_equal(o[2], rt_quantize_bucket((s64)args[1]));
			assert_string_equal((const char *)&o[3], "a/b");
		}
	}
	fixture_close(&f, &c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(who_and_when), cmocka_unit_test(reads_strings),
	    cmocka_unit_test(reads_bytes),  cmocka_unit_test(storage_is_a_threads_own),
	    cmocka_unit_test(task_members), cmocka_unit_test(calls_run_time_functions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
