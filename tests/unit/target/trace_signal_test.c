// SPDX-License-Identifier: Apache-2.0
/* Signals in traced processes: calls that are broken off and made again, and what the handlers see. */
#include <time.h>

#include "trace_help.h"

static struct job *mine; /* the workload's */

static void handler(int sig, siginfo_t *si, void *context)
{
	mine->sh->signals++;
	mine->sh->value = (u32)si->si_value.sival_int;
}

static void handle(int sig, void (*h)(int, siginfo_t *, void *), int flags)
{
	struct sigaction sa = {.sa_sigaction = h, .sa_flags = flags | SA_SIGINFO};

	sigaction(sig, &sa, NULL);
}

static void send(struct job *j, int sig, int value)
{
	union sigval v = {.sival_int = value};

	assert_int_equal(sigqueue(j->pid, sig, v), 0);
}

/* Until it is asleep in a call, for which there is no event. */
static void job_settle(struct job *j)
{
	job_serve(j, 30);
}

static void read_one(struct job *j)
{
	char c = 0;

	j->sh->ret = read(j->go[0], &c, 1);
	if (j->sh->ret < 0)
		j->sh->ret = -errno;
}

/* --- SA_RESTART and without --- */

static void reads_restarting(struct job *j)
{
	mine = j;
	handle(SIGUSR1, handler, SA_RESTART);
	job_ready(j);
	read_one(j);
}

static void reads_broken(struct job *j)
{
	mine = j;
	handle(SIGUSR1, handler, 0);
	job_ready(j);
	read_one(j);
}

static void signal_restarts(void **state)
{
	struct job j;

	job_start(&j, reads_restarting);
	job_trace_all(&j);
	job_go(&j);
	for (u32 i = 1; i <= 5; i++) {
		job_settle(&j);
		send(&j, SIGUSR1, 1000 + (int)i);
		job_serve_until(&j, &j.sh->signals, i);
		assert_int_equal(j.sh->value, 1000 + i);
	}
	job_settle(&j);
	assert_int_equal(j.seen.enter[SYS_read], 1);
	assert_int_equal(j.seen.leave[SYS_read], 0);
	assert_int_equal(write(j.go[1], "x", 1), 1);
	assert_int_equal(job_serve(&j, 5000), 0);
	assert_int_equal(j.seen.enter[SYS_read], 1);
	assert_int_equal(j.seen.leave[SYS_read], 1);
	assert_int_equal(j.seen.ret[SYS_read], 1);
	assert_int_equal(j.seen.args[SYS_read][0], j.go[0]);
	assert_int_equal(j.seen.args[SYS_read][2], 1);
	assert_int_equal(j.seen.enter[SYS_rt_sigreturn], 5);
	assert_int_equal(j.seen.unknown, 5); /* the ends of rt_sigreturn */
	assert_int_equal(j.seen.wrong, 0);
	assert_int_equal(j.sh->ret, 1);
	job_end(&j);
}

static void signal_breaks(void **state)
{
	struct job j;

	job_start(&j, reads_broken);
	job_trace_all(&j);
	job_go(&j);
	job_settle(&j);
	send(&j, SIGUSR1, 7);
	assert_int_equal(job_serve(&j, 5000), 0);
	assert_int_equal(j.sh->ret, -EINTR);
	assert_int_equal(j.seen.enter[SYS_read], 1);
	assert_int_equal(j.seen.leave[SYS_read], 1);
	assert_int_equal(j.seen.ret[SYS_read], -EINTR);
	assert_int_equal(j.seen.enter[SYS_rt_sigreturn], 1);
	assert_int_equal(j.seen.unknown, 1);
	assert_int_equal(j.seen.wrong, 0);
	job_end(&j);
}

/* A call that was under way when its thread was seized. */
static void asleep_when_seized(void **state)
{
	for (int round = 0; round < 2; round++) {
		struct job j;

		job_start(&j, reads_restarting);
		job_go(&j);
		usleep(30000);
		if (round)
			job_trace_first(&j);
		else
			job_trace_all(&j);
		job_settle(&j);
		send(&j, SIGUSR1, 7);
		job_serve_until(&j, &j.sh->signals, 1);
		job_settle(&j);
		assert_int_equal(j.seen.enter[SYS_read] + j.seen.leave[SYS_read], 0);
		assert_int_equal(write(j.go[1], "x", 1), 1);
		assert_int_equal(job_serve(&j, 5000), 0);
		assert_int_equal(j.seen.enter[SYS_read], 0);
		assert_int_equal(j.seen.leave[SYS_read], 1);
		assert_int_equal(j.seen.ret[SYS_read], 1);
		job_end(&j);
	}
}

/* --- nanosleep, restart_syscall --- */

static void sleeps(struct job *j)
{
	struct timespec ts = {0, 300000000};
	u64 begin;

	mine = j;
	job_ready(j);
	begin = now_ns();
	j->sh->ret = syscall(SYS_nanosleep, &ts, &ts) ? -errno : 0;
	j->sh->count = (now_ns() - begin) / 1000000;
}

static void sleeps_handling(struct job *j)
{
	mine = j;
	handle(SIGUSR1, handler, SA_RESTART);
	sleeps(j);
}

static void sleep_goes_on(void **state)
{
	struct job j;

	job_start(&j, sleeps);
	job_trace_all(&j);
	job_go(&j);
	for (int i = 0; i < 5; i++) {
		job_settle(&j);
		kill(j.pid, i & 1 ? SIGWINCH : SIGCONT); /* ignored, but they wake it */
		ptrace(PTRACE_INTERRUPT, j.pid, 0, 0);
	}
	assert_int_equal(job_serve(&j, 5000), 0);
	assert_int_equal(j.sh->ret, 0);
	assert_true(j.sh->count >= 299 && j.sh->count < 600);
	assert_int_equal(j.seen.enter[SYS_nanosleep], 1);
	assert_int_equal(j.seen.leave[SYS_nanosleep], 1);
	assert_int_equal(j.seen.ret[SYS_nanosleep], 0);
	assert_int_equal(j.seen.enter[SYS_restart_syscall] + j.seen.leave[SYS_restart_syscall], 0);
	assert_int_equal(j.seen.wrong, 0);
	job_end(&j);
}

static void sleep_is_broken(void **state)
{
	struct job j;

	job_start(&j, sleeps_handling);
	job_trace_all(&j);
	job_go(&j);
	job_settle(&j);
	ptrace(PTRACE_INTERRUPT, j.pid, 0, 0); /* from here on it is restart_syscall */
	job_settle(&j);
	send(&j, SIGUSR1, 1);
	assert_int_equal(job_serve(&j, 5000), 0);
	assert_int_equal(j.sh->ret, -EINTR);
	assert_int_equal(j.seen.enter[SYS_nanosleep], 1);
	assert_int_equal(j.seen.leave[SYS_nanosleep], 1);
	assert_int_equal(j.seen.ret[SYS_nanosleep], -EINTR);
	assert_int_equal(j.seen.enter[SYS_restart_syscall] + j.seen.leave[SYS_restart_syscall], 0);
	job_end(&j);
}

/* --- handlers in handlers --- */

static void reads_in_handler(int sig, siginfo_t *si, void *context)
{
	char c;

	mine->sh->signals++;
	mine->sh->breaks += read(mine->go[0], &c, 1) == 1;
	syscall(SYS_getppid);
	mine->sh->breaks += 10;
}

static void nests(struct job *j)
{
	static char stack[65536];
	stack_t ss = {.ss_sp = stack, .ss_size = sizeof(stack)};

	mine = j;
	sigaltstack(&ss, NULL);
	handle(SIGUSR1, reads_in_handler, SA_RESTART);
	handle(SIGUSR2, reads_in_handler, SA_RESTART | SA_ONSTACK);
	handle(SIGALRM, handler, SA_RESTART);
	job_ready(j);
	read_one(j);
}

static void handlers_nest(void **state)
{
	struct job j;

	job_start(&j, nests);
	job_trace_all(&j);
	job_go(&j);
	job_settle(&j);
	send(&j, SIGUSR1, 0);
	job_serve_until(&j, &j.sh->signals, 1);
	job_settle(&j);
	send(&j, SIGUSR2, 0);
	job_serve_until(&j, &j.sh->signals, 2);
	job_settle(&j);
	send(&j, SIGALRM, 0);
	job_serve_until(&j, &j.sh->signals, 3);
	job_settle(&j);
	assert_int_equal(j.seen.enter[SYS_read], 3);
	assert_int_equal(j.seen.leave[SYS_read], 0);
	assert_int_equal(write(j.go[1], "x", 1), 1);
	job_serve_until(&j, &j.sh->breaks, 11);
	assert_int_equal(write(j.go[1], "x", 1), 1);
	job_serve_until(&j, &j.sh->breaks, 22);
	job_settle(&j);
	assert_int_equal(j.seen.leave[SYS_read], 2);
	assert_int_equal(write(j.go[1], "x", 1), 1);
	assert_int_equal(job_serve(&j, 5000), 0);
	assert_int_equal(j.sh->ret, 1);
	assert_int_equal(j.seen.enter[SYS_read], 3);
	assert_int_equal(j.seen.leave[SYS_read], 3);
	assert_int_equal(j.seen.enter[SYS_getppid], 2);
	assert_int_equal(j.seen.leave[SYS_getppid], 2);
	assert_int_equal(j.seen.unknown, 3); /* the ends of rt_sigreturn */
	assert_int_equal(j.seen.wrong, 0);
	job_end(&j);
}

/* --- siglongjmp --- */

static sigjmp_buf out;

static void jumps(int sig, siginfo_t *si, void *context)
{
	siglongjmp(out, 1);
}

static void jumps_out(struct job *j)
{
	mine = j;
	handle(SIGUSR1, jumps, SA_RESTART | SA_NODEFER);
	job_ready(j);
	/* No mask is restored: not a call between the handler and the next read. */
	if (sigsetjmp(out, 0))
		j->sh->signals++;
	read_one(j);
	j->sh->done = 1;
}

static void handler_is_left(void **state)
{
	enum { JUMPS = 30 };
	struct job j;

	job_start(&j, jumps_out);
	job_trace_all(&j);
	job_go(&j);
	for (u32 i = 1; i <= JUMPS; i++) {
		job_serve(&j, 5);
		send(&j, SIGUSR1, 0);
		job_serve_until(&j, &j.sh->signals, i);
	}
	job_settle(&j);
	assert_int_equal(j.seen.enter[SYS_read], JUMPS + 1);
	assert_int_equal(j.seen.leave[SYS_read], 0);
	assert_int_equal(write(j.go[1], "x", 1), 1);
	assert_int_equal(job_serve(&j, 5000), 0);
	assert_int_equal(j.seen.enter[SYS_read], JUMPS + 1);
	assert_int_equal(j.seen.leave[SYS_read], 1);
	assert_int_equal(j.seen.ret[SYS_read], 1);
	assert_int_equal(j.seen.wrong, 0);
	job_end(&j);
}

/* --- stopped and continued by others --- */

static void counts_up(struct job *j)
{
	job_ready(j);
	while (!j->sh->done) {
		syscall(SYS_getppid);
		j->sh->loops++;
	}
	read_one(j);
}

static void stopped_by_others(void **state)
{
	struct job j;
	u32 loops;

	job_start(&j, counts_up);
	job_trace_all(&j);
	job_go(&j);
	for (int i = 0; i < 5; i++) {
		u32 polls = 0;
		u64 end;

		job_serve(&j, 5);
		kill(j.pid, SIGSTOP);
		job_serve(&j, 20);
		loops = j.sh->loops;
		for (end = now_ns() + 20000000; now_ns() < end;)
			polls += target_trace_poll(j.tr);
		assert_int_equal(polls, 0);
		assert_int_equal(j.sh->loops, loops);
		assert_int_equal(state_of(j.pid), 't');
		kill(j.pid, SIGCONT);
		job_serve_until(&j, &j.sh->loops, loops + 10);
	}
	j.sh->done = 1;
	job_settle(&j);
	/* In a call that is to go on. */
	kill(j.pid, SIGTSTP);
	job_settle(&j);
	kill(j.pid, SIGCONT);
	job_settle(&j);
	assert_int_equal(write(j.go[1], "x", 1), 1);
	assert_int_equal(job_serve(&j, 5000), 0);
	assert_int_equal(j.sh->ret, 1);
	assert_int_equal(j.seen.enter[SYS_read], 1);
	assert_int_equal(j.seen.leave[SYS_read], 1);
	assert_int_equal(j.seen.enter[SYS_getppid], j.seen.leave[SYS_getppid]);
	assert_int_equal(j.seen.wrong, 0);
	job_end(&j);
}

/* Seized while it is stopped. */
static void seized_in_a_group_stop(void **state)
{
	struct job j;
	u32 loops;

	job_start(&j, counts_up);
	job_go(&j);
	kill(j.pid, SIGSTOP);
	usleep(20000);
	job_trace_all(&j);
	loops = j.sh->loops;
	job_settle(&j);
	assert_int_equal(j.sh->loops, loops);
	kill(j.pid, SIGCONT);
	job_serve_until(&j, &j.sh->loops, loops + 10);
	assert_true(j.seen.enter[SYS_getppid] >= 9);
	job_kill(&j);
}

/* --- a call under way ends though its thread is not armed any more --- */

static void asks_then_reads(struct job *j)
{
	mine = j;
	handle(SIGUSR1, handler, SA_RESTART);
	job_ready(j);
	read_one(j);
	for (int i = 0; i < 100; i++)
		syscall(SYS_getppid);
}

static void disarmed_in_a_call(void **state)
{
	struct job j;

	job_start(&j, asks_then_reads);
	j.seen.stop = true;
	job_trace_first(&j);
	job_go(&j);
	job_settle(&j);
	send(&j, SIGUSR1, 3);
	job_serve_until(&j, &j.sh->signals, 1);
	job_settle(&j);
	assert_int_equal(write(j.go[1], "x", 1), 1);
	assert_int_equal(job_serve(&j, 5000), 0);
	assert_int_equal(j.seen.enter[SYS_read], 1);
	assert_int_equal(j.seen.leave[SYS_read], 1);
	assert_int_equal(j.seen.ret[SYS_read], 1);
	assert_int_equal(j.seen.enter[SYS_getppid], 0);
	assert_int_equal(j.seen.enter[SYS_rt_sigreturn], 0);
	job_end(&j);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(signal_restarts),        cmocka_unit_test(signal_breaks),
	    cmocka_unit_test(asleep_when_seized),     cmocka_unit_test(sleep_goes_on),
	    cmocka_unit_test(sleep_is_broken),        cmocka_unit_test(handlers_nest),
	    cmocka_unit_test(handler_is_left),        cmocka_unit_test(stopped_by_others),
	    cmocka_unit_test(seized_in_a_group_stop), cmocka_unit_test(disarmed_in_a_call),
	};

	if (argc > 1)
		cmocka_set_test_filter(argv[1]);
	return cmocka_run_group_tests(tests, NULL, NULL);
}
