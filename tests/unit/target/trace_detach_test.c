// SPDX-License-Identifier: Apache-2.0
/* What is left behind in a traced process by the end of a trace, and by the death of its tracer: nothing. */
#include "trace_help.h"

enum { KILLS = 100 };

static struct job *mine; /* the workload's */

static void counts_signals(int sig, siginfo_t *si, void *context)
{
	/* Two threads take them, in any order. */
	if (si->si_code == SI_QUEUE)
		__atomic_fetch_add(&mine->sh->value, (u32)si->si_value.sival_int, __ATOMIC_RELAXED);
	__atomic_fetch_add(&mine->sh->signals, 1, __ATOMIC_RELAXED);
}

static void handle_signals(struct job *j, int flags)
{
	struct sigaction sa = {.sa_sigaction = counts_signals, .sa_flags = SA_SIGINFO | flags};

	mine = j;
	sigaction(SIGRTMIN, &sa, NULL);
}

static void send(struct job *j, u32 value)
{
	union sigval v = {.sival_int = (int)value};

	assert_int_equal(sigqueue(j->pid, SIGRTMIN, v), 0);
}

/* --- asleep --- */

static void reads(struct job *j)
{
	char c[100];

	job_ready(j);
	do {
		j->sh->ret = read(j->go[0], c, sizeof(c));
		if (j->sh->ret > 0)
			j->sh->count += (u64)j->sh->ret;
		else
			j->sh->breaks++;
		j->sh->loops++;
	} while (j->sh->ret > 0 && c[j->sh->ret - 1] != 'q');
}

static void asleep_in_read(void **state)
{
	struct job j;

	job_start(&j, reads);
	job_go(&j);
	for (u32 i = 0; i < 20; i++) {
		if (i & 1)
			job_trace_all(&j);
		else
			job_trace_first(&j);
		job_serve(&j, 5);
		if (i & 2)
			assert_int_equal(write(j.go[1], "x", 1), 1);
		target_trace_close(j.tr);
		assert_int_equal(tracer_of(j.pid), 0);
		job_open(&j);
	}
	assert_int_equal(write(j.go[1], "q", 1), 1);
	while (!j.sh->count || state_of(j.pid) != 'Z')
		usleep(1000);
	assert_int_equal(j.sh->count, 11);
	assert_int_equal(j.sh->breaks, 0);
	assert_int_equal(job_end(&j), 0);
}

static void in_a_group_stop(void **state)
{
	struct job j;

	job_start(&j, reads);
	job_trace_all(&j);
	job_go(&j);
	job_serve(&j, 5);
	kill(j.pid, SIGSTOP);
	job_serve(&j, 10);
	assert_int_equal(state_of(j.pid), 't');
	target_trace_close(j.tr);
	usleep(5000);
	assert_int_equal(tracer_of(j.pid), 0);
	assert_int_equal(state_of(j.pid), 'T');
	job_open(&j);
	kill(j.pid, SIGCONT);
	assert_int_equal(write(j.go[1], "q", 1), 1);
	while (state_of(j.pid) != 'Z')
		usleep(1000);
	assert_int_equal(j.sh->loops, 1);
	assert_int_equal(j.sh->count, 1);
	job_end(&j);
}

/* --- in the middle of everything --- */

/* Calls whose results tell whether one was lost or made twice, in two threads, while signals come. */
static void *pipes(void *arg)
{
	struct job *j = arg;
	int p[2];
	u32 got, n = 0;

	if (pipe(p))
		return NULL;
	while (!j->sh->done) {
		n++;
		if (write(p[1], &n, sizeof(n)) != sizeof(n) || read(p[0], &got, sizeof(got)) != sizeof(got) ||
		    got != n)
			__atomic_fetch_add(&j->sh->breaks, 1, __ATOMIC_RELAXED);
		__atomic_fetch_add(&j->sh->loops, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void storms(struct job *j)
{
	pthread_t t;

	handle_signals(j, SA_RESTART);
	pthread_create(&t, NULL, pipes, j);
	job_ready(j);
	pipes(j);
	pthread_join(t, NULL);
}

static void assert_unharmed(struct job *j, u32 sent)
{
	u64 deadline = now_ns() + 5000000000ull;
	u32 loops = j->sh->loops;

	while ((j->sh->signals < sent || j->sh->loops < loops + 100) && now_ns() < deadline)
		usleep(1000);
	assert_int_equal(j->sh->signals, sent);
	assert_int_equal(j->sh->value, sent * (sent - 1) / 2); /* each arrived intact */
	assert_int_equal(j->sh->breaks, 0);
	assert_int_equal(tracer_of(j->pid), 0);
	j->sh->done = 1;
	while (state_of(j->pid) != 'Z' && now_ns() < deadline)
		usleep(1000);
	assert_int_equal(state_of(j->pid), 'Z');
	assert_int_equal(job_end(j), 0);
}

static void in_a_storm(void **state)
{
	struct job j;
	u32 sent = 0;

	job_start(&j, storms);
	job_go(&j);
	for (int i = 0; i < 100; i++) {
		if (i & 1)
			job_trace_all(&j);
		else
			job_trace_first(&j);
		for (int n = 0; n < 5; n++) {
			send(&j, sent++);
			job_serve(&j, 1);
		}
		for (int n = 0; n < 3; n++) /* the last are on their way */
			send(&j, sent++);
		target_trace_close(j.tr);
		assert_int_equal(tracer_of(j.pid), 0);
		job_open(&j);
	}
	assert_int_equal(j.seen.wrong, 0);
	assert_unharmed(&j, sent);
}

/* A tracer of its own that dies at an instant that it does not choose. */
static void tracer_run(struct job *j, bool all)
{
	if (!all)
		job_trace_first(j);
	else
		job_trace_all(j);
	for (u32 n = 0;; n++) {
		if (!target_trace_poll(j->tr))
			usleep(10);
		if (n % 64 == 63) {
			target_trace_close(j->tr);
			job_open(j);
			job_trace_all(j);
		}
	}
}

static void tracer_is_killed(void **state)
{
	struct job j;
	u32 sent = 0;

	job_start(&j, storms);
	job_go(&j);
	for (int i = 0; i < KILLS; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid) {
			tracer_run(&j, i & 1);
			_exit(1);
		}
		for (u32 us = (u32)rand() % 30000 + 1000; us > 500; us -= us > 1000 ? 1000 : 500) {
			send(&j, sent++);
			usleep(us > 1000 ? 1000 : us);
		}
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
	}
	assert_unharmed(&j, sent);
}

/* The same while others stop and continue the process. */
static void tracer_is_killed_in_a_stop(void **state)
{
	struct job j;
	u32 sent = 0;

	job_start(&j, storms);
	job_go(&j);
	for (int i = 0; i < KILLS / 4; i++) {
		pid_t pid = fork();

		assert_true(pid >= 0);
		if (!pid) {
			tracer_run(&j, i & 1);
			_exit(1);
		}
		usleep((u32)rand() % 10000);
		kill(j.pid, SIGSTOP);
		send(&j, sent++);
		usleep((u32)rand() % 3000);
		kill(pid, SIGKILL);
		waitpid(pid, NULL, 0);
		for (int n = 0; n < 5000 && state_of(j.pid) != 'T'; n++)
			usleep(1000);
		assert_int_equal(state_of(j.pid), 'T');
		kill(j.pid, SIGCONT);
	}
	assert_unharmed(&j, sent);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(asleep_in_read),
	    cmocka_unit_test(in_a_group_stop),
	    cmocka_unit_test(in_a_storm),
	    cmocka_unit_test(tracer_is_killed),
	    cmocka_unit_test(tracer_is_killed_in_a_stop),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	srand((unsigned)now_ns());
	return cmocka_run_group_tests(tests, NULL, NULL);
}
