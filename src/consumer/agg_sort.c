// SPDX-License-Identifier: Apache-2.0
/*
 * The order of aggregations, as DTrace has it: by value, ties by key; -x aggsortkey: by key; aggsortkeypos: which key
 * counts first; several aggregations in one printa(): by the one at aggsortpos, then by those after it; aggsortrev
 * turns all of it round. A distribution's value is its weighted total, ties by the weight at zero (agg_rank.c).
 */
#include <errno.h>
#include <stdlib.h>

#include "consumer/consumer_impl.h"

/* --- comparing ----------------------------------------------------------------------------------------------- */

static int compare_keys(const struct agg_entry *a, const struct agg_entry *b, u32 first)
{
	u32 n = a->store->cg->nkeys;

	if (n != b->store->cg->nkeys)
		return n < b->store->cg->nkeys ? -1 : 1;
	if (first >= n)
		first = 0;
	for (u32 i = 0; i < n; i++) {
		u32 k = (first + i) % n;
		int cmp = value_compare(&a->keys[k], &b->keys[k]);

		if (cmp)
			return cmp;
	}
	return 0;
}

static int compare_values(const struct agg_entry *a, const struct agg_entry *b)
{
	if (a->rank != b->rank)
		return a->rank < b->rank ? -1 : 1;
	return (a->rank2 > b->rank2) - (a->rank2 < b->rank2);
}

static int by_value(const void *l, const void *r)
{
	const struct agg_entry *a = *(struct agg_entry *const *)l, *b = *(struct agg_entry *const *)r;
	int cmp = compare_values(a, b);

	return cmp ? cmp : compare_keys(a, b, 0);
}

struct agg_entry **agg_by_value(struct agg_store *s, size_t *n)
{
	struct agg_entry **v = malloc((s->n ? s->n : 1) * sizeof(*v));

	*n = 0;
	if (!v)
		return NULL;
	for (size_t i = 0; i < s->ntable; i++)
		for (struct agg_entry *e = s->table[i]; e; e = e->next)
			if (agg_is_shown(e))
				v[(*n)++] = e;
	qsort(v, *n, sizeof(*v), by_value);
	return v;
}

static int by_options(const void *l, const void *r, void *arg)
{
	const struct agg_row *a = l, *b = r;
	const struct consumer_options *o = arg;
	u32 first = o->aggsortpos < a->nv ? o->aggsortpos : 0;
	int cmp = o->aggsortkey ? compare_keys(a->key, b->key, o->aggsortkeypos) : 0;

	for (u32 i = 0; !cmp && i < a->nv; i++)
		cmp = compare_values(a->v[(first + i) % a->nv], b->v[(first + i) % a->nv]);
	if (!cmp)
		cmp = compare_keys(a->key, b->key, o->aggsortkeypos);
	return o->aggsortrev ? -cmp : cmp;
}

/* --- rows ------------------------------------------------------------------------------------------------------ */

/* An entry of zero for each aggregation, to stand where it has not the key. */
static int make_zeros(struct consumer *c, const u32 *ids, u32 n, struct agg_rows *out)
{
	size_t words = 0;

	for (u32 i = 0; i < n; i++)
		words += c->aggs[ids[i]].cg->value_words;
	out->zero = calloc(n, sizeof(*out->zero));
	out->zero_words = calloc(words, sizeof(u64));
	if (!out->zero || !out->zero_words)
		return -ENOMEM;

	u64 *w = out->zero_words;

	for (u32 i = 0; i < n; i++) {
		out->zero[i] = (struct agg_entry){.store = &c->aggs[ids[i]], .now = w, .normal = 1};
		w += c->aggs[ids[i]].cg->value_words;
		agg_rank(&out->zero[i]);
	}
	return 0;
}

static const struct agg_entry *live(const struct agg_store *s, const struct agg_entry *key)
{
	const struct agg_entry *e = agg_find(s, key->name, key->name_len);

	return e && agg_is_shown(e) ? e : NULL;
}

/* The row of a key, if none of the aggregations before ids[at] has made it already. */
static void add_row(struct consumer *c, const u32 *ids, u32 n, u32 at, const struct agg_entry *e,
		    struct agg_rows *out)
{
	struct agg_row *r = &out->row[out->n];

	for (u32 i = 0; i < at; i++)
		if (live(&c->aggs[ids[i]], e))
			return;

	*r = (struct agg_row){.key = e, .v = out->cells + out->n * n, .nv = n};
	for (u32 i = 0; i < n; i++) {
		const struct agg_entry *v = live(&c->aggs[ids[i]], e);

		r->v[i] = v ? v : &out->zero[i];
	}
	out->n++;
}

int agg_rows(struct consumer *c, const u32 *ids, u32 n, struct agg_rows *out)
{
	size_t max = 0;
	int err;

	*out = (struct agg_rows){0};
	for (u32 i = 0; i < n; i++) {
		err = agg_read(c, ids[i]);
		if (err)
			return err;
		max += c->aggs[ids[i]].n;
	}
	if (!max)
		return 0;

	out->row = calloc(max, sizeof(*out->row));
	out->cells = calloc(max * n, sizeof(*out->cells));
	err = out->row && out->cells ? make_zeros(c, ids, n, out) : -ENOMEM;
	if (err) {
		agg_rows_free(out);
		return err;
	}
	for (u32 i = 0; i < n; i++) {
		struct agg_store *s = &c->aggs[ids[i]];

		for (size_t j = 0; j < s->ntable; j++)
			for (struct agg_entry *e = s->table[j]; e; e = e->next)
				if (agg_is_shown(e))
					add_row(c, ids, n, i, e, out);
	}
	qsort_r(out->row, out->n, sizeof(*out->row), by_options, &c->cfg.opt);
	return 0;
}

void agg_rows_free(struct agg_rows *r)
{
	free(r->row);
	free(r->cells);
	free(r->zero);
	free(r->zero_words);
	*r = (struct agg_rows){0};
}
