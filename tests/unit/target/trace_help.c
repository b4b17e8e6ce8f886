// SPDX-License-Identifier: Apache-2.0
#include <sys/prctl.h>

#include "trace_help.h"

/*
 * AddressSanitizer looks for leaks by stopping its own process with ptrace, which the processes that are traced here cannot
 * have: only the program of the tests itself, which has no arguments but a test's name, is looked at.
 */
static pid_t tester;

__attribute__((constructor)) static void remember_tester(int argc, char **argv)
{
	tester = argc > 2 ? 0 : getpid();
}

int __lsan_is_turned_off(void);
int __lsan_is_turned_off(void)
{
	return getpid() != tester;
}

static void sink(void *arg, enum diag_level level, const char *text)
{
	print_message("%s", text);
}
static struct diag diag = {.sink = sink};

char told[512];

static void quiet_sink(void *arg, enum diag_level level, const char *text)
{
	snprintf(told, sizeof(told), "%s", text);
}
struct diag quiet = {.sink = quiet_sink};

pid_t tracer_of(pid_t pid)
{
	return (pid_t)status_field(pid, "\nTracerPid:", 10);
}

char state_of(pid_t pid)
{
	struct target_status st;
	bool kernel_thread;

	return status_read(pid, &st, &kernel_thread) ? '?' : st.state;
}

static bool on_enter(void *arg, struct target_thread *th, const struct target_syscall *c)
{
	struct seen *s = arg;

	if (c->nr < 0 || c->nr >= CALLS) {
		s->unknown++;
		return !s->stop;
	}
	s->enter[c->nr]++;
	memcpy(s->args[c->nr], c->args, sizeof(c->args));
	return !s->stop;
}

static bool on_leave(void *arg, struct target_thread *th, const struct target_syscall *c)
{
	struct seen *s = arg;

	if (c->nr < 0 || c->nr >= CALLS) {
		s->unknown++;
		return !s->stop;
	}
	s->leave[c->nr]++;
	s->ret[c->nr] = c->ret;
	s->wrong += c->ret <= -512 && c->ret >= -516;
	return !s->stop && !(s->stop_after && c->nr == s->stop_after);
}

static void on_ended(void *arg, struct target_thread *th)
{
	struct seen *s = arg;

	s->ended++;
	s->ended_tid = th->tid;
}

static void on_execed(void *arg, struct target_thread *th, pid_t former)
{
	struct seen *s = arg;

	s->execed++;
	s->former = former;
}

static const struct target_trace_ops ops = {on_enter, on_leave, on_ended, on_execed};

void job_start(struct job *j, void (*work)(struct job *j))
{
	memset(j, 0, sizeof(*j));
	j->sh = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	assert_true(j->sh != MAP_FAILED);
	assert_int_equal(pipe(j->go), 0);
	j->pid = fork();
	if (j->pid == 0) {
		prctl(PR_SET_PDEATHSIG, SIGKILL); /* a test that fails leaves nothing that holds its output open */
		alarm(60);
		work(j);
		_exit(0);
	}
	while (!j->sh->ready)
		usleep(100);
	assert_int_equal(target_open(&j->t, j->pid, &diag), 0);
	job_open(j);
}

void job_open(struct job *j)
{
	assert_int_equal(target_trace_open(&j->tr, &ops, &j->seen), 0);
}

void job_ready(struct job *j)
{
	j->sh->ready = 1;
	while (!j->sh->go)
		;
}

void job_go(struct job *j)
{
	j->sh->go = 1;
}

void job_trace_all(struct job *j)
{
	assert_int_equal(target_trace_all(j->tr, j->t, &diag), 0);
}

void job_trace_first(struct job *j)
{
	assert_int_equal(target_trace_arm(j->tr, j->t, j->pid), 0);
}

static bool serve_once(struct job *j, u64 deadline)
{
	if (!target_trace_poll(j->tr))
		usleep(20);
	return now_ns() < deadline;
}

int job_serve(struct job *j, u32 ms)
{
	u64 deadline = now_ns() + ms * 1000000ull;
	int status;

	while (serve_once(j, deadline))
		if (target_exit_status(j->t, &status))
			return status;
	return -1;
}

void job_serve_until(struct job *j, volatile u32 *word, u32 value)
{
	u64 deadline = now_ns() + 10000000000ull;

	while (*word < value)
		assert_true(serve_once(j, deadline));
}

int job_end(struct job *j)
{
	int status;

	target_trace_close(j->tr);
	j->tr = NULL;
	if (!target_exit_status(j->t, &status))
		assert_int_equal(waitpid(j->pid, &status, 0), j->pid);
	target_close(j->t);
	munmap(j->sh, 4096);
	close(j->go[0]);
	close(j->go[1]);
	return status;
}

void job_kill(struct job *j)
{
	kill(j->pid, SIGKILL);
	job_end(j);
}

void job_counted(struct job *j, u32 n)
{
	assert_int_equal(j->seen.enter[SYS_getppid], n);
	assert_int_equal(j->seen.leave[SYS_getppid], n);
	assert_int_equal(j->seen.wrong, 0);
	assert_int_equal(j->seen.unknown, 0);
}

void make_calls(u32 n)
{
	while (n--)
		syscall(SYS_getppid);
}

void *thread_calls(void *arg)
{
	make_calls(100);
	return arg;
}

static void *thread_storm(void *arg)
{
	struct job *j = arg;

	while (!j->sh->done) {
		syscall(SYS_getppid);
		__atomic_fetch_add(&j->sh->count, 1, __ATOMIC_RELAXED);
	}
	return NULL;
}

static void *thread_breeder(void *arg)
{
	struct job *j = arg;
	pthread_t t;

	while (!j->sh->done) {
		pthread_create(&t, NULL, thread_calls, NULL);
		pthread_join(t, NULL);
	}
	return NULL;
}

void storm(struct job *j)
{
	pthread_t v[6];

	for (int i = 0; i < 6; i++)
		pthread_create(&v[i], NULL, i < 3 ? thread_storm : thread_breeder, j);
	j->sh->ready = 1;
	for (int i = 0; i < 6; i++)
		pthread_join(v[i], NULL);
	j->sh->value = 77;
	_exit(7);
}
