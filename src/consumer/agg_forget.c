// SPDX-License-Identifier: Apache-2.0
/*
 * clear(), trunc() and normalize(). The maps go on counting: what the user asks to forget is remembered as a baseline
 * and subtracted. A minimum cannot be subtracted, so for min and max the value in the map is zeroed; what a program
 * adds to that key in the same microsecond counts as before the clear().
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/consumer_impl.h"

struct resetting {
	struct consumer *c;
	struct agg_store *s;
	struct strbuf keys;
};

static int collect_reset(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	struct resetting *r = arg;
	struct agg_entry *e;
	int err = agg_entry_of(r->c, r->s, key, false, &e);

	if (err)
		return err == -EINVAL ? 0 : err;
	if (e && e->reset)
		strbuf_add(&r->keys, key, r->s->cg->key_size);
	return r->keys.failed ? -ENOMEM : 0;
}

/* Zero the values of the entries that are marked. A map is not changed while it is walked: first the keys. */
static int reset_marked(struct consumer *c, struct agg_store *s)
{
	const struct cg_agg *a = s->cg;
	struct resetting r = {c, s, {0}};
	u32 ncpus = exec_ncpus(c->cfg.exec);
	u64 *zero = calloc((size_t)(ncpus ? ncpus : 1) * a->value_words, sizeof(u64));
	int err = zero ? exec_map_each(c->cfg.exec, a->map, collect_reset, &r) : -ENOMEM;

	for (size_t off = 0; !err && off + a->key_size <= r.keys.len && a->key_size; off += a->key_size)
		err = exec_map_update(c->cfg.exec, a->map, r.keys.s + off, zero);
	strbuf_free(&r.keys);
	free(zero);
	return err;
}

static void forget(struct agg_entry *e)
{
	u32 n = e->store->cg->value_words;

	if (agg_func(e->store)->less)
		memcpy(e->base, e->raw, n * sizeof(u64));
	else
		e->reset = true;
	memset(e->now, 0, n * sizeof(u64));
	agg_rank(e);
}

static void unmark(struct agg_entry *e)
{
	e->reset = false;
}

static int finish_forgetting(struct consumer *c, struct agg_store *s)
{
	int err = agg_func(s)->less ? 0 : reset_marked(c, s);

	agg_each(s, unmark);
	return err;
}

int agg_clear(struct consumer *c, u32 id)
{
	int err = agg_read(c, id);

	if (err)
		return err;
	agg_each(&c->aggs[id], forget);
	return finish_forgetting(c, &c->aggs[id]);
}

int agg_trunc(struct consumer *c, u32 id, s64 keep)
{
	struct agg_store *s = &c->aggs[id];
	struct agg_entry **v;
	size_t n;
	int err = agg_read(c, id);

	if (err)
		return err;
	v = agg_by_value(s, &n);
	if (!v)
		return -ENOMEM;

	/* Those to lose: all but the last `keep`, or all but the first `-keep`. */
	u64 nkeep = keep < 0 ? -(u64)keep : (u64)keep;
	size_t lose = nkeep < n ? n - nkeep : 0;

	for (size_t i = 0; i < lose; i++) {
		struct agg_entry *e = keep < 0 ? v[n - 1 - i] : v[i];

		forget(e);
		e->gone = true;
	}
	free(v);
	return finish_forgetting(c, s);
}

int agg_normalize(struct consumer *c, u32 id, s64 by)
{
	struct agg_store *s = &c->aggs[id];
	int err = agg_read(c, id);

	for (size_t i = 0; !err && i < s->ntable; i++)
		for (struct agg_entry *e = s->table[i]; e; e = e->next)
			e->normal = by;
	return err;
}
