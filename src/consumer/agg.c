// SPDX-License-Identifier: Apache-2.0
/*
 * Aggregations as the consumer holds them. The programs only ever add to the maps; what the user asks to forget
 * with clear() and trunc() the consumer remembers as a baseline and subtracts:
 *
 *   raw  = all CPUs' values, of all keys that print the same text, merged
 *   now  = raw - base          clear(): base = raw;  trunc(): base = raw, and the key is gone until it changes
 *
 * Maps are read once a drain: so `printa(@a); clear(@a);` loses nothing in between, in one clause or in two.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/consumer_impl.h"

int agg_new(struct consumer *c)
{
	const struct cg_output *cg = c->cfg.cg;

	c->aggs = calloc(cg->naggs ? cg->naggs : 1, sizeof(*c->aggs));
	if (!c->aggs)
		return -ENOMEM;
	for (u32 i = 0; i < cg->naggs; i++)
		c->aggs[i].cg = &cg->aggs[i];
	return 0;
}

static void entry_free(struct agg_entry *e)
{
	if (!e)
		return;
	free(e->key);
	free(e->keys);
	free(e->name);
	free(e->raw);
	free(e);
}

void agg_free(struct consumer *c)
{
	for (u32 i = 0; c->aggs && i < c->cfg.cg->naggs; i++) {
		struct agg_store *s = &c->aggs[i];

		for (size_t j = 0; j < s->ntable; j++)
			for (struct agg_entry *e = s->table[j], *next; e; e = next) {
				next = e->next;
				entry_free(e);
			}
		free(s->table);
	}
	free(c->aggs);
}

/* --- entries ---------------------------------------------------------------------------------------- */

struct agg_entry *agg_find(const struct agg_store *s, const char *name, size_t len)
{
	if (!s->ntable)
		return NULL;
	for (struct agg_entry *e = s->table[hash_bytes(name, len) % s->ntable]; e; e = e->next)
		if (e->name_len == len && (!len || !memcmp(e->name, name, len)))
			return e;
	return NULL;
}

static int grow(struct agg_store *s)
{
	size_t n = s->ntable ? s->ntable * 2 : 64;
	struct agg_entry **t = calloc(n, sizeof(*t));

	if (!t)
		return -ENOMEM;
	for (size_t i = 0; i < s->ntable; i++)
		for (struct agg_entry *e = s->table[i], *next; e; e = next) {
			struct agg_entry **to = &t[hash_bytes(e->name, e->name_len) % n];

			next = e->next;
			e->next = *to;
			*to = e;
		}
	free(s->table);
	s->table = t;
	s->ntable = n;
	return 0;
}

void agg_each(struct agg_store *s, void (*fn)(struct agg_entry *e))
{
	for (size_t i = 0; i < s->ntable; i++)
		for (struct agg_entry *e = s->table[i]; e; e = e->next)
			fn(e);
}

/* The values of a key as bytes: integers by number, all else by its text. Equal bytes are one key, also of a constant and a name. */
static void name_key(struct strbuf *b, const struct value *v, u32 n)
{
	for (u32 i = 0; i < n; i++) {
		if (v[i].kind == VALUE_INT) {
			strbuf_add(b, &v[i].num, sizeof(v[i].num));
		} else {
			strbuf_add(b, &v[i].len, sizeof(v[i].len));
			strbuf_add(b, value_text(&v[i]), v[i].len);
		}
	}
}

static int decode_key(struct consumer *c, const struct cg_agg *a, const void *key, struct value *out)
{
	for (u32 i = 0; i < a->nkeys; i++) {
		int err = value_decode(c, &a->keys[i], key, a->key_size, &out[i]);

		if (err)
			return err;
	}
	return 0;
}

static int entry_new(struct consumer *c, struct agg_store *s, const void *key, const struct strbuf *name,
		     struct agg_entry **out)
{
	const struct cg_agg *a = s->cg;
	struct agg_entry *e = calloc(1, sizeof(*e));
	int err = -ENOMEM;

	if (s->n >= s->ntable && grow(s))
		goto out;
	if (!e)
		goto out;
	e->key = malloc(a->key_size ? a->key_size : 1);
	e->keys = calloc(a->nkeys ? a->nkeys : 1, sizeof(*e->keys));
	e->name = malloc(name->len ? name->len : 1);
	e->raw = calloc(3 * (size_t)a->value_words, sizeof(u64));
	if (!e->key || !e->keys || !e->name || !e->raw)
		goto out;

	memcpy(e->key, key, a->key_size);
	err = decode_key(c, a, e->key, e->keys);
	if (err)
		goto out;
	if (name->len)
		memcpy(e->name, name->s, name->len);
	e->name_len = name->len;
	e->base = e->raw + a->value_words;
	e->now = e->base + a->value_words;
	e->normal = 1;
	e->store = s;

	struct agg_entry **to = &s->table[hash_bytes(e->name, e->name_len) % s->ntable];

	e->next = *to;
	*to = e;
	s->n++;
	*out = e;
	return 0;
out:
	entry_free(e);
	return err;
}

int agg_entry_of(struct consumer *c, struct agg_store *s, const void *key, bool make, struct agg_entry **out)
{
	struct strbuf name = {0};
	u32 nkeys = s->cg->nkeys;
	struct value *v = calloc(nkeys ? nkeys : 1, sizeof(*v));
	int err = v ? decode_key(c, s->cg, key, v) : -ENOMEM;

	*out = NULL;
	if (err)
		goto out;
	name_key(&name, v, nkeys);
	if (name.failed) {
		err = -ENOMEM;
		goto out;
	}
	*out = agg_find(s, name.s ? name.s : "", name.len);
	if (!*out && make)
		err = entry_new(c, s, key, &name, out);
out:
	strbuf_free(&name);
	free(v);
	return err;
}

/* --- reading ------------------------------------------------------------------------------------------- */

struct reading {
	struct consumer *c;
	struct agg_store *s;
};

static int read_one(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	struct reading *r = arg;
	const struct cg_agg *a = r->s->cg;
	struct agg_entry *e = NULL;
	int err;

	if (stride < a->value_words * sizeof(u64))
		return -EINVAL;

	bool any = false;

	for (u32 i = 0; i < nvalues && !any; i++)
		any = *(const u64 *)((const u8 *)values + (size_t)i * stride) != 0;
	err = agg_entry_of(r->c, r->s, key, any, &e); /* made but not yet counted: not there */
	if (err == -EINVAL) {
		r->c->undecoded++;
		return 0;
	}
	if (e)
		e->present = true;
	for (u32 i = 0; e && i < nvalues; i++)
		agg_func(r->s)->merge(e->raw, (const u64 *)((const u8 *)values + (size_t)i * stride),
				      a->value_words);
	return err;
}

static void forget_raw(struct agg_entry *e)
{
	e->present = false;
	memset(e->raw, 0, e->store->cg->value_words * sizeof(u64));
}

static void settle(struct agg_entry *e)
{
	const struct agg_func *f = agg_func(e->store);
	u32 n = e->store->cg->value_words;

	if (f->less)
		f->less(e->now, e->raw, e->base, n);
	else
		memcpy(e->now, e->raw, n * sizeof(u64));
	if (e->gone && e->now[0]) {
		e->gone = false;
		e->normal = 1;
	}
	agg_rank(e);
}

int agg_read(struct consumer *c, u32 id)
{
	struct agg_store *s = &c->aggs[id];
	int err;

	if (s->seen == c->drain)
		return 0;
	if (s->cg->value_words < agg_func(s)->min_words)
		return -EINVAL;
	agg_each(s, forget_raw);
	err = exec_map_each(c->cfg.exec, s->cg->map, read_one, &(struct reading){c, s});
	if (err)
		return err;
	agg_each(s, settle);
	s->seen = c->drain;
	return 0;
}
