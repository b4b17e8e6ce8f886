// SPDX-License-Identifier: Apache-2.0
/*
 * 3.11.0 to 3.11.3 run a class's __getitem__ without asking the frame evaluator once `x[i]` has been specialised for it
 * (gh-104405). They do so while the function's version is what it was then, and never when it does not fit in 16 bits
 * (Python/specialize.c, _Py_Specialize_BinarySubscr). So each __getitem__ that matches gets a version that does not fit, of
 * its own, and gets 0, "to be given anew", when we leave.
 *
 * They are found in the classes that there are, in a class's body when it has run, and when one is called. One that is
 * put into a class by other means is seen from its first call that is not specialised.
 */
#include "layout_impl.h"

#define FIXED_IN 0x030b04f0u

#define FUNC_VERSION  128 /* PyFunctionObject.func_version, 3.11 */
#define CODE_FLAGS    48
#define CODE_ARGCOUNT 56
#define FRAME_FUNC    0 /* _PyInterpreterFrame */
#define FRAME_LOCALS  24

#define FIRST       0x80000000u
#define NPINNED     4096
#define CLASSES_MAX 200000
#define DEPTH_MAX   64

static struct pyobj **pinned; /* weak references to functions */
static uint32_t npinned, next_version, classes_left;
static struct pyobj *dunder;

/* The dead ones make room. */
static void pinned_tidy(void)
{
	uint32_t n = npinned;

	npinned = 0;
	for (uint32_t i = 0; i < n; i++) {
		struct pyobj *ref = pinned[i], *f = weak_get(ref);

		if (f)
			pinned[npinned++] = ref;
		else
			py.Py_DecRef(ref);
		py.Py_DecRef(f);
	}
}

/* Whoever calls this keeps the function alive. To make a weak reference may run anything, our leaving included. */
static void pin(struct pyobj *function)
{
	struct pyobj *ref;

	if (field(uint32_t, function, FUNC_VERSION) >= FIRST)
		return;
	if (npinned == NPINNED)
		pinned_tidy();
	if (npinned == NPINNED)
		return;
	ref = py.PyWeakref_NewRef(function, NULL);
	if (!ref)
		py.PyErr_Clear();
	if (!ref || !pinned || npinned == NPINNED) {
		py.Py_DecRef(ref);
		return;
	}
	pinned[npinned++] = ref;
	field(uint32_t, function, FUNC_VERSION) = next_version++;
}

/* Pin the __getitem__ of a namespace when it is one that could be specialised for and some filter matches it. */
static void pin_member(struct pyobj *names)
{
	struct pyobj *f = py.PyDict_GetItemWithError(names, dunder);
	struct facts facts;

	if (!f || type_of(f) != py.PyFunction_Type || field(int, py.PyFunction_GetCode(f), CODE_ARGCOUNT) != 2)
		return;
	py.Py_IncRef(f);
	facts_init(&facts, py.PyFunction_GetCode(f), py.PyFunction_GetGlobals(f));
	if (match_filters(agent.page, &facts))
		pin(f);
	facts_done(&facts);
	py.Py_DecRef(f);
}

static void pin_classes(struct pyobj *class, int depth)
{
	struct pyobj *list, *names = field(struct pyobj *, class, TP_DICT);

	if (depth > DEPTH_MAX || !classes_left)
		return;
	classes_left--;
	if (names)
		pin_member(names);
	list = py.PyObject_CallMethod(py.PyType_Type, "__subclasses__", "O", class);
	for (intptr_t i = 0; list && i < py.PyList_Size(list); i++)
		pin_classes(py.PyList_GetItem(list, i), depth + 1);
	py.Py_DecRef(list);
	py.PyErr_Clear();
}

bool subscript_init(void)
{
	if (agent.version != 0x030b || agent.version_hex >= FIXED_IN)
		return false;
	pinned = agent_map(NPINNED * sizeof(*pinned));
	dunder = py.PyUnicode_InternFromString("__getitem__");
	if (!pinned || !dunder)
		return false;
	npinned = 0;
	/* Versions are not to come again in the next attachment: places in the code may remember them. */
	next_version =
	    FIRST + (uint32_t)(hash_text((char *)&agent, sizeof(agent)) ^ __builtin_ia32_rdtsc()) % 0x7f000000u;
	classes_left = CLASSES_MAX;
	pin_classes(py.PyBaseObject_Type, 0);
	return true;
}

void subscript_leave(void)
{
	while (npinned) {
		struct pyobj *ref = pinned[--npinned], *f = weak_get(ref);

		if (f && field(uint32_t, f, FUNC_VERSION) >= FIRST)
			field(uint32_t, f, FUNC_VERSION) = 0;
		py.Py_DecRef(f);
		py.Py_DecRef(ref);
	}
	agent_unmap(pinned, NPINNED * sizeof(*pinned));
	pinned = NULL;
	py.Py_DecRef(dunder);
	dunder = NULL;
}

bool subscript_is_body(const struct pyobj *code)
{
	return !(field(int, code, CODE_FLAGS) & CO_OPTIMIZED);
}

void subscript_body_ran(struct pyframe *frame)
{
	struct pyobj *names = field(struct pyobj *, frame, FRAME_LOCALS);

	if (names && type_of(names) == py.PyDict_Type)
		pin_member(names);
}

void subscript_called(struct pyframe *frame, const struct matched *m)
{
	static const char name[] = "__getitem__";

	if (!memcmp(m->func, name, sizeof(name)))
		pin(field(struct pyobj *, frame, FRAME_FUNC));
}
