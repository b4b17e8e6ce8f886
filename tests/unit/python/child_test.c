// SPDX-License-Identifier: Apache-2.0
/* The child of -c is let go of, or given away, while it runs: what it has just stopped for is not lost. */
#include <errno.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "python/child_impl.h"

enum { GOT = 7 };

static void sink(void *arg, enum diag_level level, const char *text)
{
	print_message("%s", text);
}
static struct diag diag = {.sink = sink};

static char state_of(struct target *t)
{
	struct target_status st;

	return target_status(t, &st) ? '?' : st.state;
}

static void wait_state(struct target *t, char state)
{
	for (int i = 0; i < 5000 && state_of(t) != state; i++)
		usleep(1000);
	assert_int_equal(state_of(t), state);
}

/* A shell that exits with GOT at SIGUSR1; it runs, and we do not look. */
static struct python_child *child_running(struct target **t)
{
	char *argv[] = {"/bin/sh", "-c", "trap 'exit 7' USR1; trap '' USR2; kill -USR2 $$; while :; do :; done",
			NULL};
	struct python_child *c;
	int status;

	assert_int_equal(python_start(&c, argv, t, &diag), 0);
	assert_int_equal(child_continue(c), 0);
	c->held = false;
	for (u32 n = 0; n < 5000;
	     n++) { /* until its traps are set: an ignored signal stops nobody but the traced */
		if (waitpid(c->pid, &status, WNOHANG | __WALL) == c->pid)
			break;
		usleep(1000);
	}
	assert_int_equal(WSTOPSIG(status), SIGUSR2);
	assert_int_equal(child_continue(c), 0);
	return c;
}

static void assert_end(struct python_child *c, struct target *t, int want)
{
	int status;

	assert_int_equal(python_child_wait(c, false, &status), 0);
	assert_int_equal(status, want);
	target_close(t);
}

static void release_passes_a_signal_on(void **state)
{
	struct target *t;
	struct python_child *c = child_running(&t);

	kill(c->pid, SIGUSR1);
	wait_state(t, 't');
	assert_int_equal(python_release(c), 0);
	assert_end(c, t, GOT << 8);
}

static void release_leaves_it_stopped(void **state)
{
	struct target *t;
	struct python_child *c = child_running(&t);

	kill(c->pid, SIGSTOP);
	wait_state(t, 't');
	assert_int_equal(python_release(c), 0);
	wait_state(t, 'T');
	kill(c->pid, SIGCONT);
	kill(c->pid, SIGUSR1);
	assert_end(c, t, GOT << 8);
}

static bool on_call(void *arg, struct target_thread *th, const struct target_syscall *c)
{
	return true;
}

static void hand_over_passes_a_signal_on(void **state)
{
	static const struct target_trace_ops ops = {.enter = on_call, .leave = on_call};
	struct target *t;
	struct target_trace *tr;
	struct python_child *c = child_running(&t);
	int status;

	kill(c->pid, SIGUSR1);
	wait_state(t, 't');
	assert_int_equal(python_hand_over(c), 0);
	assert_int_equal(target_trace_open(&tr, &ops, NULL), 0);
	assert_int_equal(target_trace_all(tr, t, &diag), 0);
	for (int i = 0; i < 5000 && !target_exit_status(t, &status); i++)
		if (!target_trace_poll(tr))
			usleep(1000);
	target_trace_close(tr);
	assert_end(c, t, GOT << 8);
}

static void release_of_one_that_has_ended(void **state)
{
	struct target *t;
	struct python_child *c = child_running(&t);

	kill(c->pid, SIGKILL);
	wait_state(t, 'Z');
	assert_int_equal(python_release(c), 0);
	assert_end(c, t, SIGKILL);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(release_passes_a_signal_on),
	    cmocka_unit_test(release_leaves_it_stopped),
	    cmocka_unit_test(hand_over_passes_a_signal_on),
	    cmocka_unit_test(release_of_one_that_has_ended),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
