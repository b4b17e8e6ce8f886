// SPDX-License-Identifier: Apache-2.0
/*
 * A thread gets the stub to run only in the memory that the stub was written to. A process that has made an exec has another
 * one; the old one can be kept alive by a process that shares it (clone(CLONE_VM)), and writing there still works then.
 */
#include <errno.h>
#include <sched.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/personality.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "python/python_impl.h"

static const char *self;

static int keeper(void *arg)
{
	alarm(60);
	for (;;)
		pause();
	return 0;
}

static volatile sig_atomic_t told;

static void on_signal(int sig)
{
	told = 1;
}

/* The target: its memory gets a keeper; at a signal it makes an exec, in which its stack is where it was. */
static int target_main(void)
{
	char *stack = mmap(NULL, 65536, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	pid_t pid = clone(keeper, stack + 65536, CLONE_VM | SIGCHLD, NULL);

	signal(SIGUSR1, on_signal);
	if (pid > 0 && dprintf(1, "%d\n", pid) > 0)
		while (!told)
			usleep(1000);
	execl(self, self, "after", NULL);
	return 1;
}

static int after_main(void)
{
	signal(SIGUSR2, SIG_DFL);
	alarm(60);
	if (write(1, "\n", 1) == 1)
		for (;;)
			pause();
	return 1;
}

static void read_line(int fd, char *line, size_t size)
{
	size_t n = 0;

	while (n < size - 1 && read(fd, line + n, 1) == 1 && line[n] != '\n')
		n++;
	line[n] = 0;
}

static void another_memory(void **state)
{
	struct python p = {.cookie = 0x123456789abcdef0, .page_fd = -1, .agent_fd = -1, .dir_fd = -1};
	struct diag diag = {0};
	struct target_stop s;
	char line[32];
	int out[2], status;
	pid_t pid, kept;

	assert_int_equal(pipe(out), 0);
	pid = fork();
	if (!pid) {
		dup2(out[1], 1);
		personality(ADDR_NO_RANDOMIZE);
		execl(self, self, "target", NULL);
		_exit(1);
	}
	read_line(out[0], line, sizeof(line));
	kept = atoi(line);
	assert_true(kept > 0);
	assert_int_equal(target_open(&p.t, pid, &diag), 0);
	assert_int_equal(python_stub_place(&p), 0);

	kill(pid, SIGUSR1);
	read_line(out[0], line, sizeof(line)); /* the exec is done */
	assert_int_equal(target_stop(p.t, pid, 1000, &s), 0);
	assert_int_equal(target_write(p.t, s.regs.rsp - 4096, "x", 1), 0); /* into the memory that it had */
	assert_int_equal(python_shot(&p, &s, STUB_UNMAP), -ESRCH);
	assert_int_equal(target_stop_end(&s), 0);

	/* It goes on, and dies of nothing but what we send. */
	kill(pid, SIGUSR2);
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGUSR2);
	kill(kept, SIGKILL);
	target_maps_free(&p.maps);
	target_close(p.t);
	close(out[0]);
	close(out[1]);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(another_memory)};

	self = "/proc/self/exe";
	if (argc > 1)
		return strcmp(argv[1], "target") ? after_main() : target_main();
	return cmocka_run_group_tests(tests, NULL, NULL);
}
