// SPDX-License-Identifier: Apache-2.0
/* Distributions, row by row as DTrace draws them; expected texts are those of its own documents and tests. */
#include <stdlib.h>
#include <string.h>

#include "rt/rt.h"
#include "world.h"

#define HEAD "           value  ------------- Distribution ------------- count    \n"

static void quantize_rounds_its_bars(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_QUANTIZE, "", 0, 0, 0, 0);

	world_add_times(w, a, 0, 0, 2);
	world_add_times(w, a, 1, 1, 6);
	world_add_times(w, a, 2, 2, 10);
	world_add_times(w, a, 3, 3, 9);
	assert_string_equal(world_end(w),
			    "\n\n" HEAD "              -1 |                                         0        \n"
			    "               0 |@@@                                      2        \n"
			    "               1 |@@@@@@@@@                                6        \n"
			    "               2 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@             19       \n"
			    "               4 |                                         0        \n"
			    "\n");
	world_free(w);
}

/* The last example of the chapter on aggregations in the Dynamic Tracing Guide: write(2) by a process. */
static void quantize_has_gaps_and_a_key(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_QUANTIZE, "s32", 0, 0, 0, 0);

	world_add_times(w, a, 0, 16384, 1, "date");
	world_add_times(w, a, 0, 20000, 2, "date");
	world_add_times(w, a, 1, 32768, 1, "date");
	world_add_times(w, a, 1, 262144, 1, "date");
	assert_string_equal(world_end(w), "\n  date                                              \n" HEAD
					  "            8192 |                                         0        \n"
					  "           16384 |@@@@@@@@@@@@@@@@@@@@@@@@                 3        \n"
					  "           32768 |@@@@@@@@                                 1        \n"
					  "           65536 |                                         0        \n"
					  "          131072 |                                         0        \n"
					  "          262144 |@@@@@@@@                                 1        \n"
					  "          524288 |                                         0        \n"
					  "\n");
	world_free(w);
}

static void quantize_of_negative_values(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_QUANTIZE, "", 0, 0, 0, 0);

	world_add(w, a, 0, -1);
	world_add(w, a, 0, -5);
	world_add(w, a, 0, 0);
	world_add(w, a, 0, 2);
	assert_string_equal(world_end(w),
			    "\n\n" HEAD "              -8 |                                         0        \n"
			    "              -4 |@@@@@@@@@@                               1        \n"
			    "              -2 |                                         0        \n"
			    "              -1 |@@@@@@@@@@                               1        \n"
			    "               0 |@@@@@@@@@@                               1        \n"
			    "               1 |                                         0        \n"
			    "               2 |@@@@@@@@@@                               1        \n"
			    "               4 |                                         0        \n"
			    "\n");
	world_free(w);
}

/* Counts below zero come of clear() racing with a program, if of anything; they must draw nevertheless. */
static void negative_counts_go_left(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_QUANTIZE, "s16", 0, 0, 0, 0);

	world_add_times(w, a, 0, 1, -123, "k");
	assert_string_equal(world_end(w), "\n  k                                                 \n" HEAD
					  "               0                                         | 0        \n"
					  "               1 @@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@| -123     \n"
					  "               2                                         | 0        \n"
					  "\n");
	world_free(w);
}

static void bars_go_both_ways(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_LQUANTIZE, "s16", 0, 10, 1, 0);

	world_add_times(w, a, 0, 0, -123, "l-taraval");
	world_add_times(w, a, 0, -1, -123, "l-taraval");
	world_add_times(w, a, 0, 1, 246, "l-taraval");
	world_add_times(w, a, 1, 9, 3, "l-taraval");
	assert_string_equal(world_end(w), "\n  l-taraval                                         \n" HEAD
					  "             < 0                @@@@@|                     -123     \n"
					  "               0                @@@@@|                     -123     \n"
					  "               1                     |@@@@@@@@@@           246      \n"
					  "               2                     |                     0        \n"
					  "               3                     |                     0        \n"
					  "               4                     |                     0        \n"
					  "               5                     |                     0        \n"
					  "               6                     |                     0        \n"
					  "               7                     |                     0        \n"
					  "               8                     |                     0        \n"
					  "               9                     |                     3        \n"
					  "           >= 10                     |                     0        \n"
					  "\n");
	world_free(w);
}

static void quantize_at_both_ends(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_QUANTIZE, "", 0, 0, 0, 0);

	world_add(w, a, 0, INT64_MIN);
	world_add(w, a, 0, INT64_MAX);

	const char *text = world_end(w),
		   *start = "\n\n" HEAD "-4611686018427387904 |@@@@@@@@@@@@@@@@@@@@                     1        \n"
			    "-2305843009213693952 |                                         0        \n";
	const char *end = "2305843009213693952 |                                         0        \n"
			  "4611686018427387904 |@@@@@@@@@@@@@@@@@@@@                     1        \n\n";

	assert_memory_equal(text, start, strlen(start));
	assert_string_equal(text + strlen(text) - strlen(end), end);
	world_free(w);
}

static void cleared_quantize_shows_around_zero(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_QUANTIZE, "", 0, 0, 0, 0), e = world_clause(w);
	u32 l = world_agg(w, D_AGGFUNC_LQUANTIZE, "", 5, 9, 1, 0);

	world_options(w)->quiet = true;
	world_names_aggs(w, world_action(w, e, D_ACTION_CLEAR, "", NULL), 1, a);
	world_names_aggs(w, world_action(w, e, D_ACTION_CLEAR, "", NULL), 1, l);
	world_add(w, a, 0, 1000);
	world_add(w, l, 0, 7);
	world_fire(w, e, 0, 1, 0ull);
	world_drain(w);
	assert_string_equal(world_end(w),
			    "\n\n" HEAD "              -1 |                                         0        \n"
			    "               0 |                                         0        \n"
			    "               1 |                                         0        \n"
			    "\n\n" HEAD "             < 5 |                                         0        \n"
			    "               5 |                                         0        \n"
			    "               6 |                                         0        \n"
			    "\n");
	world_free(w);
}

static void lquantize_has_ends(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_LQUANTIZE, "", 0, 1000, 100, 0);

	for (int i = 0; i < 10; i++)
		world_add(w, a, i % WORLD_CPUS, i * 100);
	assert_string_equal(world_end(w),
			    "\n\n" HEAD "             < 0 |                                         0        \n"
			    "               0 |@@@@                                     1        \n"
			    "             100 |@@@@                                     1        \n"
			    "             200 |@@@@                                     1        \n"
			    "             300 |@@@@                                     1        \n"
			    "             400 |@@@@                                     1        \n"
			    "             500 |@@@@                                     1        \n"
			    "             600 |@@@@                                     1        \n"
			    "             700 |@@@@                                     1        \n"
			    "             800 |@@@@                                     1        \n"
			    "             900 |@@@@                                     1        \n"
			    "         >= 1000 |                                         0        \n"
			    "\n");
	world_free(w);
}

static void lquantize_of_negative_range(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_LQUANTIZE, "", -100, 100, 50, 0);

	world_add(w, a, 0, -1000);
	world_add(w, a, 0, -1);
	world_add_times(w, a, 0, 5000, 2);
	assert_string_equal(world_end(w),
			    "\n\n" HEAD "          < -100 |@@@@@@@@@@                               1        \n"
			    "            -100 |                                         0        \n"
			    "             -50 |@@@@@@@@@@                               1        \n"
			    "               0 |                                         0        \n"
			    "              50 |                                         0        \n"
			    "          >= 100 |@@@@@@@@@@@@@@@@@@@@                     2        \n"
			    "\n");
	world_free(w);
}

/* llquantize(x, 10, 0, 6, 20): each decade in tens, then in twenties of the next. */
static void llquantize_has_steps(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_LLQUANTIZE, "", 10, 0, 2, 20);

	world_add_times(w, a, 0, 0, 2);
	world_add(w, a, 0, 3);
	world_add(w, a, 0, 17);
	world_add(w, a, 1, 19);
	world_add(w, a, 1, 55);
	assert_string_equal(world_end(w),
			    "\n\n" HEAD "             < 1 |@@@@@@@@@@@@@                            2        \n"
			    "               1 |                                         0        \n"
			    "               2 |                                         0        \n"
			    "               3 |@@@@@@@                                  1        \n"
			    "               4 |                                         0        \n"
			    "               5 |                                         0        \n"
			    "               6 |                                         0        \n"
			    "               7 |                                         0        \n"
			    "               8 |                                         0        \n"
			    "               9 |                                         0        \n"
			    "              10 |                                         0        \n"
			    "              15 |@@@@@@@@@@@@@                            2        \n"
			    "              20 |                                         0        \n"
			    "              25 |                                         0        \n"
			    "              30 |                                         0        \n"
			    "              35 |                                         0        \n"
			    "              40 |                                         0        \n"
			    "              45 |                                         0        \n"
			    "              50 |                                         0        \n"
			    "              55 |@@@@@@@                                  1        \n"
			    "              60 |                                         0        \n"
			    "\n");
	world_free(w);
}

static void llquantize_has_ends(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_LLQUANTIZE, "", 10, 3, 3, 10);

	world_add(w, a, 0, -1);
	world_add(w, a, 0, 9999);
	world_add_times(w, a, 0, 10000, 2);
	assert_string_equal(world_end(w),
			    "\n\n" HEAD "          < 1000 |@@@@@@@@@@                               1        \n"
			    "            1000 |                                         0        \n"
			    "            2000 |                                         0        \n"
			    "            3000 |                                         0        \n"
			    "            4000 |                                         0        \n"
			    "            5000 |                                         0        \n"
			    "            6000 |                                         0        \n"
			    "            7000 |                                         0        \n"
			    "            8000 |                                         0        \n"
			    "            9000 |@@@@@@@@@@                               1        \n"
			    "        >= 10000 |@@@@@@@@@@@@@@@@@@@@                     2        \n"
			    "\n");
	world_free(w);
}

/* By weighted total; equal totals by the weight at zero. */
static void distributions_are_sorted(void **state)
{
	static const struct {
		enum d_aggfunc func;
		s64 p[4];
	} kinds[] = {
	    {D_AGGFUNC_QUANTIZE, {0}},
	    {D_AGGFUNC_LQUANTIZE, {-10, 100, 1}},
	    {D_AGGFUNC_LLQUANTIZE, {2, 0, 8, 2}},
	};

	for (size_t i = 0; i < ARRAY_SIZE(kinds); i++) {
		const s64 *p = kinds[i].p;
		struct world *w = world_new();
		u32 a = world_agg(w, kinds[i].func, "s8", p[0], p[1], p[2], p[3]), e = world_clause(w);

		world_options(w)->quiet = true;
		world_names_aggs(w, world_action(w, e, D_ACTION_PRINTA, "", "%s"), 1, a);
		world_add(w, a, 0, 64, "c");
		world_add(w, a, 0, 4, "a");
		world_add_times(w, a, 0, 4, 5, "b");
		world_add(w, a, 0, 64, "d");
		world_add(w, a, 0, 0, "d");
		world_add(w, a, 0, 64, "e");
		world_fire(w, e, 0, 1, 0ull);
		assert_string_equal(world_drain(w), "abced");
		world_free(w);
	}
}

/* lquantize(x, 1, ...): what is below the range counts as zero. */
static void below_one_is_zero(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_LQUANTIZE, "s8", 1, 100, 1, 0), e = world_clause(w);

	world_options(w)->quiet = true;
	world_names_aggs(w, world_action(w, e, D_ACTION_PRINTA, "", "%s"), 1, a);
	world_add(w, a, 0, 64, "a");
	world_add(w, a, 0, 0, "a");
	world_add(w, a, 0, 64, "b");
	world_fire(w, e, 0, 1, 0ull);
	assert_string_equal(world_drain(w), "ba");
	world_free(w);
}

static void normalized_and_formatted(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_QUANTIZE, "d4", 0, 0, 0, 0), e = world_clause(w);
	struct d_stmt *st;

	world_options(w)->quiet = true;
	st = world_action(w, e, D_ACTION_NORMALIZE, "", NULL);
	world_names_aggs(w, st, 1, a);
	world_names_constant(w, st, 10);
	world_names_aggs(w, world_action(w, e, D_ACTION_PRINTA, "", "<%d %@d>\n"), 1, a);
	world_add_times(w, a, 0, 1, 30, 7ll);
	world_add_times(w, a, 0, 2, 10, 7ll);
	world_fire(w, e, 0, 1, 0ull);
	assert_string_equal(world_drain(w),
			    "<7 \n" HEAD "               0 |                                         0        \n"
			    "               1 |@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@           3        \n"
			    "               2 |@@@@@@@@@@                               1        \n"
			    "               4 |                                         0        \n"
			    ">\n");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(quantize_rounds_its_bars),
	    cmocka_unit_test(quantize_has_gaps_and_a_key),
	    cmocka_unit_test(quantize_of_negative_values),
	    cmocka_unit_test(negative_counts_go_left),
	    cmocka_unit_test(bars_go_both_ways),
	    cmocka_unit_test(quantize_at_both_ends),
	    cmocka_unit_test(cleared_quantize_shows_around_zero),
	    cmocka_unit_test(lquantize_has_ends),
	    cmocka_unit_test(lquantize_of_negative_range),
	    cmocka_unit_test(llquantize_has_steps),
	    cmocka_unit_test(llquantize_has_ends),
	    cmocka_unit_test(distributions_are_sorted),
	    cmocka_unit_test(below_one_is_zero),
	    cmocka_unit_test(normalized_and_formatted),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
