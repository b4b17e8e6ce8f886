// SPDX-License-Identifier: Apache-2.0
/*
 * Seizing a thread of a process that is in an execve, which waits for a thread that we have seized before, have not
 * waited for, and cannot while the kernel makes the seizing wait for the execve (stop_watch.c).
 */
#include "trace_help.h"

enum { SEIZE_MS = 500, LOST_S = 20 };

struct tids {
	volatile u32 seized, execs, sleeps;
};

static struct tids *tids_of(struct job *j)
{
	return (struct tids *)(j->sh + 1);
}

static void *thread_seized(void *arg)
{
	tids_of(arg)->seized = (u32)gettid();
	for (;;)
		pause();
	return NULL;
}

static void *thread_sleeps(void *arg)
{
	tids_of(arg)->sleeps = (u32)gettid();
	for (;;)
		pause();
	return NULL;
}

static void *thread_execs(void *arg)
{
	struct job *j = arg;

	tids_of(j)->execs = (u32)gettid();
	while (!j->sh->go)
		;
	execl("/bin/sh", "sh", "-c", "sleep 0.3; exit 5", NULL);
	_exit(99);
}

static void execs(struct job *j)
{
	struct tids *t = tids_of(j);
	pthread_t thread;

	pthread_create(&thread, NULL, thread_seized, j);
	pthread_create(&thread, NULL, thread_execs, j);
	pthread_create(&thread, NULL, thread_sleeps, j);
	while (!t->seized || !t->execs || !t->sleeps)
		usleep(100);
	j->sh->ready = 1;
	for (;;)
		pause();
}

/* Up to where the execve waits for us. */
static void exec_begin(struct job *j)
{
	alarm(LOST_S); /* what hangs cannot fail */
	job_start(j, execs);
	assert_int_equal(target_trace_arm(j->tr, j->t, (pid_t)tids_of(j)->seized), 0);
	job_go(j);
	while (state_of((pid_t)tids_of(j)->seized) != 'Z')
		usleep(100);
	usleep(2000);
	assert_int_equal(state_of((pid_t)tids_of(j)->seized), 'Z');
}

static void exec_end(struct job *j, u64 begin)
{
	int status;

	assert_true(now_ns() - begin < SEIZE_MS * 1000000ull);
	status = job_serve(j, 500);
	assert_int_equal(j->seen.ended_tid == (pid_t)tids_of(j)->seized || j->seen.ended > 1, 1);
	assert_int_equal(target_trace_threads(j->tr), 0);
	if (status != -1)
		assert_int_equal(status, 5 << 8);
	assert_int_equal(job_end(j), 5 << 8);
	alarm(0);
}

static void seize_the_first(void **state)
{
	struct job j;
	u64 begin;

	exec_begin(&j);
	begin = now_ns();
	assert_int_equal(target_trace_arm(j.tr, j.t, j.pid), 0); /* by now it is another thread */
	assert_int_equal(tracer_of(j.pid), gettid());
	exec_end(&j, begin);
}

static void seize_another(void **state)
{
	struct job j;
	u64 begin;

	exec_begin(&j);
	begin = now_ns();
	assert_int_equal(target_trace_arm(j.tr, j.t, (pid_t)tids_of(&j)->sleeps), -ESRCH);
	exec_end(&j, begin);
}

static void seize_who_execs(void **state)
{
	struct job j;
	u64 begin;
	int ret;

	exec_begin(&j);
	begin = now_ns();
	ret = target_trace_arm(j.tr, j.t, (pid_t)tids_of(&j)->execs);
	/* The execve may be faster: then there is no thread of that name any more. */
	assert_int_equal(ret, tracer_of(j.pid) ? 0 : -ESRCH);
	assert_int_equal(target_trace_threads(j.tr), ret ? 0 : 1);
	assert_true(!j.seen.former ||
		    j.seen.former == (pid_t)tids_of(&j)->execs); /* it may be past telling of it */
	assert_int_equal(j.seen.ended, 1);
	exec_end(&j, begin);
}

static void stop_who_execs(void **state)
{
	struct target_stop s;
	struct job j;
	u64 begin;

	exec_begin(&j);
	begin = now_ns();
	assert_int_equal(target_stop(j.t, (pid_t)tids_of(&j)->execs, 100, &s), -ESRCH);
	assert_int_equal(tracer_of(j.pid), 0);
	exec_end(&j, begin);
}

static void seize_all(void **state)
{
	struct job j;
	u64 begin;

	exec_begin(&j);
	begin = now_ns();
	assert_int_equal(target_trace_all(j.tr, j.t, &quiet), 0);
	assert_int_equal(tracer_of(j.pid), gettid());
	exec_end(&j, begin);
}

static void stop_one(void **state)
{
	struct target_stop s;
	struct job j;
	u64 begin;

	exec_begin(&j);
	begin = now_ns();
	assert_int_equal(target_stop(j.t, j.pid, 100, &s), 0);
	assert_int_equal(target_stop_end(&s), 0);
	exec_end(&j, begin);
}

/* What has ended beside it stays to be waited for by who knows of it. */
static void children_stay(void **state)
{
	pid_t child = fork();
	siginfo_t si;
	int status;

	if (!child)
		_exit(9);
	assert_int_equal(waitid(P_PID, (id_t)child, &si, WEXITED | WNOWAIT), 0);
	seize_the_first(state);
	assert_int_equal(waitpid(child, &status, 0), child);
	assert_int_equal(status, 9 << 8);
}

static void on_signal(int sig)
{
}

/* Nothing of the watch is left. */
static void signals_stay(void **state)
{
	struct sigaction sa = {.sa_handler = on_signal}, now;
	sigset_t mask, after;

	sigfillset(&mask);
	sigdelset(&mask, SIGALRM);
	sigprocmask(SIG_BLOCK, &mask, NULL);
	sigprocmask(SIG_BLOCK, NULL, &mask);
	sigaction(SIGRTMAX, &sa, NULL);
	seize_the_first(state);
	sigaction(SIGRTMAX, NULL, &now);
	assert_ptr_equal(now.sa_handler, on_signal);
	sigprocmask(SIG_BLOCK, NULL, &after);
	for (int sig = 1; sig <= SIGRTMAX; sig++)
		assert_int_equal(sigismember(&mask, sig), sigismember(&after, sig));
	sigpending(&after);
	assert_int_equal(sigismember(&after, SIGRTMAX), 0);
	sigemptyset(&mask);
	sigprocmask(SIG_SETMASK, &mask, NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(seize_the_first), cmocka_unit_test(seize_another),   cmocka_unit_test(seize_all),
	    cmocka_unit_test(stop_one),        cmocka_unit_test(seize_who_execs), cmocka_unit_test(stop_who_execs),
	    cmocka_unit_test(children_stay),   cmocka_unit_test(signals_stay),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
