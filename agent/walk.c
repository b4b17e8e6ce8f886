// SPDX-License-Identifier: Apache-2.0
/*
 * The functions that are loaded: from sys.modules through the names of modules and classes, functions, the constants of their
 * code, closures, decorators and what else Python makes of functions; and some way into data, for many a program keeps its
 * functions in objects, dictionaries and lists. No Python runs, no object is made or kept, and after a slice of at most
 * a millisecond the program has the interpreter again.
 *
 * So the program may change anything between two slices. The walk is a path of objects from sys.modules to where it is, and of
 * none it has a reference. At the beginning of a slice the path is gone again from its start, as far as each object is
 * still found where it was; where one is not, what it was found in is gone through once more. Where we have been is known by
 * addresses. An address may be that of another object by now, but only of one that was made since: what is there from the
 * beginning of the walk to its end is found.
 *
 * What the children of an object are the garbage collector's way tells (tp_traverse), for objects that it tracks, which are
 * ready for that at any time; dictionaries, tuples and lists, which may be long, are asked by index.
 */
#include "walk_impl.h"

#define SLICE       10000 /* looks at an object, 100 ns each at the most, in a slice */
#define STEPS       8192  /* the length of the path */
#define DATA_LEVELS 3     /* of objects in objects that are data */
#define DATA_ITEMS  1000  /* looked at in each */
#define DATA_LOOKS  1000000
#define RESTARTS    256 /* of objects that had been changed */
#define ELSEWHERE   200 /* slices that come in another interpreter than the first */
#define LEVEL_BITS  7ull

/* PyTypeObject, and tp_flags: the same in all versions (Include/cpython/object.h). */
#define TYPE_FLAGS     168
#define TYPE_TRAVERSE  184
#define HAS_GC         (1ul << 14)
#define SUBCLASS_LIST  (1ul << 25)
#define SUBCLASS_TUPLE (1ul << 26)
#define SUBCLASS_DICT  (1ul << 29)
#define SUBCLASS_TYPE  (1ul << 31)

typedef int visit_object(struct pyobj *o, void *arg);
typedef int traverse_object(struct pyobj *o, visit_object *visit, void *arg);

static struct {
	struct walk_step *path; /* NULL: no walk is under way */
	uint32_t n;
	struct walk_set seen; /* objects that were gone into; in the low bits the least level */
	int32_t left;         /* looks of this slice */
	uint32_t data_left, restarts_left, elsewhere_left;
	void *interp; /* whose modules they are */
} walk;

static unsigned long flags_of(const struct pyobj *type)
{
	return field(unsigned long, type, TYPE_FLAGS);
}

static struct pyobj *modules(void)
{
	struct pyobj *o = py.PySys_GetObject("modules");

	return o && type_of(o) == py.PyDict_Type ? o : NULL;
}

static struct walk_step *top(void)
{
	return &walk.path[walk.n - 1];
}

/* --- what an object is ----------------------------------------------------------------------------------- */

static bool is_wrapper(const struct pyobj *type)
{
	const struct pyobj *const wrappers[] = {py.PyCell_Type, py.PyMethod_Type, py.PyStaticMethod_Type,
						py.PyClassMethod_Type, py.PyProperty_Type};

	for (size_t i = 0; i < ARRAY_SIZE(wrappers); i++)
		if (type == wrappers[i])
			return true;
	return false;
}

/* A module is a child of sys.modules only: as a value of some name it has been, or will be, found there. */
static enum walk_kind kind_of(struct pyobj *o, enum walk_kind parent)
{
	struct pyobj *type = type_of(o);
	unsigned long flags = flags_of(type);

	if (type == py.PyCode_Type)
		return parent == WALK_FUNCTION || parent == WALK_CODE ? WALK_CODE : WALK_NOTHING;
	if (parent == WALK_CODE || !(flags & HAS_GC))
		return WALK_NOTHING;
	if (type == py.PyFunction_Type)
		return WALK_FUNCTION;
	if (type == py.PyModule_Type || parent == WALK_ROOT) {
		if (parent == WALK_ROOT && py.PyType_IsSubtype(type, py.PyModule_Type))
			return WALK_MODULE;
		if (type == py.PyModule_Type)
			return WALK_NOTHING;
	}
	if (!py.PyObject_GC_IsTracked(o))
		return WALK_NOTHING;
	if (flags & SUBCLASS_DICT)
		return WALK_DICT;
	if (flags & SUBCLASS_TUPLE)
		return WALK_TUPLE;
	if (flags & SUBCLASS_LIST)
		return WALK_LIST;
	if (flags & SUBCLASS_TYPE)
		return WALK_TYPE;
	return is_wrapper(type) ? WALK_WRAPPER : WALK_OBJECT;
}

/* How deep in data a child is. */
static uint32_t level_of(const struct walk_step *parent, enum walk_kind kind)
{
	switch (kind) {
	case WALK_MODULE:
	case WALK_FUNCTION:
	case WALK_CODE:
	case WALK_TYPE:
	case WALK_WRAPPER: return 0;
	case WALK_DICT: /* attributes, or names */
		if (parent->kind == WALK_OBJECT)
			return parent->level;
		/* fall through */
	case WALK_TUPLE: /* closures */
		if (parent->kind == WALK_MODULE || parent->kind == WALK_FUNCTION || parent->kind == WALK_TYPE)
			return 0;
		/* fall through */
	default: return parent->level + 1u;
	}
}

/* --- where we have been ---------------------------------------------------------------------------------- */

static bool was_at(struct pyobj *o, uint32_t level)
{
	const uint64_t *at = walk_set_find(&walk.seen, (uint64_t)o, LEVEL_BITS);

	if (!at)
		agent.page->walk.partial = 1;
	return !at || (*at && (*at & LEVEL_BITS) <= level);
}

static void mark(struct pyobj *o, uint32_t level)
{
	uint64_t *at = walk_set_find(&walk.seen, (uint64_t)o, LEVEL_BITS);

	if (!at)
		return;
	walk.seen.used += !*at;
	*at = (uint64_t)o | level;
}

/* Names of a module belong to it, whoever else has them: else the path would lead from import to import. */
static void mark_names(struct pyobj *dict)
{
	struct pyobj *key, *module;
	intptr_t pos = 0;

	while (py.PyDict_Next(dict, &pos, &key, &module))
		if (py.PyType_IsSubtype(type_of(module), py.PyModule_Type))
			mark(py.PyModule_GetDict(module), 0);
}

/* --- children -------------------------------------------------------------------------------------------- */

/* The child at a place where it was seen before, with the next place in *next; NULL: there is none. */
static struct pyobj *item_at(const struct walk_step *s, intptr_t at, intptr_t *next)
{
	struct pyobj *key, *value, *items = s->kind == WALK_CODE ? s->items : s->o;

	*next = at + 1;
	switch (s->kind) {
	case WALK_ROOT:
	case WALK_DICT: *next = at; return py.PyDict_Next(s->o, next, &key, &value) ? value : NULL;
	case WALK_MODULE: return at ? NULL : py.PyModule_GetDict(s->o);
	case WALK_LIST: return at < py.PyList_Size(items) ? py.PyList_GetItem(items, at) : NULL;
	default: return at < py.PyTuple_Size(items) ? py.PyTuple_GetItem(items, at) : NULL;
	}
}

static bool is_traversed(enum walk_kind kind)
{
	return kind == WALK_FUNCTION || kind == WALK_TYPE || kind == WALK_WRAPPER || kind == WALK_OBJECT;
}

/* Is the child to be gone into? Then as what. */
static bool is_wanted(const struct walk_step *parent, struct pyobj *o, struct walk_step *child)
{
	enum walk_kind kind = kind_of(o, parent->kind);
	uint32_t level;

	if (kind == WALK_NOTHING)
		return false;
	level = level_of(parent, kind);
	if (level > DATA_LEVELS || (level && !walk.data_left))
		return false;
	if (was_at(o, level) && parent->kind != WALK_MODULE)
		return false;
	*child = (struct walk_step){.o = o, .kind = (uint8_t)kind, .level = (uint8_t)level};
	return true;
}

/* One more look at a child of the step. False: it may have no more. */
static bool look(struct walk_step *s, struct pyobj *o, intptr_t at)
{
	if (s->level && s->count == DATA_ITEMS)
		return false;
	s->last = o;
	s->last_at = at;
	s->count++;
	walk.left--;
	if (s->level && walk.data_left)
		walk.data_left--;
	return true;
}

struct visit {
	struct walk_step *step, *child;
	intptr_t index;
	bool full;
};

static int visit(struct pyobj *o, void *arg)
{
	struct visit *v = arg;
	intptr_t at = v->index++;

	if (at < v->step->at || !o)
		return 0;
	v->full = !look(v->step, o, at);
	return v->full || is_wanted(v->step, o, v->child) || walk.left <= 0;
}

static void traverse(struct pyobj *o, visit_object *each, void *arg)
{
	traverse_object *fn = field(traverse_object *, type_of(o), TYPE_TRAVERSE);

	if (fn)
		fn(o, each, arg);
}

enum found { FOUND, FOUND_NONE, FOUND_NO_TIME };

static enum found child_by_traverse(struct walk_step *s, struct walk_step *child)
{
	struct visit v = {.step = s, .child = child};

	child->o = NULL;
	traverse(s->o, visit, &v);
	if (child->o) {
		s->at = v.index;
		return FOUND;
	}
	if (walk.left > 0 || v.full)
		return FOUND_NONE;
	s->at = v.index;
	return FOUND_NO_TIME;
}

static enum found child_by_item(struct walk_step *s, struct walk_step *child)
{
	intptr_t next;

	for (;;) {
		struct pyobj *o = item_at(s, s->at, &next);
		intptr_t at = s->at;

		if (!o || !look(s, o, at))
			return FOUND_NONE;
		s->at = next;
		if (is_wanted(s, o, child))
			return FOUND;
		if (walk.left <= 0)
			return FOUND_NO_TIME;
	}
}

/* Fill in what is derived of the object of a step. */
static void step_open(struct walk_step *s)
{
	if (s->kind != WALK_CODE)
		return;
	s->items = py.PyObject_GetAttrString(s->o, "co_consts");
	py.Py_DecRef(s->items); /* the code object has it */
}

/* --- the path -------------------------------------------------------------------------------------------- */

/* Go into a child. A code object is what this is all for. */
static void enter(const struct walk_step *child)
{
	uint32_t function = walk.n - 1;

	if (walk.n == STEPS) {
		agent.page->walk.partial = 1;
		return;
	}
	mark(child->o, child->level);
	walk.path[walk.n] = *child;
	step_open(&walk.path[walk.n++]);
	if (child->kind != WALK_CODE)
		return;
	while (walk.path[function].kind != WALK_FUNCTION)
		function--;
	walk.left -= (int32_t)walk_put(&walk.path[function], walk.n - function);
}

/* What was found of the step is not there any more. */
static void step_restart(struct walk_step *s)
{
	if (!walk.restarts_left) {
		agent.page->walk.partial = 1;
		return;
	}
	walk.restarts_left--;
	s->at = 0;
	s->count = 0;
	s->last = NULL;
}

/* What is behind the first n steps is lost, and has to be found again. */
static void path_cut(uint32_t n)
{
	for (uint32_t i = n; i < walk.n; i++)
		mark(walk.path[i].o, LEVEL_BITS);
	walk.n = n;
	step_restart(&walk.path[n - 1]);
}

struct again {
	struct pyobj *o;
	intptr_t at, index;
};

static int visit_again(struct pyobj *o, void *arg)
{
	struct again *a = arg;

	if (a->index++ < a->at)
		return 0;
	a->o = o;
	return 1;
}

/* Is the last child that was looked at still where it was? The object of the step is what it was. */
static bool step_unchanged(const struct walk_step *s)
{
	struct again a = {.at = s->last_at};
	intptr_t next;

	if (!s->last)
		return true;
	if (is_traversed(s->kind))
		traverse(s->o, visit_again, &a);
	else
		a.o = item_at(s, s->last_at, &next);
	return a.o == s->last;
}

/* Find the path again, as far as it is there. */
static void path_again(void)
{
	struct pyobj *root = modules();
	uint32_t i = 0;

	if (!root) {
		walk.n = 0;
		return;
	}
	if (root != walk.path[0].o) {
		walk.path[0].o = root;
		path_cut(1);
		return;
	}
	while (step_unchanged(&walk.path[i]) && i + 1 < walk.n &&
	       kind_of(walk.path[i + 1].o, walk.path[i].kind) == walk.path[i + 1].kind)
		step_open(&walk.path[++i]);
	if (i + 1 == walk.n && step_unchanged(&walk.path[i]))
		return;
	path_cut(i + 1);
}

static int is_other(void *interp)
{
	return interp != walk.interp;
}

static int begin(void)
{
	struct pyobj *root = modules();
	/* Without a GIL others change what we look at meanwhile. */
	int err = !agent.free_threaded && root && flags_of(py.PyDict_Type) == py.PyType_GetFlags(py.PyDict_Type)
		      ? 0
		      : -ENOTSUP;

	if (!err)
		err = walk_set_init(&walk.seen);
	if (!err)
		err = walk_put_init();
	walk.path = err ? NULL : agent_map(STEPS * sizeof(*walk.path));
	if (!walk.path) {
		walk_free();
		return err ? err : -ENOMEM;
	}
	walk.path[0] = (struct walk_step){.o = root, .kind = WALK_ROOT};
	walk.n = 1;
	walk.data_left = DATA_LOOKS;
	walk.restarts_left = RESTARTS;
	walk.elsewhere_left = ELSEWHERE;
	walk.interp = py.PyInterpreterState_Get();
	agent.page->walk.partial = interps_each(is_other) > 0; /* their functions are not looked for */
	mark_names(root);
	return 0;
}

void walk_free(void)
{
	if (walk.path)
		agent_unmap(walk.path, STEPS * sizeof(*walk.path));
	walk.path = NULL;
	walk_set_free(&walk.seen);
	walk_put_free();
}

int walk_slice(void)
{
	struct walk_step child;
	bool end = agent.page->walk.end;
	int err = 0;

	walk_put_begin();
	walk.left = SLICE;
	/* The thread that has come may run another interpreter, whose GIL is no good here. */
	if (walk.path && !end && walk.interp != py.PyInterpreterState_Get()) {
		if (walk.elsewhere_left-- > 0)
			return -EAGAIN;
		agent.page->walk.partial = end = true;
	}
	if (end)
		walk.n = 0;
	else if (walk.path)
		path_again();
	else
		err = begin();
	if (err)
		return err;
	while (walk.n && walk.left > 0 && walk_put_room()) {
		bool by_item = !is_traversed(top()->kind);
		enum found found = by_item ? child_by_item(top(), &child) : child_by_traverse(top(), &child);

		if (found == FOUND)
			enter(&child);
		else if (found == FOUND_NONE)
			walk.n--;
	}
	py.PyErr_Clear();
	if (walk.n)
		return -EAGAIN;
	walk_free();
	return 0;
}

/* --- an agent that is there for the walk alone -------------------------------------------------------------- */

static int none_init(void)
{
	return agent.version < 0x030b ? layout_init() : 0;
}

static int none_leave(bool inside)
{
	return inside ? -EBUSY : 0;
}

const struct mechanism mechanism_none = {0, none_init, none_leave};
