// SPDX-License-Identifier: Apache-2.0
/* Both sides of the mail against each other, as two threads: the agent's wait and what the tracer may do meanwhile. */
#include <pthread.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include <cmocka.h>

#include "python/python_impl.h"

#include "active.c"
#include "mail.c"

struct agent agent;
struct agent_api py;
const char agent_syscall_end[1];
static int sleeps, gave_up;
static long sleep_result; /* != 0: what a sleep comes back with, at once */

long agent_syscall(long nr, long a, long b, long c, long d, long e, long f)
{
	if (nr == SYS_futex && b == FUTEX_WAIT) {
		sleeps++;
		if (sleep_result)
			return sleep_result;
	}
	/* glibc's own is of no use: it changes errno. */
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	__asm__ volatile("syscall"
			 : "+a"(nr)
			 : "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return nr;
}

bool agent_abandoned(void)
{
	gave_up = ESRCH;
	return true;
}

void agent_give_up(int err)
{
	gave_up = err;
	agent.page->state = WIRE_INERT;
}

void agent_message(const char *part, ...)
{
}

static void *thread_state(void)
{
	return &agent; /* one holds the GIL at a time */
}

static struct wire_page *page;
static struct python tracer;
static const struct matched function = {
    .fid = 7, .filters = {3, 4}, .file = "f.py", .func = "f", .function = (void *)64};

static int begin(void **state)
{
	static const uint32_t mine = 1;

	page = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	if (page == MAP_FAILED)
		return -1;
	page->mail.wanted = 1;
	page->state = WIRE_ACTIVE;
	agent = (struct agent){.page = page, .mine = &mine};
	active_forget();
	py.PyThreadState_Get = thread_state;
	tracer = (struct python){.page = page, .mail = true};
	sleeps = gave_up = 0;
	sleep_result = 0;
	agent_mail_init(true);
	return 0;
}

static int end(void **state)
{
	return munmap(page, 4096);
}

/* --- many events ----------------------------------------------------------------------------------------- */

enum { EVENTS = 50000 };

static void *ask(void *arg)
{
	for (int i = 0; i < EVENTS; i++)
		agent_mail(&function, i & 1, i);
	return NULL;
}

static void tracer_sleep(u64 ns)
{
	const struct timespec ts = {(time_t)(ns / 1000000000), (long)(ns % 1000000000)};
	u32 seen, *bell;

	python_mail_asleep(&tracer, true);
	bell = python_mail_bell(&tracer, &seen);
	syscall(SYS_futex, bell, FUTEX_WAIT, seen, &ts, NULL, 0);
	python_mail_asleep(&tracer, false);
}

/* However long each side looks before it sleeps, no event is lost and nobody sleeps through a wake-up. */
static void test_no_wake_up_is_lost(void **state)
{
	static const struct {
		u32 agent, tracer;
	} looks[] = {{0, 0}, {0, 50}, {50, 0}, {20, 20}, {500, 500}};
	struct python_mail m;
	pthread_t thread;

	for (size_t k = 0; k < ARRAY_SIZE(looks); k++) {
		u64 began = now_ns();
		int n = 0;

		page->mail.spin = looks[k].agent;
		python_mail_open(&tracer, true);
		assert_int_equal(pthread_create(&thread, NULL, ask, NULL), 0);
		for (u32 look = 0; n < EVENTS;) {
			if (python_mail_take(&tracer, &m)) {
				assert_int_equal(m.event, n & 1);
				assert_int_equal(m.line, n);
				assert_int_equal(m.filters, n & 1 ? 4 : 3);
				assert_int_equal(m.fid, 7);
				assert_int_equal(m.function, 64);
				n++;
				python_mail_answer(&tracer);
				look = 0;
			} else if (look++ > looks[k].tracer) {
				tracer_sleep(500000000);
				look = 0;
			}
		}
		pthread_join(thread, NULL);
		assert_int_equal(gave_up, 0);
		assert_false(python_mail_take(&tracer, &m));
		python_mail_open(&tracer, false);
		assert_true(now_ns() - began < 60 * 1000000000ull);
	}
	assert_false(active_any());
}

/* --- one event, and how its wait ends ------------------------------------------------------------ */

static void *ask_one(void *arg)
{
	agent_mail(&function, WIRE_ENTRY, 1);
	return NULL;
}

static void wait_until_waits(void)
{
	while (!__atomic_load_n(&page->mail.waits, __ATOMIC_SEQ_CST))
		usleep(100);
}

static void test_shut_lets_go(void **state)
{
	struct python_mail m;
	pthread_t thread;
	u64 began;

	python_mail_open(&tracer, true);
	pthread_create(&thread, NULL, ask_one, NULL);
	wait_until_waits();
	began = now_ns();
	python_mail_open(&tracer, false);
	pthread_join(thread, NULL);
	assert_true(now_ns() - began < 1000000000);
	assert_int_equal(gave_up, 0);
	assert_int_equal(page->mail.answered, page->mail.asked);
	assert_false(python_mail_take(&tracer, &m));
	/* From now on nothing is asked, until it is opened again. */
	ask_one(NULL);
	assert_int_equal(page->mail.asked, 1);
	python_mail_open(&tracer, true);
	assert_false(python_mail_take(&tracer, &m));
	python_mail_open(&tracer, false);
}

/* Opened and shut all the time, by a tracer that takes some of what comes. */
static void test_open_and_shut(void **state)
{
	struct python_mail m;
	pthread_t thread;

	page->mail.spin = 10;
	pthread_create(&thread, NULL, ask, NULL);
	for (int i = 0; i < 50000; i++) {
		python_mail_open(&tracer, true);
		if (i & 1 && python_mail_take(&tracer, &m))
			python_mail_answer(&tracer);
		if (i & 2)
			python_mail_take(&tracer, &m);
		python_mail_open(&tracer, false);
	}
	pthread_join(thread, NULL);
	assert_int_equal(gave_up, 0);
	assert_false(active_any());
}

static void test_tracer_dies(void **state)
{
	pthread_t thread;
	u64 began;

	page->owner = 1234;
	python_mail_open(&tracer, true);
	pthread_create(&thread, NULL, ask_one, NULL);
	wait_until_waits();
	began = now_ns();
	__atomic_or_fetch(&page->owner, WIRE_OWNER_DIED, __ATOMIC_SEQ_CST);
	pthread_join(thread, NULL);
	assert_true(now_ns() - began < 500000000);
	assert_int_equal(gave_up, ESRCH);
	assert_int_equal(page->mail.waits, 0);
	assert_false(active_any());
}

/* Nobody answers. However the sleeps end, the wait is over after a number of them that makes the deadline. */
static void test_deadline(void **state)
{
	static const struct {
		long result;
		int sleeps;
	} cases[] = {
	    {-ETIMEDOUT, 100},
	    {-ENOSYS, 100}, /* a call that cannot be made is no reason to wait for ever */
	    {-EINTR, 8 + (2000000 + 77) / 78},
	};
	struct python_mail m;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		sleeps = gave_up = 0;
		sleep_result = cases[i].result;
		page->state = WIRE_ACTIVE;
		python_mail_open(&tracer, true);
		ask_one(NULL);
		assert_int_equal(gave_up, ETIMEDOUT);
		assert_int_equal(sleeps, cases[i].sleeps);
		/* What nobody waits for any more is not taken, and does not keep the tracer from sleeping. */
		u32 seen, *bell;

		assert_false(python_mail_take(&tracer, &m));
		bell = python_mail_bell(&tracer, &seen);
		assert_int_equal(*bell, seen);
	}
}

/* --- what the target may write --------------------------------------------------------------------------- */

static void test_nonsense_is_answered_unseen(void **state)
{
	struct python_mail m;
	u32 seen, *bell;

	python_mail_open(&tracer, true);
	page->mail.event = WIRE_NEVENTS;
	page->mail.asked = 77;
	assert_false(python_mail_take(&tracer, &m));
	assert_int_equal(page->mail.answered, 77);
	page->mail.event = WIRE_RETURN;
	page->mail.asked = 78;
	page->mail.answered = 78; /* it is not the target that answers */
	assert_true(python_mail_take(&tracer, &m));
	assert_int_equal(m.event, WIRE_RETURN);
	page->mail.asked = 1;
	python_mail_answer(&tracer);
	assert_int_equal(page->mail.answered, 78);
	bell = python_mail_bell(&tracer, &seen);
	assert_int_equal(seen, 78);
	assert_int_not_equal(*bell, seen); /* so that there is something to take again, and no sleep */
	python_mail_open(&tracer, true);   /* open already: what is there stays */
	page->mail.open = 0;               /* nor does it shut the mail for us */
	assert_true(python_mail_take(&tracer, &m));
}

static void test_who_and_where(void **state)
{
	struct python_mail m;

	assert_int_equal(agent.tid_at, GLIBC_TID);
	assert_int_equal(thread_id(), gettid());
	agent.tid_at = 0;
	assert_int_equal(thread_id(), gettid());
	assert_true(cpu_number() < (u32)sysconf(_SC_NPROCESSORS_CONF));
	assert_int_equal(python_mail_own_ip(&tracer), (uintptr_t)agent_syscall_end);
	/* An errno of the thread's is not ours to change. */
	python_mail_open(&tracer, true);
	sleep_result = -ETIMEDOUT;
	errno = 77;
	ask_one(NULL);
	assert_int_equal(errno, 77);
	assert_int_equal(page->mail.tid, gettid());
	assert_false(python_mail_take(&tracer, &m));
}

static void test_looking_in_vain_is_given_up(void **state)
{
	page->mail.spin = 10;
	for (int i = 0; i < LUCK; i++)
		assert_false(answered_at_once(&page->mail, 1));
	page->mail.answered = 1;
	assert_false(answered_at_once(&page->mail, 1)); /* it is not looked at */
	for (int i = 0; i < UNLUCKY; i++)
		answered_at_once(&page->mail, 1);
	assert_true(answered_at_once(&page->mail, 1));
	assert_int_equal(agent.mail_luck, 2);
	for (int i = 0; i < 2 * LUCK; i++)
		assert_true(answered_at_once(&page->mail, 1));
	assert_int_equal(agent.mail_luck, LUCK);
}

static void test_plan(void **state)
{
	python_mail_plan(page, getpid());
	assert_int_equal(page->mail.wanted, 1);
	assert_int_equal(page->mail.open, 0);
	if (sysconf(_SC_NPROCESSORS_ONLN) == 1)
		assert_int_equal(page->mail.spin, 0);
	else /* a `pause` of 2 ns to 200 */
		assert_in_range(page->mail.spin, 100, 10000);
}

#define TEST(f) cmocka_unit_test_setup_teardown(f, begin, end)

int main(void)
{
	const struct CMUnitTest tests[] = {
	    TEST(test_no_wake_up_is_lost),
	    TEST(test_shut_lets_go),
	    TEST(test_open_and_shut),
	    TEST(test_tracer_dies),
	    TEST(test_deadline),
	    TEST(test_nonsense_is_answered_unseen),
	    TEST(test_who_and_where),
	    TEST(test_looking_in_vain_is_given_up),
	    TEST(test_plan),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
