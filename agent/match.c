// SPDX-License-Identifier: Apache-2.0
/* Which filters of the page does a code object match? Asked once for each code object. */
#include "agent_impl.h"

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
	uint32_t op = t->op & ~WIRE_OR_NEXT;
	int c;

	if (t->field == WIRE_QUALNAME && agent.version < 0x030b && op == WIRE_GLOB && !qualname_possible(str, f))
		return false;
	if (op == WIRE_GLOB)
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
	return holds[op][(c > 0) - (c < 0) + 1];
}

static bool all_hold(const struct wire_page *page, uint32_t first, uint32_t n, struct facts *f)
{
	const struct wire_term *t = page_terms(page);
	bool hold = true;

	for (uint32_t i = first; i < first + n; i++) {
		bool alternative = i > first && t[i - 1].op & WIRE_OR_NEXT;

		if (!alternative && !hold)
			return false;
		if (!alternative || !hold)
			hold = term_holds(page, &t[i], f);
	}
	return hold;
}

static bool filter_matches(const struct wire_page *page, const struct wire_filter *w, struct facts *f)
{
	const struct wire_range *r = page_ranges(page);

	if (!all_hold(page, w->all_first, w->nall, f))
		return false;
	for (uint32_t i = w->any_first; i < w->any_first + w->nany; i++)
		if (all_hold(page, r[i].first, r[i].n, f))
			return true;
	return !w->nany;
}

uint64_t match_filters(const struct wire_page *page, struct facts *f)
{
	const struct wire_filter *w = page_filters(page);
	uint64_t bits = 0;

	for (uint32_t i = 0; i < page->nfilters; i++)
		if (filter_matches(page, &w[i], f))
			bits |= 1ull << i;
	return bits;
}
