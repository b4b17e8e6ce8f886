// SPDX-License-Identifier: Apache-2.0
/* Calls of real processes, counted by ptrace: threads that come and go, exec, exit. */
#include <sched.h>

#include "trace_help.h"

enum { N = 2000 };

static void make_calls(u32 n)
{
	while (n--)
		syscall(SYS_getppid);
}

static void one_thread(struct job *j)
{
	job_ready(j);
	make_calls(N);
}

static void counts_all(void **state)
{
	struct job j;

	job_start(&j, one_thread);
	job_trace_all(&j);
	assert_int_equal(target_trace_threads(j.tr), 1);
	job_go(&j);
	assert_int_equal(job_serve(&j, 10000), 0);
	assert_int_equal(j.seen.enter[SYS_getppid], N);
	assert_int_equal(j.seen.leave[SYS_getppid], N);
	assert_int_equal(j.seen.ret[SYS_getppid], getpid());
	assert_int_equal(j.seen.enter[SYS_exit_group], 1);
	assert_int_equal(j.seen.leave[SYS_exit_group], 0);
	assert_int_equal(j.seen.ended, 1);
	assert_int_equal(target_trace_threads(j.tr), 0);
	job_end(&j);
}

static void counts_armed(void **state)
{
	struct job j;

	job_start(&j, one_thread);
	job_trace_first(&j);
	job_trace_first(&j);
	job_go(&j);
	assert_int_equal(job_serve(&j, 10000), 0);
	assert_int_equal(j.seen.enter[SYS_getppid], N);
	assert_int_equal(j.seen.leave[SYS_getppid], N);
	job_end(&j);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_all),
	    cmocka_unit_test(counts_armed),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
