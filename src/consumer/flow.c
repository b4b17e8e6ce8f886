// SPDX-License-Identifier: Apache-2.0
/*
 * Flow indentation (-F): which firings are a call and a return, and how deep.
 *
 * As in DTrace, a probe whose name is "entry" or ends in "-entry" indents what follows it, "return" and "-return"
 * take it back, and when several clauses fire at one place only the first of an entry and the last of a return count;
 * the others are shown as events within it. Clauses of one firing come in the order of their EPIDs, so a record of
 * the same identity and a higher EPID belongs to the firing before it.
 *
 * The depth is a thread's, not a CPU's: a call and its return happen on one thread, which may change CPUs.
 */
#include <stdlib.h>
#include <string.h>

#include "consumer/consumer_impl.h"

#define NTHREADS 4096 /* slots; a power of two. When 3/4 are used all depths are forgotten */

struct flow_thread {
	u32 tid, indent;
	u32 last_epid; /* 0: the slot is free */
	u64 last_ident;
};

struct flow_table {
	struct flow_thread t[NTHREADS];
	u32 used;
};

struct flow_table *flow_new(void)
{
	return calloc(1, sizeof(struct flow_table));
}

void flow_free(struct flow_table *t)
{
	free(t);
}

static struct flow_thread *find(struct flow_table *t, u32 tid)
{
	u32 i = tid * 2654435761u % NTHREADS; /* Knuth's multiplicative hash */

	while (t->t[i].last_epid && t->t[i].tid != tid)
		i = (i + 1) % NTHREADS;
	if (!t->t[i].last_epid) {
		if (t->used >= NTHREADS / 4 * 3) {
			memset(t, 0, sizeof(*t));
			return find(t, tid);
		}
		t->used++;
		t->t[i].tid = tid;
	}
	return &t->t[i];
}

/* Is `name` the word, or does it end in a dash and the word? */
static bool is_kind(const char *name, const char *word)
{
	size_t n = strlen(name), w = strlen(word);

	return n >= w && !strcmp(name + n - w, word) && (n == w || name[n - w - 1] == '-');
}

void flow_place(struct flow_table *t, struct firing *f, const struct cg_record *r, const struct cg_record *next)
{
	struct flow_thread *th = find(t, r->tid);
	bool same = th->last_epid && th->last_ident == r->ident && th->last_epid < r->epid;

	f->flow = FLOW_NONE;
	if (is_kind(f->names.name, "entry") && !same)
		f->flow = FLOW_ENTRY;
	else if (is_kind(f->names.name, "return") && !(next && next->ident == r->ident && next->epid > r->epid))
		f->flow = FLOW_RETURN;

	if (f->flow == FLOW_RETURN && th->indent)
		th->indent -= 2;
	f->indent = th->indent;
	if (f->flow == FLOW_ENTRY)
		th->indent += 2;
	th->last_epid = r->epid;
	th->last_ident = r->ident;
}
