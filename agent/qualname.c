// SPDX-License-Identifier: Apache-2.0
/*
 * Qualified names for 3.9 and 3.10, whose code objects have none: look for the function that owns the code object in
 * the module it belongs to, and for the code objects that are constants of that function's. A class's body and a lambda
 * at module level are in no function: their name is all there is.
 *
 * None of the program's code runs here: dictionaries are read as such, and attributes only of exact built-in types.
 */
#include "layout_impl.h"

#define DEPTH_MAX     6  /* of wrappers in wrappers and classes in classes */
#define NESTED_MAX    24 /* of functions in functions */
#define CANDIDATES    8
#define TP_MRO        344 /* PyTypeObject.tp_mro and */
#define TP_FLAGS      168 /* tp_flags: the same in all of 3.9 and 3.10 (Include/cpython/object.h) */
#define TYPE_SUBCLASS (1ul << 31)

/* PyFrameObject */
#define FRAME_BACK    24
#define FRAME_CODE    32
#define FRAME_GLOBALS 48
#define CODE_ARGCOUNT 16 /* PyCodeObject.co_argcount */

/*
 * How many objects are looked at for one code object, in each stage, so that the program does not stand still for more than
 * 100 us: a look took 3 to 40 ns (3.9.18 and 3.10.13, modules of 50,000 numbers, functions, closures, classes). A module's
 * names come in the order in which they were made, so which functions are found does not depend on who is called first:
 * in a module of more names and members than that, those of the first ones.
 */
#define QUICK_MAX          300  /* around the frame; and as many around each caller that is part of the name */
#define WALK_MAX           2000 /* names of the module and members of its classes */
#define CONSTANTS_MAX      1000 /* constants of the functions found there */
#define CONSTANTS_PER_LOOK 8    /* in the code of a caller: these are only compared */

struct search {
	struct pyobj *code;     /* what is looked for */
	struct pyobj *filename; /* its file */
	int32_t firstline;
	uint32_t left;       /* how many more may be looked at in this stage */
	struct pyobj *found; /* the qualified name */
	/* Functions of the same file that begin before it, the last ones first: the nearest ones around it are among them. */
	struct candidate {
		struct pyobj *code, *function;
	} candidates[CANDIDATES];
	uint32_t ncandidates;
};

static bool look(struct search *s)
{
	if (s->found || !s->left)
		return false;
	s->left--;
	agent.page->looks++;
	return true;
}

static struct pyobj *constants_of(struct pyobj *code)
{
	return field(struct pyobj *, code, layout.code_consts);
}

static int32_t line_of(struct pyobj *code)
{
	return field(int32_t, code, layout.code_firstline);
}

static bool is_class(struct pyobj *o)
{
	return field(unsigned long, type_of(o), TP_FLAGS) & TYPE_SUBCLASS;
}

/* The name of a constant of `outer`, which is called `prefix`: a new string; takes the reference to the prefix. */
static struct pyobj *join(struct pyobj *prefix, struct pyobj *outer, struct pyobj *code)
{
	const char *separator = field(int, outer, layout.code_flags) & CO_OPTIMIZED ? ".<locals>." : ".";
	struct pyobj *name = field(struct pyobj *, code, layout.code_name);
	struct pyobj *all = prefix ? py.PyUnicode_FromFormat("%U%s%U", prefix, separator, name) : NULL;

	py.Py_DecRef(prefix);
	return all;
}

/*
 * Is the code object among the constants of `path[depth]`, or of what is among them? How many code objects lead to it, from
 * path[0] on, itself not counted; 0: it is not there.
 */
static int path_find(struct search *s, struct pyobj **path, int depth)
{
	struct pyobj *constants = constants_of(path[depth]);
	intptr_t n = py.PyTuple_Size(constants);
	int length = 0;

	for (intptr_t i = 0; !length && i < n && look(s); i++) {
		struct pyobj *c = py.PyTuple_GetItem(constants, i);

		if (c == s->code)
			return depth + 1;
		if (type_of(c) != py.PyCode_Type || depth + 1 == NESTED_MAX)
			continue;
		path[depth + 1] = c;
		length = path_find(s, path, depth + 1);
	}
	return length;
}

static void search_constants(struct search *s, const struct candidate *c)
{
	struct pyobj *path[NESTED_MAX + 1] = {c->code}, *name;
	int length = path_find(s, path, 0);

	if (!length)
		return;
	path[length] = s->code;
	name = py.PyObject_GetAttrString(c->function, "__qualname__");
	for (int i = 0; i < length; i++)
		name = join(name, path[i], path[i + 1]);
	s->found = name;
}

/* Keep the function in mind if the code object may be a constant of its code. */
static void candidate_add(struct search *s, struct pyobj *code, struct pyobj *function)
{
	struct candidate *c = s->candidates;
	uint32_t at = 0;

	if (field(struct pyobj *, code, layout.code_file) != s->filename || line_of(code) > s->firstline)
		return;
	while (at < s->ncandidates && line_of(c[at].code) >= line_of(code))
		if (c[at++].code == code)
			return;
	if (at == CANDIDATES)
		return;
	s->ncandidates += s->ncandidates < CANDIDATES;
	memmove(&c[at + 1], &c[at], (s->ncandidates - at - 1) * sizeof(*c));
	c[at] = (struct candidate){code, function};
}

static void search_object(struct search *s, struct pyobj *o, int depth);

static void search_dict(struct search *s, struct pyobj *dict, int depth)
{
	struct pyobj *key, *value;
	intptr_t pos = 0;

	while (look(s) && py.PyDict_Next(dict, &pos, &key, &value))
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
	if (code)
		candidate_add(s, code, f);
	/* What a decorator has wrapped. */
	for (intptr_t i = 0; i < n && look(s); i++) {
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
	for (; *attribute && look(s); attribute++) {
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

	if (depth > DEPTH_MAX)
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

	for (intptr_t i = 0; i < n && look(s); i++) {
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
	intptr_t n;

	if (!caller || depth > DEPTH_MAX || !(field(int, code, layout.code_flags) & CO_OPTIMIZED))
		return;
	constants = constants_of(code);
	n = py.PyTuple_Size(constants);
	for (intptr_t i = 0; i < n && !is_constant && (i % CONSTANTS_PER_LOOK || look(s)); i++)
		is_constant = py.PyTuple_GetItem(constants, i) == s->code;
	if (is_constant)
		s->found = join(qualname_of(code, field(struct pyobj *, caller, FRAME_GLOBALS), caller, depth + 1),
				code, s->code);
}

/* Through the module's names, and then the constants of the functions found there that are nearest. */
static void search_module(struct search *s, struct pyobj *globals)
{
	s->left = WALK_MAX;
	s->ncandidates = 0;
	search_dict(s, globals, 0);
	s->left = CONSTANTS_MAX;
	for (uint32_t i = 0; i < s->ncandidates && !s->found; i++)
		search_constants(s, &s->candidates[i]);
}

/* The module is only gone through where no caller's name is the beginning of this one: once for all callers. */
static struct pyobj *qualname_of(struct pyobj *code, struct pyobj *globals, struct pyframe *frame, int depth)
{
	struct pyobj *name = field(struct pyobj *, code, layout.code_name);
	struct search s = {.code = code,
			   .filename = field(struct pyobj *, code, layout.code_file),
			   .firstline = line_of(code),
			   .left = QUICK_MAX};

	if (globals) {
		search_name(&s, globals, name);
		if (!s.found && frame) {
			struct pyobj *first = field(struct pyobj *, frame, agent.frame_locals);

			if (first && field(int, code, CODE_ARGCOUNT))
				search_first_argument(&s, first, name);
			if (!s.found)
				search_caller(&s, frame, depth);
		}
		if (!s.found)
			search_module(&s, globals);
	}
	/* Functions at module level that no variable has, and the module itself. */
	if (!s.found) {
		py.Py_IncRef(name);
		s.found = name;
	}
	return s.found;
}

struct pyobj *qualname_find(struct pyobj *code, struct pyobj *globals)
{
	struct pyobj *name = qualname_of(code, globals, agent.deciding_frame, 0);

	py.PyErr_Clear();
	return name;
}
