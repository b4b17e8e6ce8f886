// SPDX-License-Identifier: Apache-2.0
/*
 * The page as a whole. It is shared memory: what it says of itself is proved once, before the agent believes it. What the
 * other side of the page gets from us in the course of events is in record.c.
 */
#include <stdarg.h>

#include "agent_impl.h"

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

bool page_valid(const struct wire_page *page)
{
	const struct wire_filter *w = page_filters(page);
	const struct wire_range *r = page_ranges(page);
	const struct wire_term *t = page_terms(page);

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
