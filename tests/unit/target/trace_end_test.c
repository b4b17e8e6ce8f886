// SPDX-License-Identifier: Apache-2.0
/* Traced processes that exec, exit and are killed: every thread ends once, nothing is left. */
#include "trace_help.h"

static void exec_self(void)
{
	execl("/bin/sh", "sh", "-c", "exit 5", NULL);
	_exit(99);
}

static void *thread_storm_forever(void *arg)
{
	for (;;)
		make_calls(1);
	return NULL;
}

static void main_execs(struct job *j)
{
	job_ready(j);
	exec_self();
}

static void *thread_execs(void *arg)
{
	exec_self();
	return NULL;
}

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void other_execs(struct job *j)
{
	pthread_t t;

	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, sleeper, NULL);
	job_ready(j);
	pthread_create(&t, NULL, thread_execs, NULL);
	sleeper(NULL);
}

static void check_exec(void (*work)(struct job *), u32 ended)
{
	struct job j;
	int status;

	job_start(&j, work);
	job_trace_all(&j);
	job_go(&j);
	status = job_serve(&j, 10000);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 5);
	assert_int_equal(j.seen.execed, 1);
	assert_int_equal(j.seen.enter[SYS_execve], 1);
	assert_int_equal(j.seen.leave[SYS_execve], 1);
	assert_int_equal(j.seen.ret[SYS_execve], 0);
	assert_int_equal(j.seen.ended, ended);
	assert_true(j.seen.enter[SYS_exit_group] == 1);
	if (ended == 1)
		assert_int_equal(j.seen.former, j.pid);
	else
		assert_int_not_equal(j.seen.former, j.pid);
	assert_string_equal(target_comm(j.t), "sh");
	assert_int_equal(target_trace_threads(j.tr), 0);
	job_end(&j);
}

static void exec_of_main(void **state)
{
	check_exec(main_execs, 1);
}

static void exec_of_another(void **state)
{
	check_exec(other_execs, 5);
}

/* Only the thread that calls execve is known, then only the first one. */
static void *thread_execs_later(void *arg)
{
	struct job *j = arg;

	j->sh->value = (u32)gettid();
	while (!j->sh->go)
		;
	exec_self();
	return NULL;
}

static void other_execs_later(struct job *j)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_execs_later, j);
	while (!j->sh->value)
		;
	j->sh->ready = 1;
	sleeper(NULL);
}

static void exec_of_one_armed(void **state)
{
	struct job j;

	job_start(&j, other_execs_later);
	assert_int_equal(target_trace_arm(j.tr, j.t, (pid_t)j.sh->value), 0);
	job_go(&j);
	assert_int_equal(job_serve(&j, 10000), 5 << 8);
	assert_int_equal(j.seen.former, j.sh->value);
	assert_int_equal(j.seen.leave[SYS_execve], 1);
	assert_int_equal(j.seen.ended, 1);
	job_end(&j);
}

/* Only the first thread is known, and the one that takes its place is not ours: it is let go of at once. */
static void *thread_execs_sleep(void *arg)
{
	struct job *j = arg;

	while (!j->sh->go)
		;
	execl("/bin/sleep", "sleep", "5", NULL);
	return NULL;
}

static void other_execs_sleep(struct job *j)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_execs_sleep, j);
	j->sh->ready = 1;
	sleeper(NULL);
}

static void exec_of_one_unarmed(void **state)
{
	struct job j;
	u64 begin;

	job_start(&j, other_execs_sleep);
	job_trace_first(&j);
	job_go(&j);
	for (begin = now_ns(); tracer_of(j.pid) && now_ns() - begin < 5000000000ull;)
		job_serve(&j, 1);
	assert_int_equal(tracer_of(j.pid), 0);
	begin = now_ns();
	target_trace_close(j.tr);
	assert_true(now_ns() - begin < 1000000000);
	assert_int_equal(j.seen.ended, 1);
	job_open(&j);
	job_kill(&j);
}

/* This program again and again, each time from another thread than the first. */
static void exec_again(int left)
{
	char text[16];

	snprintf(text, sizeof(text), "%d", left);
	execl("/proc/self/exe", "trace_test", "--exec", text, NULL);
	_exit(99);
}

static int left_execs;

static void *thread_execs_again(void *arg)
{
	exec_again(left_execs - 1);
	return NULL;
}

static int execed(int left)
{
	pthread_t t;

	if (!left)
		return 5;
	left_execs = left;
	for (int i = 0; i < 3; i++)
		pthread_create(&t, NULL, i & 1 ? thread_storm_forever : sleeper, NULL);
	pthread_create(&t, NULL, thread_execs_again, NULL);
	sleeper(NULL);
	return 1;
}

static void execs_often(struct job *j)
{
	job_ready(j);
	exec_again(j->sh->value ? (int)j->sh->value : 100);
}

static void exec_again_and_again(void **state)
{
	struct job j;

	job_start(&j, execs_often);
	job_trace_all(&j);
	job_go(&j);
	assert_int_equal(job_serve(&j, 20000), 5 << 8);
	assert_int_equal(j.seen.execed, 101);
	assert_int_equal(j.seen.leave[SYS_execve], 101);
	assert_int_equal(target_trace_threads(j.tr), 0);
	assert_int_equal(j.seen.wrong, 0);
	job_end(&j);
}

/* Seized and let go at any moment of it. */
static void exec_comes_and_goes(void **state)
{
	struct job j;
	int status = -1;

	job_start(&j, execs_often);
	j.sh->value = 400;
	job_go(&j);
	while (status == -1 && state_of(j.pid) != 'Z') {
		target_trace_all(j.tr, j.t, &quiet); /* it may just end */
		status = job_serve(&j, (u32)rand() % 8);
		if (status == -1) {
			target_trace_close(j.tr);
			if (state_of(j.pid) != 'Z')
				assert_int_equal(tracer_of(j.pid), 0);
			job_open(&j);
		}
	}
	assert_int_equal(job_end(&j), 5 << 8);
}

/* --- ends --- */

static void *thread_exits(void *arg)
{
	struct job *j = arg;

	while (!j->sh->done)
		;
	exit(3);
}

static void exits_elsewhere(struct job *j)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_exits, j);
	pthread_create(&t, NULL, sleeper, j);
	job_ready(j);
	pthread_exit(NULL); /* the first thread is a zombie for a while */
}

static void exit_of_a_process(void **state)
{
	struct job j;

	job_start(&j, exits_elsewhere);
	job_go(&j);
	while (state_of(j.pid) != 'Z')
		usleep(1000);
	job_trace_all(&j);
	j.sh->done = 1;
	while (target_trace_threads(j.tr))
		job_serve(&j, 1);
	assert_int_equal(j.seen.ended, 2);
	assert_int_equal(j.seen.enter[SYS_exit_group], 1);
	assert_int_equal(job_end(&j), 3 << 8);
}

static void kill_while_stopped(void **state)
{
	for (int round = 0; round < 10; round++) {
		struct job j;
		int status;

		job_start(&j, storm);
		job_trace_all(&j);
		job_serve(&j, 3);
		usleep(2000); /* by now all stand in stops */
		kill(j.pid, SIGKILL);
		status = job_serve(&j, 5000);
		assert_true(WIFSIGNALED(status));
		assert_int_equal(WTERMSIG(status), SIGKILL);
		assert_int_equal(target_trace_threads(j.tr), 0);
		assert_int_equal(j.seen.wrong, 0);
		job_end(&j);
	}
}

/* --- the tracer is killed --- */

/* All calls of the process, until we are killed; the trace ends and begins again meanwhile. */
static void tracer_run(struct job *j)
{
	for (u32 n = 0;; n++) {
		if (n % 500 == 0) {
			target_trace_close(j->tr);
			job_open(j);
			if (target_trace_all(j->tr, j->t, &quiet))
				usleep(100);
		}
		if (!target_trace_poll(j->tr))
			usleep(10);
	}
}

static void kill_tracers(struct job *j, u32 kills)
{
	for (; kills && state_of(j->pid) != 'Z'; kills--) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid) {
			tracer_run(j);
			_exit(1);
		}
		usleep((u32)rand() % 20000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		if (state_of(j->pid) != 'Z')
			assert_int_equal(tracer_of(j->pid), 0);
	}
}

static void tracer_dies_in_execs(void **state)
{
	struct job j;

	job_start(&j, execs_often);
	j.sh->value = 1000;
	job_go(&j);
	kill_tracers(&j, 100);
	assert_int_equal(job_end(&j), 5 << 8);
}

static void tracer_dies_among_threads(void **state)
{
	struct job j;

	job_start(&j, storm);
	kill_tracers(&j, 100);
	j.sh->done = 1;
	assert_int_equal(job_end(&j), 7 << 8);
}

/*
 * Of two that have stopped by the same time, one ends: the other is not left for a signal to tell of, which has come already.
 * The kernel shows first who was seized last, but for a child.
 */
static void *thread_exits_at_once(void *arg)
{
	struct job *j = arg;

	j->sh->value = (u32)gettid();
	while (!j->sh->go)
		;
	syscall(SYS_exit, 0);
	return NULL;
}

static void *thread_calls_once(void *arg)
{
	struct job *j = arg;

	j->sh->loops = (u32)gettid();
	while (!j->sh->done)
		;
	make_calls(1);
	syscall(SYS_exit_group, 0);
	return NULL;
}

static void one_of_two_exits(struct job *j)
{
	pthread_t t;

	pthread_create(&t, NULL, thread_exits_at_once, j);
	pthread_create(&t, NULL, thread_calls_once, j);
	while (!j->sh->value || !j->sh->loops)
		;
	j->sh->ready = 1;
	sleeper(NULL);
}

static void last_but_one_ends(void **state)
{
	pid_t exits, calls;
	struct job j;

	job_start(&j, one_of_two_exits);
	exits = (pid_t)j.sh->value;
	calls = (pid_t)j.sh->loops;
	assert_int_equal(target_trace_arm(j.tr, j.t, calls), 0);
	assert_int_equal(target_trace_arm(j.tr, j.t, exits), 0);
	job_go(&j);
	while (!j.seen.enter[SYS_exit])
		target_trace_poll(j.tr);
	while (state_of(exits) != 'Z')
		usleep(100);
	j.sh->done = 1;
	while (state_of(calls) != 't')
		usleep(100);
	target_trace_poll(j.tr);
	assert_int_equal(j.seen.ended, 1);
	assert_int_equal(j.seen.enter[SYS_getppid], 1);
	job_serve(&j, 50);
	job_end(&j);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(last_but_one_ends),         cmocka_unit_test(exec_of_main),
	    cmocka_unit_test(exec_of_another),           cmocka_unit_test(exec_of_one_armed),
	    cmocka_unit_test(exec_of_one_unarmed),       cmocka_unit_test(exec_again_and_again),
	    cmocka_unit_test(exec_comes_and_goes),       cmocka_unit_test(exit_of_a_process),
	    cmocka_unit_test(kill_while_stopped),        cmocka_unit_test(tracer_dies_in_execs),
	    cmocka_unit_test(tracer_dies_among_threads),
	};

	if (argc > 2 && !strcmp(argv[1], "--exec"))
		return execed(atoi(argv[2]));
	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
