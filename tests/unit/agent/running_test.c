// SPDX-License-Identifier: Apache-2.0
/* agent/running.c: the calls that were entered and not yet left. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "running.c"

struct agent agent;
static int maps_left = -1; /* how many there still may be, from 0 on */

void *agent_map(size_t n)
{
	if (!maps_left)
		return NULL;
	maps_left -= maps_left > 0;
	return calloc(1, n);
}

void agent_unmap(void *p, size_t n)
{
	free(p);
}

void lock_take(uint32_t *word)
{
	assert_int_equal(*word, 0);
	*word = 1;
}

void lock_leave(uint32_t *word)
{
	assert_int_equal(*word, 1);
	*word = 0;
}

/* Frames lie close to each other on a thread's stack, or anywhere. */
static uint64_t frame(int i)
{
	return i & 1 ? 0x7f0000000000ull + 16 * (uint64_t)i : 0x560000000000ull + 0x10000 * (uint64_t)i;
}

/* Against a list of what is in it, while it grows and shrinks. */
static void as_a_list(void)
{
	enum { N = 3000 };
	bool in[N] = {false};

	srand(1);
	assert_int_equal(running_init(), 0);
	for (int round = 0; round < 400000; round++) {
		int i = rand() % (round / 50000 % 2 ? N : 40);

		if (rand() % 5 < 2 + (round / 100000 & 1)) {
			running_enter(frame(i));
			in[i] = true;
		} else {
			assert_int_equal(running_leave(frame(i)), in[i]);
			in[i] = false;
		}
	}
	for (int i = 0; i < N; i++)
		assert_int_equal(running_leave(frame(i)), in[i]);
	for (int i = 0; i < NSETS; i++)
		assert_int_equal(sets[i].used, 0);
	running_free();
}

static void test_as_a_list(void **state)
{
	static uint32_t mine = 1;

	agent.mine = &mine;
	as_a_list();
	agent.parallel = true;
	as_a_list();
	agent.parallel = false;
}

/* What has no number, and all when there is no memory, counts as entered. */
static void test_not_known(void **state)
{
	assert_int_equal(running_init(), 0);
	running_enter(0);
	assert_true(running_leave(0));
	assert_false(running_leave(frame(1)));
	maps_left = 0;
	for (int i = 0; i < FIRST_SIZE; i++)
		running_enter(frame(i + 1));
	assert_true(running_leave(frame(1)));
	assert_true(running_leave(frame(1)));
	running_free();
	assert_int_equal(running_init(), -ENOMEM);
	assert_true(running_leave(frame(1)));
	maps_left = -1;
	running_free();
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_as_a_list),
	    cmocka_unit_test(test_not_known),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
