// SPDX-License-Identifier: Apache-2.0
/* Threads that do not stop when they are asked to, and processes that end before they are: neither holds anything up. */
#include "trace_help.h"

enum { JOBS = 10, SHORT = 500000000 };

static void waits_for_vfork(struct job *j)
{
	job_ready(j);
	if (!vfork()) {
		j->sh->value = 1;
		while (!j->sh->done)
			usleep(1000);
		_exit(0);
	}
	make_calls(10);
}

/* Into the vfork: the parent cannot be stopped while its child has its memory. */
static void job_stuck(struct job *j)
{
	job_start(j, waits_for_vfork);
	job_go(j);
	while (!j->sh->value)
		usleep(100);
}

static void arms_one_that_is_stuck(void **state)
{
	struct job j;
	u64 begin;

	job_stuck(&j);
	begin = now_ns();
	job_trace_first(&j);
	job_trace_first(&j);
	assert_true(now_ns() - begin < SHORT);
	assert_int_equal(target_trace_threads(j.tr), 1);
	j.sh->done = 1;
	assert_int_equal(job_serve(&j, 5000), 0);
	job_counted(&j, 10);
	assert_int_equal(j.seen.enter[SYS_vfork], 0);
	job_end(&j);
}

/* Disarmed, and armed again when it is stuck. */
static void arms_again_while_stuck(void **state)
{
	struct job j;

	job_start(&j, waits_for_vfork);
	j.seen.stop = true;
	job_trace_first(&j);
	job_go(&j);
	job_serve_until(&j, &j.sh->value, 1);
	j.seen.stop = false;
	job_trace_first(&j);
	j.sh->done = 1;
	assert_int_equal(job_serve(&j, 5000), 0);
	job_counted(&j, 10);
	assert_int_equal(j.seen.leave[SYS_vfork], 1);
	job_end(&j);
}

static void many_that_are_stuck(void **state)
{
	struct job j[JOBS];
	u64 begin;

	for (int i = 0; i < JOBS; i++)
		job_stuck(&j[i]);
	begin = now_ns();
	for (int i = 0; i < JOBS; i++)
		assert_int_equal(target_trace_all(j[0].tr, j[i].t, &quiet), 0);
	assert_true(now_ns() - begin < 2 * SHORT);
	assert_int_equal(target_trace_threads(j[0].tr), JOBS);
	for (int i = 0; i < JOBS; i++)
		j[i].sh->done = 1;
	for (begin = now_ns(); target_trace_threads(j[0].tr) && now_ns() - begin < 10ull * SHORT;)
		job_serve(&j[0], 1);
	job_counted(&j[0], 10 * JOBS);
	assert_int_equal(j[0].seen.ended, JOBS);
	for (int i = JOBS; i--;)
		assert_int_equal(job_end(&j[i]), 0);
}

/* Between its being found and now. */
static void all_of_one_that_has_ended(void **state)
{
	struct job j;

	job_start(&j, waits_for_vfork);
	told[0] = 0;
	kill(j.pid, SIGKILL);
	while (state_of(j.pid) != 'Z')
		usleep(100);
	assert_int_equal(target_trace_all(j.tr, j.t, &quiet), -ESRCH);
	assert_int_equal(target_trace_arm(j.tr, j.t, j.pid), -ESRCH);
	waitpid(j.pid, NULL, 0);
	assert_int_equal(target_trace_all(j.tr, j.t, &quiet), -ESRCH);
	assert_int_equal(target_trace_arm(j.tr, j.t, j.pid), -ESRCH);
	assert_int_equal(target_trace_threads(j.tr), 0);
	assert_string_equal(told, "");
	target_trace_close(j.tr);
	target_close(j.t);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arms_one_that_is_stuck),
	    cmocka_unit_test(arms_again_while_stuck),
	    cmocka_unit_test(many_that_are_stuck),
	    cmocka_unit_test(all_of_one_that_has_ended),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
