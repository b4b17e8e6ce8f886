// SPDX-License-Identifier: Apache-2.0
/*
 * Qualified names for 3.9 and 3.10, whose code objects have none: look for the function that owns the code object in
 * the module it belongs to, and for the code objects that are constants of that function's. A class's body and a lambda
 * at module level are in no function: their name is all there is.
 *
 * None of the program's code runs here: dictionaries are read as such, and attributes only of exact built-in types.
 */
#include "agent_impl.h"

#define DEPTH_MAX     6      /* of wrappers in wrappers and classes in classes */
#define LOOKS_MAX     200000 /* objects looked at for one code object */
#define TP_DICT       264    /* PyTypeObject.tp_dict, and */
#define TP_FLAGS      168    /* tp_flags: the same in all of 3.9 and 3.10 (Include/cpython/object.h) */
#define TYPE_SUBCLASS (1ul << 31)
#define CO_OPTIMIZED  1 /* a function's body, not a class's */

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
	return *(unsigned long *)((char *)type_of(o) + TP_FLAGS) & TYPE_SUBCLASS;
}

static long code_int(struct pyobj *code, const char *name)
{
	struct pyobj *o = py.PyObject_GetAttrString(code, name);
	long v = o ? py.PyLong_AsLong(o) : 0;

	if (o)
		py.Py_DecRef(o);
	return v;
}

/* prefix + separator + the name of the code object, a new string; takes the reference to the prefix. */
static struct pyobj *join(struct pyobj *prefix, const char *separator, struct pyobj *code)
{
	struct pyobj *name = py.PyObject_GetAttrString(code, "co_name");
	struct pyobj *all = name ? py.PyUnicode_FromFormat("%U%s%U", prefix, separator, name) : NULL;

	if (name)
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
	if (constants)
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
		if (file)
			py.Py_DecRef(file);
		if (name)
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
		struct pyobj *members = *(struct pyobj **)((char *)o + TP_DICT);

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

struct pyobj *qualname_find(struct pyobj *code, struct pyobj *globals)
{
	struct search s = {.code = code, .firstline = code_int(code, "co_firstlineno")};

	if (!globals)
		return NULL;
	s.filename = py.PyObject_GetAttrString(code, "co_filename");
	for (int round = 0; round < 2 && !s.found; round++) {
		s.constants = round;
		s.looks = 0;
		search_dict(&s, globals, 0);
	}
	if (s.filename)
		py.Py_DecRef(s.filename);
	py.PyErr_Clear();
	return s.found;
}
