// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz the agent with a page from a tracer that is damaged: it is refused, or matching reads and recording writes inside
 * of it, and recording leaves alone what says where things are. The sources are included, as in tests/unit/agent.
 */
#include <stdlib.h>

#include "fuzz.h"

#include "facts.c"
#include "match.c"
#include "page.c"
#include "record.c"
#include "slot.c"
#include "table.c"

enum { SIZE = 8192, FUNCTIONS = 4096, STRINGS = 6144, FILTERS = 1024, RANGES = 1152, TERMS = 1216, TEXT = 1472 };
_Static_assert((size_t)FILTERS >= sizeof(struct wire_page), "the tables are behind the head");

const struct fuzz_hints fuzz_hints = {.max = 128};

struct agent agent;
struct agent_api py;

/* --- what the included sources need of the others ---------------------------------------------- */

void *agent_map(size_t size)
{
	return calloc(1, size);
}

void agent_unmap(void *p, size_t size)
{
	free(p);
}

uint64_t hash_text(const char *s, size_t n)
{
	return hash_bytes(s, n);
}

struct pyobj *qualname_find(struct pyobj *code, struct pyobj *globals)
{
	return NULL;
}

static void no_reference(struct pyobj *o)
{
}

static void no_error(void)
{
}

/* --- the page ---------------------------------------------------------------------------------------- */

static void page_make(struct wire_page *p)
{
	static const struct wire_term terms[] = {{WIRE_MODULE, WIRE_GLOB, 0, TEXT + 3, 3},
						 {WIRE_NAME, WIRE_EQ, 0, TEXT, 2},
						 {WIRE_LINE, WIRE_GE, 7, 0, 0},
						 {WIRE_FILE, WIRE_NE, 0, TEXT + 7, 3},
						 {WIRE_QUALNAME, WIRE_GLOB, 0, TEXT + 11, 7}};
	static const struct wire_range ranges[] = {{0, 2}, {4, 1}};
	static const struct wire_filter filters[] = {{3, 0, 2, 2, 1}, {1, 0, 0, 3, 1}};

	memset(p, 0, SIZE);
	*p = (struct wire_page){.magic = WIRE_MAGIC,
				.version = WIRE_VERSION,
				.size = SIZE,
				.strsize = 16,
				.nfilters = ARRAY_SIZE(filters),
				.filters = FILTERS,
				.nranges = ARRAY_SIZE(ranges),
				.ranges = RANGES,
				.nterms = ARRAY_SIZE(terms),
				.terms = TERMS,
				.max_functions = 5,
				.functions = FUNCTIONS,
				.strings = STRINGS,
				.strings_end = SIZE};
	memcpy((char *)p + FILTERS, filters, sizeof(filters));
	memcpy((char *)p + RANGES, ranges, sizeof(ranges));
	memcpy((char *)p + TERMS, terms, sizeof(terms));
	memcpy((char *)p + TEXT, "f0\0m*d\0f.c\0C.[a-f]", 19);
}

static struct facts facts_make(unsigned i)
{
	static char name[4] = "f0", qualname[] = "C.f0";
	struct facts f = {.firstline = 5 + i,
			  .text = {[WIRE_FILE] = {"f.py", 4},
				   [WIRE_NAME] = {name, 2},
				   [WIRE_MODULE] = {"mod", 3},
				   [WIRE_QUALNAME] = {qualname, 4}}};

	name[1] = qualname[3] = (char)('0' + i % 10);
	return f;
}

/* What the recording may not change: all that page_valid() has looked at. */
static u64 hash_of_rest(const struct wire_page *p)
{
	return hash_bytes(p, offsetof(struct wire_page, owner)) ^
	       hash_bytes((const char *)p + p->filters, p->nfilters * sizeof(struct wire_filter)) * 3 ^
	       hash_bytes((const char *)p + p->ranges, p->nranges * sizeof(struct wire_range)) * 5 ^
	       hash_bytes((const char *)p + p->terms, p->nterms * sizeof(struct wire_term)) * 7;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct fuzz_in in = {data, size};
	u8 mode = (u8)fuzz_take(&in, 1);
	struct wire_page *p = malloc(SIZE);
	u64 before, found = 0;

	page_make(p);
	while (in.n)
		fuzz_damage(&in, p, in.p[0] & 1 ? offsetof(struct wire_page, state) : TEXT + 32);
	p->size = SIZE; /* is not the page's to say: the file has that many bytes */
	agent = (struct agent){.page = p, .version = mode & 1 ? 0x030a : 0x030c};
	py.Py_IncRef = py.Py_DecRef = no_reference;
	py.PyErr_Clear = no_error;
	if (page_take(p)) {
		if (!size)
			abort();
	} else if (!table_init(&agent.table, 16) && !table_init(&agent.refs, 16)) {
		record_init();
		before = hash_of_rest(p);
		for (unsigned i = 0; i < 12; i++) {
			struct facts f = facts_make(i);
			u64 filters = match_filters(p, &f);

			f.code = (struct pyobj *)(i * 32 + 4096ul);
			if (filters && record_function(&f, filters, f.code)->function)
				found++;
		}
		if (before != hash_of_rest(p) || (!size && found != 5))
			abort();
		record_free();
		table_free(&agent.table);
		table_free(&agent.refs);
	}
	free(p);
	return 0;
}
