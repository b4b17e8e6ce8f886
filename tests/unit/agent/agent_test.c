// SPDX-License-Identifier: Apache-2.0
/* The agent's matching, records and table, outside of any interpreter; tests/agent has the rest. */
#include <setjmp.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "util/util.h"

#include "facts.c"
#include "match.c"
#include "page.c"
#include "record.c"
#include "table.c"

struct agent agent;
struct agent_api py;

/* --- what the included sources need of the others ---------------------------------------------- */

void *agent_map(size_t size)
{
	return calloc(1, size);
}

void agent_unmap(void *p, size_t size)
{
	free(p);
}

uint64_t hash_text(const char *s, size_t n)
{
	return hash_bytes(s, n);
}

struct pyobj *qualname_find(struct pyobj *code, struct pyobj *globals)
{
	return NULL;
}

static void no_reference(struct pyobj *o)
{
}

static void no_error(void)
{
}

/* --- a page ---------------------------------------------------------------------------------------- */

enum { PAGE_SIZE = 8192, MAX_FUNCTIONS = 16 };

struct page {
	struct wire_page *p;
	uint32_t text; /* end of the text that is there */
};

static struct page page_new(void)
{
	struct page pg = {.p = calloc(1, PAGE_SIZE)};

	*pg.p = (struct wire_page){
	    .magic = WIRE_MAGIC,
	    .version = WIRE_VERSION,
	    .size = PAGE_SIZE,
	    .strsize = 16,
	    .filters = 1024,
	    .ranges = 1536,
	    .terms = 2048,
	    .functions = 3072,
	    .max_functions = MAX_FUNCTIONS,
	    .strings = 7000,
	    .strings_end = PAGE_SIZE,
	};
	pg.text = 5000;
	agent = (struct agent){.page = pg.p};
	return pg;
}

static void *at(struct page *pg, uint32_t offset)
{
	return (char *)pg->p + offset;
}

static void add_term(struct page *pg, enum wire_field field, enum wire_op op, const char *text, int64_t number)
{
	struct wire_term *t = (struct wire_term *)at(pg, pg->p->terms) + pg->p->nterms++;

	*t = (struct wire_term){.field = field, .op = op, .number = number};
	if (text) {
		t->str = pg->text;
		t->len = strlen(text);
		memcpy(at(pg, pg->text), text, t->len + 1);
		pg->text += t->len + 1;
	}
}

static void add_range(struct page *pg, uint32_t first, uint32_t n)
{
	((struct wire_range *)at(pg, pg->p->ranges))[pg->p->nranges++] = (struct wire_range){first, n};
}

static void add_filter(struct page *pg, struct wire_filter f)
{
	((struct wire_filter *)at(pg, pg->p->filters))[pg->p->nfilters++] = f;
}

static struct facts facts_of(const char *file, const char *name, const char *module, const char *qualname,
			     long line)
{
	const char *text[NFIELDS] = {
	    [WIRE_FILE] = file, [WIRE_NAME] = name, [WIRE_MODULE] = module, [WIRE_QUALNAME] = qualname};
	struct facts f = {.firstline = line};

	for (int i = 0; i < NFIELDS; i++)
		if (text[i])
			f.text[i] = (struct fact_text){.s = text[i], .len = strlen(text[i])};
	return f;
}

/* --- globs -------------------------------------------------------------------------------------------- */

static void test_glob_is_utils(void **state)
{
	static const char alphabet[] = "aab*?[]!-\\c";
	char pat[12], s[12];

	srand(1);
	for (int i = 0; i < 300000; i++) {
		int np = rand() % 9, ns = rand() % 9;

		for (int k = 0; k < np; k++)
			pat[k] = alphabet[rand() % (sizeof(alphabet) - 1)];
		for (int k = 0; k < ns; k++)
			s[k] = alphabet[rand() % (sizeof(alphabet) - 1)];
		pat[np] = s[ns] = '\0';
		if (match_glob(pat, s) != glob_match(pat, s))
			fail_msg("'%s' on '%s': %d here, %d in util", pat, s, match_glob(pat, s),
				 glob_match(pat, s));
	}
	assert_true(match_glob("get_*_[l-n]inks", "get_action_links"));
	assert_false(match_glob("get_*_[!l-n]inks", "get_action_links"));
}

/* --- terms, groups, filters ----------------------------------------------------------------------------- */

static bool one_term(enum wire_field field, enum wire_op op, const char *text, int64_t number, const char *value)
{
	struct page pg = page_new();
	struct facts f = facts_of(value, value, value, value, 50);
	bool result;

	add_term(&pg, field, op, text, number);
	add_filter(&pg, (struct wire_filter){.events = 1, .all_first = 0, .nall = 1});
	assert_true(page_valid(pg.p));
	result = match_filters(pg.p, &f);
	free(pg.p);
	return result;
}

static void test_terms(void **state)
{
	static const struct {
		const char *value, *term;
		bool eq, lt;
	} text[] = {
	    {"abc", "abc", true, false},
	    {"abc", "abd", false, true},
	    {"abc", "abcd", false, true},
	    {"abcd", "abc", false, false},
	    {"", "", true, false},
	    {"", "a", false, true},
	    /* strsize is 16: fifteen bytes count */
	    {"123456789012345", "123456789012345x", true, false},
	    {"123456789012345x", "123456789012345y", true, false},
	    {"12345678901234x", "12345678901234y", false, true},
	    {"a\xc3\xa9", "a\x7f", false, false}, /* bytes are unsigned */
	};

	for (size_t i = 0; i < ARRAY_SIZE(text); i++) {
		const char *v = text[i].value, *t = text[i].term;
		bool eq = text[i].eq, lt = text[i].lt;

		assert_int_equal(one_term(WIRE_NAME, WIRE_EQ, t, 0, v), eq);
		assert_int_equal(one_term(WIRE_FILE, WIRE_NE, t, 0, v), !eq);
		assert_int_equal(one_term(WIRE_MODULE, WIRE_LT, t, 0, v), lt);
		assert_int_equal(one_term(WIRE_QUALNAME, WIRE_LE, t, 0, v), lt || eq);
		assert_int_equal(one_term(WIRE_NAME, WIRE_GT, t, 0, v), !lt && !eq);
		assert_int_equal(one_term(WIRE_NAME, WIRE_GE, t, 0, v), !lt);
	}
	/* A glob sees all of it. */
	assert_true(one_term(WIRE_NAME, WIRE_GLOB, "*z", 0, "1234567890123456789z"));
	assert_false(one_term(WIRE_NAME, WIRE_GLOB, "123456789012345", 0, "123456789012345x"));
	for (int n = 49; n <= 51; n++) {
		assert_int_equal(one_term(WIRE_LINE, WIRE_EQ, NULL, n, "x"), 50 == n);
		assert_int_equal(one_term(WIRE_LINE, WIRE_NE, NULL, n, "x"), 50 != n);
		assert_int_equal(one_term(WIRE_LINE, WIRE_LT, NULL, n, "x"), 50 < n);
		assert_int_equal(one_term(WIRE_LINE, WIRE_LE, NULL, n, "x"), 50 <= n);
		assert_int_equal(one_term(WIRE_LINE, WIRE_GT, NULL, n, "x"), 50 > n);
		assert_int_equal(one_term(WIRE_LINE, WIRE_GE, NULL, n, "x"), 50 >= n);
	}
	assert_true(one_term(WIRE_LINE, WIRE_LT, NULL, 1ll << 40, "x"));
}

static void test_groups(void **state)
{
	struct page pg = page_new();
	struct facts f = facts_of("f.py", "get", "pkg", "C.get", 7);

	add_term(&pg, WIRE_MODULE, WIRE_EQ, "pkg", 0);
	add_term(&pg, WIRE_QUALNAME, WIRE_GLOB, "C.*", 0);
	add_term(&pg, WIRE_MODULE, WIRE_EQ, "other", 0);
	add_term(&pg, WIRE_LINE, WIRE_GT, NULL, 5);
	add_range(&pg, 0, 2); /* pkg and C.* */
	add_range(&pg, 2, 1); /* other */
	add_range(&pg, 0, 0); /* anything */

	static const struct {
		struct wire_filter filter;
		bool matches;
	} rows[] = {
	    {{.nany = 0, .nall = 0}, true},
	    {{.any_first = 0, .nany = 1}, true},
	    {{.any_first = 1, .nany = 1}, false},
	    {{.any_first = 0, .nany = 2}, true},
	    {{.any_first = 1, .nany = 2}, true},
	    {{.any_first = 0, .nany = 2, .all_first = 3, .nall = 1}, true},
	    {{.any_first = 0, .nany = 2, .all_first = 2, .nall = 2}, false},
	    {{.all_first = 0, .nall = 2}, true},
	    {{.all_first = 0, .nall = 3}, false},
	};
	uint64_t want = 0;

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		add_filter(&pg, rows[i].filter);
		want |= (uint64_t)rows[i].matches << i;
	}
	assert_true(page_valid(pg.p));
	assert_int_equal(match_filters(pg.p, &f), want);
	free(pg.p);
}

/* Whatever the page says, what is accepted can be matched with inside of its bounds (under ASan). */
static void test_pages_damaged(void **state)
{
	struct facts f = facts_of("f.py", "get", "pkg", "C.get", 7);
	int valid = 0;

	srand(2);
	for (int i = 0; i < 100000; i++) {
		struct page pg = page_new();
		uint32_t *words = (uint32_t *)pg.p;

		add_term(&pg, WIRE_MODULE, WIRE_EQ, "pkg", 0);
		add_term(&pg, WIRE_QUALNAME, WIRE_GLOB, "C.*", 0);
		add_range(&pg, 0, 2);
		add_filter(&pg, (struct wire_filter){.events = 3, .nany = 1, .nall = 2});
		for (int k = rand() % 3; k >= 0; k--) {
			static const uint32_t starts[] = {5, 5, 1024 / 4, 1536 / 4, 2048 / 4};
			uint32_t word = starts[rand() % ARRAY_SIZE(starts)] + rand() % 11;

			words[word] = rand() % 2 ? rand() % PAGE_SIZE : (uint32_t)rand() * 2654435761u;
		}
		if (page_valid(pg.p)) {
			valid++;
			match_filters(pg.p, &f);
		}
		free(pg.p);
	}
	assert_in_range(valid, 1000, 99000);
}

/* --- records --------------------------------------------------------------------------------------------- */

static void test_records(void **state)
{
	struct page pg = page_new();
	char long_name[6000];
	struct facts a = facts_of("f.py", "get", "pkg", "C.get", 7), b = facts_of("f.py", "set", "pkg", "C.set", 9);

	py.Py_IncRef = py.Py_DecRef = no_reference;
	py.PyErr_Clear = no_error;
	agent.at[WIRE_ENTRY] = 5;
	agent.at[WIRE_RETURN] = 6;
	assert_int_equal(record_init(), 0);

	struct matched *m = record_function(&a, 7), *n = record_function(&b, 4);
	const struct wire_function *w = at(&pg, pg.p->functions);

	assert_int_equal(pg.p->nfunctions, 2);
	assert_int_equal(m->fid, 1);
	assert_int_equal(m->filters[WIRE_ENTRY], 5);
	assert_int_equal(m->filters[WIRE_RETURN], 6);
	assert_int_equal(n->fid, 2);
	assert_string_equal(n->func, "set");
	assert_string_equal(at(&pg, w[1].qualname), "C.set");
	assert_int_equal(w[0].file, w[1].file); /* text is there once */
	assert_int_equal(w[0].page, (uintptr_t)pg.p);
	assert_int_equal(pg.p->strings_used, sizeof("f.py") + sizeof("get") + sizeof("pkg") + sizeof("C.get") +
						 sizeof("set") + sizeof("C.set"));

	/* No room for the text of this one; there is for a shorter one. */
	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	b = facts_of("f.py", long_name, "pkg", "C.set", 9);
	assert_null(record_function(&b, 4));
	assert_int_equal(pg.p->dropped_functions, 1);
	assert_int_equal(pg.p->nfunctions, 2);
	for (int i = 2; i < MAX_FUNCTIONS; i++)
		assert_non_null(record_function(&a, 7));
	assert_null(record_function(&a, 7));
	assert_int_equal(pg.p->dropped_functions, 2);
	record_free();
	free(agent.matched);
	free(pg.p);
}

/* --- the table ----------------------------------------------------------------------------------------------- */

static struct decided decided(uintptr_t i, struct matched *m)
{
	return (struct decided){.code = (struct pyobj *)(i * 176 + 4096), .matched = m, .key = i};
}

static void test_table(void **state)
{
	struct matched some;
	struct table t;
	struct decided d;

	assert_int_equal(table_init(&t, 16), 0);
	for (uintptr_t i = 0; i < 5000; i++) {
		d = decided(i, i % 3 ? NULL : &some);
		assert_int_equal(table_put(&t, &d), 0);
	}
	d = decided(7, NULL);
	d.key = 1234;
	assert_int_equal(table_put(&t, &d), 0); /* in the place of the one before */
	assert_int_equal(t.used, 5000);
	for (uintptr_t i = 0; i < 6000; i++) {
		const struct decided *f = table_find(&t, decided(i, NULL).code);

		assert_int_equal(f->code != NULL, i < 5000);
		if (i < 5000) {
			assert_int_equal(f->key, i == 7 ? 1234 : i);
			assert_ptr_equal(f->matched, i % 3 ? NULL : &some);
		}
	}
	table_free(&t);
}

/* Code objects without end: those that matched stay, the others are forgotten now and then. */
static void test_table_without_end(void **state)
{
	struct matched some;
	struct table t;

	assert_int_equal(table_init(&t, 4096), 0);
	for (uintptr_t i = 0; i < 3000000; i++) {
		struct decided d = decided(i, i % 100000 ? NULL : &some);

		assert_int_equal(table_put(&t, &d), 0);
	}
	assert_true(t.mask + 1 == TABLE_MAX);
	for (uintptr_t i = 0; i < 3000000; i += 100000)
		assert_ptr_equal(table_find(&t, decided(i, NULL).code)->matched, &some);
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_glob_is_utils),     cmocka_unit_test(test_terms),   cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_pages_damaged),     cmocka_unit_test(test_records), cmocka_unit_test(test_table),
	    cmocka_unit_test(test_table_without_end),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
