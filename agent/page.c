// SPDX-License-Identifier: Apache-2.0
/*
 * The page as a whole. It is shared memory: what it says of itself is proved once, before the agent believes it. What the
 * other side of the page gets from us in the course of events is in record.c.
 */
#include <stdarg.h>

#include "agent_impl.h"

/* Bytes of the page: where, and how many. */
struct piece {
	uint64_t at, size;
};
#define PIECE(offset, n, type) ((struct piece){(offset), (n) * (uint64_t)sizeof(type)})

static bool piece_apart(struct piece a, struct piece b)
{
	return !a.size || !b.size || a.at + a.size <= b.at || b.at + b.size <= a.at;
}

/* Behind the page's head, and aligned. */
static bool piece_inside(const struct wire_page *page, struct piece p, uint64_t align)
{
	return (!p.size || p.at >= sizeof(*page)) && p.at % align == 0 && p.at + p.size <= page->size;
}

/* Is it something that stays as it is? What the agent writes must not bend what was proved. */
static bool piece_given(const struct wire_page *page, struct piece p, uint64_t align)
{
	return piece_inside(page, p, align) &&
	       piece_apart(p, PIECE(page->functions, page->max_functions, struct wire_function)) &&
	       piece_apart(p, PIECE(page->strings, page->strings_end - page->strings, char));
}

static bool term_valid(const struct wire_page *page, const struct wire_term *t)
{
	uint32_t op = t->op & ~WIRE_OR_NEXT;

	if (t->field >= NFIELDS || op > WIRE_GLOB || (t->field == WIRE_LINE && op == WIRE_GLOB))
		return false;
	return t->field == WIRE_LINE || (piece_given(page, PIECE(t->str, (uint64_t)t->len + 1, char), 1) &&
					 !((const char *)page)[t->str + t->len]);
}

bool page_valid(const struct wire_page *page)
{
	const struct wire_filter *w = page_filters(page);
	const struct wire_range *r = page_ranges(page);
	const struct wire_term *t = page_terms(page);
	struct piece functions = PIECE(page->functions, page->max_functions, struct wire_function);
	struct piece strings = PIECE(page->strings, page->strings_end - page->strings, char);

	if (page->nfilters > WIRE_MAX_FILTERS || page->strings > page->strings_end ||
	    !piece_inside(page, functions, _Alignof(struct wire_function)) || !piece_inside(page, strings, 1) ||
	    !piece_apart(functions, strings) ||
	    !piece_given(page, PIECE(page->filters, page->nfilters, *w), _Alignof(struct wire_filter)) ||
	    !piece_given(page, PIECE(page->ranges, page->nranges, *r), _Alignof(struct wire_range)) ||
	    !piece_given(page, PIECE(page->terms, page->nterms, *t), _Alignof(struct wire_term)) ||
	    page->ndead > WIRE_MAX_DEAD ||
	    !piece_given(page, PIECE(page->dead, page->ndead, struct wire_dead), _Alignof(struct wire_dead)))
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

int page_take(struct wire_page *page)
{
	const struct wire_filter *w = page_filters(page);
	const struct wire_term *t = page_terms(page);

	if (!page_valid(page)) {
		agent_message("the tracer's page is damaged", NULL);
		return -EINVAL;
	}
	for (uint32_t i = 0; i < page->nfilters; i++)
		for (int e = 0; e < WIRE_NEVENTS; e++)
			if (w[i].events >> e & 1)
				agent.at[e] |= 1ull << i;
	for (uint32_t i = 0; i < page->nterms; i++)
		agent.field_used[t[i].field] = true;
	page->tool_id = -1;
	page->nfunctions = page->strings_used = 0;
	return 0;
}

void agent_message(const char *part, ...)
{
	char *at = agent.page->message, *end = at + sizeof(agent.page->message) - 1;
	va_list ap;

	va_start(ap, part);
	for (; part; part = va_arg(ap, const char *))
		while (*part && at < end)
			*at++ = *part++;
	va_end(ap);
	*at = '\0';
}
