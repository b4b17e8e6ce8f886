// SPDX-License-Identifier: Apache-2.0
/* Calls of real processes, counted by ptrace: armed, of all threads, those that come and go; children are left alone. */
#include "trace_help.h"

enum { N = 2000, THREADS = 20 };

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
	job_counted(&j, N);
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
	job_counted(&j, N);
	job_end(&j);
}

/* --- disarmed and armed again --- */

static void in_steps(struct job *j)
{
	job_ready(j);
	for (u32 step = 1; step <= 3; step++) {
		while (j->sh->go < step)
			;
		make_calls(100);
		syscall(SYS_getuid);
		make_calls(1);
		j->sh->done = step;
	}
}

static void arms_again(void **state)
{
	struct job j;

	job_start(&j, in_steps);
	j.seen.stop_after = SYS_getuid;
	job_trace_first(&j);
	for (u32 step = 1; step <= 3; step++) {
		job_trace_first(&j);
		j.sh->go = step;
		job_serve_until(&j, &j.sh->done, step);
		assert_int_equal(j.seen.leave[SYS_getuid], step);
	}
	assert_int_equal(job_serve(&j, 10000), 0);
	job_counted(&j, 300);
	assert_int_equal(j.seen.enter[SYS_exit_group], 0);
	job_end(&j);
}

/* --- a call that is our own --- */

/* A futex wait, and behind it the address that it returns to. */
static long own_call(u32 volatile *word, u32 value, u64 *after)
{
	long ret;

	__asm__ volatile("lea 1f(%%rip), %%r11\n\tmov %%r11, (%[after])\n\t"
			 "xor %%r10d, %%r10d\n\tsyscall\n1:"
			 : "=a"(ret)
			 : "a"(SYS_futex), "D"(word), "S"(0 /* FUTEX_WAIT */), "d"(value), [after] "r"(after)
			 : "rcx", "r10", "r11", "memory");
	return ret;
}

static void sleeps_in_own(struct job *j)
{
	u64 after;

	for (u32 step = 1; step <= 3; step++) {
		j->sh->ready = step;
		while (j->sh->go < step) {
			own_call(&j->sh->go, step - 1, &after);
			j->sh->count = after;
		}
		make_calls(10);
		j->sh->done = step;
	}
}

static void own_is_not_seen(void **state)
{
	struct job j;

	job_start(&j, sleeps_in_own);
	/* Once untraced, to learn the address. */
	j.sh->go = 1;
	syscall(SYS_futex, &j.sh->go, 1, 1, NULL);
	while (j.sh->ready < 2)
		usleep(100);
	target_trace_own(j.tr, j.t, j.sh->count);
	for (u32 step = 2; step <= 3; step++) {
		while (j.sh->ready < step)
			job_serve(&j, 1);
		usleep(20000); /* it sleeps in its futex */
		job_trace_first(&j);
		assert_int_equal(job_serve(&j, 20), -1);
		j.sh->go = step;
		syscall(SYS_futex, &j.sh->go, 1, 1, NULL);
		job_serve_until(&j, &j.sh->done, step);
	}
	assert_int_equal(job_serve(&j, 10000), 0);
	job_counted(&j, 20);
	assert_int_equal(j.seen.enter[SYS_futex], 0);
	assert_int_equal(j.seen.leave[SYS_futex], 0);
	job_end(&j);
}

/* --- threads --- */

static void many_threads(struct job *j)
{
	pthread_t v[THREADS];

	job_ready(j);
	for (int round = 0; round < 5; round++) {
		for (int i = 0; i < THREADS; i++)
			pthread_create(&v[i], NULL, thread_calls, NULL);
		for (int i = 0; i < THREADS; i++)
			pthread_join(v[i], NULL);
	}
}

static void counts_threads(void **state)
{
	struct job j;

	job_start(&j, many_threads);
	job_trace_all(&j);
	job_go(&j);
	assert_int_equal(job_serve(&j, 20000), 0);
	job_counted(&j, 5 * THREADS * 100);
	assert_int_equal(j.seen.ended, 5 * THREADS + 1);
	assert_int_equal(j.seen.enter[SYS_clone3] + j.seen.enter[SYS_clone], 5 * THREADS);
	/* Once in the parent, and once where the new thread begins, as the kernel's tracepoint has it. */
	assert_int_equal(j.seen.leave[SYS_clone3] + j.seen.leave[SYS_clone], 2 * 5 * THREADS);
	assert_int_equal(j.seen.enter[SYS_exit], 5 * THREADS);
	job_end(&j);
}

/* Seized and let go in the middle of it, again and again; each call and each thread as ever. */
static void comes_and_goes(void **state)
{
	struct job j;
	int status;

	job_start(&j, storm);
	for (int round = 0; round < 40; round++) {
		struct target_trace *tr = j.tr;

		job_trace_all(&j);
		assert_int_equal(job_serve(&j, 10), -1);
		target_trace_close(tr);
		assert_int_equal(tracer_of(j.pid), 0);
		job_open(&j);
	}
	assert_int_equal(j.seen.wrong, 0);
	job_trace_all(&j);
	job_serve(&j, 5);
	j.sh->done = 1;
	status = job_serve(&j, 10000);
	assert_true(WIFEXITED(status));
	assert_int_equal(WEXITSTATUS(status), 7);
	assert_int_equal(j.sh->value, 77);
	job_end(&j);
}

/* Each thread has its turn, however quick the others are. */
static void *thread_counts(void *arg)
{
	volatile u32 *count = arg;

	for (;;) {
		syscall(SYS_getppid);
		++*count;
	}
	return NULL;
}

static volatile u32 *counters(struct job *j)
{
	return (volatile u32 *)(j->sh + 1);
}

static void races(struct job *j)
{
	pthread_t t;

	for (int i = 0; i < 8; i++)
		pthread_create(&t, NULL, thread_counts, (void *)(uintptr_t)&counters(j)[i]);
	job_ready(j);
	for (;;)
		pause();
}

static void nobody_starves(void **state)
{
	struct job j;

	job_start(&j, races);
	job_trace_all(&j);
	for (int i = 0; i < 8; i++)
		counters(&j)[i] = 0;
	job_serve(&j, 1000);
	for (int i = 0; i < 8; i++)
		assert_true(counters(&j)[i] > 20);
	job_kill(&j);
}

/* Children of ours that are nothing to the trace, a zombie and a stopped one, stand before it in the kernel's list. */
static void others_do_not_matter(void **state)
{
	struct job j;
	siginfo_t si;
	pid_t zombie = fork(), stopped;

	if (!zombie)
		_exit(0);
	stopped = fork();
	if (!stopped)
		for (;;)
			pause();
	kill(stopped, SIGSTOP);
	job_start(&j, one_thread);
	job_trace_all(&j);
	job_go(&j);
	assert_int_equal(job_serve(&j, 10000), 0);
	job_counted(&j, N);
	assert_int_equal(waitid(P_PID, (id_t)stopped, &si, WSTOPPED | WNOHANG), 0);
	assert_int_equal(si.si_pid, stopped);
	kill(stopped, SIGKILL);
	assert_int_equal(waitpid(stopped, NULL, 0), stopped);
	assert_int_equal(waitpid(zombie, NULL, 0), zombie);
	job_end(&j);
}

/* --- children --- */

static void has_children(struct job *j)
{
	int status = 0;
	pid_t pid;

	job_ready(j);
	pid = fork();
	if (!pid) {
		make_calls(50);
		_exit(tracer_of(getpid()) != 0);
	}
	waitpid(pid, &status, 0);
	j->sh->value |= (u32)status;
	pid = vfork();
	if (!pid) {
		execl("/bin/sh", "sh", "-c", "grep -q '^TracerPid:.*\\b0$' /proc/self/status", NULL);
		_exit(9);
	}
	waitpid(pid, &status, 0);
	j->sh->value |= (u32)status;
	/* Neither a thread nor a fork. */
	pid = (pid_t)syscall(SYS_clone, SIGURG, 0, 0, 0, 0);
	if (!pid) {
		make_calls(50);
		usleep(20000);
		_exit(tracer_of(getpid()) != 0);
	}
	waitpid(pid, &status, __WALL);
	j->sh->value |= (u32)status;
	make_calls(10);
}

static void children_are_left_alone(void **state)
{
	struct job j;

	job_start(&j, has_children);
	job_trace_all(&j);
	job_go(&j);
	assert_int_equal(job_serve(&j, 10000), 0);
	assert_int_equal(j.sh->value, 0);
	job_counted(&j, 10);
	assert_int_equal(j.seen.enter[SYS_vfork], 1);
	assert_int_equal(j.seen.leave[SYS_vfork], 1);
	assert_int_equal(j.seen.ended, 1);
	job_end(&j);
}

/* --- a child that is held already --- */

static void adopts_a_held_child(void **state)
{
	struct job j;
	int status;

	job_start(&j, one_thread);
	assert_int_equal(ptrace(PTRACE_SEIZE, j.pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL), 0);
	assert_int_equal(ptrace(PTRACE_INTERRUPT, j.pid, 0, 0), 0);
	assert_int_equal(waitpid(j.pid, &status, __WALL), j.pid);
	job_go(&j);
	job_trace_all(&j);
	assert_int_equal(job_serve(&j, 10000), 0);
	job_counted(&j, N);
	job_end(&j);
}

static void reads_one(struct job *j)
{
	char c;

	job_ready(j);
	if (read(j->go[0], &c, 1) == 1)
		make_calls(N);
}

/* It is in a call, which ends without having begun; how the stop was held, waited for or not, does not matter. */
static void adopts_a_child_in_a_call(void **state)
{
	for (int round = 0; round < 2; round++) {
		struct job j;
		siginfo_t si;

		job_start(&j, reads_one);
		assert_int_equal(ptrace(PTRACE_SEIZE, j.pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL), 0);
		job_go(&j);
		while (state_of(j.pid) != 'S')
			usleep(1000);
		assert_int_equal(ptrace(PTRACE_INTERRUPT, j.pid, 0, 0), 0);
		assert_int_equal(waitid(P_PID, (id_t)j.pid, &si, WSTOPPED | __WALL | (round ? WNOWAIT : 0)), 0);
		job_trace_all(&j);
		job_serve(&j, 5);
		assert_int_equal(write(j.go[1], "x", 1), 1);
		assert_int_equal(job_serve(&j, 10000), 0);
		job_counted(&j, N);
		assert_int_equal(j.seen.enter[SYS_read], 0);
		assert_int_equal(j.seen.leave[SYS_read], 1);
		job_end(&j);
	}
}

static void says_who_traces(void **state)
{
	struct job j;
	struct target_trace *other;
	pid_t pid;
	int status;

	job_start(&j, one_thread);
	pid = fork();
	if (!pid) {
		alarm(20);
		ptrace(PTRACE_SEIZE, j.pid, 0, 0);
		j.sh->value = 1;
		pause();
	}
	while (!j.sh->value)
		usleep(100);
	assert_int_equal(target_trace_arm(j.tr, j.t, j.pid), -EBUSY);
	assert_int_equal(target_trace_all(j.tr, j.t, &quiet), -EBUSY);
	assert_non_null(strstr(told, " is traced by "));
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	assert_int_equal(target_trace_threads(j.tr), 0);
	job_kill(&j);
	assert_int_equal(target_trace_open(&other, NULL, NULL), 0);
	target_trace_close(other);
	target_trace_close(NULL);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(counts_all),
	    cmocka_unit_test(counts_armed),
	    cmocka_unit_test(arms_again),
	    cmocka_unit_test(own_is_not_seen),
	    cmocka_unit_test(counts_threads),
	    cmocka_unit_test(comes_and_goes),
	    cmocka_unit_test(nobody_starves),
	    cmocka_unit_test(others_do_not_matter),
	    cmocka_unit_test(children_are_left_alone),
	    cmocka_unit_test(adopts_a_held_child),
	    cmocka_unit_test(adopts_a_child_in_a_call),
	    cmocka_unit_test(says_who_traces),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
