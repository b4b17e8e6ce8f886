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
static struct pyobj *room;
static int levels;

static struct pyobj *on_room(struct pyobj *self, struct pyobj *arg)
{
	if (levels-- > 0)
		return py.PyObject_CallNoArgs(room);
	py.Py_IncRef(py._Py_NoneStruct);
	return py._Py_NoneStruct;
}

int room_init(void)
{
	room = py.PyCFunction_NewEx(&room_def, NULL, NULL);
	return room ? 0 : -ENOMEM;
}

bool room_leave(void)
{
	return callback_drop(&room);
}

bool room_for_calls(void)
{
	struct pyobj *none;

	if (!room)
		return true; /* nothing was begun */
	levels = LEVELS;
	none = py.PyObject_CallNoArgs(room);
	if (!none)
		py.PyErr_Clear();
	py.Py_DecRef(none);
	return none;
}
