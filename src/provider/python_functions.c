// SPDX-License-Identifier: Apache-2.0
/*
 * How many functions there are, and how many of them match: what the agents find in a walk over what their processes have loaded
 * (python_walk()). Which of them match is for the agents to say, as it is of events.
 */
#include <errno.h>

#include "provider/python_impl.h"

enum {
	FIND_MS = 20,       /* that the user waits for the number */
	FIND_MORE_MS = 300, /* that he waits to hear whether what he has written is a typo */
	MAX_TALLIES = 256,
};

struct finder {
	struct provider_run *r;
	struct python_proc *p;
	struct python_walk walk;
	u64 begin;
};

static struct python_tally *tally_of(struct finder *f, u64 filters)
{
	struct python_proc *p = f->p;

	for (size_t i = 0; i < p->tallies.n; i++)
		if (p->tallies.v[i].filters == filters)
			return &p->tallies.v[i];
	if (p->tallies.n == MAX_TALLIES)
		return NULL;

	struct python_tally *t = vec_push(f->r->env->arena, &p->tallies);

	t->filters = filters;
	return t;
}

static void found(void *arg, const struct python_name *name)
{
	struct finder *f = arg;
	struct python_tally *t = tally_of(f, name->filters);

	f->p->exist++;
	if (t)
		t->n++;
	else
		f->p->partial = true;
	python_found_add(f->r, name->module, name->qualname);
}

/* Is there a filter that no function of any process has matched? */
static bool any_unmatched(struct provider_run *r)
{
	for (size_t i = 0; i < r->wishes.n; i++)
		if (!python_functions_matched(r, r->wishes.v[i].desc))
			return true;
	return false;
}

static bool more(void *arg)
{
	struct finder *f = arg;

	return now_ns() < f->begin + FIND_MS * 1000000ull || any_unmatched(f->r);
}

static void hush(void *arg, enum diag_level level, const char *text)
{
}

/* The process of -c has not begun: its functions are not there yet. */
static bool is_findable(const struct provider_run *r, const struct python_proc *p)
{
	return p->state == PROC_ON && !(r->env->child && p->target == r->env->child_target);
}

void python_functions_find(struct provider_run *r)
{
	struct diag quiet = {.sink = hush};
	struct finder f = {.r = r, .begin = now_ns()};

	for (size_t i = 0; i < r->procs.n; i++) {
		f.p = r->procs.v[i];
		if (!is_findable(r, f.p))
			continue;
		f.p->partial = true;
		f.walk = (struct python_walk){.all = true,
					      .deadline = f.begin + FIND_MORE_MS * 1000000ull,
					      .cancel_fd = r->env->cancel_fd,
					      .each = found,
					      .more = more,
					      .arg = &f};
		if (more(&f) && !python_walk(f.p->python, &f.walk, &quiet) && f.p->tallies.n < MAX_TALLIES)
			f.p->partial = false;
	}
}

/* The filters of these clauses, for processes that share `of`. */
static u64 filters_of(const struct provider_run *r, const struct python_proc *of, struct d_clause *const *clauses,
		      size_t n)
{
	u64 bits = 0;

	for (size_t i = 0; i < r->wishes.n; i++) {
		const struct python_wish *w = &r->wishes.v[i];

		for (size_t c = 0; c < n; c++)
			if (w->event->proc == of && w->clause == clauses[c])
				bits |= 1ull << w->filter;
	}
	return bits;
}

bool python_functions_count(struct provider_run *r, struct d_clause *const *clauses, size_t n,
			    struct provider_functions *out)
{
	bool any = false;

	*out = (struct provider_functions){0};
	for (size_t i = 0; i < r->procs.n; i++) {
		const struct python_proc *p = r->procs.v[i];
		u64 bits = filters_of(r, p->of, clauses, n);

		if (!bits || p->state == PROC_OUT)
			continue;
		if (!is_findable(r, p) || !p->exist)
			out->partial = true;
		for (size_t t = 0; t < p->tallies.n; t++)
			out->match += p->tallies.v[t].filters & bits ? p->tallies.v[t].n : 0;
		out->exist += p->exist;
		out->processes++;
		out->partial |= p->partial;
		any |= p->exist;
	}
	if (any && !out->match && !out->partial)
		out->near = python_near(r, clauses, n);
	return any;
}

int python_functions_matched(struct provider_run *r, const struct d_desc *d)
{
	struct diag quiet = {.sink = hush};
	int matched = -1;

	for (size_t i = 0; i < r->wishes.n; i++) {
		const struct python_wish *w = &r->wishes.v[i];

		for (size_t k = 0; w->desc == d && k < r->procs.n; k++) {
			const struct python_proc *p = r->procs.v[k];

			if (p->of != w->event->proc || p->state != PROC_ON)
				continue;
			if (python_page_check(p->python, &quiet))
				return -1;
			if (python_hit(p->python, w->filter, w->nth))
				return 1;
			matched = 0;
		}
	}
	return matched;
}
