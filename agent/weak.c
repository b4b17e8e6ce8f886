// SPDX-License-Identifier: Apache-2.0
/*
 * A matched code object is not kept alive: a program that runs `exec` all the time would grow without bound. The agent holds a
 * weak reference with a callback, which the interpreter calls in the code object's deallocation, before its memory can be
 * used for another one (PyObject_ClearWeakRefs() in code_dealloc(), Objects/codeobject.c, 3.9 to 3.15; code objects are not
 * the garbage collector's where there is a GIL). So what is in the tables is alive, or is being deallocated and cannot be
 * called any more. Watchers of code objects (PyCode_AddWatcher) exist from 3.12 on only, and there are eight; an index of
 * co_extra cannot be given back.
 *
 * The callback may come at any time at which something is released: in a garbage collection, with an exception set (which
 * the interpreter saves), within a decision, within our own leaving. It touches our own memory only. A weak reference that is
 * gone before its object is calls nobody; so the tables are emptied first, and then nobody but us has the callback,
 * unless the program took it out of the weak reference or it is just being called: then we stay mapped.
 */
#include "agent_impl.h"

static struct pyobj *on_death(struct pyobj *self, struct pyobj *ref);
static struct method_def death_def = {"pydtrace_death", on_death, METH_O, NULL};
static struct pyobj *death;

static struct pyobj *on_death(struct pyobj *self, struct pyobj *ref)
{
	const struct decided *d = table_find(&agent.refs, ref);
	struct pyobj *code;

	if (d->code) {
		code = weak_get(ref);
		if (!code) /* else the program called us, not the interpreter */
			record_forget(d->matched);
		py.Py_DecRef(code);
	}
	py.Py_IncRef(py._Py_NoneStruct);
	return py._Py_NoneStruct;
}

bool callback_drop(struct pyobj **function)
{
	struct pyobj *f = *function;

	if (!f)
		return true;
	if (*(intptr_t *)f != 1) /* ob_refcnt; builds without the GIL are refused */
		return false;
	*function = NULL;
	py.Py_DecRef(f);
	return true;
}

int weak_init(void)
{
	death = py.PyCFunction_NewEx(&death_def, NULL, NULL);
	return death ? 0 : -ENOMEM;
}

bool weak_leave(void)
{
	return callback_drop(&death);
}

struct pyobj *weak_new(struct pyobj *code)
{
	struct pyobj *ref = py.PyWeakref_NewRef(code, death);

	if (!ref)
		py.PyErr_Clear();
	return ref;
}

/* By a call, since PyWeakref_GetObject() is there up to 3.14 only and PyWeakref_GetRef() from 3.13 on. */
struct pyobj *weak_get(struct pyobj *ref)
{
	struct pyobj *o = py.PyObject_CallNoArgs(ref);

	if (!o)
		py.PyErr_Clear();
	if (o != py._Py_NoneStruct)
		return o;
	py.Py_DecRef(o);
	return NULL;
}
