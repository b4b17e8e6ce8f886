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
#include "slot.c"
#include "table.c"

struct agent agent;
struct agent_api py;

/* --- what the included sources need of the others ---------------------------------------------- */

static int maps_left = -1, maps_now; /* how many there still may be, from 0 on; how many there are */

void *agent_map(size_t size)
{
	if (!maps_left)
		return NULL;
	maps_left -= maps_left > 0;
	maps_now++;
	return calloc(1, size);
}

void agent_unmap(void *p, size_t size)
{
	maps_now -= !!p;
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

/* Terms of which one must hold, by every combination of four that hold or not and of how they are joined. */
static void test_alternatives(void **state)
{
	for (unsigned bits = 0; bits < 1 << 7; bits++) {
		struct page pg = page_new();
		struct facts f = facts_of("f.py", "get", "pkg", "C.get", 7);
		bool want = true, group = false;

		for (unsigned i = 0; i < 4; i++) {
			bool holds = bits >> i & 1, or_next = i < 3 && bits >> (4 + i) & 1;

			add_term(&pg, WIRE_NAME, WIRE_EQ | (or_next ? WIRE_OR_NEXT : 0), holds ? "get" : "set", 0);
			group |= holds;
			if (!or_next) {
				want &= group;
				group = false;
			}
		}
		add_filter(&pg, (struct wire_filter){.events = 1, .all_first = 0, .nall = 4});
		assert_true(page_valid(pg.p));
		assert_int_equal(match_filters(pg.p, &f), want);
		free(pg.p);
	}
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

static struct pyobj *object(uintptr_t i)
{
	return (struct pyobj *)(i * 176 + 4096);
}

/* A code object, and the weak reference to it, are numbers here. */
static struct matched *enter(struct facts *f, uint64_t filters, uintptr_t i)
{
	f->code = object(i);
	return record_function(f, filters, object(i + 1000000));
}

static struct page records_begin(void)
{
	struct page pg = page_new();

	py.Py_IncRef = py.Py_DecRef = no_reference;
	py.PyErr_Clear = no_error;
	agent.at[WIRE_ENTRY] = 5;
	agent.at[WIRE_RETURN] = 6;
	record_init();
	assert_int_equal(table_init(&agent.table, 16), 0);
	assert_int_equal(table_init(&agent.refs, 16), 0);
	return pg;
}

static void records_end(struct page *pg)
{
	record_free();
	assert_null(agent.matched);
	assert_int_equal(agent.table.used + agent.refs.used, 0);
	table_free(&agent.table);
	table_free(&agent.refs);
	free(pg->p);
}

static void test_records(void **state)
{
	struct page pg = records_begin();
	struct facts a = facts_of("f.py", "get", "pkg", "C.get", 7), b = facts_of("f.py", "set", "pkg", "C.set", 9);
	struct matched *m = enter(&a, 7, 1), *n = enter(&b, 4, 2);
	const struct wire_function *w = at(&pg, pg.p->functions);

	assert_int_equal(pg.p->nfunctions, 2);
	assert_int_equal(m->fid, 1);
	assert_int_equal(m->filters[WIRE_ENTRY], 5);
	assert_int_equal(m->filters[WIRE_RETURN], 6);
	assert_int_equal(n->fid, 2);
	assert_ptr_equal(n->function, &w[1]);
	assert_string_equal(n->func, "set");
	assert_string_equal(at(&pg, w[1].qualname), "C.set");
	assert_int_equal(w[0].file, w[1].file); /* text is there once */
	assert_int_equal(w[0].page, (uintptr_t)pg.p);
	assert_int_equal(pg.p->strings_used, sizeof("f.py") + sizeof("get") + sizeof("pkg") + sizeof("C.get") +
						 sizeof("set") + sizeof("C.set"));
	assert_ptr_equal(table_find(&agent.table, object(2))->matched, n);
	assert_ptr_equal(table_find(&agent.refs, object(1000002))->matched, n);
	record_forget(n);
	assert_null(table_find(&agent.table, object(2))->code);
	assert_null(table_find(&agent.refs, object(1000002))->code);
	assert_ptr_equal(agent.matched, m);
	records_end(&pg);
}

/* What is printed the same is one record, and any difference makes another. */
static void test_records_by_content(void **state)
{
	static const struct {
		const char *file, *name, *module, *qualname;
		long line;
		uint64_t filters;
		uint32_t fid;
	} rows[] = {
	    {"f.py", "get", "pkg", "C.get", 7, 7, 1}, {"f.py", "get", "pkg", "C.get", 7, 7, 1},
	    {"g.py", "get", "pkg", "C.get", 7, 7, 2}, {"f.py", "set", "pkg", "C.get", 7, 7, 3},
	    {"f.py", "get", "kpg", "C.get", 7, 7, 4}, {"f.py", "get", "pkg", "D.get", 7, 7, 5},
	    {"f.py", "get", "pkg", "C.get", 8, 7, 6}, {"f.py", "get", "pkg", "C.get", 7, 5, 7},
	    {"f.py", "getp", "kg", "C.get", 7, 7, 8}, {"f.py", "get", "pkg", "D.get", 7, 7, 5},
	    {"f.py", "get", "pkg", "C.get", 7, 7, 1},
	};
	struct page pg = records_begin();

	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct facts f =
		    facts_of(rows[i].file, rows[i].name, rows[i].module, rows[i].qualname, rows[i].line);

		assert_int_equal(enter(&f, rows[i].filters, i)->fid, rows[i].fid);
	}
	assert_int_equal(pg.p->nfunctions, 8);
	records_end(&pg);
}

/* No room for more records: a function is entered without one, and others that have one still share it. */
static void test_records_full(void **state)
{
	struct page pg = records_begin();
	char long_name[6000];
	struct facts a = facts_of("f.py", "get", "pkg", "C.get", 7), b = a;
	struct matched *m;

	/* No room for the text of this one; there is for a shorter one. */
	memset(long_name, 'x', sizeof(long_name));
	long_name[sizeof(long_name) - 1] = '\0';
	b = facts_of("f.py", long_name, "pkg", "C.set", 9);
	m = enter(&b, 4, 0);
	assert_null(m->function);
	assert_int_equal(m->filters[WIRE_ENTRY], 4);
	assert_int_equal(pg.p->nfunctions, 0);
	for (int i = 0; i < MAX_FUNCTIONS; i++) {
		a.firstline = i;
		assert_non_null(enter(&a, 7, 10 + i)->function);
	}
	a.firstline = 1000;
	assert_null(enter(&a, 7, 30)->function);
	a.firstline = 3;
	assert_int_equal(enter(&a, 7, 31)->fid, 4);
	assert_int_equal(pg.p->nfunctions, MAX_FUNCTIONS);
	records_end(&pg);
}

/* Nothing can be kept of it: what is said of it is at which events it is lost. */
static void test_records_without_memory(void **state)
{
	struct page pg = records_begin();
	struct facts f = facts_of("f.py", "get", "pkg", "C.get", 7);
	static const struct {
		uint64_t filters;
		bool entry, returned;
	} rows[] = {{1, true, false}, {2, false, true}, {4, true, true}, {7, true, true}};

	maps_left = 0;
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		struct matched *m = enter(&f, rows[i].filters, i);

		assert_null(m->ref);
		assert_null(m->function);
		assert_int_equal(!!m->filters[WIRE_ENTRY], rows[i].entry);
		assert_int_equal(!!m->filters[WIRE_RETURN], rows[i].returned);
		assert_null(table_find(&agent.table, object(i))->code);
	}
	assert_ptr_equal(enter(&f, 4, 9), record_function(&f, 7, NULL)); /* nor is a weak reference to be had */
	maps_left = 1;                                                   /* for the slot, not for the record */
	assert_null(enter(&f, 7, 1)->function);
	assert_non_null(agent.matched);
	maps_left = -1;
	assert_int_equal(enter(&f, 7, 2)->fid, 1);
	records_end(&pg);
}

/* --- slots ------------------------------------------------------------------------------------------------ */

/* As many as are in use, in any order; what is in use is in the list, and memory comes back. */
static void test_slots(void **state)
{
	enum { N = 3000 };
	static struct matched *slots[N];
	int in_use = 0, before = maps_now;

	agent = (struct agent){0};
	srand(3);
	for (int i = 0; i < 200000; i++) {
		int k = rand() % (i / 50000 % 2 ? N : N / 2);

		if (slots[k]) {
			assert_int_equal(slots[k]->fid, k + 1);
			slot_free(slots[k]);
			slots[k] = NULL;
			in_use--;
		} else {
			slots[k] = slot_new();
			slots[k]->fid = k + 1;
			in_use++;
		}
	}
	for (struct matched *m = agent.matched; m; m = m->next, in_use--) {
		assert_ptr_equal(slots[m->fid - 1], m);
		assert_true(!m->next || m->next->prev == m);
	}
	assert_int_equal(in_use, 0);
	for (int i = 0; i < N; i++)
		if (slots[i])
			slot_free(slots[i]);
	assert_int_equal(maps_now, before + 1); /* one is kept */
	slot_trim();
	assert_int_equal(maps_now, before);
	assert_null(agent.matched);
}

/* --- the table ----------------------------------------------------------------------------------------------- */

static struct decided decided(uintptr_t i, struct matched *m)
{
	return (struct decided){.code = object(i), .matched = m, .key = i};
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

/* Entries go and come: each that is in is found, with what was said of it, and no other; and it gets small again. */
static void test_table_deletes(void **state)
{
	enum { N = 5000 };
	static bool in[N];
	uint32_t used = 0, most = 0;
	struct table t;

	assert_int_equal(table_init(&t, 16), 0);
	srand(4);
	for (int i = 0; i < 400000; i++) {
		uintptr_t k = rand() % (i < 200000 ? N : 20);
		struct decided d = decided(k, NULL);

		if (in[k])
			table_delete(&t, d.code);
		else
			assert_int_equal(table_put(&t, &d), 0);
		in[k] = !in[k];
		used += in[k] ? 1 : -1;
		most = used > most ? used : most;
		assert_int_equal(t.used, used);
		if (i % 1000 == 0)
			for (uintptr_t j = 0; j < N; j++)
				assert_int_equal(table_find(&t, object(j))->code ? table_find(&t, object(j))->key
										 : N,
						 in[j] ? j : N);
	}
	assert_true(most > 2000);
	for (uintptr_t k = 0; k < N; k++)
		table_delete(&t, object(k));
	assert_int_equal(t.used, 0);
	assert_true(t.mask + 1 <= 64);
	table_free(&t);
	assert_null(table_find(&t, object(1))->code); /* may still be searched */
	table_delete(&t, object(1));
	table_free(&t);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_glob_is_utils),
	    cmocka_unit_test(test_terms),
	    cmocka_unit_test(test_groups),
	    cmocka_unit_test(test_alternatives),
	    cmocka_unit_test(test_pages_damaged),
	    cmocka_unit_test(test_records),
	    cmocka_unit_test(test_records_by_content),
	    cmocka_unit_test(test_records_full),
	    cmocka_unit_test(test_records_without_memory),
	    cmocka_unit_test(test_slots),
	    cmocka_unit_test(test_table),
	    cmocka_unit_test(test_table_without_end),
	    cmocka_unit_test(test_table_deletes),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
