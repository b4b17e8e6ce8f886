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
#include <unistd.h>

#include <cmocka.h>

#include "python/python_impl.h"

static void is_small_and_holds_no_data(void **state)
{
	assert_true(python_stub_size() < 2048);
	assert_true(stub_code_enter >= __start_pydtrace_stub && stub_code_enter < __stop_pydtrace_stub);
	assert_int_equal((uintptr_t)stub_code_enter % 16, (uintptr_t)__start_pydtrace_stub % 16);
}

/* A child that adds integers and doubles in registers and below its stack pointer, for ever; it ends when a sum is wrong. */
static void compute(void)
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
	}
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
		compute();
	}
	assert_int_equal(target_open(&p.t, pid, &diag), 0);
	assert_int_equal(target_maps_read(p.t, &p.maps), 0);
	p.code = (u64)(uintptr_t)code;
	for (int i = 0; i < 300; i++) {
		assert_int_equal(target_stop(p.t, pid, 5000, &s), 0);
		/* the shortest job: a frame that names nothing to unmap */
		assert_int_equal(python_shot(&p, &s, STUB_UNMAP), 0);
		assert_int_equal(target_stop_end(&s), 0);
		usleep(200);
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
	u64 start = python_now_ns();
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
	start = python_now_ns() - start;
	assert_int_equal(status, 0);
	assert_true(start >= 400000000);
	assert_true(start <
		    700000000 + 400000000); /* the machine may be busy, but 10 new beginnings would be longer */
	target_maps_free(&p.maps);
	target_close(p.t);
	munmap(code, 4096);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(is_small_and_holds_no_data),
	    cmocka_unit_test(leaves_the_thread_as_it_was),
	    cmocka_unit_test(sleeps_as_long_as_it_would),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
