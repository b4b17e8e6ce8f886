// SPDX-License-Identifier: Apache-2.0
/*
 * The interpreter refuses a call of a C function, ours of sys.monitoring's among them, where too many are on the thread's stack
 * (RecursionError, Py_EnterRecursiveCall(): from 3.12 on C calls are counted by themselves, in 3.14 the stack is measured). So
 * before anything is begun that has to be finished, we try whether there is room, and come again later where there is not.
 */
#include "agent_impl.h"

#define LEVELS 4 /* calls within calls that coming and leaving need, and one more */

static struct pyobj *on_room(struct pyobj *self, struct pyobj *arg);
static struct method_def room_def = {"pydtrace_room", on_room, METH_NOARGS, NULL};

static struct pyobj *on_room(struct pyobj *self, struct pyobj *arg)
{
	struct interp *in = interp_here();

	if (in && in->levels-- > 0)
		return py.PyObject_CallNoArgs(in->room);
	py.Py_IncRef(py._Py_NoneStruct);
	return py._Py_NoneStruct;
}

int room_init(struct interp *in)
{
	in->room = py.PyCFunction_NewEx(&room_def, NULL, NULL);
	if (!in->room)
		return -ENOMEM;
	object_share(in->room);
	return 0;
}

bool room_leave(struct interp *in)
{
	return callback_drop(&in->room);
}

bool room_for_calls(struct interp *in)
{
	struct pyobj *none;

	if (!in || !in->room)
		return true; /* nothing was begun */
	in->levels = LEVELS;
	none = py.PyObject_CallNoArgs(in->room);
	if (!none)
		py.PyErr_Clear();
	py.Py_DecRef(none);
	return none;
}
