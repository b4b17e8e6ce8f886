// SPDX-License-Identifier: Apache-2.0
/*
 * The matched functions. Their records and texts are on the page, each once: functions of which all that is printed is the same
 * share a record. What the agent itself keeps of each code object is a struct matched.
 */
#include "agent_impl.h"

#define TEXT_MAX    4096 /* bytes of a name or path that are recorded, at least strsize */
#define CACHE_SIZE  512
#define INDEX_FIRST 1024

/* Offsets of texts that were added lately: thousands of functions share a few file and module names. */
static uint32_t cache[CACHE_SIZE];

/* The records by a hash of what is in them; half empty at least. `fid` 0: free. */
static struct bucket {
	uint32_t hash, fid;
} * buckets;
static uint32_t bucket_mask, nrecords;

/* By bit 1 << event: functions of which nothing can be kept. Their events are counted as lost. */
static struct matched lost[1 << WIRE_NEVENTS];

void record_init(void)
{
	memset(cache, 0, sizeof(cache));
	nrecords = 0;
	for (uint32_t i = 0; i < ARRAY_SIZE(lost); i++) {
		lost[i].file = lost[i].func = "";
		for (int e = 0; e < WIRE_NEVENTS; e++)
			lost[i].filters[e] = i >> e & 1;
	}
}

void record_forget(struct matched *m)
{
	struct pyobj *ref = m->ref;

	table_delete(&agent.table, m->code);
	table_delete(&agent.refs, ref);
	slot_free(m);
	py.Py_DecRef(ref);
}

void record_free(void)
{
	while (agent.matched)
		record_forget(agent.matched);
	slot_trim();
	agent_unmap(buckets, (bucket_mask + (size_t)1) * sizeof(*buckets));
	buckets = NULL;
}

static uint32_t text_max(void)
{
	return agent.page->strsize > TEXT_MAX ? agent.page->strsize : TEXT_MAX;
}

static size_t text_len(const struct fact_text *t)
{
	return t->len < text_max() ? t->len : text_max() - 1;
}

/* Text on the page, cut where needed. Its offset; 0: no room. */
static uint32_t text_add(const struct fact_text *t)
{
	struct wire_page *page = agent.page;
	size_t len = text_len(t);
	uint32_t *seen = &cache[hash_text(t->s, len) % CACHE_SIZE];
	uint32_t at = page->strings + page->strings_used;
	char *s = (char *)page + *seen;

	if (*seen && !memcmp(s, t->s, len) && !s[len])
		return *seen;
	if (len >= page->strings_end - at)
		return 0;
	memcpy((char *)page + at, t->s, len);
	((char *)page)[at + len] = '\0';
	page->strings_used += len + 1;
	*seen = at;
	return at;
}

/* Is this, at an offset that the page says, the text as it would be recorded? */
static bool text_same(uint32_t at, const struct fact_text *t)
{
	const struct wire_page *page = agent.page;
	const char *s = (const char *)page + at;
	size_t len = text_len(t);

	return at >= page->strings && at < page->strings_end && len < page->strings_end - at &&
	       !memcmp(s, t->s, len) && !s[len];
}

/* The texts of a record, and where a record has each of them. */
static const struct {
	enum wire_field field;
	uint32_t offset;
} texts[] = {
    {WIRE_FILE, offsetof(struct wire_function, file)},
    {WIRE_NAME, offsetof(struct wire_function, name)},
    {WIRE_MODULE, offsetof(struct wire_function, module)},
    {WIRE_QUALNAME, offsetof(struct wire_function, qualname)},
};

static uint32_t *text_of(struct wire_function *w, size_t i)
{
	return (uint32_t *)((char *)w + texts[i].offset);
}

static struct wire_function *record_of(uint32_t fid)
{
	return (struct wire_function *)((char *)agent.page + agent.page->functions) + fid - 1;
}

static uint32_t record_hash(struct facts *f, uint64_t filters)
{
	uint64_t h = filters * 31 + (uint64_t)f->firstline;

	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		const struct fact_text *t = facts_text(f, texts[i].field);

		h = (h ^ hash_text(t->s, text_len(t))) * 0x9e3779b97f4a7c15ull;
	}
	return h >> 32;
}

static bool record_same(uint32_t fid, struct facts *f, uint64_t filters)
{
	struct wire_function *w = record_of(fid);
	bool same = w->firstline == (int32_t)f->firstline && w->filters == filters;

	for (size_t i = 0; i < ARRAY_SIZE(texts) && same; i++)
		same = text_same(*text_of(w, i), facts_text(f, texts[i].field));
	return same;
}

/* The bucket of the record that is the same, or a free one. */
static struct bucket *bucket_find(uint32_t hash, struct facts *f, uint64_t filters)
{
	for (uint32_t i = hash;; i++) {
		struct bucket *b = &buckets[i & bucket_mask];

		if (!b->fid || (b->hash == hash && record_same(b->fid, f, filters)))
			return b;
	}
}

/* Room for one more. */
static bool buckets_grow(void)
{
	uint32_t old = buckets ? bucket_mask + 1 : 0, size = old ? old * 2 : INDEX_FIRST;
	struct bucket *new;

	if (nrecords < old / 2)
		return true;
	new = agent_map(size * sizeof(*new));
	if (!new)
		return false;
	for (uint32_t i = 0; i < old; i++) {
		uint32_t at = buckets[i].hash & (size - 1);

		while (buckets[i].fid && new[at].fid)
			at = (at + 1) & (size - 1);
		if (buckets[i].fid)
			new[at] = buckets[i];
	}
	agent_unmap(buckets, old * sizeof(*buckets));
	buckets = new;
	bucket_mask = size - 1;
	return true;
}

/* The number of the record on the page, made if there is none; 0: no room. */
static uint32_t record_find(struct facts *f, uint64_t filters)
{
	struct wire_page *page = agent.page;
	uint32_t hash = record_hash(f, filters), fid = nrecords + 1;
	struct wire_function w = {.firstline = f->firstline, .filters = filters, .page = (uintptr_t)page};
	struct bucket *b;

	if (!buckets_grow())
		return 0;
	b = bucket_find(hash, f, filters);
	if (b->fid)
		return b->fid;
	if (nrecords >= page->max_functions)
		return 0;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*text_of(&w, i) = text_add(facts_text(f, texts[i].field));
		if (!*text_of(&w, i))
			return 0;
	}
	*record_of(fid) = w;
	*b = (struct bucket){hash, fid};
	nrecords = fid;
	__atomic_store_n(&page->nfunctions, fid, __ATOMIC_RELEASE);
	return fid;
}

/* Into both tables. */
static bool matched_put(struct matched *m)
{
	if (table_put(&agent.table, &(struct decided){.code = m->code, .matched = m}))
		return false;
	return !table_put(&agent.refs, &(struct decided){.code = m->ref, .matched = m});
}

struct matched *record_function(struct facts *f, uint64_t filters, struct pyobj *ref)
{
	struct matched *m = ref ? slot_new() : NULL;
	uint32_t events = 0, fid;

	for (int e = 0; e < WIRE_NEVENTS; e++)
		events |= !!(filters & agent.at[e]) << e;
	if (!m) {
		py.Py_DecRef(ref);
		return &lost[events];
	}
	m->code = f->code;
	m->ref = ref;
	m->file = m->func = "";
	m->firstline = f->firstline;
	m->start = m->lines[0].offset = m->lines[1].offset = -1;
	for (int e = 0; e < WIRE_NEVENTS; e++)
		m->filters[e] = filters & agent.at[e];
	fid = record_find(f, filters);
	if (fid) {
		m->fid = fid;
		m->function = record_of(fid);
		m->file = (const char *)agent.page + m->function->file;
		m->func = (const char *)agent.page + m->function->name;
	}
	if (matched_put(m))
		return m;
	record_forget(m);
	return &lost[events];
}

int record_line(struct matched *m, int offset)
{
	int i = offset >> 1 & 1;

	if (m->lines[i].offset != offset) {
		m->lines[i].offset = offset;
		m->lines[i].line = py.PyCode_Addr2Line(m->code, offset);
	}
	return m->lines[i].line;
}
