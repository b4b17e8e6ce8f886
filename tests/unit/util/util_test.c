// SPDX-License-Identifier: Apache-2.0
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <linux/capability.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/util.h"

static void arena_zeroes_and_aligns(void **state)
{
	struct arena *a = arena_new();

	for (size_t size = 0; size < 200000; size = size * 3 + 1) {
		unsigned char *p = arena_alloc(a, size);

		assert_int_equal((uintptr_t)p % 16, 0);
		for (size_t i = 0; i < size; i++)
			assert_int_equal(p[i], 0);
		memset(p, 0xff, size);
	}
	assert_string_equal(arena_printf(a, "%d-%s", 7, "x"), "7-x");
	assert_string_equal(arena_strndup(a, "abcdef", 3), "abc");
	arena_free(a);
	arena_free(NULL);
}

static void vec_keeps_its_elements(void **state)
{
	struct arena *a = arena_new();
	VEC(u32) v = {0};

	for (u32 i = 0; i < 1000; i++)
		*vec_push(a, &v) = i * i;
	assert_int_equal(v.n, 1000);
	for (u32 i = 0; i < 1000; i++)
		assert_int_equal(v.v[i], i * i);
	arena_free(a);
}

static void strbuf_grows(void **state)
{
	struct strbuf b = {0};

	for (int i = 0; i < 1000; i++)
		strbuf_printf(&b, "%03d,", i);
	assert_int_equal(b.len, 4000);
	assert_memory_equal(b.s + 3996, "999,", 5);
	assert_false(b.failed);
	strbuf_free(&b);
	assert_null(b.s);
}

static void globs_match_as_the_shell_does(void **state)
{
	static const struct {
		const char *pat, *s;
		bool match;
	} rows[] = {
	    {"", "anything", true},
	    {"*", "", true},
	    {"read", "read", true},
	    {"read", "readv", false},
	    {"read*", "readv", true},
	    {"*stat*", "newfstatat", true},
	    {"*stat", "newfstatat", false},
	    {"?ead", "read", true},
	    {"?", "", false},
	    {"[rw]ead", "read", true},
	    {"[!r]ead", "read", false},
	    {"[a-m]x", "kx", true},
	    {"[a-m]x", "zx", false},
	    {"[]]", "]", true},
	    {"[ab", "[ab", true},
	    {"\\*", "*", true},
	    {"\\*", "x", false},
	    {"a*b*c", "aXbYbZc", true},
	    {"a*b*c", "aXbYbZ", false},
	    {"Image.*", "Image.get_link_actions", true},
	    {"<locals>", "<locals>", true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		if (glob_match(rows[i].pat, rows[i].s) != rows[i].match)
			fail_msg("glob_match(\"%s\", \"%s\") is not %d", rows[i].pat, rows[i].s, rows[i].match);
}

static void a_hostile_glob_is_quick(void **state)
{
	char s[5001];

	memset(s, 'a', 5000);
	s[5000] = '\0';
	assert_false(glob_match("a*a*a*a*a*a*a*a*a*a*b", s));
}

static void numbers_are_whole(void **state)
{
	s64 v = 0;

	assert_int_equal(parse_s64("0x10", &v), 0);
	assert_int_equal(v, 16);
	assert_int_equal(parse_s64("-5", &v), 0);
	assert_int_equal(v, -5);
	assert_int_equal(parse_s64("18446744073709551615", &v), 0);
	assert_true((u64)v == UINT64_MAX);
	assert_int_equal(parse_s64("18446744073709551616", &v), -ERANGE);
	assert_int_equal(parse_s64("-9223372036854775809", &v), -ERANGE);
	assert_int_equal(parse_s64("", &v), -EINVAL);
	assert_int_equal(parse_s64("-", &v), -EINVAL);
	assert_int_equal(parse_s64(" 1", &v), -EINVAL);
	assert_int_equal(parse_s64("--1", &v), -EINVAL);
	assert_int_equal(parse_s64("1x", &v), -EINVAL);
}

static void keep(void *arg, enum diag_level level, const char *text)
{
	strbuf_puts(arg, text);
}

static void diagnostics_point_at_the_text(void **state)
{
	struct strbuf out = {0};
	struct diag d = {.sink = keep, .arg = &out};
	const char *text = "BEGIN\n{\n\tfoo(1);\n}\n";
	struct source src = {"x.d", text, strlen(text)};

	diag_report(&d, DIAG_ERROR, (struct srcpos){&src, 3, 2}, "unknown function '%s'", "foo");
	assert_string_equal(out.s, "pydtrace: x.d:3:2: unknown function 'foo'\n    \tfoo(1);\n    \t^\n");
	assert_int_equal(d.errors, 1);
	strbuf_free(&out);

	assert_int_equal(diag_fail(&d, ESRCH, "no process %d", 7), -ESRCH);
	assert_string_equal(out.s, "pydtrace: no process 7\n");
	strbuf_free(&out);

	diag_report(&d, DIAG_WARNING, NOWHERE, "careful");
	assert_string_equal(out.s, "pydtrace: warning: careful\n");
	assert_int_equal(d.errors, 2);
	strbuf_free(&out);
}

static void a_diagnostic_shortens_a_long_line(void **state)
{
	struct strbuf out = {0};
	struct diag d = {.sink = keep, .arg = &out};
	char *text = malloc(1 << 20);

	memset(text, 'x', 1 << 20);
	text[(1 << 20) - 1] = '\0';

	struct source src = {"long.d", text, (1 << 20) - 1};

	diag_report(&d, DIAG_ERROR, (struct srcpos){&src, 1, 500000}, "here");
	assert_true(out.len < 500);
	diag_report(&d, DIAG_ERROR, (struct srcpos){&src, 99, 1}, "a line that is not there");
	diag_report(&d, DIAG_ERROR, (struct srcpos){&src, 1, 3000000}, "a column that is not there");
	strbuf_free(&out);
	free(text);
}

static void capabilities_have_names(void **state)
{
	char name[32];

	assert_string_equal(capability_text(0, name, sizeof(name)), "CAP_CHOWN");
	assert_string_equal(capability_text(CAP_SYS_PTRACE, name, sizeof(name)), "CAP_SYS_PTRACE");
	assert_string_equal(capability_text(CAP_CHECKPOINT_RESTORE, name, sizeof(name)), "CAP_CHECKPOINT_RESTORE");
	assert_string_equal(capability_text(63, name, sizeof(name)), "number 63");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(arena_zeroes_and_aligns),
	    cmocka_unit_test(vec_keeps_its_elements),
	    cmocka_unit_test(strbuf_grows),
	    cmocka_unit_test(globs_match_as_the_shell_does),
	    cmocka_unit_test(a_hostile_glob_is_quick),
	    cmocka_unit_test(numbers_are_whole),
	    cmocka_unit_test(diagnostics_point_at_the_text),
	    cmocka_unit_test(a_diagnostic_shortens_a_long_line),
	    cmocka_unit_test(capabilities_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
