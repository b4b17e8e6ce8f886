// SPDX-License-Identifier: Apache-2.0
/* Mappings of files that are cut short while they are used; and what must still end the process. */
#include <errno.h>
#include <pthread.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/resource.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "util/util.h"

enum { PAGE = 4096, PAGES = 8 };

struct mapped {
	int fd;
	volatile u8 *v;
	struct guard *g;
};

static struct mapped map_new(void)
{
	struct mapped m = {.fd = memfd_create("guard_test", MFD_CLOEXEC)};

	assert_true(m.fd >= 0);
	assert_int_equal(ftruncate(m.fd, PAGES * PAGE), 0);
	m.v = mmap(NULL, PAGES * PAGE, PROT_READ | PROT_WRITE, MAP_SHARED, m.fd, 0);
	assert_true(m.v != MAP_FAILED);
	for (int i = 0; i < PAGES; i++)
		m.v[i * PAGE] = (u8)(i + 1);
	return m;
}

static struct mapped guarded_new(void)
{
	struct mapped m = map_new();

	assert_int_equal(guard_add(&m.g, (void *)m.v, PAGES * PAGE), 0);
	assert_false(guard_lost(m.g));
	return m;
}

static void map_end(struct mapped *m)
{
	guard_remove(m->g);
	munmap((void *)m->v, PAGES * PAGE);
	close(m->fd);
}

static void what_is_missing_reads_as_zeros(void **state)
{
	struct mapped m = guarded_new();

	assert_int_equal(ftruncate(m.fd, 5 * PAGE), 0);
	assert_int_equal(m.v[4 * PAGE], 5);
	assert_false(guard_lost(m.g));
	assert_int_equal(m.v[6 * PAGE], 0);
	assert_true(guard_lost(m.g));
	assert_int_equal(m.v[5 * PAGE], 0);
	assert_int_equal(m.v[7 * PAGE], 0);
	/* The file's pages are still shared. */
	assert_int_equal(m.v[4 * PAGE], 5);
	assert_int_equal(pwrite(m.fd, "x", 1, 4 * PAGE), 1);
	assert_int_equal(m.v[4 * PAGE], 'x');
	map_end(&m);
}

static void what_is_written_does_not_come_back(void **state)
{
	struct mapped m = guarded_new();
	u8 byte = 1;

	assert_int_equal(ftruncate(m.fd, 0), 0);
	errno = 0;
	m.v[PAGE] = 7;
	assert_int_equal(errno, 0);
	assert_int_equal(m.v[PAGE], 7);
	assert_true(guard_lost(m.g));
	assert_true(__atomic_compare_exchange_n((u8 *)&m.v[2 * PAGE], &(u8){0}, 9, false, __ATOMIC_SEQ_CST,
						__ATOMIC_SEQ_CST));
	assert_int_equal(ftruncate(m.fd, PAGES * PAGE), 0);
	assert_int_equal(pread(m.fd, &byte, 1, PAGE), 1);
	assert_int_equal(byte, 0);
	map_end(&m);
}

/* The C library's vector instructions, over the end of what is left. */
static void a_copy_goes_on(void **state)
{
	struct mapped m = guarded_new();
	u8 got[PAGES * PAGE];

	assert_int_equal(ftruncate(m.fd, 3 * PAGE), 0);
	memcpy(got, (const void *)m.v, sizeof(got));
	for (int i = 0; i < PAGES; i++)
		assert_int_equal(got[i * PAGE], i < 3 ? i + 1 : 0);
	memset((void *)m.v, 1, PAGES * PAGE);
	map_end(&m);
}

static void each_mapping_is_lost_by_itself(void **state)
{
	struct mapped m[200];

	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		m[i] = guarded_new();
	for (size_t i = 0; i < ARRAY_SIZE(m); i += 2)
		assert_int_equal(ftruncate(m[i].fd, 0), 0);
	for (size_t i = 0; i < ARRAY_SIZE(m); i++) {
		assert_int_equal(m[i].v[0], i % 2 ? 1 : 0);
		assert_int_equal(guard_lost(m[i].g), i % 2 == 0);
	}
	/* An entry that is used again has lost nothing yet. */
	map_end(&m[0]);
	m[0] = guarded_new();
	assert_int_equal(m[0].v[0], 1);
	assert_false(guard_lost(m[0].g));
	for (size_t i = 0; i < ARRAY_SIZE(m); i++)
		map_end(&m[i]);
	guard_remove(NULL);
	assert_false(guard_lost(NULL));
}

static u32 over;

static void *add_and_remove(void *arg)
{
	while (!__atomic_load_n(&over, __ATOMIC_SEQ_CST)) {
		struct mapped m = guarded_new();

		map_end(&m);
	}
	return NULL;
}

static void *lose_some(void *arg)
{
	for (int i = 0; i < 2000; i++) {
		struct mapped m = guarded_new();

		assert_int_equal(ftruncate(m.fd, PAGE), 0);
		assert_int_equal(m.v[(1 + i % (PAGES - 1)) * PAGE], 0);
		assert_true(guard_lost(m.g));
		map_end(&m);
	}
	return NULL;
}

static void threads_do_not_disturb_each_other(void **state)
{
	pthread_t losing[2], changing;

	assert_int_equal(pthread_create(&changing, NULL, add_and_remove, NULL), 0);
	for (int i = 0; i < 2; i++)
		assert_int_equal(pthread_create(&losing[i], NULL, lose_some, NULL), 0);
	for (int i = 0; i < 2; i++)
		pthread_join(losing[i], NULL);
	__atomic_store_n(&over, 1, __ATOMIC_SEQ_CST);
	pthread_join(changing, NULL);
}

static void *touch(void *arg)
{
	struct mapped *m = arg;

	return (void *)(uintptr_t)(m->v[0] + 1);
}

static void a_thread_that_blocks_signals_goes_on(void **state)
{
	struct mapped m = guarded_new();
	sigset_t all, old;
	pthread_t thread;
	void *got;

	assert_int_equal(ftruncate(m.fd, 0), 0);
	guard_fillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &old);
	assert_int_equal(pthread_create(&thread, NULL, touch, &m), 0);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	assert_int_equal(pthread_join(thread, &got), 0);
	assert_int_equal((uintptr_t)got, 1);
	map_end(&m);
}

/* The status of a child that does this with a mapping that is guarded and one that is not. */
static int status_of(void (*what)(struct mapped *guarded, struct mapped *bare))
{
	pid_t pid = fork();
	int status;

	if (!pid) {
		struct mapped guarded, bare = map_new();

		signal(SIGBUS, SIG_DFL); /* cmocka's */
		guarded = guarded_new();
		setrlimit(RLIMIT_CORE, &(struct rlimit){0, 0});
		alarm(30);
		what(&guarded, &bare);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return status;
}

static void touch_guarded(struct mapped *guarded, struct mapped *bare)
{
	if (ftruncate(guarded->fd, 0))
		_exit(1);
	_exit(guarded->v[0]);
}

static void touch_bare(struct mapped *guarded, struct mapped *bare)
{
	if (ftruncate(bare->fd, 0))
		_exit(1);
	_exit(bare->v[0]);
}

static void touch_removed(struct mapped *guarded, struct mapped *bare)
{
	guard_remove(guarded->g);
	touch_guarded(guarded, bare);
}

static void touch_bare_after_guarded(struct mapped *guarded, struct mapped *bare)
{
	if (ftruncate(guarded->fd, 0) || guarded->v[0])
		_exit(1);
	touch_bare(guarded, bare);
}

static void be_sent_one(struct mapped *guarded, struct mapped *bare)
{
	kill(getpid(), SIGBUS);
	_exit(0);
}

/* As whoever starts us may have left it. */
static void touch_blocked_at_the_start(struct mapped *guarded, struct mapped *bare)
{
	struct guard *g;
	sigset_t all;

	sigfillset(&all);
	sigprocmask(SIG_SETMASK, &all, NULL);
	if (guard_add(&g, (void *)bare->v, PAGES * PAGE) || ftruncate(bare->fd, 0))
		_exit(1);
	_exit(bare->v[0]);
}

static void any_other_fault_still_kills(void **state)
{
	static void (*const deadly[])(struct mapped *, struct mapped *) = {touch_bare, touch_removed,
									   touch_bare_after_guarded, be_sent_one};
	int status = status_of(touch_guarded);

	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	status = status_of(touch_blocked_at_the_start);
	assert_true(WIFEXITED(status) && !WEXITSTATUS(status));
	for (size_t i = 0; i < ARRAY_SIZE(deadly); i++) {
		status = status_of(deadly[i]);
		assert_true(WIFSIGNALED(status) && WTERMSIG(status) == SIGBUS);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(what_is_missing_reads_as_zeros),
	    cmocka_unit_test(what_is_written_does_not_come_back),
	    cmocka_unit_test(a_copy_goes_on),
	    cmocka_unit_test(each_mapping_is_lost_by_itself),
	    cmocka_unit_test(threads_do_not_disturb_each_other),
	    cmocka_unit_test(a_thread_that_blocks_signals_goes_on),
	    cmocka_unit_test(any_other_fault_still_kills),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
