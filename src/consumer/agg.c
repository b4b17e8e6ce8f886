// SPDX-License-Identifier: Apache-2.0
/*
 * Aggregations as the consumer holds them. The programs only ever add to the maps; what the user asks to forget
 * with clear() and trunc() the consumer remembers as a baseline and subtracts:
 *
 *   raw  = all CPUs' values, of all keys that print the same text, merged
 *   now  = raw - base          clear(): base = raw;  trunc(): base = raw, and the key is gone until it changes
 *
 * A minimum cannot be subtracted, so clear() and trunc() of min and max zero the value in the map; what a program
 * adds to that key in the same microsecond counts as before the clear().
 *
 * Maps are read once a drain: so `printa(@a); clear(@a);` loses nothing in between, in one clause or in two.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/consumer_impl.h"
#include "rt/rt.h"

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

/* The values of a key as bytes. Integers by number, all else by its text: equal bytes print equal text. */
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

/* The entry of a map's key. `make`: create it when it is new. 0 (*out NULL: there is none), or -errno. */
static int entry_of(struct consumer *c, struct agg_store *s, const void *key, bool make, struct agg_entry **out)
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

/* --- merging ------------------------------------------------------------------------------------------ */

static void merge_sum(u64 *to, const u64 *from, u32 n)
{
	for (u32 i = 0; i < n; i++)
		to[i] += from[i];
}

/* min and max: flipped so that the greater word wins, and 0 is none (rt.h). */
static void merge_flipped(u64 *to, const u64 *from, u32 n)
{
	to[0] += from[0];
	if (from[1] > to[1])
		to[1] = from[1];
}

/* The squares are 128 bits in two words. */
static void merge_stddev(u64 *to, const u64 *from, u32 n)
{
	merge_sum(to, from, 3);
	to[3] += from[3] + (to[2] < from[2]);
}

static void less_sum(u64 *now, const u64 *raw, const u64 *base, u32 n)
{
	for (u32 i = 0; i < n; i++)
		now[i] = raw[i] - base[i];
}

static void less_stddev(u64 *now, const u64 *raw, const u64 *base, u32 n)
{
	less_sum(now, raw, base, 3);
	now[3] = raw[3] - base[3] - (raw[2] < base[2]);
}

static const struct agg_func {
	void (*merge)(u64 *to, const u64 *from, u32 n);
	void (*less)(u64 *now, const u64 *raw, const u64 *base, u32 n); /* NULL: reset the map instead */
	u32 min_words;
} funcs[D_NAGGFUNCS] = {
    [D_AGGFUNC_COUNT] = {merge_sum, less_sum, 1},      [D_AGGFUNC_SUM] = {merge_sum, less_sum, 2},
    [D_AGGFUNC_MIN] = {merge_flipped, NULL, 2},        [D_AGGFUNC_MAX] = {merge_flipped, NULL, 2},
    [D_AGGFUNC_AVG] = {merge_sum, less_sum, 2},        [D_AGGFUNC_STDDEV] = {merge_stddev, less_stddev, 4},
    [D_AGGFUNC_QUANTIZE] = {merge_sum, less_sum, 2},   [D_AGGFUNC_LQUANTIZE] = {merge_sum, less_sum, 4},
    [D_AGGFUNC_LLQUANTIZE] = {merge_sum, less_sum, 3},
};

static const struct agg_func *func_of(const struct agg_store *s)
{
	return &funcs[s->cg->agg->func];
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
	err = entry_of(r->c, r->s, key, any, &e); /* made but not yet counted: not there */
	if (err == -EINVAL) {
		r->c->undecoded++;
		return 0;
	}
	for (u32 i = 0; e && i < nvalues; i++)
		func_of(r->s)->merge(e->raw, (const u64 *)((const u8 *)values + (size_t)i * stride),
				     a->value_words);
	return err;
}

static void for_each(struct agg_store *s, void (*fn)(struct agg_entry *e))
{
	for (size_t i = 0; i < s->ntable; i++)
		for (struct agg_entry *e = s->table[i]; e; e = e->next)
			fn(e);
}

static void forget_raw(struct agg_entry *e)
{
	memset(e->raw, 0, e->store->cg->value_words * sizeof(u64));
}

static void settle(struct agg_entry *e)
{
	const struct agg_func *f = func_of(e->store);
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
	if (s->cg->value_words < func_of(s)->min_words)
		return -EINVAL;
	for_each(s, forget_raw);
	err = exec_map_each(c->cfg.exec, s->cg->map, read_one, &(struct reading){c, s});
	if (err)
		return err;
	for_each(s, settle);
	s->seen = c->drain;
	return 0;
}

/* --- forgetting ------------------------------------------------------------------------------------------ */

struct resetting {
	struct consumer *c;
	struct agg_store *s;
	struct strbuf keys;
};

static int collect_reset(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	struct resetting *r = arg;
	struct agg_entry *e;
	int err = entry_of(r->c, r->s, key, false, &e);

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

	if (func_of(e->store)->less)
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
	int err = func_of(s)->less ? 0 : reset_marked(c, s);

	for_each(s, unmark);
	return err;
}

int agg_clear(struct consumer *c, u32 id)
{
	int err = agg_read(c, id);

	if (err)
		return err;
	for_each(&c->aggs[id], forget);
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

/* --- numbers --------------------------------------------------------------------------------------------- */

bool agg_is_distribution(const struct agg_entry *e)
{
	return e->store->cg->agg->func >= D_AGGFUNC_QUANTIZE;
}

/* a / b that cannot trap. */
static s64 divide(s64 a, s64 b)
{
	return b == 0 ? 0 : b == -1 ? (s64)(-(u64)a) : a / b;
}

static u64 sqrt128(unsigned __int128 n)
{
	unsigned __int128 root = 0;

	for (int bit = 63; bit >= 0; bit--) {
		unsigned __int128 try = root | (unsigned __int128)1 << bit;

		if (try * try <= n)
			root = try;
	}
	return (u64)root;
}

/*
 * sqrt(average(x * x) - average(x) * average(x)) in whole numbers, divided in the order in which DTrace does:
 * the result is the same to the last digit.
 */
u64 agg_stddev(const u64 *w, s64 normal)
{
	unsigned __int128 squares = (unsigned __int128)w[3] << 64 | w[2];

	if (!w[0] || !normal)
		return 0;

	s64 mean = divide(divide((s64)w[1], normal), (s64)w[0]);
	u64 abs = mean < 0 ? -(u64)mean : (u64)mean;
	unsigned __int128 square = (unsigned __int128)abs * abs;

	squares = squares / (u64)normal / w[0];
	return squares > square ? sqrt128(squares - square) : 0;
}

s64 agg_number(const struct agg_entry *e, s64 normal)
{
	const u64 *w = e->now;

	switch (e->store->cg->agg->func) {
	case D_AGGFUNC_COUNT: return divide((s64)w[0], normal);
	case D_AGGFUNC_AVG: return divide(divide((s64)w[1], normal), (s64)w[0]);
	case D_AGGFUNC_STDDEV: return (s64)agg_stddev(w, normal);
	case D_AGGFUNC_SUM: return divide((s64)w[1], normal);
	case D_AGGFUNC_MIN: return w[0] ? divide((s64)(w[1] ^ RT_MIN_FLIP), normal) : 0;
	case D_AGGFUNC_MAX: return w[0] ? divide((s64)(w[1] ^ RT_MAX_FLIP), normal) : 0;
	default: return divide((s64)w[0], normal); /* a distribution: how many */
	}
}
