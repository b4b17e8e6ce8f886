// SPDX-License-Identifier: Apache-2.0
/* Programs at real events in the kernel: counts are exact, nothing is left behind. */
#include <dirent.h>
#include <fcntl.h>
#include <pthread.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include "exec_test.h"

#define THREADS 4
#define CALLS   250000u

/* The agent's sites look like this: a five-byte nop, which Linux 6.18 turns into a call, and a return. */
__attribute__((naked, noinline, aligned(32))) static void site(void)
{
	__asm__ volatile(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n\tret");
}

__attribute__((noinline)) static int function(int x)
{
	__asm__ volatile("");
	return x + 1;
}

enum { COUNT, TID, NOUT = 8 };

/* out[COUNT]++ atomically */
static void add_one(struct code *c)
{
	emit_value(c, 1, 0, 8 * COUNT);
	EMIT(c, MOV_K(2, 1), ATOMIC(BPF_DW, BPF_ADD, 1, 0, 2));
}

static struct asm_prog counter(struct arena *a, enum asm_prog_kind kind)
{
	struct code c = {.a = a};

	add_one(&c);
	EMIT(&c, MOV_K(0, 0), EXIT());
	return prog_of(&c, "counter", kind);
}

/* Count getppid() of thread out[TID]. */
static struct asm_prog getppid_counter(struct arena *a)
{
	struct code c = {.a = a};

	EMIT(&c, LOAD(BPF_DW, 6, 1, 8), JUMP_K(BPF_JNE, 6, SYS_getppid, 9), CALL(BPF_FUNC_get_current_pid_tgid));
	emit_value(&c, 1, 0, 8 * TID);
	EMIT(&c, LOAD(BPF_W, 1, 1, 0),
	     INSN(.code = BPF_JMP32 | BPF_JNE | BPF_X, .dst_reg = 0, .src_reg = 1, .off = 4));
	add_one(&c);
	EMIT(&c, MOV_K(0, 0), EXIT());
	return prog_of(&c, "getppid", ASM_RAW_TRACEPOINT);
}

struct fixture {
	struct arena *a;
	struct asm_map maps[1];
	struct asm_prog prog;
	struct asm_image img;
	struct exec *e;
	volatile u64 *out;
	struct messages m;
};

static void fixture_open(struct fixture *f, struct asm_prog (*make)(struct arena *a, enum asm_prog_kind kind),
			 enum asm_prog_kind kind)
{
	*f = (struct fixture){.a = arena_new(), .maps = {OUT_MAP(NOUT)}, .m = MESSAGES(&f->m)};
	f->prog = make ? make(f->a, kind) : getppid_counter(f->a);
	f->img = (struct asm_image){f->maps, 1, &f->prog, 1};
	f->e = open_loaded(&exec_kernel, &f->img);
	f->out = exec_map_memory(f->e, 0);
	assert_non_null(f->out);
}

static void fixture_close(struct fixture *f)
{
	exec_close(f->e);
	strbuf_free(&f->m.text);
	arena_free(f->a);
}

static void attach(struct fixture *f, const void *addr, bool is_return)
{
	char path[128];
	u64 off = place_of(addr, path, sizeof(path));

	if (exec_attach_uprobe(f->e, 0, path, off, getpid(), is_return, &f->m.diag))
		fail_msg("%s", f->m.text.s);
}

static void *in_threads(void (*body)(void))
{
	pthread_t th[THREADS];

	for (int i = 0; i < THREADS; i++)
		assert_int_equal(pthread_create(&th[i], NULL, (void *(*)(void *))(uintptr_t)body, NULL), 0);
	for (int i = 0; i < THREADS; i++)
		pthread_join(th[i], NULL);
	return NULL;
}

/* --- uprobes -------------------------------------------------------------------------------------- */

static void call_site(void)
{
	for (u32 i = 0; i < CALLS; i++)
		site();
}

static void uprobe_counts_exactly(void **state)
{
	const u8 *code = (const u8 *)(uintptr_t)site;
	struct fixture f;
	u64 misses = 1, runs, ns;

	NEED_KERNEL();
	fixture_open(&f, counter, ASM_UPROBE);
	attach(&f, (const void *)(uintptr_t)site, false);
	in_threads(call_site);
	assert_int_equal(f.out[COUNT], (u64)THREADS * CALLS);
	assert_int_equal(exec_prog_misses(f.e, 0, &misses), 0);
	assert_int_equal(misses, 0);
	assert_int_equal(exec_prog_stats(f.e, 0, &runs, &ns), 0);

	exec_detach(f.e);
	assert_int_equal(code[0], 0x0f); /* the nop again */
	assert_int_equal(code[1], 0x1f);
	site();
	assert_int_equal(f.out[COUNT], (u64)THREADS * CALLS);

	/* And once more with the same program. */
	attach(&f, (const void *)(uintptr_t)site, false);
	for (int i = 0; i < 1000; i++)
		site();
	assert_int_equal(f.out[COUNT], (u64)THREADS * CALLS + 1000);
	fixture_close(&f);
	assert_int_equal(code[0], 0x0f);
}

static void uprobe_at_functions(void **state)
{
	for (int is_return = 0; is_return < 2; is_return++) {
		struct fixture f;
		int sum = 0;

		NEED_KERNEL();
		fixture_open(&f, counter, ASM_UPROBE);
		attach(&f, (const void *)(uintptr_t)function, is_return);
		for (int i = 0; i < 1000; i++)
			sum += function(i);
		assert_int_equal(sum, 500500);
		assert_int_equal(f.out[COUNT], 1000);
		fixture_close(&f);
	}
}

/* The agent is a memory file whose descriptor is closed: only map_files names it then. */
static void uprobe_in_a_memory_file(void **state)
{
	static const u8 code[] = {0x0f, 0x1f, 0x44, 0x00, 0x00, 0xc3};
	int fd = memfd_create("site", MFD_CLOEXEC);
	struct fixture f;
	void *p;

	NEED_KERNEL();
	assert_true(fd >= 0);
	assert_int_equal(ftruncate(fd, 4096), 0);
	assert_int_equal(pwrite(fd, code, sizeof(code), 64), sizeof(code));
	p = mmap(NULL, 4096, PROT_READ | PROT_EXEC, MAP_PRIVATE, fd, 0);
	assert_true(p != MAP_FAILED);
	close(fd);

	fixture_open(&f, counter, ASM_UPROBE);
	attach(&f, (u8 *)p + 64, false);
	for (int i = 0; i < 5000; i++)
		((void (*)(void))(uintptr_t)((u8 *)p + 64))();
	assert_int_equal(f.out[COUNT], 5000);
	exec_detach(f.e);
	assert_memory_equal((u8 *)p + 64, code, sizeof(code));
	munmap(p, 4096);
	fixture_close(&f);
}

/* --- an aggregation from many threads ------------------------------------------------------------- */

#define KEYS   16u
#define ROUNDS 40000u
#define RDI    112 /* struct pt_regs, x86-64 */

__attribute__((naked, noinline, aligned(32))) static void key_site(u64 key)
{
	__asm__ volatile(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n\tret");
}

static void call_keys(void)
{
	for (u32 i = 0; i < ROUNDS; i++)
		key_site(i % KEYS);
}

/* agg[rdi]++ as generated programs do it: look up; make; look up again; add atomically. A drop: out[COUNT]++. */
static struct asm_prog aggregate(struct arena *a)
{
	struct code c = {.a = a};

	EMIT(&c, LOAD(BPF_DW, 2, 1, RDI), STORE(BPF_DW, 10, -8, 2), STORE_K(BPF_DW, 10, -16, 0), MOV(2, 10),
	     ALU64_K(BPF_ADD, 2, -8));
	emit_map(&c, 1, 1);
	EMIT(&c, CALL(BPF_FUNC_map_lookup_elem), JUMP_K(BPF_JNE, 0, 0, 18), MOV(2, 10), ALU64_K(BPF_ADD, 2, -8),
	     MOV(3, 10), ALU64_K(BPF_ADD, 3, -16), MOV_K(4, BPF_NOEXIST));
	emit_map(&c, 1, 1);
	EMIT(&c, CALL(BPF_FUNC_map_update_elem), MOV(2, 10), ALU64_K(BPF_ADD, 2, -8));
	emit_map(&c, 1, 1);
	EMIT(&c, CALL(BPF_FUNC_map_lookup_elem), JUMP_K(BPF_JNE, 0, 0, 4));
	add_one(&c);
	EMIT(&c, JUMP_K(BPF_JEQ, 0, 0, 2), MOV_K(2, 1), ATOMIC(BPF_DW, BPF_ADD, 0, 0, 2), MOV_K(0, 0), EXIT());
	return prog_of(&c, "aggregate", ASM_UPROBE);
}

static int sum_key(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	u64 *sums = arg, k, v;

	memcpy(&k, key, sizeof(k));
	assert_true(k < KEYS);
	assert_int_equal(sums[k], 0);
	for (u32 i = 0; i < nvalues; i++) {
		memcpy(&v, (const u8 *)values + (size_t)i * stride, sizeof(v));
		sums[k] += v;
	}
	return 0;
}

static void aggregation_is_exact(void **state)
{
	struct arena *a = arena_new();
	struct asm_map maps[] = {OUT_MAP(NOUT), {"agg", BPF_MAP_TYPE_PERCPU_HASH, 8, 8, KEYS}};
	struct asm_prog prog = aggregate(a);
	struct asm_image img = {maps, 2, &prog, 1};
	struct fixture f = {.a = a, .m = MESSAGES(&f.m)};
	u64 sums[KEYS] = {0};

	NEED_KERNEL();
	f.e = open_loaded(&exec_kernel, &img);
	f.out = exec_map_memory(f.e, 0);
	attach(&f, (const void *)(uintptr_t)key_site, false);
	in_threads(call_keys);
	assert_int_equal(exec_map_each(f.e, 1, sum_key, sums), 0);
	for (u32 k = 0; k < KEYS; k++)
		assert_int_equal(sums[k], THREADS * ROUNDS / KEYS);
	assert_int_equal(f.out[COUNT], 0);
	fixture_close(&f);
}

/* --- tracepoints ---------------------------------------------------------------------------------- */

static void call_getppid(void)
{
	for (u32 i = 0; i < CALLS / 10; i++)
		syscall(SYS_getppid);
}

static void *getppid_thread(void *arg)
{
	struct fixture *f = arg;

	f->out[TID] = (u32)gettid();
	if (exec_attach_raw_tracepoint(f->e, 0, "sys_enter", &f->m.diag))
		return f->m.text.s;
	call_getppid();
	exec_detach(f->e);
	syscall(SYS_getppid); /* not counted */
	return NULL;
}

/* One thread's calls, while others make the same. */
static void tracepoint_counts_exactly(void **state)
{
	struct fixture f;
	pthread_t th;
	void *error;

	NEED_KERNEL();
	fixture_open(&f, NULL, ASM_RAW_TRACEPOINT);
	assert_int_equal(pthread_create(&th, NULL, getppid_thread, &f), 0);
	in_threads(call_getppid);
	pthread_join(th, &error);
	if (error)
		fail_msg("%s", (char *)error);
	assert_int_equal(f.out[COUNT], CALLS / 10);
	fixture_close(&f);
}

/* --- clocks --------------------------------------------------------------------------------------- */

static u64 now_ms(void)
{
	struct timespec t;

	clock_gettime(CLOCK_MONOTONIC, &t);
	return (u64)t.tv_sec * 1000 + (u64)t.tv_nsec / 1000000;
}

static void clock_fires(void **state)
{
	struct fixture f;
	u64 start, fired;

	NEED_KERNEL();
	fixture_open(&f, counter, ASM_CLOCK);
	start = now_ms();
	assert_int_equal(exec_attach_clock(f.e, 0, -1, 1000000, &f.m.diag), 0);
	while (now_ms() - start < 100) /* a busy CPU: an idle one's clock stands still */
		;
	exec_detach(f.e);
	fired = f.out[COUNT];
	assert_in_range(fired, 10, (now_ms() - start + 2) * exec_ncpus(f.e));
	usleep(5000);
	assert_int_equal(f.out[COUNT], fired);
	/* no such CPU */
	assert_int_equal(exec_attach_clock(f.e, 0, 1 << 20, 1000000, &f.m.diag), -EINVAL);
	assert_non_null(strstr(f.m.text.s, "cannot set the profiling clock"));
	fixture_close(&f);
}

/* --- statistics ----------------------------------------------------------------------------------- */

static void runs_are_counted(void **state)
{
	union bpf_attr attr = {.enable_stats.type = BPF_STATS_RUN_TIME};
	struct fixture f;
	u64 runs, ns;
	int fd;

	NEED_KERNEL();
	fixture_open(&f, counter, ASM_UPROBE);
	attach(&f, (const void *)(uintptr_t)site, false);
	fd = (int)syscall(SYS_bpf, BPF_ENABLE_STATS, &attr, sizeof(attr)); /* on while it is open */
	assert_true(fd >= 0);
	for (int i = 0; i < 1000; i++)
		site();
	close(fd);
	assert_int_equal(exec_prog_stats(f.e, 0, &runs, &ns), 0);
	assert_int_equal(runs, 1000);
	assert_in_range(ns, 1000, 1000000000);
	fixture_close(&f);
}

/* --- what goes wrong ------------------------------------------------------------------------------ */

static u32 open_fds(bool *all_cloexec)
{
	DIR *d = opendir("/proc/self/fd");
	struct dirent *e;
	u32 n = 0;

	assert_non_null(d);
	while ((e = readdir(d))) {
		int fd = atoi(e->d_name);

		if (e->d_name[0] == '.' || fd == dirfd(d))
			continue;
		n++;
		if (fd > 2 && !(fcntl(fd, F_GETFD) & FD_CLOEXEC))
			*all_cloexec = false;
	}
	closedir(d);
	return n;
}

static void nothing_is_left(void **state)
{
	bool cloexec = true;
	u32 before = open_fds(&cloexec);
	struct fixture f;

	NEED_KERNEL();
	cloexec = true; /* what the harness left us is not ours to judge */
	for (int i = 0; i < 3; i++) {
		fixture_open(&f, counter, ASM_UPROBE);
		attach(&f, (const void *)(uintptr_t)site, false);
		assert_true(open_fds(&cloexec) > before);
		fixture_close(&f);
		assert_int_equal(open_fds(&cloexec), before);
	}
}

static void assert_message(struct fixture *f, const char *want)
{
	assert_non_null(f->m.text.s);
	assert_string_equal(f->m.text.s, want);
	strbuf_free(&f->m.text);
	f->m.text = (struct strbuf){0};
}

static void refusals(void **state)
{
	bool cloexec = true;
	struct fixture f;
	u32 before;

	NEED_KERNEL();
	fixture_open(&f, NULL, ASM_RAW_TRACEPOINT);
	before = open_fds(&cloexec);
	assert_int_equal(exec_attach_raw_tracepoint(f.e, 0, "no_such_event", &f.m.diag), -ENOENT);
	assert_message(
	    &f, "pydtrace: cannot attach to the kernel's tracepoint no_such_event: this kernel has none of that "
		"name\n");
	assert_int_equal(exec_attach_uprobe(f.e, 0, "/nowhere", 0, -1, false, &f.m.diag), -EINVAL); /* wrong kind */
	assert_int_equal(open_fds(&cloexec), before);
	fixture_close(&f);

	fixture_open(&f, counter, ASM_UPROBE);
	assert_int_equal(exec_attach_uprobe(f.e, 0, "/nowhere", 16, -1, false, &f.m.diag), -ENOENT);
	assert_message(&f, "pydtrace: cannot put a uprobe at /nowhere+0x10: No such file or directory\n");
	assert_int_equal(open_fds(&cloexec), before);
	fixture_close(&f);
}

static void few_descriptors(void **state)
{
	struct rlimit old, low;
	struct asm_map maps[] = {OUT_MAP(1), OUT_MAP(1), OUT_MAP(1), OUT_MAP(1)};
	struct asm_image img = {maps, 4, NULL, 0};
	struct messages m = MESSAGES(&m);
	bool cloexec = true;
	u32 before = open_fds(&cloexec);
	struct exec *e;
	int fd;

	NEED_KERNEL();
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &old), 0);
	fd = dup(0);
	close(fd);
	low = (struct rlimit){(rlim_t)fd + 2, old.rlim_max};
	assert_int_equal(exec_kernel.open(&e, &m.diag), 0);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &low), 0);
	assert_int_equal(exec_load(e, &img, &m.diag), -EMFILE);
	setrlimit(RLIMIT_NOFILE, &old);
	assert_string_equal(m.text.s,
			    "pydtrace: cannot make the BPF map 'out': too many open files: raise the limit "
			    "(ulimit -n)\n");
	exec_close(e);
	strbuf_free(&m.text);
	assert_int_equal(open_fds(&cloexec), before);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(uprobe_counts_exactly),
	    cmocka_unit_test(uprobe_at_functions),
	    cmocka_unit_test(uprobe_in_a_memory_file),
	    cmocka_unit_test(aggregation_is_exact),
	    cmocka_unit_test(tracepoint_counts_exactly),
	    cmocka_unit_test(clock_fires),
	    cmocka_unit_test(runs_are_counted),
	    cmocka_unit_test(nothing_is_left),
	    cmocka_unit_test(refusals),
	    cmocka_unit_test(few_descriptors),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
