// SPDX-License-Identifier: Apache-2.0
/* Texts made to break a compiler: each ends in a tree or in one message. */
#include <stdlib.h>
#include <string.h>

#include "compile.h"

static struct strbuf repeat(const char *head, const char *s, size_t n, const char *tail)
{
	struct strbuf b = {0};

	strbuf_puts(&b, head);
	for (size_t i = 0; i < n; i++)
		strbuf_puts(&b, s);
	strbuf_puts(&b, tail);
	assert_false(b.failed);
	return b;
}

/* The message, without the line that it quotes. */
static void expect_refusal(const char *head, const char *s, size_t n, const char *tail, const char *message)
{
	struct strbuf text = repeat(head, s, n, tail);
	struct compiled c = compile_bytes(text.s, text.len, NULL);

	print_message("%s%s...\n", head, s);
	assert_non_null(c.messages.s);
	*strchr(c.messages.s, '\n') = '\0';
	assert_string_equal(c.messages.s, message);
	compiled_free(&c);
	strbuf_free(&text);
}

static void expect_success(const char *head, const char *s, size_t n, const char *tail)
{
	struct strbuf text = repeat(head, s, n, tail);
	struct compiled c = compile_bytes(text.s, text.len, NULL);

	assert_string_equal(c.messages.s ? c.messages.s : "", "");
	compiled_free(&c);
	strbuf_free(&text);
}

static void nesting_is_bounded(void **state)
{
	static const char too_deep[] = "the expression is nested too deeply (at most 512 levels)";
	static const struct {
		const char *head, *part, *tail, *where;
	} cases[] = {
	    {"BEGIN { x = ", "(", "", "1:525"},
	    {"BEGIN { x = ", "a[", "", "1:1038"},
	    {"BEGIN /", "(", "", "1:520"},
	    {"BEGIN { x = ", "strlen(", "", "1:3603"},
	    {"BEGIN { x = ", "-", "1; }", "1:19999"},
	    {"BEGIN { x = ", "!", "1; }", "1:10006"},
	    {"BEGIN { x = 1", "+1", "; }", "1:1036"},
	    {"BEGIN { x = 1", ",1", "; }", "1:1034"},
	    {"BEGIN { ", "a=", "1; }", "1:10004"},
	    {"BEGIN { x = ", "1?", "1; }", "1:10006"},
	    {"BEGIN { x = ", "(int)", "1; }", "1:16668"},
	    {"BEGIN { x = a", "[1]", "; }", "1:782"},
	    {"BEGIN { x = a", "->b", "; }", "1:1547"},
	    {"BEGIN { x = ", "sizeof ", "a; }", "1:69964"},
	    {"BEGIN { x = a", "++", "; }", "1:1036"},
	    {"BEGIN /1", "&&1", "/ { }", "1:1542"},
	    {"BEGIN { trace(1", "?1:1", "); }", "1:10008"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char message[200];

		snprintf(message, sizeof(message), "pydtrace: test.d:%s: %s", cases[i].where, too_deep);
		expect_refusal(cases[i].head, cases[i].part, 20000, cases[i].tail, message);
	}
}

static void much_is_allowed_where_it_does_not_nest(void **state)
{
	expect_success("BEGIN { trace(\"", "0123456789", 300000, "\"); }");
	expect_success("/*", "comment ", 300000, "*/ BEGIN { }");
	expect_success("", "\n", 1000000, "BEGIN { }");
	expect_success("BEGIN { ", "x = 1;", 50000, "}");
	expect_success("", "BEGIN { trace(1); }", 20000, "");
	expect_success("BEGIN ", ", END", 20000, "{ }");
}

static void absurd_texts_are_refused_in_one_line(void **state)
{
	expect_refusal("BEGIN { \"", "0123456789", 300000, "", "pydtrace: test.d:1:9: unterminated string");
	expect_refusal("/*", "comment ", 300000, "", "pydtrace: test.d:1:1: unterminated comment");
	expect_refusal(
	    "BEGIN { x = ", "9", 30, "; }",
	    "pydtrace: test.d:1:13: constant 999999999999999999999999999999 results in integer overflow");
	expect_refusal("BEGIN { printf(\"%", "9", 1000, "d\", 1); }",
		       "pydtrace: test.d:1:16: printf() format conversion #1 is too wide");
	expect_refusal("BEGIN { ", "@a = count();", 1, " @a; }",
		       "pydtrace: test.d:1:23: @a cannot be used as a value");
}

/* A message stays short, whatever it quotes, and in one line. */
static void long_names_are_cut_in_messages(void **state)
{
	struct strbuf text = repeat("BEGIN { trace(", "name", 100000, "); }");
	struct compiled c = compile_bytes(text.s, text.len, NULL);
	size_t len = strcspn(c.messages.s, "\n");

	assert_true(len > 300 && len < 400);
	assert_memory_equal(c.messages.s + len - 3, "...", 3);
	compiled_free(&c);
	strbuf_free(&text);
}

static void too_many_aggregations_are_refused(void **state)
{
	struct strbuf b = {0};

	strbuf_puts(&b, "BEGIN {\n");
	for (int i = 0; i < 2000; i++)
		strbuf_printf(&b, "@a%d = count();\n", i);
	strbuf_puts(&b, "}");
	expect_error(b.s, "pydtrace: test.d:1002:1: too many aggregations (at most 1000)\n"
			  "    @a1000 = count();\n"
			  "    ^\n");
	strbuf_free(&b);
}

static void many_variables_are_fast_enough(void **state)
{
	struct strbuf b = {0};

	/* Each takes its type from the next one: the slowest order. */
	strbuf_puts(&b, "BEGIN {\n");
	for (int i = 0; i < 5000; i++)
		strbuf_printf(&b, "x%d = x%d + 1;\n", i, i + 1);
	strbuf_puts(&b, "x5000 = 1; }");

	struct compiled c = compile(b.s, NULL);

	assert_int_equal(c.err, 0);
	assert_int_equal(c.prog.vars.n, 5001);
	compiled_free(&c);
	strbuf_free(&b);
}

static void every_byte_is_survived(void **state)
{
	for (int inside = 0; inside < 3; inside++) {
		for (int byte = 0; byte < 256; byte++) {
			char text[] = "BEGIN { x = ?; }";

			*(inside == 0 ? text : inside == 1 ? text + 8 : text + 12) = (char)byte;

			struct compiled c = compile_bytes(text, sizeof(text) - 1, NULL);

			if (!byte)
				assert_non_null(strstr(c.messages.s, "invalid character 0x00\n"));
			compiled_free(&c);
		}
	}
}

/* A text may end anywhere. */
static void every_prefix_is_survived(void **state)
{
	static const char text[] =
	    "#!/x\n#pragma D option a=b\nint a[string, int]; self string s;\n"
	    "python$1:m:*.f:x, syscall:::entry /copyinstr(arg1) == $$2 && self->t / 2 > 'a'/\n"
	    "{ @x[probefunc, \"a\\\"b\"] = lquantize(arg0, 0, 10, 2); printf(\"%-5d %s\", 1, execname);\n"
	    "/* c */ this->x = (char *)arg0; this->x[2] ? a[\"x\", 1]++ : --y; y <<= 0x1f; }\n";

	for (size_t n = 0; n < sizeof(text); n++) {
		struct compiled c = compile_bytes(text, n, NULL);

		compiled_free(&c);
	}
}

static void nul_is_located(void **state)
{
	struct compiled c = compile_bytes("BEGIN {\n\"a\0b\" }", 15, NULL);

	assert_string_equal(c.messages.s, "pydtrace: test.d:2:3: invalid character 0x00\n"
					  "    \"a\\x00b\" }\n"
					  "      ^\n");
	compiled_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nesting_is_bounded),
	    cmocka_unit_test(much_is_allowed_where_it_does_not_nest),
	    cmocka_unit_test(absurd_texts_are_refused_in_one_line),
	    cmocka_unit_test(long_names_are_cut_in_messages),
	    cmocka_unit_test(too_many_aggregations_are_refused),
	    cmocka_unit_test(many_variables_are_fast_enough),
	    cmocka_unit_test(every_byte_is_survived),
	    cmocka_unit_test(every_prefix_is_survived),
	    cmocka_unit_test(nul_is_located),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
