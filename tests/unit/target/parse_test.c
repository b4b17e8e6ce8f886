// SPDX-License-Identifier: Apache-2.0
/* The parsers of /proc text, on right, odd, cut and wrong input. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include <cmocka.h>

#include "target/target_impl.h"

static const char STATUS[] =
    "Name:\tState:\tZ\n" /* a name may say anything but a newline */
    "Umask:\t0022\nState:\tS (sleeping)\nTgid:\t77\nPid:\t77\nTracerPid:\t12\n"
    "Uid:\t1000\t0\t0\t0\nGid:\t1001\t0\t0\t0\nVmSize:\t   12 kB\nThreads:\t9\nSeccomp:\t2\n"
    "x86_Thread_features:\tshstk wrss\nx86_Thread_features_locked:\tshstk\n";

static void status_takes_all_fields(void **state)
{
	struct target_status st;
	bool kthread;

	assert_int_equal(parse_status(STATUS, &st, &kthread), 0);
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.tracer, 12);
	assert_int_equal(st.uid, 1000);
	assert_int_equal(st.gid, 1001);
	assert_int_equal(st.nthreads, 9);
	assert_int_equal(st.tgid, 77);
	assert_true(st.seccomp);
	assert_true(st.shadow_stack);
	assert_false(kthread);
}

static void status_shadow_stack_is_not_the_locked_line(void **state)
{
	struct target_status st;
	bool kthread;

	assert_int_equal(parse_status("State:\tR\nVmSize:\t1 kB\nx86_Thread_features:\t\n"
				      "x86_Thread_features_locked:\tshstk\nSeccomp:\t0\n",
				      &st, &kthread),
			 0);
	assert_false(st.shadow_stack);
	assert_false(st.seccomp);
}

static void status_kernel_thread_has_no_memory(void **state)
{
	struct target_status st;
	bool kthread;

	assert_int_equal(
	    parse_status("Name:\tkswapd0\nState:\tS (sleeping)\nPid:\t60\nPPid:\t2\nThreads:\t1\n", &st, &kthread),
	    0);
	assert_true(kthread);
	assert_int_equal(parse_status("Name:\tending\nState:\tR\nPid:\t60\nPPid:\t1\n", &st, &kthread), 0);
	assert_false(kthread);
	assert_int_equal(parse_status("Name:\tx\nState:\tZ (zombie)\n", &st, &kthread), 0);
	assert_false(kthread);
}

static void status_wrong_input(void **state)
{
	static const char *const wrong[] = {
	    "", "\n", "Name:\tx\n", "State:", "State:\t\n", "State:\t1\n", "xState:\tR\n"};
	struct target_status st;
	bool kthread;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(parse_status(wrong[i], &st, &kthread), -EINVAL);
	for (size_t n = 0; n < sizeof(STATUS); n++) { /* cut anywhere: an answer or -EINVAL */
		char *cut = strndup(STATUS, n);
		int ret = parse_status(cut, &st, &kthread);

		assert_true(ret == 0 || ret == -EINVAL);
		free(cut);
	}
}

static const char LINE[] = "7f00a000-7f00c000 r-xp 00001000 fd:02 4711                       /a b/lib (deleted)";

static void map_line_takes_all_fields(void **state)
{
	struct target_map m;

	assert_int_equal(parse_map_line(LINE, &m), 0);
	assert_int_equal(m.start, 0x7f00a000);
	assert_int_equal(m.end, 0x7f00c000);
	assert_int_equal(m.off, 0x1000);
	assert_int_equal(m.dev, makedev(0xfd, 2));
	assert_int_equal(m.ino, 4711);
	assert_string_equal(m.prot, "r-xp");
	assert_string_equal(m.path, "/a b/lib (deleted)");
}

static void map_line_anonymous(void **state)
{
	struct target_map m;

	assert_int_equal(parse_map_line("1000-2000 rw-p 00000000 00:00 0 ", &m), 0);
	assert_string_equal(m.path, "");
	assert_int_equal(parse_map_line("ffffffffff600000-ffffffffff601000 --xp 00000000 00:00 0 [vsyscall]", &m),
			 0);
	assert_string_equal(m.path, "[vsyscall]");
}

static void map_line_wrong_input(void **state)
{
	static const char *const wrong[] = {
	    "",
	    "-",
	    "1000",
	    "1000-",
	    "1000-2000",
	    "1000-2000 ",
	    "2000-1000 r-xp 0 0:0 0",
	    "1000-1000 r-xp 0 0:0 0",
	    "1000-2000 r-x",
	    "1000-2000 r-xpp 0 0:0 0",
	    "1000-2000 r-xp",
	    "1000-2000 r-xp x 0:0 0",
	    "1000-2000 r-xp 0 0 0",
	    "1000-2000 r-xp 0 0:0 ",
	    "11111111111111111-2 r-xp 0 0:0 0",
	    " 1000-2000 r-xp 0 0:0 0",
	};
	struct target_map m;

	for (size_t i = 0; i < ARRAY_SIZE(wrong); i++)
		assert_int_equal(parse_map_line(wrong[i], &m), -EINVAL);
	for (size_t n = 0; n < sizeof(LINE); n++) {
		char *cut = strndup(LINE, n);

		if (!parse_map_line(cut, &m))
			assert_in_range((uintptr_t)m.path, (uintptr_t)cut, (uintptr_t)cut + n);
		free(cut);
	}
}

static void tids(void **state)
{
	assert_int_equal(parse_tid("1"), 1);
	assert_int_equal(parse_tid("4194304"), 4194304);
	assert_int_equal(parse_tid("."), 0);
	assert_int_equal(parse_tid("0"), 0);
	assert_int_equal(parse_tid("-1"), 0);
	assert_int_equal(parse_tid("1x"), 0);
	assert_int_equal(parse_tid("99999999999999999999"), 0);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(status_takes_all_fields),
	    cmocka_unit_test(status_shadow_stack_is_not_the_locked_line),
	    cmocka_unit_test(status_kernel_thread_has_no_memory),
	    cmocka_unit_test(status_wrong_input),
	    cmocka_unit_test(map_line_takes_all_fields),
	    cmocka_unit_test(map_line_anonymous),
	    cmocka_unit_test(map_line_wrong_input),
	    cmocka_unit_test(tids),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
