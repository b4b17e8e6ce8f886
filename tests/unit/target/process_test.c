// SPDX-License-Identifier: Apache-2.0
/* On processes of our own: memory, maps, threads, and a stop that leaves no trace. */
#include <errno.h>
#include <fcntl.h>
#include <linux/sched.h>
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "target/target_impl.h"

static char told[512];

static void sink(void *arg, enum diag_level level, const char *text)
{
	snprintf(told, sizeof(told), "%s", text);
}
static struct diag diag = {.sink = sink};

static char word[32] = "a word to be read";

static void *sleeper(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static void on_usr1(int sig)
{
	_exit(42);
}

/* A child with two threads that sleeps. */
static pid_t child_start(void)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		pthread_t t;

		alarm(60);
		signal(SIGUSR1, on_usr1);
		pthread_create(&t, NULL, sleeper, NULL);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
		_exit(1);
	}
	close(ready[1]);
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	return pid;
}

static void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

static void reads_and_writes(void **state)
{
	pid_t pid = child_start();
	struct target_maps maps;
	struct target *t;
	char got[32], page[4096];
	u64 code = (u64)(uintptr_t)reads_and_writes & ~4095ull;

	assert_int_equal(target_open(&t, pid, &diag), 0);
	assert_int_equal(target_read_string(t, (u64)(uintptr_t)word, got, sizeof(got)), 0);
	assert_string_equal(got, word);
	assert_int_equal(target_read_string(t, (u64)(uintptr_t)word, got, 5), 0);
	assert_string_equal(got, "a wo");
	assert_int_equal(target_write(t, (u64)(uintptr_t)word, "A", 1), 0);
	assert_int_equal(target_read(t, (u64)(uintptr_t)word, got, 1), 0);
	assert_int_equal(got[0], 'A');
	assert_int_equal(word[0], 'a');
	assert_int_equal(target_read(t, code, page, sizeof(page)), 0);
	assert_int_equal(target_write(t, code, page, sizeof(page)), 0); /* a read-only mapping */
	assert_int_equal(target_read(t, 8, got, 1), -EFAULT);
	assert_int_equal(target_read_string(t, 8, got, sizeof(got)), -EFAULT);
	assert_int_equal(target_maps_read(t, &maps), 0);
	assert_true(maps.n > 5);
	target_maps_free(&maps);
	child_end(pid);
	assert_int_equal(target_maps_read(t, &maps), -ESRCH);
	target_close(t);
}

/* Until a thread sleeps in pause(), on a machine however busy. */
static void wait_pause(struct target *t, pid_t tid)
{
	struct target_call c = {.nr = -1};

	for (int i = 0; i < 10000 && (target_thread_call(t, tid, &c) || c.nr != SYS_pause); i++)
		usleep(1000);
	assert_int_equal(c.nr, SYS_pause);
}

static void stops_and_lets_go(void **state)
{
	pid_t pid = child_start(), *tids;
	struct target_status st;
	struct target_stop s;
	struct target *t;
	size_t n;

	assert_int_equal(target_open(&t, pid, &diag), 0);
	assert_int_equal(target_threads(t, &tids, &n), 0);
	assert_int_equal(n, 2);
	for (size_t i = 0; i < n; i++) {
		wait_pause(t, tids[i]);
		assert_int_equal(target_stop(t, tids[i], 5000, &s), 0);
		assert_int_equal((s64)s.regs.orig_rax, SYS_pause);
		assert_int_equal((s64)s.regs.rax, -514); /* ERESTARTNOHAND */
		assert_int_equal(target_stop_end(&s), 0);
	}
	wait_pause(t, pid);
	assert_int_equal(target_status(t, &st), 0);
	assert_int_equal(st.state, 'S');
	assert_int_equal(st.tracer, 0);
	free(tids);
	child_end(pid);
	assert_int_equal(target_stop(t, pid, 1000, &s), -ESRCH);
	target_close(t);
}

/* A signal that comes at the time of the stop is not lost. */
static void passes_signals_on(void **state)
{
	pid_t pid = child_start();
	struct target_stop s;
	struct target *t;
	int status;

	assert_int_equal(target_open(&t, pid, &diag), 0);
	assert_int_equal(target_stop(t, pid, 5000, &s), 0);
	syscall(SYS_tgkill, pid, pid, SIGUSR1); /* to the stopped thread, not to whichever is free */
	assert_int_equal(target_stop_end(&s), 0);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFEXITED(status) && WEXITSTATUS(status) == 42);
	target_close(t);
}

static void refuses_with_a_line(void **state)
{
	struct target_stop s;
	struct target *t;
	char want[256];
	pid_t pid;

	assert_int_equal(target_open(&t, 0, &diag), -ESRCH);
	assert_string_equal(told, "pydtrace: no process with pid 0\n");
	assert_int_equal(target_open(&t, 2147483647, &diag), -ESRCH);
	assert_string_equal(told, "pydtrace: no process with pid 2147483647\n");
	assert_int_equal(target_open(&t, 2, &diag) < 0, 1);
	pid = fork();
	if (pid == 0)
		_exit(0);
	usleep(100000);
	assert_int_equal(target_open(&t, pid, &diag), -ESRCH);
	snprintf(want, sizeof(want),
		 "pydtrace: process %d (%s) is a zombie: it has ended and waits for its parent\n", pid,
		 "target_process_");
	assert_string_equal(told, want);
	waitpid(pid, NULL, 0);
	pid = child_start();
	assert_int_equal(target_open(&t, pid, &diag), 0);
	kill(pid, SIGSTOP);
	usleep(50000);
	assert_int_equal(target_stop(t, pid, 1000, &s), -EAGAIN);
	usleep(20000);
	struct target_status st;
	assert_int_equal(target_status(t, &st), 0);
	assert_int_equal(st.state, 'T'); /* still */
	child_end(pid);
	target_close(t);
}

/* No descriptor is left: an error like any other. */
static void reads_without_descriptors(void **state)
{
	struct target_maps maps;
	struct rlimit was, none;
	struct target *t;
	pid_t pid = child_start();
	char *text;

	assert_int_equal(target_open(&t, pid, &diag), 0);
	assert_int_equal(getrlimit(RLIMIT_NOFILE, &was), 0);
	none = (struct rlimit){.rlim_cur = 0, .rlim_max = was.rlim_max};
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &none), 0);
	text = (char *)1;
	assert_int_equal(target_proc_read(pid, "maps", &text, NULL), -EMFILE);
	assert_null(text);
	assert_int_equal(target_maps_read(t, &maps), -EMFILE);
	assert_null(maps.v);
	assert_int_equal(setrlimit(RLIMIT_NOFILE, &was), 0);
	child_end(pid);
	target_close(t);
}

/* A child that gets this number, which is free. -1: it cannot be chosen here. */
static pid_t child_with(pid_t number)
{
	struct clone_args args = {.exit_signal = SIGCHLD, .set_tid = (u64)(uintptr_t)&number, .set_tid_size = 1};
	pid_t pid = (pid_t)syscall(SYS_clone3, &args, sizeof(args));

	if (!pid) {
		alarm(60);
		for (;;)
			pause();
	}
	return pid;
}

/* Another process has the number of the one that was opened: it is never meant. */
static void a_number_that_is_used_again(void **state)
{
	struct target_maps maps;
	struct target_status st;
	struct target_call call;
	struct target_stop s;
	struct target *t, *second;
	pid_t pid = child_start(), *tids, again;
	char *text, word_of_it[8];
	size_t n;

	assert_int_equal(target_open(&t, pid, &diag), 0);
	child_end(pid);
	again = child_with(pid);
	if (again < 0) {
		target_close(t);
		skip(); /* not root, or a kernel before 5.5 */
	}
	assert_int_equal(again, pid);
	assert_int_equal(target_open(&second, pid, &diag), 0);
	assert_int_equal(target_status(t, &st), -ESRCH);
	assert_int_equal(target_maps_read(t, &maps), -ESRCH);
	assert_int_equal(target_threads(t, &tids, &n), -ESRCH);
	assert_int_equal(target_file_read(t, "comm", &text, NULL), -ESRCH);
	assert_int_equal(target_thread_call(t, pid, &call), -ESRCH);
	assert_int_equal(target_proc_open(t, "fd", O_RDONLY | O_DIRECTORY), -ESRCH);
	assert_int_equal(target_read(t, (u64)(uintptr_t)word, word_of_it, 4), -ESRCH);
	assert_int_equal(target_reopen(t), -ESRCH);
	assert_int_equal(target_stop(t, pid, 5000, &s), -ESRCH);
	assert_int_equal(target_status(second, &st), 0);
	assert_int_equal(st.tracer, 0);
	assert_int_equal(target_maps_read(second, &maps), 0);
	target_maps_free(&maps);
	child_end(pid);
	target_close(t);
	target_close(second);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(reads_and_writes),          cmocka_unit_test(stops_and_lets_go),
	    cmocka_unit_test(passes_signals_on),         cmocka_unit_test(refuses_with_a_line),
	    cmocka_unit_test(reads_without_descriptors), cmocka_unit_test(a_number_that_is_used_again),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
