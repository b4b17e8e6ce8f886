// SPDX-License-Identifier: Apache-2.0
/* A function that the walk has come to: does it match, and its names into the page's room. */
#include "walk_impl.h"

/* How long things take, as walk.c counts it; measured on 3.9.18 to 3.15.2. */
#define COST_MATCH 8
#define COST_NAMES 8
#define COST_LOOK  1  /* of qualname_find() */
#define NAME_AMONG 64 /* names of a module that __name__ is among: it is the first, but in odd ones */
#define ROOM_MOST  (sizeof(struct wire_name) + 3 * (size_t)WIRE_WALK_TEXT)

/* Functions that are put down: a hash of all that is printed of each. */
static struct walk_set put;

/* Bytes of the room, for this slice: what the page says of it does not count. */
static uint32_t used;

/* The namespace whose name was asked for last in this slice, and that. */
static struct pyobj *last_globals, *last_name;

int walk_put_init(void)
{
	return walk_set_init(&put);
}

void walk_put_free(void)
{
	walk_set_free(&put);
}

void walk_put_begin(void)
{
	used = agent.page->walk.used = 0;
	last_globals = NULL;
}

bool walk_put_room(void)
{
	const struct wire_walk *w = &agent.plan->walk;

	return w->room_end - w->room >= used + ROOM_MOST;
}

/* The value of __name__, borrowed; NULL: there is none. To look it up could run an __eq__ of the program's. */
static struct pyobj *name_look(struct pyobj *globals)
{
	struct pyobj *key, *value;
	intptr_t pos = 0;

	for (int i = 0; i < NAME_AMONG && py.PyDict_Next(globals, &pos, &key, &value); i++)
		if (key == agent.dunder_name ||
		    (type_of(key) == py.PyUnicode_Type && !py.PyUnicode_CompareWithASCIIString(key, "__name__")))
			return value;
	return NULL;
}

static struct pyobj *module_name(struct pyobj *globals)
{
	if (globals != last_globals)
		last_name = globals ? name_look(globals) : NULL;
	last_globals = globals;
	py.Py_IncRef(last_name);
	return last_name;
}

/*
 * 3.9 and 3.10: from the function's name and the names of what is on the way. Where a decorator has changed the function's
 * name it is what events will have.
 */
static struct pyobj *qualname_of_path(const struct walk_step *path, uint32_t n, struct pyobj *globals)
{
	struct pyobj *name = py.PyObject_GetAttrString(path[0].o, "__qualname__");

	if (name && !qualname_own(name, path[1].o)) {
		py.Py_DecRef(name);
		name = qualname_find(path[1].o, globals);
	}
	for (uint32_t i = 1; i + 1 < n; i++)
		name = qualname_join(name, path[i].o, path[i + 1].o);
	return name;
}

static const enum wire_field printed[] = {WIRE_MODULE, WIRE_QUALNAME, WIRE_FILE};

/* True if it is the first of those of which the same is printed. */
static bool is_new(struct facts *f)
{
	uint64_t hash = (uint64_t)f->firstline, *at;

	for (size_t i = 0; i < ARRAY_SIZE(printed); i++) {
		const struct fact_text *t = facts_text(f, printed[i]);

		hash = (hash ^ hash_text(t->s, t->len)) * 0x9e3779b97f4a7c15ull;
	}
	hash |= 1; /* 0 is a free place */
	at = walk_set_find(&put, hash, 0);
	if (!at) {
		agent.page->walk.partial = 1;
		return false;
	}
	if (*at)
		return false;
	*at = hash;
	put.used++;
	return true;
}

/* There is room. */
static void name_write(struct facts *f, uint64_t filters)
{
	char *room = (char *)agent.page + agent.plan->walk.room;
	struct wire_name *name = (struct wire_name *)(room + used);
	uint16_t *const lengths[] = {&name->module, &name->qualname, &name->file};
	char *text = (char *)(name + 1);

	*name = (struct wire_name){.filters = filters, .line = (int32_t)f->firstline};
	for (size_t i = 0; i < ARRAY_SIZE(printed); i++) {
		const struct fact_text *t = facts_text(f, printed[i]);
		size_t len = t->len < WIRE_WALK_TEXT - 8 ? t->len : WIRE_WALK_TEXT - 8;

		memcpy(text, t->s, len);
		*lengths[i] = (uint16_t)len;
		text += len;
	}
	used = (uint32_t)((text - room + 7) & -8);
	agent.page->walk.used = used;
}

uint32_t walk_put(const struct walk_step *path, uint32_t n)
{
	struct pyobj *globals = py.PyFunction_GetGlobals(path[0].o);
	struct wire_page *page = agent.page;
	uint64_t looks = page->looks, filters;
	uint32_t cost = COST_MATCH;
	struct facts f;

	facts_init(&f, path[n - 1].o, globals);
	facts_give(&f, WIRE_MODULE, module_name(globals));
	if (agent.version < 0x030b)
		facts_give(&f, WIRE_QUALNAME, qualname_of_path(path, n, globals));
	filters = match_filters(agent.plan, &f);
	if (filters || page->walk.all) {
		cost += COST_NAMES;
		if (is_new(&f))
			name_write(&f, filters);
	}
	facts_done(&f);
	return cost + (uint32_t)(page->looks - looks) * COST_LOOK;
}
