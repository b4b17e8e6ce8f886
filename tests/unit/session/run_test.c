// SPDX-License-Identifier: Apache-2.0
/*
 * The order of a run where events are served: the real vm, but what it is told is written down, and nobody is traced. The
 * process that is named is a child that sleeps; serving ends it, and with it the run.
 */
#include <errno.h>
#include <pthread.h>
#include <semaphore.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "exec/exec_impl.h"
#include "world.h"

static struct {
	struct world *w;
	pid_t victim;
	pthread_t starter;
	sem_t end;
	char log[256];
	int start_err, serve_err;
	u64 lost;
} fake;

static void note(const char *what)
{
	snprintf(fake.log + strlen(fake.log), sizeof(fake.log) - strlen(fake.log), "%s ", what);
}

static int fake_add(struct exec *e, struct target *t)
{
	note("add");
	return 0;
}

static void fake_gate(struct exec *e, u32 prog)
{
	note("gate");
}

static int fake_raw(struct exec *e, u32 prog, const char *name, struct diag *diag)
{
	note(name);
	return 0;
}

static int fake_start(struct exec *e, struct diag *diag)
{
	note(fake.w->s.state->activity == CG_ACTIVE ? "start" : "start-early");
	fake.starter = pthread_self();
	return fake.start_err ? diag_fail(diag, -fake.start_err, "not allowed") : 0;
}

static int fake_serve(struct exec *e)
{
	note(strstr(fake.w->said, "matched") ? "matched" : "unsaid");
	note(pthread_equal(pthread_self(), fake.starter) ? "serve" : "serve-elsewhere");
	if (fake.serve_err)
		return fake.serve_err;
	kill(fake.victim, SIGKILL);
	while (sem_wait(&fake.end))
		;
	note(fake.w->s.state->activity == CG_ACTIVE ? "over-active" : "over");
	return 0;
}

static void fake_serve_end(struct exec *e)
{
	sem_post(&fake.end);
}

static u64 fake_lost(struct exec *e)
{
	return fake.lost;
}

static void fake_detach(struct exec *e)
{
	note("detach");
}

static int fake_open(struct exec **out, struct diag *diag)
{
	static struct exec_methods m;
	int err = exec_vm.open(out, diag);

	if (err)
		return err;
	m = *(*out)->methods;
	m.attach_raw_tracepoint = fake_raw;
	m.add_process = fake_add;
	m.set_gate = fake_gate;
	m.start = fake_start;
	m.serve = fake_serve;
	m.serve_end = fake_serve_end;
	m.lost = fake_lost;
	m.detach = fake_detach;
	(*out)->methods = &m;
	return 0;
}

static const struct exec_ops fake_ops = {.name = "fake", .open = fake_open};

/* Run the script; what session_trace() gives. */
static int run(const char *text)
{
	struct world *w = world_new(text);
	struct target *t;
	int err;

	memset(fake.log, 0, sizeof(fake.log));
	sem_init(&fake.end, 0, 0);
	fake.w = w;
	fake.victim = fork();
	if (!fake.victim) {
		pause();
		_exit(0);
	}
	assert_int_equal(target_open(&t, fake.victim, &w->diag), 0);
	*vec_push(w->s.arena, &w->s.grabbed) = t;
	w->s.exec_ops = &fake_ops;
	w->s.exec_why = "a test";
	w->s.out = fopen("/dev/null", "w");
	if (world_compile(w))
		fail_msg("%s", w->said);
	err = session_trace(&w->s);
	kill(fake.victim, SIGKILL);
	waitpid(fake.victim, NULL, 0);
	target_close(t);
	fclose(w->s.out);
	return err;
}

static int forget(void **state)
{
	fake.start_err = fake.serve_err = 0;
	fake.lost = 0;
	return 0;
}

static void finish(void)
{
	world_free(fake.w);
}

static void every_call(void **state)
{
	assert_int_equal(run("syscall:::entry { @ = count(); }"), 0);
	assert_string_equal(fake.log, "sys_enter add start matched serve over detach ");
	assert_non_null(strstr(fake.w->said, "pydtrace: a test: system calls by ptrace, of process "));
	finish();
}

static void some_threads(void **state)
{
	assert_int_equal(run("syscall:::return /self->t/ { @ = count(); } tick-1ms { self->t = 1; }"), 0);
	assert_string_equal(fake.log, "sched_process_exit sys_exit gate add start matched serve over detach ");
	finish();
}

static void no_calls(void **state)
{
	assert_int_equal(run("tick-1ms { @ = count(); }"), 0);
	assert_string_equal(fake.log, "start matched serve over detach ");
	finish();
}

static void exit_in_begin(void **state)
{
	assert_int_equal(run("BEGIN { exit(3); } syscall:::entry { @ = count(); }"), 0);
	assert_string_equal(fake.log, "detach ");
	assert_int_equal(fake.w->s.status, 3);
	finish();
}

static void not_started(void **state)
{
	fake.start_err = -EPERM;
	assert_int_equal(run("syscall:::entry { @ = count(); }"), -EPERM);
	assert_string_equal(fake.log, "sys_enter add start detach ");
	assert_string_equal(fake.w->said, "pydtrace: not allowed\n");
	finish();
}

/* The loop does not go on when nobody brings it anything. */
static void not_served(void **state)
{
	fake.serve_err = -EIO;
	assert_int_equal(run("tick-1ms { @ = count(); }"), -EIO);
	assert_string_equal(fake.log, "start matched serve detach ");
	assert_string_equal(fake.w->last, "pydtrace: cannot wait for the traced processes: Input/output error\n");
	finish();
}

static void losses_are_told(void **state)
{
	fake.lost = 3;
	assert_int_equal(run("tick-1ms { @ = count(); }"), 0);

	const char *told = strstr(fake.w->said, "3 events were lost");

	assert_non_null(told);
	assert_null(strstr(told + 1, "3 events were lost"));
	finish();
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup(f, forget)
	const struct CMUnitTest tests[] = {
	    TEST(every_call),  TEST(some_threads), TEST(no_calls),        TEST(exit_in_begin),
	    TEST(not_started), TEST(not_served),   TEST(losses_are_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
