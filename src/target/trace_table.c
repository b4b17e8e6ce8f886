// SPDX-License-Identifier: Apache-2.0
/* The tables of seized threads and of their processes. */
#include <stdlib.h>

#include "target/trace_impl.h"

static struct trace_row **bucket_of(struct target_trace *tr, pid_t tid)
{
	return &tr->bucket[(u32)tid % TRACE_BUCKETS];
}

struct trace_row *row_find(struct target_trace *tr, pid_t tid)
{
	struct trace_row *r = *bucket_of(tr, tid);

	while (r && r->th.tid != tid)
		r = r->chain;
	return r;
}

static void chain_in(struct target_trace *tr, struct trace_row *r)
{
	struct trace_row **b = bucket_of(tr, r->th.tid);

	r->chain = *b;
	*b = r;
}

static void chain_out(struct target_trace *tr, struct trace_row *r)
{
	struct trace_row **b = bucket_of(tr, r->th.tid);

	while (*b != r)
		b = &(*b)->chain;
	*b = r->chain;
}

struct trace_row *row_add(struct target_trace *tr, struct trace_process *p, pid_t tid)
{
	struct trace_row *r = calloc(1, sizeof(*r));

	if (!r)
		return NULL;
	r->th.tid = tid;
	r->th.process = p ? p->t : NULL;
	r->p = p;
	r->fresh = true;
	chain_in(tr, r);
	r->next = tr->first;
	if (r->next)
		r->next->prev = r;
	tr->first = r;
	tr->nthreads++;
	return r;
}

void row_rename(struct target_trace *tr, struct trace_row *r, pid_t tid)
{
	chain_out(tr, r);
	r->th.tid = tid;
	chain_in(tr, r);
}

void row_succeed(struct target_trace *tr, struct trace_row *r, pid_t pid)
{
	struct trace_row *first = row_find(tr, pid);

	if (first == r)
		return;
	if (first)
		row_remove(tr, first, true);
	row_rename(tr, r, pid);
}

void row_reaped(void *trace, pid_t tid)
{
	struct target_trace *tr = trace;
	struct trace_row *r = row_find(tr, tid);

	if (r)
		r->reaped = tr->reaped = true;
}

void rows_drop_reaped(struct target_trace *tr)
{
	struct trace_row *next, *r = tr->reaped ? tr->first : NULL;

	tr->reaped = false;
	for (; r; r = next) {
		next = r->next;
		if (r->reaped)
			row_remove(tr, r, true);
	}
}

void row_remove(struct target_trace *tr, struct trace_row *r, bool told)
{
	chain_out(tr, r);
	if (r->prev)
		r->prev->next = r->next;
	else
		tr->first = r->next;
	if (r->next)
		r->next->prev = r->prev;
	if (tr->cursor == r)
		tr->cursor = r->next;
	tr->nthreads--;
	if (told && r->p && tr->ops->ended)
		tr->ops->ended(tr->arg, &r->th);
	free(r);
}

struct trace_process *trace_process_get(struct target_trace *tr, struct target *t)
{
	struct trace_process *p = tr->processes;

	while (p && p->t != t)
		p = p->next;
	if (p)
		return p;
	p = calloc(1, sizeof(*p));
	if (!p)
		return NULL;
	p->t = t;
	p->next = tr->processes;
	tr->processes = p;
	return p;
}

struct trace_process *trace_process_all(struct target_trace *tr, pid_t pid)
{
	struct trace_process *p = tr->processes;

	while (p && !(p->all && p->t->pid == pid))
		p = p->next;
	return p;
}

bool trace_has_process(struct target_trace *tr, pid_t pid)
{
	struct trace_row *r = tr->first;

	while (r && !(r->p && r->p->t->pid == pid))
		r = r->next;
	return r;
}
