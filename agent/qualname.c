// SPDX-License-Identifier: Apache-2.0
/*
 * Qualified names for 3.9 and 3.10, whose code objects have none: look for the function that owns the code object in
 * the module it belongs to, and for the code objects that are constants of that function's. A class's body and a lambda
 * at module level are in no function: their name is all there is.
 *
 * None of the program's code runs here: dictionaries are read as such, and attributes only of exact built-in types.
 */
#include "layout_impl.h"

#define DEPTH_MAX     6      /* of wrappers in wrappers and classes in classes */
#define LOOKS_MAX     200000 /* objects looked at for one code object */
#define TP_MRO        344    /* PyTypeObject.tp_mro and */
#define TP_FLAGS      168    /* tp_flags: the same in all of 3.9 and 3.10 (Include/cpython/object.h) */
#define TYPE_SUBCLASS (1ul << 31)

/* PyFrameObject */
#define FRAME_BACK    24
#define FRAME_CODE    32
#define FRAME_GLOBALS 48

struct search {
	struct pyobj *code;     /* what is looked for */
	struct pyobj *filename; /* its file */
	long firstline;
	bool constants; /* second round: look into the constants too */
	uint32_t looks;
	struct pyobj *found; /* the qualified name */
};

static bool is_class(struct pyobj *o)
{
	return field(unsigned long, type_of(o), TP_FLAGS) & TYPE_SUBCLASS;
}

static long code_int(struct pyobj *code, const char *name)
{
	struct pyobj *o = py.PyObject_GetAttrString(code, name);
	long v = o ? py.PyLong_AsLong(o) : 0;

	py.Py_DecRef(o);
	return v;
}

/* prefix + separator + the name of the code object, a new string; takes the reference to the prefix. */
static struct pyobj *join(struct pyobj *prefix, const char *separator, struct pyobj *code)
{
	struct pyobj *name = py.PyObject_GetAttrString(code, "co_name");
	struct pyobj *all = name ? py.PyUnicode_FromFormat("%U%s%U", prefix, separator, name) : NULL;

	py.Py_DecRef(name);
	py.Py_DecRef(prefix);
	return all;
}

/* Is the code object among the constants of `outer`, called `prefix`, or of what is among them? */
static void search_constants(struct search *s, struct pyobj *outer, struct pyobj *prefix, int depth)
{
	struct pyobj *constants = py.PyObject_GetAttrString(outer, "co_consts");
	const char *separator = code_int(outer, "co_flags") & CO_OPTIMIZED ? ".<locals>." : ".";
	intptr_t n = constants ? py.PyTuple_Size(constants) : 0;

	for (intptr_t i = 0; !s->found && i < n && s->looks < LOOKS_MAX; i++) {
		struct pyobj *c = py.PyTuple_GetItem(constants, i);

		s->looks++;
		if (!c || type_of(c) != py.PyCode_Type)
			continue;
		py.Py_IncRef(prefix);

		struct pyobj *name = join(prefix, separator, c);

		if (name && c == s->code)
			s->found = name;
		else if (name && depth < DEPTH_MAX * 4)
			search_constants(s, c, name, depth + 1);
		if (name && s->found != name)
			py.Py_DecRef(name);
	}
	py.Py_DecRef(constants);
}

static void search_object(struct search *s, struct pyobj *o, int depth);

static void search_dict(struct search *s, struct pyobj *dict, int depth)
{
	struct pyobj *key, *value;
	intptr_t pos = 0;

	while (!s->found && s->looks < LOOKS_MAX && py.PyDict_Next(dict, &pos, &key, &value))
		search_object(s, value, depth);
}

static void search_function(struct search *s, struct pyobj *f, int depth)
{
	struct pyobj *code = py.PyFunction_GetCode(f), *closure = py.PyFunction_GetClosure(f);
	struct pyobj **dict = py._PyObject_GetDictPtr(f);
	intptr_t n = closure ? py.PyTuple_Size(closure) : 0;

	if (code == s->code) {
		s->found = py.PyObject_GetAttrString(f, "__qualname__");
		return;
	}
	if (s->constants && code) {
		struct pyobj *file = py.PyObject_GetAttrString(code, "co_filename");
		struct pyobj *name = py.PyObject_GetAttrString(f, "__qualname__");

		if (file == s->filename && name && code_int(code, "co_firstlineno") <= s->firstline)
			search_constants(s, code, name, 0);
		py.Py_DecRef(file);
		py.Py_DecRef(name);
	}
	/* What a decorator has wrapped. */
	for (intptr_t i = 0; !s->found && i < n; i++) {
		struct pyobj *cell = py.PyTuple_GetItem(closure, i);
		struct pyobj *o =
		    cell ? py.PyCell_Get(cell) : NULL; /* a new reference, as an exception to the rule */

		if (o) {
			search_object(s, o, depth + 1);
			py.Py_DecRef(o);
		}
	}
	if (!s->found && dict && *dict)
		search_dict(s, *dict, depth + 1);
}

/* Through a descriptor of an exact built-in type to the functions behind it. */
static bool search_descriptor(struct search *s, struct pyobj *o, int depth)
{
	static const char *const property[] = {"fget", "fset", "fdel", NULL}, *const wrapped[] = {"__func__", NULL};
	struct pyobj *type = type_of(o);
	const char *const *attribute = NULL;

	if (type == py.PyProperty_Type)
		attribute = property;
	else if (type == py.PyStaticMethod_Type || type == py.PyClassMethod_Type)
		attribute = wrapped;
	else
		return false;
	for (; *attribute && !s->found; attribute++) {
		struct pyobj *f = py.PyObject_GetAttrString(o, *attribute);

		if (f) {
			search_object(s, f, depth + 1);
			py.Py_DecRef(f);
		}
	}
	return true;
}

static void search_object(struct search *s, struct pyobj *o, int depth)
{
	struct pyobj **dict;

	if (s->found || depth > DEPTH_MAX || s->looks++ > LOOKS_MAX)
		return;
	if (type_of(o) == py.PyFunction_Type) {
		search_function(s, o, depth);
	} else if (is_class(o)) {
		struct pyobj *members = field(struct pyobj *, o, TP_DICT);

		/* Only classes of Python code have something to find. */
		if (members && depth < 4)
			search_dict(s, members, depth + 1);
	} else if (!search_descriptor(s, o, depth) && depth < 3) {
		/* A wrapper object: a cached property, an lru_cache, a partial of somebody's. */
		dict = py._PyObject_GetDictPtr(o);
		if (dict && *dict && type_of(o) != py.PyModule_Type)
			search_dict(s, *dict, DEPTH_MAX - 1);
	}
}

/* Is there a function of this code in the namespace under the code's own name? Most are. */
static void search_name(struct search *s, struct pyobj *names, struct pyobj *name)
{
	struct pyobj *o = py.PyDict_GetItemWithError(names, name);

	if (o)
		search_object(s, o, DEPTH_MAX - 2);
}

/* Is it a method of the object, or the class, that is its first argument? */
static void search_first_argument(struct search *s, struct pyobj *first, struct pyobj *name)
{
	struct pyobj *mro = field(struct pyobj *, is_class(first) ? first : type_of(first), TP_MRO);
	intptr_t n = mro ? py.PyTuple_Size(mro) : 0;

	for (intptr_t i = 0; i < n && !s->found; i++) {
		struct pyobj *class = py.PyTuple_GetItem(mro, i);
		struct pyobj *names = class ? field(struct pyobj *, class, TP_DICT) : NULL;

		if (names)
			search_name(s, names, name);
	}
}

static struct pyobj *qualname_of(struct pyobj *code, struct pyobj *globals, struct pyframe *frame, int depth);

/* Is it a constant of its caller's code: a comprehension, a lambda or function that is called where it was made? */
static void search_caller(struct search *s, struct pyframe *frame, int depth)
{
	struct pyframe *caller = field(struct pyframe *, frame, FRAME_BACK);
	struct pyobj *code = caller ? field(struct pyobj *, caller, FRAME_CODE) : NULL, *constants;
	bool is_constant = false;

	if (!caller || depth > DEPTH_MAX || !(code_int(code, "co_flags") & CO_OPTIMIZED))
		return;
	constants = py.PyObject_GetAttrString(code, "co_consts");
	for (intptr_t i = 0; constants && i < py.PyTuple_Size(constants); i++)
		is_constant |= py.PyTuple_GetItem(constants, i) == s->code;
	py.Py_DecRef(constants);
	if (!is_constant)
		return;

	struct pyobj *globals = field(struct pyobj *, caller, FRAME_GLOBALS);
	struct pyobj *prefix = qualname_of(code, globals, caller, depth + 1);

	if (prefix)
		s->found = join(prefix, ".<locals>.", s->code);
}

static struct pyobj *qualname_of(struct pyobj *code, struct pyobj *globals, struct pyframe *frame, int depth)
{
	struct search s = {.code = code, .firstline = code_int(code, "co_firstlineno")};
	struct pyobj *name = py.PyObject_GetAttrString(code, "co_name");

	if (!globals || !name)
		return name;
	s.filename = py.PyObject_GetAttrString(code, "co_filename");
	search_name(&s, globals, name);
	if (!s.found && frame) {
		struct pyobj *first = field(struct pyobj *, frame, agent.frame_locals);

		if (first && code_int(code, "co_argcount"))
			search_first_argument(&s, first, name);
		if (!s.found)
			search_caller(&s, frame, depth);
	}
	for (int round = 0; round < 2 && !s.found; round++) {
		s.constants = round;
		s.looks = 0;
		search_dict(&s, globals, 0);
	}
	/* Functions at module level that no variable has, and the module itself. */
	if (!s.found)
		s.found = name;
	else
		py.Py_DecRef(name);
	py.Py_DecRef(s.filename);
	return s.found;
}

struct pyobj *qualname_find(struct pyobj *code, struct pyobj *globals)
{
	struct pyobj *name = qualname_of(code, globals, agent.deciding_frame, 0);

	py.PyErr_Clear();
	return name;
}
