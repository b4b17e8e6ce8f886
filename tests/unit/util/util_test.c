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

/* The line is shown harmless, and the caret stands below its column all the same. */
static void a_quoted_line_is_printable(void **state)
{
	struct strbuf out = {0};
	struct diag d = {.sink = keep, .arg = &out};
	const char *text = "\t\u540d\x1b\xe2\x80\xae x";
	struct source src = {"x.d", text, strlen(text)};

	diag_report(&d, DIAG_ERROR, (struct srcpos){&src, 1, (u32)strlen(text)}, "here");
	assert_string_equal(out.s, "pydtrace: x.d:1:10: here\n    \t\u540d\\x1b\\xe2\\x80\\xae x\n"
				   "    \t                  ^\n");
	strbuf_free(&out);
	diag_report(&d, DIAG_ERROR, (struct srcpos){&src, 1, (u32)strlen(text) + 3}, "behind it");
	assert_non_null(strstr(out.s, "\n    \t                     ^\n"));
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

/* What a style makes of n bytes. */
static void printed(struct strbuf *out, const char *s, size_t n, struct text_style style)
{
	strbuf_free(out);
	strbuf_add_text(out, s, n, style);
	if (!out->s)
		strbuf_puts(out, "");
}

static void text_is_made_printable(void **state)
{
#define ROW(s, expected)                                                                                           \
	{                                                                                                          \
		s, sizeof(s) - 1, expected                                                                         \
	}
	static const struct {
		const char *s;
		size_t n;
		const char *expected;
	} rows[] = {
	    ROW("", ""),
	    ROW("plain ~!", "plain ~!"),
	    ROW("C:\\new \"x\" \\x1b", "C:\\new \"x\" \\x1b"), /* neither backslash nor quote is touched */
	    ROW("na\u00efve \u0444 \u540d \U00020000", "na\u00efve \u0444 \u540d \U00020000"),
	    ROW("\x1b]0;owned\a", "\\x1b]0;owned\\x07"),
	    ROW("a\nb\tc\rd\b", "a\\x0ab\\x09c\\x0dd\\x08"),
	    ROW("a\0b", "a\\x00b"),
	    ROW("\x7f", "\\x7f"),
	    ROW("\xc2\x80\xc2\x9b\xc2\x9f\xc2\xa0", "\\xc2\\x80\\xc2\\x9b\\xc2\\x9f\xc2\xa0"), /* C1 */
	    ROW("\x9b"
		"1m",
		"\\x9b"
		"1m"),                                                           /* C1 as one byte */
	    ROW("\xe2\x80\xaa|\xe2\x80\xae", "\\xe2\\x80\\xaa|\\xe2\\x80\\xae"), /* embedding, override */
	    ROW("\xe2\x81\xa6|\xe2\x81\xa9", "\\xe2\\x81\\xa6|\\xe2\\x81\\xa9"), /* isolates */
	    ROW("\xe2\x80\xa8\xe2\x80\xa9", "\\xe2\\x80\\xa8\\xe2\\x80\\xa9"),   /* separators */
	    ROW("a\xe2\x80\x8b"
		"b",
		"a\\xe2\\x80\\x8b"
		"b"),                                                    /* zero-width space */
	    ROW("\xef\xbb\xbf", "\\xef\\xbb\\xbf"),                      /* byte order mark */
	    ROW("\xf3\xa0\x81\x81", "\\xf3\\xa0\\x81\\x81"),             /* tag */
	    ROW("\xe2\x80\xaf\xe2\x80\xa7", "\xe2\x80\xaf\xe2\x80\xa7"), /* the neighbours of those */
	    ROW("\x80", "\\x80"),
	    ROW("\xc3", "\\xc3"),
	    ROW("\xc3(", "\\xc3("),
	    ROW("\xc0\x9b", "\\xc0\\x9b"),                   /* ESC in two bytes */
	    ROW("\xe0\x80\x9b", "\\xe0\\x80\\x9b"),          /* in three */
	    ROW("\xf0\x80\x80\x9b", "\\xf0\\x80\\x80\\x9b"), /* in four */
	    ROW("\xed\xa0\x80", "\\xed\\xa0\\x80"),          /* a surrogate */
	    ROW("\xf4\x90\x80\x80", "\\xf4\\x90\\x80\\x80"), /* behind the last code point */
	    ROW("\xf4\x8f\xbf\xbf\xff", "\xf4\x8f\xbf\xbf\\xff"),
	    ROW("\xe5\x90", "\\xe5\\x90"), /* cut off */
	};
#undef ROW
	struct strbuf out = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		printed(&out, rows[i].s, rows[i].n, (struct text_style){0});
		assert_string_equal(out.s, rows[i].expected);
		printed(&out, rows[i].s, rows[i].n, (struct text_style){.form = TEXT_RAW});
		assert_int_equal(out.len, rows[i].n);
		assert_memory_equal(out.s, rows[i].s, rows[i].n);
	}
	strbuf_free(&out);
}

static void text_is_cut_and_padded_by_characters(void **state)
{
	static const struct {
		const char *s;
		enum text_form form;
		int width;
		u32 max;
		const char *expected;
	} rows[] = {
	    {"\x1b", TEXT_PRINTABLE, 6, 0, "  \\x1b"},
	    {"\x1b", TEXT_PRINTABLE, -6, 0, "\\x1b  "},
	    {"\x1b", TEXT_PRINTABLE, 3, 0, "\\x1b"},
	    {"a\x1bz", TEXT_PRINTABLE, 0, 4, "a"}, /* an escape is printed whole or not at all */
	    {"a\x1bz", TEXT_PRINTABLE, 0, 5, "a\\x1b"},
	    {"a\xe2\x80\xae", TEXT_PRINTABLE, -3, 12, "a  "},
	    {"\u540d\u524d", TEXT_PRINTABLE, 4, 0, "  \u540d\u524d"},
	    {"\u540d\u524d", TEXT_PRINTABLE, -4, 1, "\u540d   "},
	    {"\u540d\u524d", TEXT_RAW, 0, 1, "\u540d"},
	    {"\n\x01\"\\", TEXT_QUOTED, 0, 0, "\\n\\001\\\"\\\\"},
	    {"\u00ef\xff", TEXT_QUOTED, 0, 0, "\\303\\257\\377"},
	    {"x\x01", TEXT_QUOTED, 3, 3, "  x"},
	};
	struct strbuf out = {0};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		printed(&out, rows[i].s, strlen(rows[i].s),
			(struct text_style){rows[i].form, rows[i].width, rows[i].max});
		assert_string_equal(out.s, rows[i].expected);
	}
	strbuf_free(&out);
}

static void a_cut_character_is_left_out(void **state)
{
	const char *s = "ab\U00020000";

	assert_int_equal(text_whole(s, 0), 0);
	assert_int_equal(text_whole(s, 2), 2);
	assert_int_equal(text_whole(s, 3), 2);
	assert_int_equal(text_whole(s, 4), 2);
	assert_int_equal(text_whole(s, 5), 2);
	assert_int_equal(text_whole(s, 6), 6);
	assert_int_equal(text_whole("\x80\x80", 2), 2); /* no character at all: what it is will be seen */
	assert_int_equal(text_whole("a\xff", 2), 2);
}

/* Append code point c, which may be none, as UTF-8 would have it. */
static size_t encode(char *p, u32 c)
{
	static const u8 first[] = {0, 0, 0xc0, 0xe0, 0xf0};
	size_t n = c < 0x80 ? 1 : c < 0x800 ? 2 : c < 0x10000 ? 3 : 4;

	for (size_t i = n; i-- > 1; c >>= 6)
		p[i] = (char)(0x80 | (c & 0x3f));
	p[0] = (char)(n == 1 ? c : first[n] | c);
	return n;
}

/* Every code point: printed as it is, or as nothing but escapes. */
static void each_character_is_kept_or_escaped(void **state)
{
	struct strbuf out = {0};
	u32 escaped = 0;

	for (u32 c = 0; c < 0x110000; c++) {
		char s[4];
		size_t n = encode(s, c);

		out.len = 0;
		strbuf_add_text(&out, s, n, (struct text_style){0});
		if (out.len == n && !memcmp(out.s, s, n))
			continue;
		escaped++;
		assert_int_equal(out.len, 4 * n);
		for (size_t i = 0; i < out.len; i++)
			assert_true(i % 4 ? strchr("x0123456789abcdef", out.s[i]) != NULL : out.s[i] == '\\');
	}
	/* C0; DEL and C1; soft hyphen; U+061C; U+180E; U+200B-F; U+2028-E; U+2060-F; surrogates; U+FEFF; U+FFF9-B; music; tags */
	assert_int_equal(escaped, 32 + 33 + 1 + 1 + 1 + 5 + 7 + 16 + 2048 + 1 + 3 + 8 + 128);
	strbuf_free(&out);
}

/* Any bytes: no control character comes out, what comes out stays the same the second time, and a limit is kept. */
static void any_bytes_come_out_printable(void **state)
{
	struct strbuf out = {0}, again = {0};
	u64 seed = 1;

	for (int round = 0; round < 50000; round++) {
		char s[24];
		size_t n;
		u32 max;

		for (size_t i = 0; i < sizeof(s); i++) {
			seed = seed * 6364136223846793005ull + 1442695040888963407ull;
			s[i] = (char)(seed >> (seed >> 63 ? 33 : 40));
			if (seed >> 61 == 7) /* more of what begins a character of ours that is dangerous */
				s[i] = "\xe2\x80\xae\x1b\xc2\x9b\xed\xa0"[seed >> 33 & 7];
		}
		n = seed >> 33 & 15;
		max = (u32)(seed >> 40 & 15);
		printed(&out, s, n, (struct text_style){.max = max});
		for (size_t i = 0; i < out.len; i++) {
			u8 b = (u8)out.s[i];

			assert_true(b >= ' ' && b != 0x7f);
			if (b == 0xc2)
				assert_true((u8)out.s[i + 1] >= 0xa0);
		}
		if (max)
			assert_true(text_columns(out.s, out.len) <= max);
		printed(&again, out.s, out.len, (struct text_style){0});
		assert_string_equal(again.s, out.s);
	}
	strbuf_free(&out);
	strbuf_free(&again);
}

static void a_message_is_one_line(void **state)
{
	struct strbuf out = {0};
	struct diag d = {.sink = keep, .arg = &out};
	const char *text = "BEGIN";
	struct source src = {"a\nb.d", text, strlen(text)};

	diag_fail(&d, EPERM, "process %d (%s) is mine", 7, "x\npydtrace: \x1b[2J\xe2\x80\xae");
	assert_string_equal(out.s, "pydtrace: process 7 (x\\x0apydtrace: \\x1b[2J\\xe2\\x80\\xae) is mine\n");
	strbuf_free(&out);
	diag_report(&d, DIAG_ERROR, (struct srcpos){&src, 1, 1}, "no");
	assert_string_equal(out.s, "pydtrace: a\\x0ab.d:1:1: no\n    BEGIN\n    ^\n");
	strbuf_free(&out);
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
	    cmocka_unit_test(a_quoted_line_is_printable),
	    cmocka_unit_test(a_diagnostic_shortens_a_long_line),
	    cmocka_unit_test(text_is_made_printable),
	    cmocka_unit_test(text_is_cut_and_padded_by_characters),
	    cmocka_unit_test(a_cut_character_is_left_out),
	    cmocka_unit_test(each_character_is_kept_or_escaped),
	    cmocka_unit_test(any_bytes_come_out_printable),
	    cmocka_unit_test(a_message_is_one_line),
	    cmocka_unit_test(capabilities_have_names),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
