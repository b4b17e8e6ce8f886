// SPDX-License-Identifier: Apache-2.0
/* The pure run-time functions on the host, against plain C that does the same in the obvious way. */
#include <limits.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "rt/rt.h"

#define SIZE 64

struct text {
	_Alignas(8) char s[2 * SIZE];
};

static struct text text(const char *s)
{
	struct text t = {{0}};

	strncpy(t.s, s, SIZE - 1);
	return t;
}

static void assert_text(const struct text *t, const char *want)
{
	assert_string_equal(t->s, want);
	for (size_t i = strlen(t->s); i < SIZE; i++)
		assert_int_equal(t->s[i], 0);
}

/* --- buckets ------------------------------------------------------------------------------------ */

static void test_quantize(void **state)
{
	static const struct {
		int64_t v;
		uint64_t bucket;
	} cases[] = {
	    {0, 63},          {1, 64},
	    {2, 65},          {3, 65},
	    {4, 66},          {-1, 62},
	    {-2, 61},         {-3, 61},
	    {-4, 60},         {INT64_MAX, 126},
	    {INT64_MIN, 0},   {-INT64_MAX, 0},
	    {1ll << 62, 126}, {(1ll << 62) - 1, 125},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++)
		assert_int_equal(rt_quantize_bucket(cases[i].v), cases[i].bucket);
	for (uint64_t b = 0; b < RT_QUANTIZE_BUCKETS; b++) {
		int64_t bound = rt_quantize_bound(b);

		assert_int_equal(rt_quantize_bucket(bound), b);
		if (b > 64)
			assert_int_equal(rt_quantize_bucket(bound - 1), b - 1);
	}
}

static void test_lquantize(void **state)
{
	for (int64_t v = -50; v < 50; v++) {
		uint64_t want = v < -10 ? 0 : v >= 20 ? 11 : (uint64_t)((v + 10) / 3) + 1;

		/* 30 / 3 = 10 levels */
		assert_int_equal(rt_lquantize_bucket(v, -10, 20, 3), want);
	}
	assert_int_equal(rt_lquantize_bucket(19, 0, 20, 3), 7); /* above the last whole level */
	assert_int_equal(rt_lquantize_bucket(INT64_MIN, 0, 10, 1), 0);
	assert_int_equal(rt_lquantize_bucket(INT64_MAX, INT64_MIN, INT64_MAX, INT64_MAX), 3);
}

/* By going through the bounds of all buckets. */
static void check_llquantize(uint64_t factor, uint64_t low, uint64_t high, uint64_t nsteps)
{
	uint64_t n = rt_llquantize_buckets(factor, low, high, nsteps);

	for (uint64_t b = 1; b < n; b++) {
		int64_t bound = rt_llquantize_bound(b, factor, low, high, nsteps);

		assert_int_equal(rt_llquantize_bucket(bound, factor, low, high, nsteps), b);
		assert_int_equal(rt_llquantize_bucket(bound - 1, factor, low, high, nsteps), b - 1);
		if (b > 1)
			assert_true(bound > rt_llquantize_bound(b - 1, factor, low, high, nsteps));
	}
	assert_int_equal(rt_llquantize_bucket(INT64_MAX, factor, low, high, nsteps), n - 1);
	assert_int_equal(rt_llquantize_bucket(-1, factor, low, high, nsteps), 0);
}

static void test_llquantize(void **state)
{
	check_llquantize(10, 0, 3, 10);
	check_llquantize(10, 0, 6, 20);
	check_llquantize(10, 2, 5, 100);
	check_llquantize(2, 0, 10, 2);
	check_llquantize(10, 0, 17, 10);
	check_llquantize(2, 3, 61, 16);
	/* The guide's example: factor 10, magnitudes 0 to 6, 20 steps. */
	assert_int_equal(rt_llquantize_bound(1, 10, 0, 6, 20), 1);
	assert_int_equal(rt_llquantize_bound(10, 10, 0, 6, 20), 10);
	assert_int_equal(rt_llquantize_bound(11, 10, 0, 6, 20), 15);
}

/* --- numbers ------------------------------------------------------------------------------------ */

static void test_division(void **state)
{
	static const int64_t v[] = {1, -1, 2, -2, 3, -7, 100, -100, INT64_MAX, INT64_MIN + 1};
	size_t n = sizeof(v) / sizeof(v[0]);

	for (size_t i = 0; i < n; i++) {
		for (size_t k = 0; k < n; k++) {
			assert_int_equal(rt_sdiv(v[i], v[k]), v[i] / v[k]);
			assert_int_equal(rt_smod(v[i], v[k]), v[i] % v[k]);
		}
	}
	assert_int_equal(rt_sdiv(INT64_MIN, -1), INT64_MIN);
}

static void test_squares(void **state)
{
	static const int64_t v[] = {0,         1,         -1,        0xffffffff,     -0x100000000,
				    INT64_MAX, INT64_MIN, INT64_MIN, 123456789012345};
	unsigned __int128 want = 0;
	_Alignas(8) __u64 sum[2] = {0};

	for (size_t i = 0; i < sizeof(v) / sizeof(v[0]); i++) {
		unsigned __int128 m = v[i] < 0 ? -(unsigned __int128)(__int128)v[i] : (unsigned __int128)v[i];

		want += m * m;
		rt_agg_square(sum, v[i]);
		assert_int_equal(sum[0], (uint64_t)want);
		assert_int_equal(sum[1], (uint64_t)(want >> 64));
	}
}

static void test_max(void **state)
{
	__u64 w = 0;

	rt_agg_max(&w, (uint64_t)5 ^ RT_MIN_FLIP);
	rt_agg_max(&w, (uint64_t)-3 ^ RT_MIN_FLIP);
	rt_agg_max(&w, (uint64_t)9 ^ RT_MIN_FLIP);
	assert_int_equal((int64_t)(w ^ RT_MIN_FLIP), -3);
	w = 0;
	rt_agg_max(&w, (uint64_t)-5 ^ RT_MAX_FLIP);
	rt_agg_max(&w, (uint64_t)-3 ^ RT_MAX_FLIP);
	rt_agg_max(&w, (uint64_t)-9 ^ RT_MAX_FLIP);
	assert_int_equal((int64_t)(w ^ RT_MAX_FLIP), -3);
}

/* --- strings ------------------------------------------------------------------------------------ */

static const char *const samples[] = {
    "",
    "a",
    "ab",
    "b",
    "abcdefg",
    "abcdefgh",
    "abcdefghi",
    "abcdefghabcdefgh",
    "ab\x80",
    "\xff\xff",
    "012345678901234567890123456789012345678901234567890123456789012",
};
#define NSAMPLES (sizeof(samples) / sizeof(samples[0]))

static int sign(int v)
{
	return (v > 0) - (v < 0);
}

static void test_compare(void **state)
{
	for (size_t i = 0; i < NSAMPLES; i++) {
		struct text a = text(samples[i]);

		assert_int_equal(rt_str_len(a.s, SIZE), strlen(a.s));
		for (size_t k = 0; k < NSAMPLES; k++) {
			struct text b = text(samples[k]);

			assert_int_equal(rt_str_eq(a.s, b.s, SIZE), !strcmp(a.s, b.s));
			assert_int_equal(sign((int)rt_str_cmp(a.s, b.s, SIZE)), sign(strcmp(a.s, b.s)));
		}
	}
}

static void test_join(void **state)
{
	for (size_t i = 0; i < NSAMPLES; i++) {
		for (size_t k = 0; k < NSAMPLES; k++) {
			struct text a = text(samples[i]), b = text(samples[k]), dst;
			char want[4 * SIZE];

			memset(&dst, 'x', sizeof(dst));
			rt_str_join(dst.s, a.s, b.s, SIZE);
			snprintf(want, sizeof(want), "%s%s", a.s, b.s);
			want[SIZE - 1] = 0;
			assert_text(&dst, want);
		}
	}
}

static void check_substr(const char *s, int64_t index, int64_t n, const char *want)
{
	struct text src = text(s), dst;

	memset(&dst, 'x', sizeof(dst));
	rt_str_substr(dst.s, src.s, index, n, SIZE);
	assert_text(&dst, want);
}

static void test_substr(void **state)
{
	check_substr("abcdef", 0, 64, "abcdef");
	check_substr("abcdef", 2, 2, "cd");
	check_substr("abcdef", 5, 10, "f");
	check_substr("abcdef", 6, 10, "");
	check_substr("abcdef", -3, 2, "de");
	check_substr("abcdef", -8, 4, "ab");
	check_substr("abcdef", -8, 2, "");
	check_substr("abcdef", 1, -2, "bcd");
	check_substr("abcdef", 3, -5, "");
	check_substr("abcdef", 2, 0, "");
	check_substr("abcdef", INT64_MIN, INT64_MAX, "");
	check_substr("abcdef", INT64_MAX, INT64_MIN, "");
	check_substr(samples[NSAMPLES - 1], 0, 64, samples[NSAMPLES - 1]);
}

static int64_t find(const char *s, const char *sub, int64_t start)
{
	const char *p = start >= (int64_t)strlen(s) && *s ? NULL : strstr(s + (start < 0 ? 0 : start), sub);

	return p ? p - s : -1;
}

static void test_index(void **state)
{
	static const char *const hay[] = {"",
					  "a",
					  "aab",
					  "hello world, hello",
					  "xxxxxxxyxxxxxxxyxxxxxxxz",
					  "012345678901234567890123456789012345678901234567890123456789abc"};
	static const char *const subs[] = {"a",    "ab",   "hello",  "o w", "xxxxxxxz", "xxxxxxxyxxxxxxxz",
					   "9abc", "abcd", "nowhere"};

	for (size_t i = 0; i < sizeof(hay) / sizeof(hay[0]); i++) {
		for (size_t k = 0; k < sizeof(subs) / sizeof(subs[0]); k++) {
			for (int64_t start = -1; start <= (int64_t)strlen(hay[i]); start++) {
				struct text wide = text(hay[i]), sub = text(subs[k]);

				assert_int_equal(rt_str_index(wide.s, sub.s, SIZE / 8, start, SIZE),
						 find(hay[i], subs[k], start));
			}
		}
		for (int64_t start = -1; start <= SIZE; start++) {
			struct text wide = text(hay[i]), sub = text("");
			int64_t len = (int64_t)strlen(hay[i]), from = start < 0 ? 0 : start;

			assert_int_equal(rt_str_index(wide.s, sub.s, SIZE / 8, start, SIZE),
					 from < len ? from : len);
		}
	}
}

static void test_paths(void **state)
{
	static const struct {
		const char *path, *base, *dir;
	} cases[] = {
	    {"/usr/lib/x.so", "x.so", "/usr/lib"},
	    {"/usr/", "usr", "/"},
	    {"usr", "usr", "."},
	    {"/", "/", "/"},
	    {"///", "/", "/"},
	    {"", ".", "."},
	    {"a//b//", "b", "a"},
	    {"//a", "a", "/"},
	    {"./x", "x", "."},
	    {"a/", "a", "."},
	};

	for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
		struct text path = text(cases[i].path), out;

		rt_str_basename(out.s, path.s, SIZE);
		assert_text(&out, cases[i].base);
		rt_str_dirname(out.s, path.s, SIZE);
		assert_text(&out, cases[i].dir);
	}
}

static void test_object(void **state)
{
	assert_memory_equal(rt_bpf_o, "\177ELF", 4);
	assert_true(rt_bpf_o_end - rt_bpf_o > 1000);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_quantize), cmocka_unit_test(test_lquantize), cmocka_unit_test(test_llquantize),
	    cmocka_unit_test(test_division), cmocka_unit_test(test_squares),   cmocka_unit_test(test_max),
	    cmocka_unit_test(test_compare),  cmocka_unit_test(test_join),      cmocka_unit_test(test_substr),
	    cmocka_unit_test(test_index),    cmocka_unit_test(test_paths),     cmocka_unit_test(test_object),
	};

	return cmocka_run_group_tests_name("rt", tests, NULL, NULL);
}
