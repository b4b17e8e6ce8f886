// SPDX-License-Identifier: Apache-2.0
/* Uprobes by both ways that uprobe.c knows: the same counts, and the code as it was when they are gone. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/bpf_impl.h"

#define THREADS 4
#define CALLS   20000

__attribute__((naked, noinline, aligned(32))) static void nop_site(void)
{
	__asm__ volatile(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n\tret");
}

__attribute__((naked, noinline, aligned(32))) static void push_site(void)
{
	__asm__ volatile("push %rbp\n\tmov %rsp, %rbp\n\tpop %rbp\n\tret");
}

typedef void site_fn(void);

/* The ways, for the tests' initial state; what the kernel does not have is skipped. */
enum way { PERF, MULTI };

static char said[1024];

static void keep(void *arg, enum diag_level level, const char *text)
{
	snprintf(said, sizeof(said), "%s", text);
}

static struct diag diag = {.sink = keep};

/* --- a program that counts ------------------------------------------------------------------------ */

struct counter {
	int map, prog;
	volatile u64 *count;
	struct bpf_attachment at;
};

static void counter_open(struct counter *c)
{
	static const struct asm_map map = {"count", BPF_MAP_TYPE_ARRAY, 4, 8, 1, BPF_F_MMAPABLE};
	struct bpf_insn insns[] = {
	    {.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 1},
	    {0},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 2, .imm = 1},
	    {.code = BPF_STX | BPF_ATOMIC | BPF_DW, .dst_reg = 1, .src_reg = 2, .imm = BPF_ADD},
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	struct asm_reloc reloc = {.kind = ASM_RELOC_MAP_VALUE};
	struct asm_prog p = {"count", ASM_UPROBE, insns, ARRAY_SIZE(insns), &reloc, 1};
	struct bpf_code code;
	void *memory;

	c->map = bpf_map_make(&map, &diag);
	assert_true(c->map >= 0);
	memory = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED, c->map, 0);
	assert_true(memory != MAP_FAILED);
	c->count = memory;
	assert_int_equal(bpf_code_link(&code, &p, NULL, 0, &diag), 0);
	c->prog = bpf_code_load(&p, &code, &c->map, &diag);
	if (c->prog < 0)
		fail_msg("%s", said);
	bpf_code_free(&code);
}

static void counter_attach(struct counter *c, site_fn *site, bool is_return)
{
	unsigned long lo, hi, off, at = (unsigned long)(uintptr_t)site;
	FILE *maps = fopen("/proc/self/maps", "re");
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &lo, &hi, &off) == 3 && lo <= at && at < hi)
			break;
	}
	fclose(maps);
	if (bpf_attach_uprobe(&c->at, c->prog, "/proc/self/exe", at - lo + off, getpid(), is_return, &diag))
		fail_msg("%s", said);
}

static void counter_close(struct counter *c)
{
	bpf_attachment_close(&c->at);
	munmap((void *)(uintptr_t)c->count, 4096);
	close(c->prog);
	close(c->map);
}

/* --- tests ---------------------------------------------------------------------------------------- */

static void choose(void **state)
{
	if (geteuid()) {
		if (getenv("CI") && !strcmp(getenv("CI"), "true"))
			fail_msg("under CI these tests must run as root");
		fprintf(stderr, "SKIP: needs root\n");
		skip();
	}
	bpf_uprobe_multi_known = -1;
	if (*(enum way *)*state == PERF) {
		bpf_uprobe_multi_known = 0;
	} else if (!bpf_uprobe_is_multi()) {
		fprintf(stderr, "SKIP: this kernel has no multi links for uprobes (Linux 6.10)\n");
		skip();
	}
}

static void *call(void *site)
{
	for (int i = 0; i < CALLS; i++)
		((site_fn *)(uintptr_t)site)();
	return NULL;
}

static void counts(void **state)
{
	static site_fn *const sites[] = {nop_site, push_site};

	choose(state);
	for (int i = 0; i < 4; i++) {
		site_fn *site = sites[i / 2];
		u8 before[8], *code = (u8 *)(uintptr_t)site;
		pthread_t th[THREADS];
		struct counter c;

		memcpy(before, code, 8);
		counter_open(&c);
		counter_attach(&c, site, i % 2);
		for (int t = 0; t < THREADS; t++)
			assert_int_equal(pthread_create(&th[t], NULL, call, (void *)(uintptr_t)site), 0);
		for (int t = 0; t < THREADS; t++)
			pthread_join(th[t], NULL);
		assert_int_equal(*c.count, THREADS * CALLS);
		assert_true(memcmp(before, code, 8));
		bpf_attachment_close(&c.at);
		assert_memory_equal(before, code, 8);
		site();
		assert_int_equal(*c.count, THREADS * CALLS);
		counter_close(&c);
	}
}

/* A forked child is not counted, and when the probe is gone its code is as it was. */
static void forked_child(void **state)
{
	const u8 *code = (const u8 *)(uintptr_t)push_site;
	int to[2], from[2], status;
	struct counter c;
	u8 before = code[0];
	pid_t pid;
	char x = 0;

	choose(state);
	assert_int_equal(pipe(to), 0);
	assert_int_equal(pipe(from), 0);
	counter_open(&c);
	counter_attach(&c, push_site, false);
	push_site();
	assert_int_equal(*c.count, 1);
	pid = fork();
	if (!pid) {
		/* The tracer's descriptors would keep the probe, which a child of a traced process has not. */
		close(c.at.link);
		close(c.at.perf);
		for (int i = 0; i < 100; i++)
			push_site();
		if (write(from[1], &x, 1) != 1 || read(to[0], &x, 1) != 1)
			_exit(3);
		push_site();
		_exit(code[0] == before ? 0 : 4);
	}
	assert_int_equal(read(from[0], &x, 1), 1);
	assert_int_equal(*c.count, 1);
	bpf_attachment_close(&c.at);
	assert_int_equal(write(to[1], &x, 1), 1);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	counter_close(&c);
	for (int i = 0; i < 2; i++) {
		close(to[i]);
		close(from[i]);
	}
}

static void no_such_process(void **state)
{
	struct bpf_attachment at;
	struct counter c;
	pid_t pid;

	choose(state);
	counter_open(&c);
	pid = fork();
	if (!pid)
		_exit(0);
	waitpid(pid, NULL, 0);
	assert_int_equal(bpf_attach_uprobe(&at, c.prog, "/proc/self/exe", 4096, pid, false, &diag), -ESRCH);
	assert_non_null(strstr(said, "has ended\n"));
	c.at = at;
	counter_close(&c);
}

static enum way ways[] = {PERF, MULTI};

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_prestate(counts, &ways[PERF]),
	    cmocka_unit_test_prestate(counts, &ways[MULTI]),
	    cmocka_unit_test_prestate(forked_child, &ways[PERF]),
	    cmocka_unit_test_prestate(forked_child, &ways[MULTI]),
	    cmocka_unit_test_prestate(no_such_process, &ways[PERF]),
	    cmocka_unit_test_prestate(no_such_process, &ways[MULTI]),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
