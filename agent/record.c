// SPDX-License-Identifier: Apache-2.0
/* The matched functions: their records and texts on the page, and what the agent itself keeps of each. */
#include "agent_impl.h"

#define TEXT_MAX   4096 /* bytes of a name or path that are recorded, at least strsize */
#define CACHE_SIZE 512

/* Offsets of texts that were added lately: thousands of functions share a few file and module names. */
static uint32_t cache[CACHE_SIZE];

int record_init(void)
{
	memset(cache, 0, sizeof(cache));
	agent.nmatched = 0;
	agent.max_matched = agent.page->max_functions;
	agent.matched = agent_map(sizeof(*agent.matched) * (agent.max_matched + (size_t)1));
	return agent.matched ? 0 : -ENOMEM;
}

void record_free(void)
{
	uint32_t n = agent.nmatched;

	agent.nmatched = 0;
	for (uint32_t i = 0; i < n; i++)
		py.Py_DecRef(agent.matched[i].code);
	py.PyErr_Clear();
}

/* Text on the page, cut where needed. Its offset; 0: no room. */
static uint32_t text_add(const struct fact_text *t)
{
	struct wire_page *page = agent.page;
	uint32_t max = page->strsize > TEXT_MAX ? page->strsize : TEXT_MAX;
	size_t len = t->len < max ? t->len : max - 1;
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

struct matched *record_function(struct facts *f, uint64_t filters)
{
	struct wire_page *page = agent.page;
	const struct fact_text *file = facts_text(f, WIRE_FILE), *name = facts_text(f, WIRE_NAME),
			       *module = facts_text(f, WIRE_MODULE), *qualname = facts_text(f, WIRE_QUALNAME);
	uint32_t i = page->nfunctions;
	struct wire_function *w = (struct wire_function *)((char *)page + page->functions) + i;
	struct matched *m = &agent.matched[i];

	if (i >= page->max_functions)
		goto full;
	*w = (struct wire_function){
	    .file = text_add(file),
	    .name = text_add(name),
	    .module = text_add(module),
	    .qualname = text_add(qualname),
	    .firstline = f->firstline,
	    .filters = filters,
	    .page = (uintptr_t)page,
	};
	if (!w->file || !w->name || !w->module || !w->qualname)
		goto full;
	*m = (struct matched){
	    .code = f->code,
	    .file = (const char *)page + w->file,
	    .func = (const char *)page + w->name,
	    .function = w,
	    .fid = i + 1,
	    .firstline = f->firstline,
	    .start = -1,
	    .lines = {{-1, 0}, {-1, 0}},
	};
	for (int e = 0; e < WIRE_NEVENTS; e++)
		m->filters[e] = filters & agent.at[e];
	py.Py_IncRef(f->code);
	agent.nmatched = i + 1;
	__atomic_store_n(&page->nfunctions, i + 1, __ATOMIC_RELEASE);
	return m;
full:
	page->dropped_functions++;
	return NULL;
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
