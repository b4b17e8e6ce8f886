// SPDX-License-Identifier: Apache-2.0
/* The plan: what the agent is to look for, and the wire page that tells it so. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/python_impl.h"

/*
 * Room in the page. Memory is taken only as it is used, so a plan with wide globs gets all that there may be: 65,536 functions,
 * in 19 MB of addresses. One that names each function gets 8,192 in 1 MB, and 1,024 for each further name: methods of many
 * classes have one name, and so have functions that are made again and again, but hardly more; and their texts, which are kept
 * once, are mostly the same. What does not fit is counted and told.
 */
enum {
	MAX_FUNCTIONS = 65536,
	NAMED_FUNCTIONS = 8192,
	NAME_FUNCTIONS = 1024,
	TEXT_ROOM = 256,
	NAMED_TEXT_ROOM = 64,
	MAX_RANGES = 4096,
	MAX_TERMS = 16384,
};

/* A range or term as it was added; they are sorted by filter when the page is made. */
struct plan_any {
	int filter;
	u32 first, n; /* terms, in `any_terms` */
};
struct plan_term {
	int filter;
	struct wire_term t;
};
struct python_plan {
	u32 strsize, nfilters;
	u32 events[WIRE_MAX_FILTERS];
	struct plan_any *any;
	struct wire_term *any_terms;
	struct plan_term *all;
	size_t nany, nany_terms, nall;
	struct strbuf text;
};

struct python_plan *python_plan_new(u32 strsize)
{
	struct python_plan *p = calloc(1, sizeof(*p));

	if (!p)
		return NULL;
	p->strsize = strsize;
	strbuf_add(&p->text, "", 1); /* offset 0 of the texts is "" */
	return p;
}

void python_plan_free(struct python_plan *p)
{
	if (!p)
		return;
	free(p->any);
	free(p->any_terms);
	free(p->all);
	strbuf_free(&p->text);
	free(p);
}

int python_plan_filter(struct python_plan *p, u32 events)
{
	if (p->nfilters == WIRE_MAX_FILTERS)
		return -E2BIG;
	p->events[p->nfilters] = events;
	return (int)p->nfilters++;
}

int python_plan_event(struct python_plan *p, int filter, enum wire_event ev)
{
	if (filter < 0 || (u32)filter >= p->nfilters)
		return -EINVAL;
	p->events[filter] |= 1u << ev;
	return 0;
}

static int grow(void *array, size_t n, size_t size, size_t max)
{
	void **v = array, *bigger;

	if (n >= max)
		return -E2BIG;
	if (n & (n - 1)) /* room for the next power of two is there */
		return 0;
	bigger = reallocarray(*v, n ? n * 2 : 1, size);
	if (!bigger)
		return -ENOMEM;
	*v = bigger;
	return 0;
}

/* Add text; its offset is relative to the plan's texts until the page is made. */
static int text_add(struct python_plan *p, const char *s, struct wire_term *t)
{
	t->str = (u32)p->text.len;
	t->len = (u32)strlen(s);
	strbuf_add(&p->text, s, t->len + 1);
	return p->text.failed ? -ENOMEM : 0;
}

static int any_term(struct python_plan *p, enum wire_field f, const char *glob)
{
	struct wire_term t = {.field = f, .op = glob_has_magic(glob) ? WIRE_GLOB : WIRE_EQ};
	int ret = text_add(p, glob, &t);

	if (!ret)
		ret = grow(&p->any_terms, p->nany_terms, sizeof(t), MAX_TERMS);
	if (!ret)
		p->any_terms[p->nany_terms++] = t;
	return ret;
}

int python_plan_any(struct python_plan *p, int filter, const char *mod_glob, const char *func_glob)
{
	struct plan_any any = {filter, (u32)p->nany_terms, 0};
	int ret;

	if (filter < 0 || (u32)filter >= p->nfilters)
		return -EINVAL;
	ret = grow(&p->any, p->nany, sizeof(any), MAX_RANGES);
	if (!ret && mod_glob && *mod_glob)
		ret = any_term(p, WIRE_MODULE, mod_glob);
	if (!ret && func_glob && *func_glob)
		ret = any_term(p, WIRE_QUALNAME, func_glob);
	if (ret)
		return ret;
	any.n = (u32)p->nany_terms - any.first;
	p->any[p->nany++] = any;
	return 0;
}

static int all_add(struct python_plan *p, int filter, struct wire_term t)
{
	int ret = grow(&p->all, p->nall, sizeof(*p->all), MAX_TERMS);

	if (!ret)
		p->all[p->nall++] = (struct plan_term){filter, t};
	return ret;
}

int python_plan_text(struct python_plan *p, int filter, enum wire_field f, enum wire_op op, const char *s)
{
	struct wire_term t = {.field = f, .op = op};
	int ret;

	if (filter < 0 || (u32)filter >= p->nfilters)
		return -EINVAL;
	ret = text_add(p, s, &t);
	return ret ? ret : all_add(p, filter, t);
}

int python_plan_number(struct python_plan *p, int filter, enum wire_field f, enum wire_op op, s64 n)
{
	if (filter < 0 || (u32)filter >= p->nfilters)
		return -EINVAL;
	return all_add(p, filter, (struct wire_term){.field = f, .op = op, .number = n});
}

/* They were added one after the other, so they are the last of all. */
void python_plan_alternatives(struct python_plan *p, u32 n)
{
	for (size_t i = p->nall - n; i + 1 < p->nall; i++)
		p->all[i].t.op |= WIRE_OR_NEXT;
}

void python_plan_withdraw(struct python_plan *p, u32 n)
{
	p->nall -= n;
}

/* Take room for n things of `size` bytes in the page. */
static u32 room(size_t *end, size_t n, size_t size)
{
	size_t off = ALIGN_UP(*end, 8);

	*end = off + n * size;
	return (u32)off;
}

/* Fill the tables of one filter; `text` is where the plan's texts start in the page. */
static void filter_fill(const struct python_plan *p, u32 f, struct wire_page *w, u32 text)
{
	struct wire_filter *filter = (struct wire_filter *)((char *)w + w->filters) + f;
	struct wire_range *ranges = (struct wire_range *)((char *)w + w->ranges);
	struct wire_term *terms = (struct wire_term *)((char *)w + w->terms);

	*filter = (struct wire_filter){.events = p->events[f], .any_first = w->nranges, .all_first = w->nterms};
	for (size_t i = 0; i < p->nany; i++) {
		const struct plan_any *any = &p->any[i];

		if (any->filter != (int)f)
			continue;
		/* the terms of descriptions come after all others, in the order they were added */
		ranges[w->nranges++] = (struct wire_range){(u32)p->nall + any->first, any->n};
		filter->nany++;
	}
	for (size_t i = 0; i < p->nall; i++) {
		if (p->all[i].filter != (int)f)
			continue;
		terms[w->nterms] = p->all[i].t;
		terms[w->nterms++].str += text;
		filter->nall++;
	}
}

/* Does a term say what a function's name is? */
static bool is_name(const struct wire_term *t)
{
	return (t->op & ~WIRE_OR_NEXT) == WIRE_EQ && (t->field == WIRE_NAME || t->field == WIRE_QUALNAME);
}

/* How many names a filter's functions may have; 0: any. */
static u32 filter_names(const struct python_plan *p, u32 f)
{
	u32 n = 0, either = 0;
	bool names = true;

	for (size_t i = 0; i < p->nall; i++) {
		if (p->all[i].filter != (int)f)
			continue;
		names &= is_name(&p->all[i].t);
		either++;
		if (p->all[i].t.op & WIRE_OR_NEXT)
			continue;
		if (names)
			return either;
		either = 0;
		names = true;
	}
	for (size_t i = 0; i < p->nany; i++) {
		const struct plan_any *any = &p->any[i];
		bool named = false;

		if (any->filter != (int)f)
			continue;
		for (u32 k = any->first; k < any->first + any->n; k++)
			named |= is_name(&p->any_terms[k]);
		if (!named)
			return 0;
		n++;
	}
	return n;
}

static u32 plan_functions(const struct python_plan *p)
{
	u32 names = 0;

	for (u32 f = 0; f < p->nfilters; f++) {
		u32 n = filter_names(p, f);

		if (!n)
			return MAX_FUNCTIONS;
		names += n;
	}
	if (names > (MAX_FUNCTIONS - NAMED_FUNCTIONS) / NAME_FUNCTIONS)
		return MAX_FUNCTIONS;
	return NAMED_FUNCTIONS + (names ? names - 1 : 0) * NAME_FUNCTIONS;
}

void python_page_room(struct wire_page *w, size_t size, u32 functions)
{
	size_t end = size; /* what there is to write; the rest is zero */

	if (!w->max_functions || functions < w->max_functions)
		w->max_functions = functions;
	w->functions = room(&end, w->max_functions, sizeof(struct wire_function));
	w->strings = room(&end, w->max_functions, w->max_functions == MAX_FUNCTIONS ? TEXT_ROOM : NAMED_TEXT_ROOM);
	w->strings_end = (u32)end;
	w->size = (u32)ALIGN_UP(end, 4096);
}

void *python_plan_page(const struct python_plan *p, size_t *size)
{
	struct wire_page head = {.magic = WIRE_MAGIC,
				 .version = WIRE_VERSION,
				 .strsize = p->strsize,
				 .nfilters = p->nfilters,
				 .tool_id = -1};
	size_t end = sizeof(head);
	struct wire_page *w;
	struct wire_term *terms;
	u32 text;

	head.filters = room(&end, p->nfilters, sizeof(struct wire_filter));
	head.ranges = room(&end, p->nany, sizeof(struct wire_range));
	head.terms = room(&end, p->nall + p->nany_terms, sizeof(struct wire_term));
	head.dead = room(&end, WIRE_MAX_DEAD, sizeof(struct wire_dead));
	text = room(&end, p->text.len, 1);
	*size = end;
	w = calloc(1, *size);
	if (!w || p->text.failed) {
		free(w);
		return NULL;
	}
	*w = head;
	python_page_room(w, *size, plan_functions(p));
	for (u32 f = 0; f < p->nfilters; f++)
		filter_fill(p, f, w, text);
	terms = (struct wire_term *)((char *)w + w->terms);
	for (size_t i = 0; i < p->nany_terms; i++) {
		terms[p->nall + i] = p->any_terms[i];
		terms[p->nall + i].str += text;
	}
	w->nterms = (u32)(p->nall + p->nany_terms);
	if (p->text.len)
		memcpy((char *)w + text, p->text.s, p->text.len);
	return w;
}

void python_page_sizes(struct python *p, const struct wire_page *page)
{
	p->ctl_off = page->size;
	p->functions_at = page->functions;
	p->map_size = p->ctl_off + STUB_CTL_SIZE;
}
