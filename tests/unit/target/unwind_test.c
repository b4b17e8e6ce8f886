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

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows), cmocka_unit_test(calls_of_a_child)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
