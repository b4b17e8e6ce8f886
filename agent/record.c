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
static uint32_t bucket_mask, nrecords; /* in them; the page may have more, of other processes */

/* By the events and kinds that are wanted: functions of which nothing can be kept. Their events are counted as lost. */
static struct matched lost[1 << WIRE_NEVENTS * WIRE_NKINDS];

void record_init(void)
{
	memset(cache, 0, sizeof(cache));
	nrecords = 0;
	for (uint32_t i = 0; i < ARRAY_SIZE(lost); i++) {
		lost[i].file = lost[i].func = "";
		for (int e = 0; e < WIRE_NEVENTS; e++)
			for (int k = 0; k < WIRE_NKINDS; k++)
				lost[i].filters[e][k] = i >> (e * WIRE_NKINDS + k) & 1;
		lost[i].ready = true;
	}
}

/* Where a code object has been decided on again while its old weak reference was dying, its entry is another's. */
struct pyobj *record_take(struct matched *m)
{
	struct pyobj *ref = m->ref;

	if (table_find(&agent.table, m->code)->matched == m)
		table_delete(&agent.table, m->code);
	table_delete(&agent.refs, ref);
	slot_free(m);
	return ref;
}

bool record_knows(const struct pyobj *ref)
{
	bool knows;

	lock_take(&agent.locks->state);
	knows = table_find(&agent.refs, ref)->code;
	lock_leave(&agent.locks->state);
	return knows;
}

struct pyobj *record_take_ref(const struct pyobj *ref)
{
	struct matched *m;
	struct pyobj *taken;

	agent_change_begin();
	m = table_find(&agent.refs, ref)->matched;
	taken = m ? record_take(m) : NULL;
	agent_change_end();
	return taken;
}

static bool wanted(const struct matched *m, enum wire_event event)
{
	bool any = false;

	for (int k = 0; k < WIRE_NKINDS; k++)
		any |= m->filters[event][k];
	return any;
}

static struct matched *first_of(const struct interp *in)
{
	struct matched *m = agent.matched;

	while (m && m->interp != in)
		m = m->next;
	return m;
}

bool record_any(const struct interp *in)
{
	bool any;

	lock_take(&agent.locks->state);
	any = first_of(in);
	lock_leave(&agent.locks->state);
	return any;
}

struct pyobj *record_take_first(const struct interp *in, bool *had_local_events)
{
	struct pyobj *taken = NULL;
	struct matched *m;

	agent_change_begin();
	m = first_of(in);
	if (m) {
		*had_local_events = wanted(m, WIRE_RETURN);
		taken = record_take(m);
	}
	agent_change_end();
	return taken;
}

void record_free(void)
{
	bool had_local_events;
	struct pyobj *ref;

	while ((ref = record_take_first(NULL, &had_local_events)))
		py.Py_DecRef(ref);
	agent_change_begin();
	while (agent.matched) /* of interpreters that have ended */
		record_take(agent.matched);
	slot_trim();
	agent_unmap(buckets, (bucket_mask + (size_t)1) * sizeof(*buckets));
	buckets = NULL;
	agent_change_end();
}

static uint32_t text_max(void)
{
	return agent.plan->strsize > TEXT_MAX ? agent.plan->strsize : TEXT_MAX;
}

static size_t text_len(const struct fact_text *t)
{
	return t->len < text_max() ? t->len : text_max() - 1;
}

/* So many of the page's numbers or bytes, of `room`; other processes may take some, too (wire_page.follow). UINT32_MAX: there are not so many. */
static uint32_t page_reserve(uint32_t *used, uint32_t n, uint32_t room)
{
	uint32_t at = __atomic_load_n(used, __ATOMIC_RELAXED);

	do {
		if (at > room || n > room - at)
			return UINT32_MAX;
	} while (!__atomic_compare_exchange_n(used, &at, at + n, false, __ATOMIC_RELEASE, __ATOMIC_RELAXED));
	return at;
}

/* Text on the page, cut where needed. Its offset; 0: no room. */
static uint32_t text_add(const struct fact_text *t)
{
	const struct wire_page *plan = agent.plan;
	size_t len = text_len(t);
	uint32_t *seen = &cache[hash_text(t->s, len) % CACHE_SIZE], at;
	char *page = (char *)agent.page;

	if (*seen && !memcmp(page + *seen, t->s, len) && !page[*seen + len])
		return *seen;
	at = page_reserve(&agent.page->strings_used, len + 1, plan->strings_end - plan->strings);
	if (at == UINT32_MAX)
		return 0;
	at += plan->strings;
	memcpy(page + at, t->s, len);
	page[at + len] = '\0';
	*seen = at;
	return at;
}

/* Is this, at an offset that the page says, the text as it would be recorded? */
static bool text_same(uint32_t at, const struct fact_text *t)
{
	const struct wire_page *plan = agent.plan;
	const char *s = (const char *)agent.page + at;
	size_t len = text_len(t);

	return at >= plan->strings && at < plan->strings_end && len < plan->strings_end - at &&
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
	return (struct wire_function *)((char *)agent.page + agent.plan->functions) + fid - 1;
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
	uint32_t hash = record_hash(f, filters), fid;
	struct wire_function w = {.firstline = f->firstline, .filters = filters, .page = (uintptr_t)page};
	struct bucket *b;

	if (!buckets_grow())
		return 0;
	b = bucket_find(hash, f, filters);
	if (b->fid)
		return b->fid;
	for (size_t i = 0; i < ARRAY_SIZE(texts); i++) {
		*text_of(&w, i) = text_add(facts_text(f, texts[i].field));
		if (!*text_of(&w, i))
			return 0;
	}
	fid = page_reserve(&page->nfunctions, 1, agent.plan->max_functions) + 1;
	if (!fid)
		return 0;
	*record_of(fid) = w;
	*b = (struct bucket){hash, fid};
	nrecords++;
	return fid;
}

/* Into both tables. */
static bool matched_put(struct matched *m)
{
	if (table_put(&agent.table, &(struct decided){.code = m->code, .matched = m}))
		return false;
	return !table_put(&agent.refs, &(struct decided){.code = m->ref, .matched = m});
}

struct matched *record_function(struct facts *f, uint64_t filters, struct pyobj *ref, struct interp *in)
{
	struct matched *m = ref ? slot_new() : NULL;
	uint32_t events = 0, fid;

	for (int e = 0; e < WIRE_NEVENTS; e++)
		for (int k = 0; k < WIRE_NKINDS; k++)
			events |= (uint32_t) !!(filters & agent.at[e][k]) << (e * WIRE_NKINDS + k);
	if (!m)
		return &lost[events];
	m->code = f->code;
	m->ref = ref;
	m->interp = in;
	m->file = m->func = "";
	m->firstline = f->firstline;
	m->start = m->lines[0].offset = m->lines[1].offset = -1;
	for (int e = 0; e < WIRE_NEVENTS; e++)
		for (int k = 0; k < WIRE_NKINDS; k++)
			m->filters[e][k] = filters & agent.at[e][k];
	fid = record_find(f, filters);
	if (fid) {
		m->fid = agent.plan->fid_base + fid;
		m->function = record_of(fid);
		m->file = (const char *)agent.page + m->function->file;
		m->func = (const char *)agent.page + m->function->name;
	}
	if (matched_put(m))
		return m;
	record_take(m);
	return &lost[events];
}

int record_line(struct matched *m, int offset)
{
	union left *last = &m->lines[offset >> 1 & 1];
	union left left = {.word = __atomic_load_n(&last->word, __ATOMIC_RELAXED)};

	if (left.offset != offset) {
		left.offset = offset;
		left.line = py.PyCode_Addr2Line(m->code, offset);
		__atomic_store_n(&last->word, left.word, __ATOMIC_RELAXED);
	}
	return left.line;
}
