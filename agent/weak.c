// SPDX-License-Identifier: Apache-2.0
/*
 * A matched code object is not kept alive: a program that runs `exec` all the time would grow without bound. The agent holds a
 * weak reference with a callback, which the interpreter calls in the code object's deallocation, before its memory can be
 * used for another one (PyObject_ClearWeakRefs() in code_dealloc(), Objects/codeobject.c, 3.9 to 3.15). Where there is no GIL it
 * is mostly the garbage collector that frees them, in whatever thread, and it calls first. So what is in the tables is alive, or
 * is being deallocated and cannot be called any more. Watchers of code objects (PyCode_AddWatcher) exist from 3.12 on only, and there are eight; an index of
 * co_extra cannot be given back.
 *
 * The callback may come at any time at which something is released: in a garbage collection, with an exception set (which
 * the interpreter saves), within a decision, within our own leaving. It touches our own memory only. A weak reference that is
 * gone before its object is calls nobody; so the tables are emptied first, and then nobody but us has the callback,
 * unless the program took it out of the weak reference or it is just being called: then we stay mapped.
 *
 * In 3.9 the garbage collector does not know of these objects: its lists are an interpreter's own, and up to 3.9.9 what is in
 * them when that interpreter ends stays linked to memory that is freed (bpo-46070).
 */
#include "agent_impl.h"

static struct pyobj *on_death(struct pyobj *self, struct pyobj *ref);
static struct method_def death_def = {"pydtrace_death", on_death, METH_O, NULL};
static struct pyobj *death_all; /* up to 3.11, of all interpreters */

static struct pyobj **death_of(struct interp *in)
{
	return in ? &in->death : &death_all;
}

static void untrack(struct pyobj *o)
{
	if (agent.version < 0x030a)
		py.PyObject_GC_UnTrack(o);
}

static struct pyobj *on_death(struct pyobj *self, struct pyobj *ref)
{
	struct calls *calls = active_enter(py.PyThreadState_Get());
	struct pyobj *code;

	if (record_knows(ref)) {
		code = weak_get(ref);
		if (!code) /* else the program called us, not the interpreter */
			py.Py_DecRef(record_take_ref(ref));
		py.Py_DecRef(code);
	}
	active_leave(calls);
	py.Py_IncRef(py._Py_NoneStruct);
	return py._Py_NoneStruct;
}

bool callback_drop(struct pyobj **function)
{
	struct pyobj *f = *function;

	if (!f)
		return true;
	if (!object_ours(f))
		return false;
	*function = NULL;
	py.Py_DecRef(f);
	return true;
}

int weak_init(struct interp *in)
{
	struct pyobj *death = *death_of(in) = py.PyCFunction_NewEx(&death_def, NULL, NULL);

	if (!death)
		return -ENOMEM;
	object_share(death);
	untrack(death);
	return 0;
}

/* Early versions of 3.9 free a function only if the collector knows of it (meth_dealloc()). */
bool weak_leave(struct interp *in)
{
	struct pyobj **death = death_of(in);
	bool dropped;

	if (*death && agent.version < 0x030a)
		py.PyObject_GC_Track(*death);
	dropped = callback_drop(death);
	if (!dropped)
		untrack(*death);
	return dropped;
}

struct pyobj *weak_new(struct pyobj *code)
{
	struct pyobj *death = *death_of(interp_here());
	struct pyobj *ref = death ? py.PyWeakref_NewRef(code, death) : NULL;

	if (!ref) {
		py.PyErr_Clear();
		return NULL;
	}
	object_share(ref);
	untrack(ref);
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
