// SPDX-License-Identifier: Apache-2.0
/* Aggregations: merging, order, printa(), clear(), trunc(), normalize(). */
#include <stdlib.h>
#include <string.h>

#include "consumer/consumer_impl.h"
#include "rt/rt.h"
#include "world.h"

/* A clause with one action on these aggregations, fired now. */
static struct d_stmt *act(struct world *w, enum d_action action, const char *fmt, s64 constant, u32 a)
{
	u32 e = world_clause(w);
	struct d_stmt *st = world_action(w, e, action, "", fmt);

	world_names_aggs(w, st, 1, a);
	if (constant)
		world_names_constant(w, st, constant);
	world_fire(w, e, 0, 1, 0ull);
	return st;
}

static void each_function_prints_its_number(void **state)
{
	static const struct {
		enum d_aggfunc func;
		const char *expected;
	} rows[] = {
	    {D_AGGFUNC_COUNT, "\n               10\n"}, {D_AGGFUNC_SUM, "\n             4500\n"},
	    {D_AGGFUNC_MIN, "\n                0\n"},   {D_AGGFUNC_MAX, "\n              900\n"},
	    {D_AGGFUNC_AVG, "\n              450\n"},   {D_AGGFUNC_STDDEV, "\n              287\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = world_new();
		u32 a = world_agg(w, rows[i].func, "", 0, 0, 0, 0);

		for (int n = 0; n < 10; n++)
			world_add(w, a, n % WORLD_CPUS, n * 100);
		assert_string_equal(world_end(w), rows[i].expected);
		world_free(w);
	}
}

static void negative_numbers(void **state)
{
	static const struct {
		enum d_aggfunc func;
		const char *expected;
	} rows[] = {
	    {D_AGGFUNC_SUM, "\n              -30\n"},    {D_AGGFUNC_MIN, "\n              -20\n"},
	    {D_AGGFUNC_MAX, "\n               -3\n"},    {D_AGGFUNC_AVG, "\n              -10\n"},
	    {D_AGGFUNC_STDDEV, "\n                7\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = world_new();
		u32 a = world_agg(w, rows[i].func, "", 0, 0, 0, 0);

		world_add(w, a, 0, -20);
		world_add(w, a, 1, -7);
		world_add(w, a, 3, -3);
		assert_string_equal(world_end(w), rows[i].expected);
		world_free(w);
	}
}

/* The squares pass 64 bits: sum of squares 2.5e20. */
static void stddev_has_128_bits(void **state)
{
	for (int sign = -1; sign <= 1; sign += 2) {
		struct world *w = world_new();
		u32 a = world_agg(w, D_AGGFUNC_STDDEV, "", 0, 0, 0, 0);

		for (int n = 0; n < 10; n++)
			world_add(w, a, n % WORLD_CPUS, sign * (5000000000 + n * 100));
		assert_string_equal(world_end(w), "\n              287\n");
		world_free(w);
	}

	/* n, sum, squares of one value v: no deviation, whatever the size */
	static const s64 values[] = {0, 1, -1, INT32_MAX, INT64_MAX, INT64_MIN + 1};

	for (size_t i = 0; i < ARRAY_SIZE(values); i++) {
		unsigned __int128 sq = (unsigned __int128)((__int128)values[i] * values[i]);
		u64 words[] = {1, (u64)values[i], (u64)sq, (u64)(sq >> 64)};

		assert_int_equal(agg_stddev(words, 1), 0);
	}
	assert_int_equal(agg_stddev((u64[]){0, 0, 0, 0}, 1), 0);
	assert_int_equal(agg_stddev((u64[]){2, 0, 0, ~0ull}, 1), 13043817825332782211ull); /* sqrt(2^127) - 1 */
}

static void default_order_is_by_value_then_key(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_SUM, "s16 d4", 0, 0, 0, 0);

	world_add(w, a, 0, 5, "b", 2ll);
	world_add(w, a, 0, 5, "b", -2ll);
	world_add(w, a, 0, 5, "a", 7ll);
	world_add(w, a, 0, -1, "z", 1ll);
	world_add(w, a, 0, 100, "c", 1ll);
	assert_string_equal(world_end(w),
			    "\n"
			    "  z                                                         1               -1\n"
			    "  a                                                         7                5\n"
			    "  b                                                        -2                5\n"
			    "  b                                                         2                5\n"
			    "  c                                                         1              100\n");
	world_free(w);
}

static void keys_have_columns_by_size(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_COUNT, "d1 u2 d4 d8", 0, 0, 0, 0);

	world_add(w, a, 0, 0, -1ll, 65535ll, -2ll, -3ll);
	assert_string_equal(world_end(w), "\n  -1 65535       -2               -3                1\n");
	world_free(w);
}

/* The order of rows under each option; a row is told by its one-letter key. */
static void sort_options(void **state)
{
	static const struct {
		bool key, rev;
		u32 keypos;
		const char *order;
	} rows[] = {
	    {false, false, 0, "bca"}, {false, true, 0, "acb"}, {true, false, 0, "abc"}, {true, true, 0, "cba"},
	    {true, false, 1, "cab"},  {true, true, 1, "bac"},  {true, false, 9, "abc"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = world_new();
		u32 a = world_agg(w, D_AGGFUNC_SUM, "s8 d4", 0, 0, 0, 0);

		world_options(w)->quiet = true;
		world_options(w)->aggsortkey = rows[i].key;
		world_options(w)->aggsortrev = rows[i].rev;
		world_options(w)->aggsortkeypos = rows[i].keypos;
		world_add(w, a, 0, 30, "a", 2ll);
		world_add(w, a, 0, 10, "b", 3ll);
		world_add(w, a, 0, 20, "c", 1ll);
		act(w, D_ACTION_PRINTA, "%s", 0, a);
		assert_string_equal(world_drain(w), rows[i].order);
		world_free(w);
	}
}

/* At the end all that was not printed comes, aggregation by aggregation, and none is printed twice. */
static void the_end_prints_what_printa_did_not(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_COUNT, "d4", 0, 0, 0, 0);
	u32 b = world_agg(w, D_AGGFUNC_COUNT, "d4", 0, 0, 0, 0);
	u32 c = world_agg(w, D_AGGFUNC_COUNT, "d4", 0, 0, 0, 0);
	u32 empty = world_agg(w, D_AGGFUNC_COUNT, "d4", 0, 0, 0, 0);

	world_options(w)->quiet = true;
	world_add(w, a, 0, 0, 3ll);
	world_add(w, b, 0, 0, 2ll);
	world_add(w, c, 0, 0, 1ll);
	act(w, D_ACTION_PRINTA, NULL, 0, b);
	act(w, D_ACTION_PRINTA, NULL, 0, empty);
	assert_string_equal(world_drain(w), "\n        2                1\n\n");
	world_forget(w);
	world_add(w, empty, 0, 0, 9ll);
	assert_string_equal(world_end(w), "\n        3                1\n        1                1\n"
					  "        9                1\n");
	world_free(w);
}

/* Keys that print the same text are one key: two functions of one name, and text that a program made. */
static void equal_text_is_one_key(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_SUM, "t24", 0, 0, 0, 0);
	u32 m = world_agg(w, D_AGGFUNC_MIN, "f8", 0, 0, 0, 0);
	u64 f1 = world_probe(w, 1, 5, "python1", "m1", "f", "function-entry");
	u64 f2 = world_probe(w, 2, 5, "python1", "m2", "f", "function-entry");
	u64 g = world_probe(w, 3, 5, "python1", "m2", "g", "function-entry");

	world_add(w, a, 0, 1, f1, "");
	world_add(w, a, 1, 2, f2, "");
	world_add(w, a, 2, 4, 0ull, "f");
	world_add(w, a, 2, 8, g, "");
	world_add(w, m, 0, 7, f1);
	world_add(w, m, 0, 3, f2);
	assert_string_equal(world_end(w),
			    "\n  f                                                                 7\n"
			    "  g                                                                 8\n"
			    "  f                                                                 3\n");
	world_free(w);
}

/* A function's name may become known after its number was printed; the number is then not printed again. */
static void names_may_come_late(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_COUNT, "f8", 0, 0, 0, 0);

	world_options(w)->quiet = true;
	world_add(w, a, 0, 0, CG_IDENT(1, 5));
	act(w, D_ACTION_PRINTA, "%s %@d\n", 0, a);
	assert_string_equal(world_drain(w), "0x100000005 1\n");
	world_forget(w);
	world_probe(w, 1, 5, "python1", "m", "late", "function-entry");
	act(w, D_ACTION_PRINTA, "%s %@d\n", 0, a);
	assert_string_equal(world_drain(w), "late 1\n");
	world_free(w);
}

/* A map's element that no CPU has counted yet is not there. */
static void elements_without_values_are_not_there(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_SUM, "d4", 0, 0, 0, 0);

	world_add_times(w, a, 0, 0, 0, 1ll);
	world_add(w, a, 0, 0, 2ll);
	assert_string_equal(world_end(w), "\n        2                0\n");
	world_free(w);
}

/* --- printa ------------------------------------------------------------------------------------------------ */

static void printa_formats_keys_and_values(void **state)
{
	static const struct {
		const char *fmt, *expected;
	} rows[] = {
	    {"%@u: -\n", "7: -\n"},
	    {"%@u: %d %d %d\n", "7: 1 2 3\n"},
	    {"%@d %@d %@d\n", "7 7 7\n"},
	    {"[%-5d|%5d|%@8u]", "[1    |    2|       7]"},
	    {"%*d|%@-4d|", " 2|7   |"},
	    {"%@x %@5o|%@08d", "7     7|00000007"},
	    {"no conversion\n", "no conversion\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = world_new();
		u32 a = world_agg(w, D_AGGFUNC_SUM, "d4 d4 d4", 0, 0, 0, 0);

		world_options(w)->quiet = true;
		world_add(w, a, 0, 7, rows[i].fmt[1] == '*' ? 2ll : 1ll, 2ll, 3ll);
		act(w, D_ACTION_PRINTA, rows[i].fmt, 0, a);
		assert_string_equal(world_drain(w), rows[i].expected);
		world_free(w);
	}
}

static void printa_stands_under_its_line(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_COUNT, "s16", 0, 0, 0, 0), e = world_clause(w);
	u64 p = world_probe(w, 0, 3, "profile", "", "", "tick-1s");

	world_names_aggs(w, world_action(w, e, D_ACTION_PRINTA, "", NULL), 1, a);
	world_add(w, a, 0, 0, "x");
	world_fire(w, e, 0, 1, p);
	assert_string_equal(world_drain(w),
			    "CPU     ID                    FUNCTION:NAME\n"
			    "  0      3                         :tick-1s \n"
			    "  x                                                                 1\n\n");
	world_free(w);
}

static void printa_joins_aggregations(void **state)
{
	static const struct {
		u32 sortpos;
		bool rev, key;
		const char *expected;
	} rows[] = {
	    {0, false, false, "y 0 5;x 1 20;z 3 0;"}, {1, false, false, "z 3 0;y 0 5;x 1 20;"},
	    {0, true, false, "z 3 0;x 1 20;y 0 5;"},  {7, false, false, "y 0 5;x 1 20;z 3 0;"},
	    {0, false, true, "x 1 20;y 0 5;z 3 0;"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = world_new();
		u32 a = world_agg(w, D_AGGFUNC_COUNT, "s8", 0, 0, 0, 0);
		u32 b = world_agg(w, D_AGGFUNC_SUM, "s8", 0, 0, 0, 0), e = world_clause(w);

		world_options(w)->quiet = true;
		world_options(w)->aggsortpos = rows[i].sortpos;
		world_options(w)->aggsortrev = rows[i].rev;
		world_options(w)->aggsortkey = rows[i].key;
		world_names_aggs(w, world_action(w, e, D_ACTION_PRINTA, "", "%s %@d %@d;"), 2, a, b);
		world_add(w, a, 0, 0, "x");
		world_add_times(w, a, 0, 0, 3, "z");
		world_add(w, b, 0, 5, "y");
		world_add(w, b, 0, 20, "x");
		world_fire(w, e, 0, 1, 0ull);
		assert_string_equal(world_drain(w), rows[i].expected);
		world_forget(w);
		assert_string_equal(world_end(w), "\n"); /* both are printed */
		world_free(w);
	}
}

/* More %@ than aggregations: the last one again. */
static void printa_repeats_the_last(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_SUM, "", 0, 0, 0, 0);
	u32 b = world_agg(w, D_AGGFUNC_SUM, "", 0, 0, 0, 0), e = world_clause(w);

	world_options(w)->quiet = true;
	world_names_aggs(w, world_action(w, e, D_ACTION_PRINTA, "", "%@d %@d %@d %@d"), 2, a, b);
	world_add(w, a, 0, 1);
	world_add(w, b, 0, 2);
	world_fire(w, e, 0, 1, 0ull);
	assert_string_equal(world_drain(w), "1 2 2 2");
	world_free(w);
}

static void printa_joins_in_columns(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_COUNT, "s8", 0, 0, 0, 0);
	u32 b = world_agg(w, D_AGGFUNC_AVG, "s8", 0, 0, 0, 0), e = world_clause(w);

	world_options(w)->quiet = true;
	world_names_aggs(w, world_action(w, e, D_ACTION_PRINTA, "", NULL), 3, a, b, a);
	world_add(w, a, 0, 0, "x");
	world_add(w, b, 0, 5, "y");
	world_fire(w, e, 0, 1, 0ull);
	assert_string_equal(world_drain(w), "\n  y                                                                 "
					    "0                5                0\n"
					    "  x                                                                 1 "
					    "               0                1\n");
	world_free(w);
}

/* --- clear, trunc, normalize ----------------------------------------------------------------------------------- */

static void clear_keeps_keys_at_zero(void **state)
{
	static const struct {
		enum d_aggfunc func;
		const char *before, *cleared, *after;
	} rows[] = {
	    {D_AGGFUNC_COUNT, "b1 a2 ", "a0 b0 ", "b0 a1 "}, {D_AGGFUNC_SUM, "a8 b100 ", "a0 b0 ", "b0 a9 "},
	    {D_AGGFUNC_MIN, "a3 b100 ", "a0 b0 ", "b0 a9 "}, {D_AGGFUNC_MAX, "a5 b100 ", "a0 b0 ", "b0 a9 "},
	    {D_AGGFUNC_AVG, "a4 b100 ", "a0 b0 ", "b0 a9 "}, {D_AGGFUNC_STDDEV, "b0 a1 ", "a0 b0 ", "a0 b0 "},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = world_new();
		u32 a = world_agg(w, rows[i].func, "s8", 0, 0, 0, 0);

		world_options(w)->quiet = true;
		world_add(w, a, 0, 3, "a");
		world_add(w, a, 1, 5, "a");
		world_add(w, a, 1, 100, "b");
		act(w, D_ACTION_PRINTA, "%s%@d ", 0, a);
		assert_string_equal(world_drain(w), rows[i].before);
		world_forget(w);
		act(w, D_ACTION_CLEAR, NULL, 0, a);
		act(w, D_ACTION_PRINTA, "%s%@d ", 0, a);
		assert_string_equal(world_drain(w), rows[i].cleared);
		world_forget(w);
		world_add(w, a, 2, 9, "a");
		act(w, D_ACTION_PRINTA, "%s%@d ", 0, a);
		assert_string_equal(world_drain(w), rows[i].after);
		world_free(w);
	}
}

/* What is cleared may have lower words that are greater than those of now. */
static void clear_subtracts_128_bits(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_STDDEV, "", 0, 0, 0, 0);

	world_options(w)->quiet = true;
	world_add(w, a, 0, 4000000000); /* squares: 1.6e19, almost 2^64 */
	act(w, D_ACTION_CLEAR, NULL, 0, a);
	world_drain(w);
	world_add(w, a, 1, 3000000000);
	world_add(w, a, 1, 3000000010);
	act(w, D_ACTION_PRINTA, "%@d", 0, a);
	assert_string_equal(world_drain(w), "5");
	world_free(w);
}

/* What came between printa() and clear() of one drain is printed the next time. */
static void nothing_is_lost_between_printa_and_clear(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_COUNT, "", 0, 0, 0, 0);
	struct consumer *c;
	struct agg_rows rows;

	world_options(w)->quiet = true;
	world_add(w, a, 0, 0);
	c = world_consumer(w);
	assert_int_equal(agg_rows(c, &a, 1, &rows), 0);
	assert_int_equal(rows.row[0].v[0]->now[0], 1);
	agg_rows_free(&rows);
	world_add(w, a, 0, 0); /* in the middle of the drain */
	assert_int_equal(agg_clear(c, a), 0);
	act(w, D_ACTION_PRINTA, "%@d", 0, a);
	assert_string_equal(world_drain(w), "1");
	world_free(w);
}

static void trunc_keeps_the_top_or_the_bottom(void **state)
{
	static const struct {
		s64 n;
		const char *kept;
	} rows[] = {
	    {0, ""},
	    {1, "5"},
	    {2, "45"},
	    {5, "12345"},
	    {100, "12345"},
	    {-1, "1"},
	    {-3, "123"},
	    {INT64_MIN, "12345"},
	    {INT64_MAX, "12345"},
	};

	for (int func = D_AGGFUNC_SUM; func <= D_AGGFUNC_MAX; func++)
		for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
			struct world *w = world_new();
			u32 a = world_agg(w, func, "d4", 0, 0, 0, 0);

			world_options(w)->quiet = true;
			world_options(w)->aggsortkey = true; /* trunc() goes by value nevertheless */
			for (s64 n = 5; n > 0; n--)
				world_add(w, a, 0, n * 10, (long long)n);
			act(w, D_ACTION_TRUNC, NULL, rows[i].n, a);
			act(w, D_ACTION_PRINTA, "%d", 0, a);
			assert_string_equal(world_drain(w), rows[i].kept);
			world_free(w);
		}
}

static void truncated_keys_come_back_from_zero(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_SUM, "d4", 0, 0, 0, 0);
	u32 m = world_agg(w, D_AGGFUNC_MAX, "d4", 0, 0, 0, 0);

	world_options(w)->quiet = true;
	world_add(w, a, 0, 1000, 1ll);
	world_add(w, m, 0, 1000, 1ll);
	act(w, D_ACTION_NORMALIZE, NULL, 10, a);
	act(w, D_ACTION_TRUNC, NULL, 0, a);
	act(w, D_ACTION_TRUNC, NULL, 0, m);
	act(w, D_ACTION_PRINTA, "%@d", 0, a);
	assert_string_equal(world_drain(w), "");
	world_add(w, a, 0, 7, 1ll);
	world_add(w, m, 0, 7, 1ll);
	act(w, D_ACTION_PRINTA, "%@d,", 0, a);
	act(w, D_ACTION_PRINTA, "%@d", 0, m);
	assert_string_equal(world_drain(w), "7,7"); /* not normalized: it is a new key */
	world_free(w);
}

static void the_number_may_be_recorded(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_SUM, "d4", 0, 0, 0, 0), e = world_clause(w);

	world_options(w)->quiet = true;
	world_names_aggs(w, world_action(w, e, D_ACTION_TRUNC, "d8", NULL), 1, a);
	world_add(w, a, 0, 10, 1ll);
	world_add(w, a, 0, 20, 2ll);
	world_fire(w, e, 0, 1, 0ull, 1ll);
	act(w, D_ACTION_PRINTA, "%d", 0, a);
	assert_string_equal(world_drain(w), "2");
	world_free(w);
}

static void normalize_divides_and_denormalize_does_not(void **state)
{
	static const struct {
		enum d_aggfunc func;
		s64 by;
		const char *expected;
	} rows[] = {
	    {D_AGGFUNC_SUM, 5, "600"},    {D_AGGFUNC_SUM, 7, "428"}, {D_AGGFUNC_AVG, 5, "200"},
	    {D_AGGFUNC_MAX, 10, "200"},   {D_AGGFUNC_COUNT, 2, "1"}, {D_AGGFUNC_SUM, -1, "-3000"},
	    {D_AGGFUNC_STDDEV, 1, "816"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct world *w = world_new();
		u32 a = world_agg(w, rows[i].func, "", 0, 0, 0, 0);
		char plain[32];

		world_options(w)->quiet = true;
		world_add(w, a, 0, 0);
		world_add(w, a, 1, 1000);
		world_add(w, a, 2, 2000);
		act(w, D_ACTION_PRINTA, "%@d", 0, a);
		strcpy(plain, world_drain(w));
		world_forget(w);
		act(w, D_ACTION_NORMALIZE, NULL, rows[i].by, a);
		act(w, D_ACTION_PRINTA, "%@d", 0, a);
		assert_string_equal(world_drain(w), rows[i].expected);
		world_forget(w);
		act(w, D_ACTION_DENORMALIZE, NULL, 0, a);
		act(w, D_ACTION_PRINTA, "%@d", 0, a);
		assert_string_equal(world_drain(w), plain);
		world_free(w);
	}
}

static void odd_normals_do_not_trap(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_SUM, "", 0, 0, 0, 0);
	u32 q = world_agg(w, D_AGGFUNC_QUANTIZE, "", 0, 0, 0, 0), zero = world_clause(w);

	world_options(w)->quiet = true;
	world_names_aggs(w, world_action(w, zero, D_ACTION_NORMALIZE, "d8", NULL), 1, a);
	world_add(w, a, 0, INT64_MIN);
	world_add_times(w, q, 0, 1, INT64_MIN);
	world_fire(w, zero, 0, 1, 0ull, 0ll);
	act(w, D_ACTION_NORMALIZE, NULL, -1, a);
	act(w, D_ACTION_NORMALIZE, NULL, -1, q);
	act(w, D_ACTION_PRINTA, "%@d", 0, a);
	act(w, D_ACTION_PRINTA, "%@d", 0, q);
	world_drain(w);
	assert_string_equal(world_said(w), "pydtrace: normalize() by zero is left undone\n");
	world_free(w);
}

static void many_keys(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_SUM, "d4", 0, 0, 0, 0);
	struct strbuf expected = {0};

	for (int i = 0; i < 250; i++) {
		world_add(w, a, i % WORLD_CPUS, 250 - (i * 7 % 250), (long long)(i * 7 % 250));
		strbuf_printf(&expected, "%s %8d %16d\n", i ? "" : "\n", 249 - i, i + 1);
	}
	assert_string_equal(world_end(w), expected.s);
	strbuf_free(&expected);
	world_free(w);
}

/* A key that fits no layout is left out and counted. */
static void hostile_keys(void **state)
{
	struct world *w = world_new();
	u32 a = world_agg(w, D_AGGFUNC_COUNT, "d4 s8", 0, 0, 0, 0);

	world_add(w, a, 0, 0, 1ll, "xxxxxxxxx");
	world_output(w)->aggs[a].keys[1].off = 9;
	assert_string_equal(world_end(w), "\n");
	assert_string_equal(world_said(w), "pydtrace: 1 unreadable record (a bug in pydtrace; please report it)\n");
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(each_function_prints_its_number),
	    cmocka_unit_test(negative_numbers),
	    cmocka_unit_test(stddev_has_128_bits),
	    cmocka_unit_test(default_order_is_by_value_then_key),
	    cmocka_unit_test(keys_have_columns_by_size),
	    cmocka_unit_test(sort_options),
	    cmocka_unit_test(the_end_prints_what_printa_did_not),
	    cmocka_unit_test(equal_text_is_one_key),
	    cmocka_unit_test(names_may_come_late),
	    cmocka_unit_test(elements_without_values_are_not_there),
	    cmocka_unit_test(printa_formats_keys_and_values),
	    cmocka_unit_test(printa_stands_under_its_line),
	    cmocka_unit_test(printa_joins_aggregations),
	    cmocka_unit_test(printa_repeats_the_last),
	    cmocka_unit_test(printa_joins_in_columns),
	    cmocka_unit_test(clear_keeps_keys_at_zero),
	    cmocka_unit_test(clear_subtracts_128_bits),
	    cmocka_unit_test(nothing_is_lost_between_printa_and_clear),
	    cmocka_unit_test(trunc_keeps_the_top_or_the_bottom),
	    cmocka_unit_test(truncated_keys_come_back_from_zero),
	    cmocka_unit_test(the_number_may_be_recorded),
	    cmocka_unit_test(normalize_divides_and_denormalize_does_not),
	    cmocka_unit_test(odd_normals_do_not_trap),
	    cmocka_unit_test(many_keys),
	    cmocka_unit_test(hostile_keys),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
