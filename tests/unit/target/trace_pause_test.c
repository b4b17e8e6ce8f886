// SPDX-License-Identifier: Apache-2.0
/* A trace that is paused, as before its tracer is stopped: nobody is held meanwhile, and all are met again after. */
#include "trace_help.h"

enum { CALLS_EACH = 100, ROUNDS = 30 };

static void in_steps(struct job *j)
{
	job_ready(j);
	for (u32 step = 1; step <= 3; step++) {
		while (j->sh->go < step)
			;
		make_calls(CALLS_EACH);
		j->sh->done = step;
	}
}

static void resume_all(struct job *j)
{
	target_trace_resume(j->tr);
	job_trace_all(j);
}

/* Nobody polls meanwhile. */
static void goes_on_alone(struct job *j, volatile u32 *word, u32 value)
{
	u64 deadline = now_ns() + 10000000000ull;

	while (*word < value && now_ns() < deadline)
		usleep(100);
	assert_int_equal(*word, value);
}

static void is_not_seen_meanwhile(void **state)
{
	struct job j;

	job_start(&j, in_steps);
	job_trace_all(&j);
	j.sh->go = 1;
	job_serve_until(&j, &j.sh->done, 1);
	assert_true(target_trace_pause(j.tr));
	assert_int_equal(tracer_of(j.pid), 0);
	assert_int_equal(target_trace_threads(j.tr), 0);
	assert_int_equal(j.seen.ended, 1);
	j.sh->go = 2;
	goes_on_alone(&j, &j.sh->done, 2);
	resume_all(&j);
	assert_int_equal(tracer_of(j.pid), gettid());
	j.sh->go = 3;
	assert_int_equal(job_serve(&j, 10000), 0);
	job_counted(&j, 2 * CALLS_EACH);
	assert_int_equal(j.seen.ended, 2);
	job_end(&j);
}

/* In the middle of everything: threads that begin and end, and calls. */
static void storm_that_is_paused(void **state)
{
	struct job j;

	job_start(&j, storm);
	job_trace_all(&j);
	for (int i = 0; i < ROUNDS; i++) {
		u64 before, deadline = now_ns() + 10000000000ull;

		job_serve(&j, 2);
		assert_true(target_trace_pause(j.tr));
		before = j.sh->count;
		while (j.sh->count < before + 100 && now_ns() < deadline)
			usleep(100);
		assert_true(j.sh->count >= before + 100);
		resume_all(&j);
	}
	j.sh->done = 1;
	assert_int_equal(job_serve(&j, 10000), 7 << 8);
	assert_int_equal(j.sh->value, 77);
	assert_int_equal(j.seen.wrong, 0);
	job_end(&j);
}

static void waits_for_vfork(struct job *j)
{
	job_ready(j);
	make_calls(1);
	if (!vfork()) {
		j->sh->value = 1;
		while (!j->sh->done)
			usleep(1000);
		_exit(0);
	}
	make_calls(CALLS_EACH);
	j->sh->value = 2;
	while (j->sh->go < 2)
		;
	make_calls(CALLS_EACH);
}

/* Into the vfork, and paused: the parent cannot be let go while its child has its memory. */
static void job_stuck(struct job *j)
{
	job_start(j, waits_for_vfork);
	job_trace_all(j);
	job_go(j);
	job_serve_until(j, &j->sh->value, 1);
	assert_int_equal(j->seen.enter[SYS_vfork], 1);
	assert_false(target_trace_pause(j->tr));
	assert_int_equal(target_trace_threads(j->tr), 1);
	assert_int_equal(j->seen.ended, 0); /* the ops gave it no data, so there was nothing to be told of */
}

static void stuck_one_is_let_go_later(void **state)
{
	u64 deadline = now_ns() + 10000000000ull;
	struct job j;

	job_stuck(&j);
	j.sh->done = 1;
	while (!target_trace_pause(j.tr))
		assert_true(now_ns() < deadline);
	assert_int_equal(tracer_of(j.pid), 0);
	goes_on_alone(&j, &j.sh->value, 2);
	resume_all(&j);
	j.sh->go = 2;
	assert_int_equal(job_serve(&j, 10000), 0);
	job_counted(&j, 1 + CALLS_EACH);
	assert_int_equal(j.seen.leave[SYS_vfork], 0);
	job_end(&j);
}

/* What is resumed before is met at the next stop. Its vfork, of which nothing is known any more, ends without having begun. */
static void stuck_one_is_met_again(void **state)
{
	struct job j;

	job_stuck(&j);
	resume_all(&j);
	assert_int_equal(target_trace_threads(j.tr), 1);
	j.sh->done = 1;
	job_serve_until(&j, &j.sh->value, 2);
	j.sh->go = 2;
	assert_int_equal(job_serve(&j, 10000), 0);
	job_counted(&j, 1 + 2 * CALLS_EACH);
	assert_int_equal(j.seen.ended, 1);
	job_end(&j);
}

/* One that is stopped by a signal stays so, also while it is paused. */
static void in_a_group_stop(void **state)
{
	struct job j;

	job_start(&j, in_steps);
	job_trace_all(&j);
	j.sh->go = 1;
	job_serve_until(&j, &j.sh->done, 1);
	kill(j.pid, SIGSTOP);
	job_serve(&j, 20);
	assert_true(target_trace_pause(j.tr));
	usleep(5000);
	assert_int_equal(tracer_of(j.pid), 0);
	assert_int_equal(state_of(j.pid), 'T');
	resume_all(&j);
	j.sh->go = 3;
	job_serve(&j, 20);
	assert_int_equal(j.sh->done, 1);
	kill(j.pid, SIGCONT);
	assert_int_equal(job_serve(&j, 10000), 0);
	job_counted(&j, 3 * CALLS_EACH);
	job_end(&j);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_not_seen_meanwhile),     cmocka_unit_test(storm_that_is_paused),
	    cmocka_unit_test(stuck_one_is_let_go_later), cmocka_unit_test(stuck_one_is_met_again),
	    cmocka_unit_test(in_a_group_stop),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
