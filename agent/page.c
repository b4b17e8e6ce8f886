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

/* What the agent writes: functions, texts, hits, names of a walk. */
#define NWRITTEN 4
static void pieces_written(const struct wire_page *page, struct piece *out)
{
	out[0] = PIECE(page->functions, page->max_functions, struct wire_function);
	out[1] = PIECE(page->strings, page->strings_end - page->strings, char);
	out[2] = PIECE(page->hits, page->hits ? page->nranges : 0, char);
	out[3] = PIECE(page->walk.room, page->walk.room_end - page->walk.room, char);
}

/* Are they inside of the page, and apart from each other? */
static bool written_valid(const struct wire_page *page)
{
	static const uint64_t align[NWRITTEN] = {_Alignof(struct wire_function), 1, 1, _Alignof(struct wire_name)};
	struct piece p[NWRITTEN];

	if (page->strings > page->strings_end || page->walk.room > page->walk.room_end)
		return false;
	pieces_written(page, p);
	for (int i = 0; i < NWRITTEN; i++) {
		if (!piece_inside(page, p[i], align[i]))
			return false;
		for (int k = 0; k < i; k++)
			if (!piece_apart(p[i], p[k]))
				return false;
	}
	return true;
}

/* Is it something that stays as it is? What the agent writes must not bend what was proved. */
static bool piece_given(const struct wire_page *page, struct piece p, uint64_t align)
{
	struct piece written[NWRITTEN];
	bool apart = piece_inside(page, p, align);

	pieces_written(page, written);
	for (int i = 0; i < NWRITTEN && apart; i++)
		apart = piece_apart(p, written[i]);
	return apart;
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

	if (page->nfilters > WIRE_MAX_FILTERS || !written_valid(page) ||
	    !piece_given(page, PIECE(page->filters, page->nfilters, *w), _Alignof(struct wire_filter)) ||
	    !piece_given(page, PIECE(page->ranges, page->nranges, *r), _Alignof(struct wire_range)) ||
	    !piece_given(page, PIECE(page->terms, page->nterms, *t), _Alignof(struct wire_term)) ||
	    !piece_given(page, PIECE(page->boxes, page->nboxes, struct wire_mail), _Alignof(struct wire_mail)) ||
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
			for (int k = 0; k < WIRE_NKINDS; k++)
				if (w[i].events >> e & 1 && w[i].kinds >> k & 1)
					agent.at[e][k] |= 1ull << i;
	for (uint32_t i = 0; i < page->nterms; i++)
		agent.field_used[t[i].field] = true;
	agent.plan = page;
	agent.follow = page->follow;
	page->tool_id = -1;
	page->nfunctions = page->strings_used = 0;
	return 0;
}

int page_keep(void)
{
	struct wire_page *own;

	if (!agent.follow)
		return 0;
	own = agent_map(agent.page->functions);
	if (!own)
		return -ENOMEM;
	memcpy(own, agent.page, agent.page->functions);
	agent.plan = own;
	return 0;
}

void page_forget(void)
{
	if (agent.plan && agent.plan != agent.page)
		agent_unmap(agent.plan, agent.plan->functions);
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
