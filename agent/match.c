// SPDX-License-Identifier: Apache-2.0
/* Which filters of the page does a code object match? Asked once for each code object. */
#include "agent_impl.h"

static const char *const attribute[NFIELDS] = {
    [WIRE_FILE] = "co_filename", [WIRE_NAME] = "co_name", [WIRE_QUALNAME] = "co_qualname", /* from 3.11 */
};

void facts_init(struct facts *f, struct pyobj *code, struct pyobj *globals)
{
	struct pyobj *line = py.PyObject_GetAttrString(code, "co_firstlineno");

	memset(f, 0, sizeof(*f));
	f->code = code;
	f->globals = globals;
	f->firstline = line ? py.PyLong_AsLong(line) : 0;
	if (line)
		py.Py_DecRef(line);
	py.PyErr_Clear();
}

void facts_done(struct facts *f)
{
	for (int i = 0; i < NFIELDS; i++)
		if (f->text[i].owner)
			py.Py_DecRef(f->text[i].owner);
	py.PyErr_Clear();
}

/* The string object for a field, a new reference; NULL: there is none. */
static struct pyobj *facts_object(struct facts *f, enum wire_field field)
{
	struct pyobj *o = NULL;

	if (field == WIRE_MODULE) {
		o = f->globals ? py.PyDict_GetItemWithError(f->globals, agent.dunder_name) : NULL;
		if (o)
			py.Py_IncRef(o);
	} else if (field == WIRE_QUALNAME && agent.version < 0x030b) {
		o = qualname_find(f->code, f->globals);
	} else {
		o = py.PyObject_GetAttrString(f->code, attribute[field]);
	}
	if (!o)
		py.PyErr_Clear();
	return o;
}

const struct fact_text *facts_text(struct facts *f, enum wire_field field)
{
	struct fact_text *t = &f->text[field];

	if (t->s)
		return t;

	struct pyobj *o = facts_object(f, field);
	const char *s = o ? py.PyUnicode_AsUTF8AndSize(o, NULL) : NULL;

	/* Half of a surrogate pair has no UTF-8: bytes of a file's name as they are on disk, others as \udc80. */
	static const char *const ways[] = {"surrogateescape", "backslashreplace"};

	for (size_t i = 0; o && !s && i < ARRAY_SIZE(ways); i++) {
		struct pyobj *bytes;

		py.PyErr_Clear();
		bytes = py.PyUnicode_AsEncodedString(o, "utf-8", ways[i]); /* NULL as well when it is no string */
		if (!bytes)
			continue;
		py.Py_DecRef(o);
		o = bytes;
		s = py.PyBytes_AsString(o);
	}
	py.PyErr_Clear();
	if (!s && field == WIRE_QUALNAME) {
		/* Not found, or a name that is no text. */
		if (o)
			py.Py_DecRef(o);
		*t = *facts_text(f, WIRE_NAME);
		t->owner = NULL; /* the name's entry keeps it */
		return t;
	}
	t->owner = o;
	t->s = s ? s : "";
	t->len = strlen(t->s); /* up to a NUL in it, as a C string is seen by copyinstr() */
	return t;
}

/* Match c against the set after '['; *end is behind its ']'. A set that is not closed is a plain '['. */
static bool set_match(const char *set, unsigned char c, const char **end)
{
	const unsigned char *p = (const unsigned char *)set;
	bool negate = *p == '!', hit = false;

	p += negate;
	for (const unsigned char *first = p; *p && (*p != ']' || p == first); p++) {
		bool range = p[1] == '-' && p[2] && p[2] != ']';

		hit |= range ? p[0] <= c && c <= p[2] : *p == c;
		p += range ? 2 : 0;
	}
	*end = *p ? (const char *)p + 1 : set;
	return *p ? hit != negate : c == '[';
}

static bool one_match(const char *pat, char c, const char **next)
{
	if (*pat == '[')
		return set_match(pat + 1, c, next);

	bool any = *pat == '?', quoted = *pat == '\\' && pat[1];

	*next = pat + 1 + quoted;
	return any || pat[quoted] == c;
}

/* As util's glob_match(): * ? [set] [!set] and \ to quote, bytes, and an empty pattern matches anything. */
bool match_glob(const char *pat, const char *s)
{
	const char *star = NULL, *retry = NULL, *next;

	if (!*pat)
		return true;
	while (*s) {
		if (*pat == '*') {
			star = ++pat;
			retry = s;
		} else if (*pat && one_match(pat, *s, &next)) {
			pat = next;
			s++;
		} else if (star) {
			pat = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (*pat == '*')
		pat++;
	return !*pat;
}

static size_t cut(size_t len, uint32_t strsize)
{
	return strsize && len > strsize - 1 ? strsize - 1 : len;
}

static int text_compare(const struct fact_text *t, const char *s, size_t len, uint32_t strsize)
{
	size_t a = cut(t->len, strsize), b = cut(len, strsize);
	int c = memcmp(t->s, s, a < b ? a : b);

	return c ? c : (a > b) - (a < b);
}

/*
 * Finding the qualified name of a function of 3.9 or 3.10 takes long (qualname.c), and mostly the name rules it out: the
 * pattern's end, behind all that is no plain letter, must be the name's end.
 */
static bool qualname_possible(const char *pat, struct facts *f)
{
	const struct fact_text *name = facts_text(f, WIRE_NAME);
	const char *end = pat + strlen(pat), *tail = end;

	while (tail > pat && tail[-1] != '.' && tail[-1] != '*' && tail[-1] != '?' && tail[-1] != ']' &&
	       tail[-1] != '[' && tail[-1] != '\\')
		tail--;
	return (size_t)(end - tail) <= name->len && !memcmp(name->s + name->len - (end - tail), tail, end - tail);
}

static bool term_holds(const struct wire_page *page, const struct wire_term *t, struct facts *f)
{
	const char *str = (const char *)page + t->str;
	int c;

	if (t->field == WIRE_QUALNAME && agent.version < 0x030b && t->op == WIRE_GLOB && !qualname_possible(str, f))
		return false;
	if (t->op == WIRE_GLOB)
		return match_glob(str, facts_text(f, t->field)->s);
	if (t->field == WIRE_LINE)
		c = (f->firstline > t->number) - (f->firstline < t->number);
	else
		c = text_compare(facts_text(f, t->field), str, t->len, page->strsize);

	/* By enum wire_op: does it hold for less, equal, greater? */
	static const bool holds[][3] = {
	    [WIRE_EQ] = {false, true, false}, [WIRE_NE] = {true, false, true},  [WIRE_LT] = {true, false, false},
	    [WIRE_LE] = {true, true, false},  [WIRE_GT] = {false, false, true}, [WIRE_GE] = {false, true, true},
	};
	return holds[t->op][(c > 0) - (c < 0) + 1];
}

static bool all_hold(const struct wire_page *page, uint32_t first, uint32_t n, struct facts *f)
{
	const struct wire_term *t = (const void *)((const char *)page + page->terms);

	for (uint32_t i = first; i < first + n; i++)
		if (!term_holds(page, &t[i], f))
			return false;
	return true;
}

static bool filter_matches(const struct wire_page *page, const struct wire_filter *w, struct facts *f)
{
	const struct wire_range *r = (const void *)((const char *)page + page->ranges);

	if (!all_hold(page, w->all_first, w->nall, f))
		return false;
	for (uint32_t i = w->any_first; i < w->any_first + w->nany; i++)
		if (all_hold(page, r[i].first, r[i].n, f))
			return true;
	return !w->nany;
}

uint64_t match_filters(const struct wire_page *page, struct facts *f)
{
	const struct wire_filter *w = (const void *)((const char *)page + page->filters);
	uint64_t bits = 0;

	for (uint32_t i = 0; i < page->nfilters; i++)
		if (filter_matches(page, &w[i], f))
			bits |= 1ull << i;
	return bits;
}

/* Is an array of n elements inside the page, and aligned? */
#define array_inside(page, offset, n, type)                                                                        \
	array_inside_(page, offset, (n) * (uint64_t)sizeof(type), _Alignof(type))
static bool array_inside_(const struct wire_page *page, uint32_t offset, uint64_t size, uint32_t align)
{
	return (!size || offset >= sizeof(*page)) && offset % align == 0 && offset + size <= page->size;
}

static bool term_valid(const struct wire_page *page, const struct wire_term *t)
{
	if (t->field >= NFIELDS || t->op > WIRE_GLOB || (t->field == WIRE_LINE && t->op == WIRE_GLOB))
		return false;
	return t->field == WIRE_LINE ||
	       ((uint64_t)t->str + t->len < page->size && !((const char *)page)[t->str + t->len]);
}

bool match_page_valid(const struct wire_page *page)
{
	const struct wire_filter *w = (const void *)((const char *)page + page->filters);
	const struct wire_range *r = (const void *)((const char *)page + page->ranges);
	const struct wire_term *t = (const void *)((const char *)page + page->terms);

	if (page->nfilters > WIRE_MAX_FILTERS ||
	    !array_inside(page, page->filters, page->nfilters, struct wire_filter) ||
	    !array_inside(page, page->ranges, page->nranges, struct wire_range) ||
	    !array_inside(page, page->terms, page->nterms, struct wire_term) ||
	    !array_inside(page, page->functions, page->max_functions, struct wire_function) ||
	    page->strings > page->strings_end || page->strings_end > page->size)
		return false;
	for (uint32_t i = 0; i < page->nfilters; i++)
		if ((uint64_t)w[i].any_first + w[i].nany > page->nranges ||
		    (uint64_t)w[i].all_first + w[i].nall > page->nterms)
			return false;
	for (uint32_t i = 0; i < page->nranges; i++)
		if ((uint64_t)r[i].first + r[i].n > page->nterms)
			return false;
	for (uint32_t i = 0; i < page->nterms; i++)
		if (!term_valid(page, &t[i]))
			return false;
	return true;
}
