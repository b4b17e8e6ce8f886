// SPDX-License-Identifier: Apache-2.0
/* The printf engine: one row a conversion. */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "consumer/consumer_impl.h"
#include "world.h"

static struct value integer(s64 n, u8 size, bool is_signed)
{
	return (struct value){.kind = VALUE_INT, .size = size, .is_signed = is_signed, .num = (u64)n};
}

static struct value string(const char *s)
{
	return (struct value){.kind = VALUE_STRING, .str = s, .len = (u32)strlen(s)};
}

/* What `fmt` makes of up to three values. */
static void check(const char *fmt, struct value a, struct value b, struct value c, const char *expected)
{
	struct arena *arena = arena_new();
	struct value v[] = {a, b, c};
	struct strbuf out = {0};

	format_print(&out, world_format(arena, fmt), &(struct format_args){.v = v, .nv = 3});
	assert_string_equal(out.s ? out.s : "", expected);
	strbuf_free(&out);
	arena_free(arena);
}

static void integers(void **state)
{
	static const struct {
		const char *fmt;
		s64 n;
		u8 size;
		bool is_signed;
		const char *expected;
	} rows[] = {
	    {"%d", 123, 4, true, "123"},
	    {"%i", -123, 8, true, "-123"},
	    {"%d", -1, 1, true, "-1"},
	    {"%d", 0x90abcdef, 4, false, "2427178479"}, /* the sign is the argument's */
	    {"%d", -1, 8, false, "18446744073709551615"},
	    {"%d", INT64_MIN, 8, true, "-9223372036854775808"},
	    {"%u", -1, 1, true, "255"},
	    {"%u", -1, 2, true, "65535"},
	    {"%u", -1, 4, true, "4294967295"},
	    {"%u", -1, 8, true, "18446744073709551615"},
	    {"%x", -1, 4, true, "ffffffff"},
	    {"%x", 0xef, 1, false, "ef"},
	    {"%X", 0xcdef, 2, false, "CDEF"},
	    {"%o", -17, 1, true, "357"},
	    {"%o", 0x1234567890abcdef, 8, false, "110642547422052746757"},
	    {"%hd", 65535, 8, true, "-1"},
	    {"%hx", 0x12345678, 8, true, "5678"},
	    {"%hhx", 0x12345678, 8, true, "78"},
	    {"%hhd", 0xff, 8, true, "-1"},
	    {"%lld", -5, 8, true, "-5"},
	    {"%lu", 5, 4, false, "5"},
	    {"%p", 0x12345678, 8, false, "0x12345678"},
	    {"%p", 0, 8, false, "0x0"},
	    {"%a", 0xffff, 8, false, "0xffff"},
	    {"%A", 0xffff, 8, false, "0xffff"},
	    {"%c", 'x', 4, true, "x"},
	    {"%5c|", 'x', 4, true, "    x|"},
	    {"%c", 0x1b, 4, true, "\\x1b"},
	    {"%c", 0x9b, 4, true, "\\x9b"},
	    {"%C", '\n', 4, true, "\\n"},
	    {"%f", 3, 8, true, "3.000000"},
	    {"%.2f", -3, 8, true, "-3.00"},
	    {"%e", 1000, 8, true, "1.000000e+03"},
	    {"%g", 1000000, 8, false, "1e+06"},
	    /* flags, as DTrace's own test of them has it */
	    {"# %#8x", 0x123, 4, true, "#    0x123"},
	    {"0 %08x", 0x123, 4, true, "0 00000123"},
	    {"- %-8x|", 0x123, 4, true, "- 123     |"},
	    {"+ %+8d", 123, 4, true, "+     +123"},
	    {"  % 8d", 123, 4, true, "       123"},
	    {"% d", 123, 4, true, " 123"},
	    {"%.5d", 123, 4, true, "00123"},
	    {"%8.5d", -123, 4, true, "  -00123"},
	    {"%0d", 1, 4, true, "1"},
	    {"%1d", 1, 4, true, "1"},
	    {"%5d", 1, 4, true, "    1"},
	    {"100%%", 0, 4, true, "100%"},
	    {"%s", 42, 4, true, "42"}, /* not what the checker lets through */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(rows[i].fmt, integer(rows[i].n, rows[i].size, rows[i].is_signed), string(""), string(""),
		      rows[i].expected);
}

static void strings(void **state)
{
	static const struct {
		const char *fmt, *s, *expected;
	} rows[] = {
	    {"%s", "hello", "hello"},
	    {"%s", "", ""},
	    {"%0.0s", "hello", "hello"}, /* precision 0 is none */
	    {"%.1s", "hello", "h"},
	    {"%4.4s", "hello", "hell"},
	    {"%9.9s", "hello", "    hello"},
	    {"%-9s|", "hello", "hello    |"},
	    {"%3s", "hello", "hello"},
	    {"%s", "\xff\xc3", "\\xff\\xc3"},
	    {"%7s|%%\x1b\n", "\x1b]", "  \\x1b]|%\x1b\n"}, /* the format is the script's own */
	    {"%-3s|", "\u00ef", "\u00ef  |"},
	    {"%.4s|", "a\n", "a|"},
	    {"%S", "a\n\t\"\\\x01\xff", "a\\n\\t\\\"\\\\\\001\\377"},
	    {"%6S|", "\n", "    \\n|"},
	    {"[%d]", "text", "[0]"}, /* not what the checker lets through */
	    {"%q%s", "x", "x"},      /* no conversion of ours */
	};

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++)
		check(rows[i].fmt, string(rows[i].s), string(""), string(""), rows[i].expected);
}

/* What the script itself says, and with -x rawbytes everything, is printed as it is. */
static void trusted_text_is_raw(void **state)
{
	struct arena *arena = arena_new();
	struct value literal = string("\t\x1b[1m"), tab = integer('\t', 4, true);
	struct value v[] = {string("\x1b\xff"), integer(7, 4, true)};
	struct strbuf out = {0};

	literal.is_literal = tab.is_literal = true;
	check("%s%c|", literal, tab, string(""), "\t\x1b[1m\t|");
	check("%S", literal, tab, string(""), "\\t\\033[1m");
	format_print(&out, world_format(arena, "%s%c"), &(struct format_args){.v = v, .nv = 2, .raw = true});
	assert_string_equal(out.s, "\x1b\xff\a");
	strbuf_free(&out);
	arena_free(arena);
}

static void stars(void **state)
{
	check("%*d|", integer(5, 4, true), integer(1, 4, true), string(""), "    1|");
	check("%*d|", integer(-5, 4, true), integer(1, 4, true), string(""), "1    |");
	check("%-*d|", integer(5, 4, true), integer(1, 4, true), string(""), "1    |");
	check("%-*d|", integer(-5, 4, true), integer(1, 4, true), string(""), "1    |");
	check("%*.*s|", integer(4, 4, true), integer(2, 4, true), string("hello"), "  he|");
	check("%.*s|", integer(0, 4, true), string("hello"), string(""), "hello|");
	check("%.*s|", integer(-3, 4, true), string("hello"), string(""), "hello|");
}

/* A stray width asks for a lot, and gets no more than is reasonable. */
static void widths_are_bounded(void **state)
{
	static const s64 wild[] = {INT64_MAX, INT64_MIN, 1ll << 40, -(1ll << 31), 1 << 30};
	struct arena *arena = arena_new();

	for (size_t i = 0; i < ARRAY_SIZE(wild); i++) {
		struct value v[] = {integer(wild[i], 8, true), integer(wild[i], 8, true), integer(7, 8, true)};
		struct strbuf out = {0};

		format_print(&out, world_format(arena, "%*.*d"), &(struct format_args){.v = v, .nv = 3});
		assert_true(out.len >= 1 && out.len <= 65536);
		strbuf_free(&out);
		format_print(&out, world_format(arena, "%2000000000d"), &(struct format_args){.v = v + 2, .nv = 1});
		assert_int_equal(out.len, 65536);
		strbuf_free(&out);
	}
	arena_free(arena);
}

static void too_few_values_print_nothing(void **state)
{
	struct arena *arena = arena_new();
	struct strbuf out = {0};

	format_print(&out, world_format(arena, "<%s %S %Y %*s %k %@d>"), &(struct format_args){0});
	assert_non_null(out.s);
	assert_int_equal(out.s[0], '<');
	assert_int_equal(out.s[out.len - 1], '>');
	strbuf_free(&out);
	arena_free(arena);
}

static void dates_are_local(void **state)
{
	setenv("TZ", "UTC-1", 1);
	tzset();
	check("%Y", integer(123456789000000000, 8, true), string(""), string(""), "1973 Nov 29 22:33:09");
	check("%Y", integer(1196614800000000000, 8, true), string(""), string(""), "2007 Dec  2 18:00:00");
	check("%24Y|", integer(0, 8, true), string(""), string(""), "    1970 Jan  1 01:00:00|");
	setenv("TZ", "UTC", 1);
	tzset();
	check("%Y", integer(1196614800000000000, 8, true), string(""), string(""), "2007 Dec  2 17:00:00");
	check("%Y", integer(INT64_MAX, 8, true), string(""), string(""), "2262 Apr 11 23:47:16");
	check("%Y", integer(INT64_MIN, 8, true), string(""), string(""), "1677 Sep 21 00:12:44");
}

static void stacks_are_lines(void **state)
{
	static const u64 pcs[] = {0x1234, 0xabcd, 0, 0x5555};
	struct value v = {.kind = VALUE_BYTES, .str = (const char *)pcs, .len = sizeof(pcs)};

	check("%k", v, string(""), string(""), "\n              0x1234\n              0xabcd\n");
	v.len = 5;
	check("%k", v, string(""), string(""), "\n");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(integers),
	    cmocka_unit_test(strings),
	    cmocka_unit_test(trusted_text_is_raw),
	    cmocka_unit_test(stars),
	    cmocka_unit_test(widths_are_bounded),
	    cmocka_unit_test(too_few_values_print_nothing),
	    cmocka_unit_test(dates_are_local),
	    cmocka_unit_test(stacks_are_lines),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
