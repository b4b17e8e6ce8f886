// SPDX-License-Identifier: Apache-2.0
/* The page that a plan becomes, and versions as text. */
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "python/python_impl.h"

#define AT(page, off, type) ((const type *)((const char *)(page) + (off)))

static const char *term_text(const struct wire_page *w, u32 i)
{
	return AT(w, AT(w, w->terms, struct wire_term)[i].str, char);
}

static void empty_plan(void **state)
{
	struct python_plan *p = python_plan_new(64);
	size_t size;
	struct wire_page *w = python_plan_page(p, &size);

	assert_int_equal(w->magic, WIRE_MAGIC);
	assert_int_equal(w->version, WIRE_VERSION);
	assert_int_equal(w->strsize, 64);
	assert_int_equal(w->nfilters, 0);
	assert_int_equal(w->state, WIRE_NEW);
	assert_int_equal(w->mail.wanted, 0);
	assert_int_equal(w->size % 4096, 0);
	assert_true(w->functions >= size && w->functions % 8 == 0);
	assert_true(w->strings >= w->functions + w->max_functions * sizeof(struct wire_function));
	assert_true(w->strings < w->strings_end && w->strings_end <= w->size);
	free(w);
	python_plan_free(p);
}

/* Filters may be built in turns; each gets its own terms and ranges, in one piece. */
static void filters_keep_their_own(void **state)
{
	struct python_plan *p = python_plan_new(256);
	int a = python_plan_filter(p, 1 << WIRE_ENTRY), b = python_plan_filter(p, 0);
	const struct wire_filter *f;
	const struct wire_range *r;
	const struct wire_term *t;
	struct wire_page *w;
	size_t size;

	assert_int_equal(a, 0);
	assert_int_equal(b, 1);
	assert_int_equal(python_plan_event(p, b, WIRE_RETURN), 0);
	assert_int_equal(python_plan_any(p, b, "mod", "Cls.*"), 0);
	assert_int_equal(python_plan_text(p, a, WIRE_NAME, WIRE_EQ, "get_link_actions"), 0);
	assert_int_equal(python_plan_text(p, b, WIRE_FILE, WIRE_NE, "x.py"), 0);
	assert_int_equal(python_plan_number(p, a, WIRE_LINE, WIRE_GE, 7), 0);
	assert_int_equal(python_plan_any(p, b, NULL, ""), 0);
	w = python_plan_page(p, &size);
	f = AT(w, w->filters, struct wire_filter);
	r = AT(w, w->ranges, struct wire_range);
	t = AT(w, w->terms, struct wire_term);
	assert_int_equal(w->nfilters, 2);
	assert_int_equal(f[0].events, 1 << WIRE_ENTRY);
	assert_int_equal(f[0].nany, 0);
	assert_int_equal(f[0].nall, 2);
	assert_string_equal(term_text(w, f[0].all_first), "get_link_actions");
	assert_int_equal(t[f[0].all_first].len, 16);
	assert_int_equal(t[f[0].all_first + 1].field, WIRE_LINE);
	assert_int_equal(t[f[0].all_first + 1].op, WIRE_GE);
	assert_int_equal(t[f[0].all_first + 1].number, 7);
	assert_int_equal(f[1].events, 1 << WIRE_RETURN);
	assert_int_equal(f[1].nall, 1);
	assert_string_equal(term_text(w, f[1].all_first), "x.py");
	assert_int_equal(f[1].nany, 2);
	assert_int_equal(r[f[1].any_first].n, 2);
	assert_string_equal(term_text(w, r[f[1].any_first].first), "mod");
	assert_int_equal(t[r[f[1].any_first].first].op, WIRE_EQ);
	assert_string_equal(term_text(w, r[f[1].any_first].first + 1), "Cls.*");
	assert_int_equal(t[r[f[1].any_first].first + 1].op, WIRE_GLOB);
	assert_int_equal(t[r[f[1].any_first].first + 1].field, WIRE_QUALNAME);
	assert_int_equal(r[f[1].any_first + 1].n, 0);
	assert_int_equal(w->nterms, 5);
	assert_true(f[1].any_first + f[1].nany <= w->nranges);
	free(w);
	python_plan_free(p);
}

/* Conditions of which one must hold stand together, and what was taken back is not there. */
static void alternatives(void **state)
{
	static const struct {
		const char *text;
		u32 op;
	} want[] = {{"first", WIRE_NE},
		    {"a", WIRE_EQ | WIRE_OR_NEXT},
		    {"b", WIRE_EQ | WIRE_OR_NEXT},
		    {"c", WIRE_EQ},
		    {"last", WIRE_NE}};
	struct python_plan *p = python_plan_new(256);
	int a = python_plan_filter(p, 1), b = python_plan_filter(p, 1);
	const struct wire_filter *f;
	struct wire_page *w;
	size_t size;

	assert_int_equal(python_plan_text(p, a, WIRE_NAME, WIRE_NE, "first"), 0);
	python_plan_alternatives(p, 1);
	for (int i = 0; i < 3; i++)
		assert_int_equal(python_plan_text(p, a, WIRE_NAME, WIRE_EQ, want[i + 1].text), 0);
	python_plan_alternatives(p, 3);
	assert_int_equal(python_plan_text(p, b, WIRE_NAME, WIRE_EQ, "other"), 0);
	python_plan_alternatives(p, 1);
	for (int i = 0; i < 2; i++)
		assert_int_equal(python_plan_text(p, a, WIRE_NAME, WIRE_EQ, "taken back"), 0);
	python_plan_withdraw(p, 2);
	assert_int_equal(python_plan_text(p, a, WIRE_NAME, WIRE_NE, "last"), 0);
	python_plan_alternatives(p, 1);
	w = python_plan_page(p, &size);
	f = AT(w, w->filters, struct wire_filter);
	assert_int_equal(f[a].nall, ARRAY_SIZE(want));
	for (u32 i = 0; i < ARRAY_SIZE(want); i++) {
		assert_string_equal(term_text(w, f[a].all_first + i), want[i].text);
		assert_int_equal(AT(w, w->terms, struct wire_term)[f[a].all_first + i].op, want[i].op);
	}
	assert_int_equal(f[b].nall, 1);
	assert_int_equal(AT(w, w->terms, struct wire_term)[f[b].all_first].op, WIRE_EQ);
	free(w);
	python_plan_free(p);
}

static size_t size_of(struct python_plan *p, u32 *functions)
{
	size_t size, whole;
	struct wire_page *w = python_plan_page(p, &size);

	*functions = w->max_functions;
	whole = w->size;
	assert_true(w->dead >= sizeof(*w) && w->dead + WIRE_MAX_DEAD * sizeof(struct wire_dead) <= size);
	python_page_room(w, size, 100); /* what a file is cut to */
	assert_int_equal(w->max_functions, 100);
	assert_true(w->functions >= size && w->strings_end <= w->size && w->size < 64 << 10);
	python_page_room(w, size, 200); /* never more than there was */
	assert_int_equal(w->max_functions, 100);
	free(w);
	return whole;
}

/* A page is as large as its filters let it have functions. */
static void room_is_what_the_plan_needs(void **state)
{
	struct python_plan *p = python_plan_new(256);
	u32 functions;
	int f = python_plan_filter(p, 1 << WIRE_ENTRY);

	python_plan_text(p, f, WIRE_NAME, WIRE_EQ, "get_link_actions");
	assert_true(size_of(p, &functions) < 1 << 20);
	assert_int_equal(functions, 8192);
	f = python_plan_filter(p, 1 << WIRE_ENTRY);
	python_plan_any(p, f, "*", "one");
	python_plan_any(p, f, "mod", "Two.three");
	assert_true(size_of(p, &functions) < 2 << 20);
	assert_int_equal(functions, 8192 + 2 * 1024);
	f = python_plan_filter(p, 1 << WIRE_ENTRY);
	for (int i = 0; i < 3; i++)
		python_plan_text(p, f, WIRE_NAME, WIRE_EQ, "one of these");
	python_plan_alternatives(p, 3);
	assert_true(size_of(p, &functions) < 2 << 20);
	assert_int_equal(functions, 8192 + 5 * 1024);
	f = python_plan_filter(p, 1 << WIRE_ENTRY);
	python_plan_any(p, f, "mod", "Two.*");
	assert_true(size_of(p, &functions) < 20 << 20);
	assert_int_equal(functions, 65536);
	python_plan_free(p);

	p = python_plan_new(256);
	python_plan_filter(p, 1 << WIRE_ENTRY); /* matches all */
	size_of(p, &functions);
	assert_int_equal(functions, 65536);
	python_plan_free(p);
}

static void limits(void **state)
{
	struct python_plan *p = python_plan_new(256);
	int ret = 0;

	for (int i = 0; i < WIRE_MAX_FILTERS; i++)
		assert_int_equal(python_plan_filter(p, 0), i);
	assert_int_equal(python_plan_filter(p, 0), -E2BIG);
	assert_int_equal(python_plan_text(p, -1, WIRE_NAME, WIRE_EQ, "x"), -EINVAL);
	assert_int_equal(python_plan_any(p, WIRE_MAX_FILTERS, "x", NULL), -EINVAL);
	for (int i = 0; i < 100000 && !ret; i++)
		ret = python_plan_number(p, 0, WIRE_LINE, WIRE_EQ, i);
	assert_int_equal(ret, -E2BIG);
	python_plan_free(p);
}

static void versions(void **state)
{
	static const struct {
		const char *text;
		u32 version;
	} cases[] = {
	    {"3.9.18 (main, May  9 2026, 07:33:49) \n[GCC]", 0x030912f0},
	    {"3.10.13 (default", 0x030a0df0},
	    {"2.7.18 (default", 0x020712f0},
	    {"3.9.0a1 (x", 0x030900a1},
	    {"3.9.0b4+ (x", 0x030900b4},
	    {"3.10.0rc2 (x", 0x030a00c2},
	    {"3.9.18+ (heads/3.9", 0x030912f0},
	    {"3.9.18", 0},
	    {"3.9.18 ", 0},
	    {"3.9 (x", 0},
	    {"1.2.3 (x", 0},
	    {"3..1 (x", 0},
	    {"3.9.18x (", 0},
	    {"3.1000.1 (x", 0},
	    {"", 0},
	};
	char text[32];

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_int_equal(python_version_parse(cases[i].text, strlen(cases[i].text)), cases[i].version);
	for (size_t n = 0; n < 9; n++)
		assert_int_equal(python_version_parse("3.10.0rc2 (", n), 0);
	python_version_text(0x030912f0, text, sizeof(text));
	assert_string_equal(text, "3.9.18");
	python_version_text(0x030f00b2, text, sizeof(text));
	assert_string_equal(text, "3.15.0b2");
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(empty_plan),   cmocka_unit_test(filters_keep_their_own),
	    cmocka_unit_test(alternatives), cmocka_unit_test(room_is_what_the_plan_needs),
	    cmocka_unit_test(limits),       cmocka_unit_test(versions),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
