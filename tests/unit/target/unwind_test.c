// SPDX-License-Identifier: Apache-2.0
/* Call frame information that is known, and the calls of a process of our own. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "../../fuzz/cfi_image.h"
#include "target/cfi_impl.h"

enum { BASE = 0x10000000 };

static int read_image(void *arg, u64 addr, void *dst, size_t n)
{
	struct cfi_image *im = arg;

	if (addr < BASE || addr - BASE > CFI_IMAGE || n > CFI_IMAGE - (addr - BASE))
		return -EFAULT;
	memcpy(dst, im->bytes + (addr - BASE), n);
	return 0;
}

/* The rows of tests/fuzz/cfi_image.h, before and after each instruction that changes something. */
static void rows(void **state)
{
	static const struct {
		u32 function, offset, cfa_reg;
		s64 cfa_off;
		u32 saved; /* besides the return address */
	} cases[] = {
	    {0, 0, CFI_RSP, 8, 0},
	    {0, 1, CFI_RSP, 16, 1u << CFI_RBX},
	    {0, 4, CFI_RSP, 16, 1u << CFI_RBX},
	    {0, 5, CFI_RSP, 0x30, 1u << CFI_RBX},
	    {0, CFI_FUNCTION - 1, CFI_RSP, 0x30, 1u << CFI_RBX},
	    {1, 0, CFI_RSP, 8, 0},
	    {1, 1, CFI_RSP, 16, 1u << CFI_RBP},
	    {1, 4, CFI_RBP, 16, 1u << CFI_RBP},
	    {1, 0x13, CFI_RBP, 16, 1u << CFI_RBP},
	    {1, 0x14, CFI_RSP, 8, 0},
	    {1, 0x15, CFI_RBP, 16, 1u << CFI_RBP},
	};
	struct cfi_image im;
	struct elf_source src = {read_image, &im};
	struct cfi_row row;

	cfi_image_make(&im);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		u64 start = BASE + CFI_CODE + cases[i].function * CFI_FUNCTION;

		if (cfi_find(&src, BASE, start + cases[i].offset, &row) || row.start != start ||
		    row.end != start + CFI_FUNCTION || row.cfa_reg != cases[i].cfa_reg ||
		    row.cfa_off != cases[i].cfa_off || row.saved != (cases[i].saved | 1u << CFI_RA) ||
		    row.off[CFI_RA] != -8 || row.undefined || row.signal)
			fail_msg("function %u, offset %#x: register %u + %lld, saved %#x", cases[i].function,
				 cases[i].offset, row.cfa_reg, (long long)row.cfa_off, row.saved);
	}
	assert_int_equal(cfi_find(&src, BASE, BASE + CFI_CODE + 2 * CFI_FUNCTION, &row), 0);
	assert_int_equal(row.undefined, 1u << CFI_RA);
	assert_int_equal(cfi_find(&src, BASE, BASE + CFI_CODE - 1, &row), -ENOENT);
	assert_int_equal(cfi_find(&src, BASE, BASE + CFI_CODE + 3 * CFI_FUNCTION, &row), -ENOENT);
	im.bytes[CFI_ENTRIES + 4 + 4 + 1] = 'x'; /* an augmentation that nobody has */
	assert_int_equal(cfi_find(&src, BASE, BASE + CFI_CODE, &row), -ENOTSUP);
}

#define DEEP __attribute__((noinline))
static int ready[2];
static volatile int zero;

DEEP static int innermost(int n)
{
	while (write(ready[1], "", 1) == 1)
		pause();
	return n + zero;
}

/* A frame of a size that is known only when it runs: rbp is needed to find its caller. */
DEEP static int middle(int n)
{
	volatile char *room = __builtin_alloca((size_t)n * 100);

	room[0] = 1;
	return innermost(n + room[0]) + room[0];
}

DEEP static int outer(int n)
{
	return middle(n + 1) + zero;
}

static pid_t child_start(void)
{
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (!pid) {
		alarm(60);
		_exit(outer(3));
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	return pid;
}

/* How many of the frames from the innermost on were found, in their order, and how the walk ended. */
static unsigned walk(struct target_unwind *u, const u64 *functions, unsigned n, int *end)
{
	unsigned found = 0;
	int ret, frames = 0;

	while ((ret = target_unwind_next(u)) == 1 && frames++ < 100)
		if (found < n && u->function == functions[found])
			found++;
	*end = ret;
	return found;
}

static void calls_of_a_child(void **state)
{
	const u64 functions[] = {(u64)innermost, (u64)middle, (u64)outer};
	pid_t pid = child_start();
	struct target_unwind u;
	struct target_call call;
	struct target_maps maps;
	struct target_stop s;
	struct target *t;
	struct diag diag = {0};
	unsigned found;
	int end;

	assert_int_equal(target_open(&t, pid, &diag), 0);
	while (target_thread_call(t, pid, &call) || call.nr < 0)
		usleep(100);
	assert_int_equal(target_maps_read(t, &maps), 0);

	/* Without a stop rbp is not known, unless a function further in has saved it: the walk may end early, never wrong. */
	target_unwind_begin_asleep(&u, t, &maps, &call);
	found = walk(&u, functions, 3, &end);
	assert_true(end == -EAGAIN || (end == 0 && found == 3));

	assert_int_equal(target_stop(t, pid, 1000, &s), 0);
	target_unwind_begin(&u, t, &maps, &s.regs);
	assert_int_equal(walk(&u, functions, 3, &end), 3);
	assert_int_equal(end, 0);
	assert_int_equal(target_stop_end(&s), 0);
	target_maps_free(&maps);
	target_close(t);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* Code as compilers make it for the end of a function, what it takes from a stack of numbered words, and what comes of it. */
static const struct way {
	const char *code;
	u32 size;
	int ret;
	u32 words;    /* of the stack that are gone then; the last of them is the return address */
	s32 rbx, rbp; /* the word that is in it then; -1: as before */
} ways[] = {
#define CODE(text) text, sizeof(text) - 1
    {CODE("\xc3"), 1, 1, -1, -1},
    {CODE("\x48\x83\xc4\x18\x5b\x5d\xc3"), 1, 6, 3, 4},       /* add $0x18,%rsp; pop %rbx; pop %rbp; ret */
    {CODE("\x48\x81\xc4\x18\x00\x00\x00\xc3"), 1, 4, -1, -1}, /* the same with four bytes */
    {CODE("\x48\x83\xec\x08\x6a\x00\xe8\x00\x00\x00\x00\x59\x5e\xc3"), 1, 1, -1, -1}, /* a call with an argument */
    {CODE("\x75\x01\xc3\x5b\xc3"), 1, 1, -1, -1},                                     /* jne over the ret */
    {CODE("\x0f\x85\x01\x00\x00\x00\xc3\x5b\xc3"), 1, 1, -1, -1},                     /* the same, far */
    {CODE("\xeb\x02\x0f\x0b\x5b\xc3"), 1, 2, 0, -1},                                  /* jmp over ud2 */
    {CODE("\xe9\x02\x00\x00\x00\x0f\x0b\xc3"), 1, 1, -1, -1},                         /* the same, far */
    {CODE("\x48\x8d\x64\x24\x20\xc3"), 1, 5, -1, -1},                                 /* lea 0x20(%rsp),%rsp */
    {CODE("\x48\x8b\x5c\x24\x08\x48\x83\xc4\x10\xc3"), 1, 3, 1, -1}, /* mov 8(%rsp),%rbx; add $0x10,%rsp */
    {CODE("\xc9\xc3"), 1, 6, -1, 4},                                 /* leave: rbp is at word 4 */
    {CODE("\x48\x89\xec\x5d\xc3"), 1, 6, -1, 4},                     /* mov %rbp,%rsp; pop %rbp */
    {CODE("\x0f\x05\x48\x63\xf8\x3d\xda\xff\xff\xff\x66\x0f\x1f\x44\x00\x00\xc3"), 1, 1, -1, -1},
    {CODE("\x64\x48\x8b\x04\x25\x28\x00\x00\x00\x48\x85\xc0\xc3"), 1, 1, -1, -1},     /* mov %fs:0x28,%rax */
    {CODE("\x48\xb8\xc3\xc3\xc3\xc3\xc3\xc3\xc3\xc3\x5b\xc3"), 1, 2, 0, -1},          /* movabs */
    {CODE("\x66\xc7\x00\xc3\xc3\xc7\x40\x08\xc3\xc3\xc3\xc3\x5b\xc3"), 1, 2, 0, -1},  /* movw, movl to memory */
    {CODE("\xf7\xc1\xc3\xc3\xc3\xc3\xf6\xc1\xc3\xf7\xd9\xc3"), 1, 1, -1, -1},         /* test, test, neg */
    {CODE("\x8b\x05\xc3\xc3\xc3\xc3\x8b\x04\x85\xc3\xc3\xc3\xc3\xc3"), 1, 1, -1, -1}, /* of rip; of a table */
    {CODE("\xf0\x0f\xb1\x0a\x87\x02\x0f\xb6\xc0\x0f\x94\xc0\xc3"), 1, 1, -1, -1},
    {CODE("\x0f\x0b"), -ENOTSUP, 0, -1, -1},             /* ud2 */
    {CODE("\xff\xe0"), -ENOTSUP, 0, -1, -1},             /* jmp *%rax */
    {CODE("\x48\x89\xc4\xc3"), -ENOTSUP, 0, -1, -1},     /* mov %rax,%rsp */
    {CODE("\x48\x83\xe4\xf0\xc3"), -ENOTSUP, 0, -1, -1}, /* and $-16,%rsp */
    {CODE("\xc5\xf8\x77\xc3"), -ENOTSUP, 0, -1, -1},     /* vzeroupper */
    {CODE("\xeb\xfe"), -ENOEXEC, 0, -1, -1},             /* for ever */
    {CODE("\x48\x83\xec\x10\xc3"), -ENOEXEC, 0, -1, -1}, /* the stack has grown */
#undef CODE
};

enum { WORDS = 16, FIRST_WORD = 4 };
static u8 way_code[ARRAY_SIZE(ways)][64];
static u64 way_stack[WORDS];

static void check_way(struct target *t, size_t n)
{
	const struct way *w = &ways[n];
	u64 *sp = &way_stack[FIRST_WORD];
	struct target_unwind u = {
	    .t = t, .pc = (u64)way_code[n], .sp = (u64)sp, .known = 1u << CFI_RSP | 1u << CFI_RBP};
	int ret;

	u.reg[CFI_RBP] = (u64)&sp[4];
	ret = unwind_code(&u);
	if (ret != w->ret)
		fail_msg("way %zu: %d", n, ret);
	if (ret != 1) {
		assert_int_equal(u.pc, way_code[n]);
		assert_int_equal(u.sp, sp);
		return;
	}
	if (u.sp != (u64)&sp[w->words] || u.pc != sp[w->words - 1] || !u.called)
		fail_msg("way %zu: %lld words, to word %llu", n, (long long)(u.sp - (u64)sp) / 8,
			 (unsigned long long)u.pc);
	if (w->rbx >= 0 ? u.reg[CFI_RBX] != sp[w->rbx] || !(u.known >> CFI_RBX & 1) : u.known >> CFI_RBX & 1)
		fail_msg("way %zu: rbx is %llu", n, (unsigned long long)u.reg[CFI_RBX]);
	if (u.reg[CFI_RBP] != (w->rbp >= 0 ? sp[w->rbp] : (u64)&sp[4]))
		fail_msg("way %zu: rbp is %llu", n, (unsigned long long)u.reg[CFI_RBP]);
}

/* It is read out of a child that has the same memory. */
static void code_alone(void **state)
{
	struct diag diag = {0};
	struct target *t;
	pid_t pid;

	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		memcpy(way_code[i], ways[i].code, ways[i].size);
	for (u64 i = 0; i < WORDS; i++)
		way_stack[i] = 1000 + i;
	pid = fork();
	if (!pid) {
		alarm(60);
		pause();
		_exit(0);
	}
	assert_int_equal(target_open(&t, pid, &diag), 0);
	for (size_t i = 0; i < ARRAY_SIZE(ways); i++)
		check_way(t, i);
	target_close(t);
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(calls_of_a_child),
					   cmocka_unit_test(code_alone)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
