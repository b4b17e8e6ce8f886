// SPDX-License-Identifier: Apache-2.0
/*
 * The stub run in a thread of a child that computes with all registers: nothing that the thread had may change, errno
 * and signal mask included. Checks the code itself too: it is copied, so it must not reach outside of itself.
 */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include <cmocka.h>

#include "python/python_impl.h"

static void is_small_and_holds_no_data(void **state)
{
	assert_true(python_stub_size() < 3072); /* the tail of a mapping has to have room for it */
	assert_true((size_t)(stub_code_enter - __start_pydtrace_stub) < python_stub_size());
	assert_int_equal((uintptr_t)stub_code_enter % 16, (uintptr_t)__start_pydtrace_stub % 16);
}

/* A child that adds integers and doubles in registers and below its stack pointer, for ever; it ends when a sum is wrong. */
static void compute(volatile char *warm)
{
	for (;;) {
		volatile double v[16];
		double sum = 0;
		u64 n = 0;

		errno = 0;
		for (int i = 0; i < 16; i++)
			v[i] = i;
		for (int k = 0; k < 1000; k++)
			for (int i = 0; i < 16; i++) {
				sum += v[i] * 0.5;
				n = n * 3 + (u64)i;
				n ^= n >> 7;
			}
		static u64 first_n;

		if (!first_n)
			first_n = n;
		if (sum != 60000.0 || n != first_n || errno)
			_exit(1);
		*warm =
		    1; /* the loader has bound what this calls: no more deep calls that would overwrite the frame */
	}
}

/* The stub has come to its end: its frame says so as long as nothing else has used that part of the stack. */
static void stub_ran(struct python *p)
{
	s32 step = 0;

	for (int i = 0; i < 5000 && step != 1; i++) {
		usleep(200);
		assert_int_equal(
		    target_read(p->t, p->target_frame + offsetof(struct stub_frame, step), &step, sizeof(step)), 0);
	}
	assert_int_equal(step, 1);
}

static void leaves_the_thread_as_it_was(void **state)
{
	struct diag diag = {0};
	struct target_stop s;
	struct python p = {.page_fd = -1, .agent_fd = -1, .dir_fd = -1};
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		alarm(60);
		compute((char *)code + 4095);
	}
	while (!*((volatile char *)code + 4095))
		usleep(1000);
	assert_int_equal(target_open(&p.t, pid, &diag), 0);
	assert_int_equal(target_maps_read(p.t, &p.maps), 0);
	p.code = (u64)(uintptr_t)code;
	for (int i = 0; i < 300; i++) {
		assert_int_equal(target_stop(p.t, pid, 5000, &s), 0);
		/* the shortest job: a frame that names nothing to unmap */
		assert_int_equal(python_shot(&p, &s, STUB_UNMAP), 0);
		assert_int_equal(target_stop_end(&s), 0);
		stub_ran(&p);
		assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	}
	usleep(20000);
	assert_int_equal(waitpid(pid, &status, WNOHANG), 0);
	kill(pid, SIGKILL);
	waitpid(pid, &status, 0);
	target_maps_free(&p.maps);
	target_close(p.t);
	munmap(code, 4096);
}

/* The kernel makes an interrupted call again; a sleep must neither be cut short nor begin anew. */
static void sleeps_as_long_as_it_would(void **state)
{
	struct diag diag = {0};
	struct target_stop s;
	struct python p = {.page_fd = -1, .agent_fd = -1, .dir_fd = -1};
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	int status;
	u64 start = now_ns();
	pid_t pid = fork();

	if (pid == 0) {
		struct timespec ts = {0, 400000000};

		_exit(nanosleep(&ts, NULL) ? 1 : 0);
	}
	assert_int_equal(target_open(&p.t, pid, &diag), 0);
	assert_int_equal(target_maps_read(p.t, &p.maps), 0);
	p.code = (u64)(uintptr_t)code;
	for (int i = 0; i < 10; i++) {
		usleep(20000);
		assert_int_equal(target_stop(p.t, pid, 5000, &s), 0);
		assert_int_equal(python_shot(&p, &s, STUB_UNMAP), 0);
		assert_int_equal(target_stop_end(&s), 0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	start = now_ns() - start;
	assert_int_equal(status, 0);
	assert_true(start >= 400000000);
	assert_true(start <
		    700000000 + 400000000); /* the machine may be busy, but 10 new beginnings would be longer */
	target_maps_free(&p.maps);
	target_close(p.t);
	munmap(code, 4096);
}

static void nothing(int sig)
{
}

/* A signal at the moment of the shot ends the call that it would have ended. */
static void interrupted_call_stays_interrupted(void **state)
{
	struct diag diag = {0};
	struct target_stop s;
	void *code = mmap(NULL, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_SHARED | MAP_ANONYMOUS, -1, 0);

	for (int restart = 0; restart < 2; restart++) {
		struct python p = {.page_fd = -1, .agent_fd = -1, .dir_fd = -1};
		int pipefd[2], status;
		pid_t pid;

		assert_int_equal(pipe(pipefd), 0);
		pid = fork();
		if (pid == 0) {
			struct sigaction sa = {.sa_handler = nothing, .sa_flags = restart ? SA_RESTART : 0};
			char c;

			alarm(60);
			sigaction(SIGUSR1, &sa, NULL);
			_exit(read(pipefd[0], &c, 1) < 0 ? (errno == EINTR ? 3 : 1) : 2);
		}
		usleep(50000);
		assert_int_equal(target_open(&p.t, pid, &diag), 0);
		assert_int_equal(target_maps_read(p.t, &p.maps), 0);
		p.code = (u64)(uintptr_t)code;
		assert_int_equal(target_stop(p.t, pid, 5000, &s), 0);
		assert_int_equal(python_shot(&p, &s, STUB_UNMAP), 0);
		kill(pid, SIGUSR1);
		assert_int_equal(target_stop_end(&s), 0);
		usleep(50000);
		assert_int_equal(write(pipefd[1], "x", 1), 1);
		assert_int_equal(waitpid(pid, &status, 0), pid);
		assert_int_equal(WEXITSTATUS(status), restart ? 2 : 3);
		close(pipefd[0]);
		close(pipefd[1]);
		target_maps_free(&p.maps);
		target_close(p.t);
	}
	munmap(code, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_small_and_holds_no_data),
	    cmocka_unit_test(leaves_the_thread_as_it_was),
	    cmocka_unit_test(sleeps_as_long_as_it_would),
	    cmocka_unit_test(interrupted_call_stays_interrupted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
