// SPDX-License-Identifier: Apache-2.0
/*
 * 3.12 and later: sys.monitoring (PEP 669). The global PY_START answers DISABLE for what does not match, so each code
 * object is seen once; what matches keeps it, and gets PY_RETURN for itself alone. PY_UNWIND cannot be local before
 * 3.15: there it is on while some function-return is traced, and looks the code object up.
 */
#include "events_impl.h"

enum { START, RETURN, UNWIND, NCALLBACKS };

#define AT_ONCE 1000 /* functions that events are taken off, in 1 to 3 ms, before others may have the GIL */

static struct pyobj *on_start(struct pyobj *self, struct pyobj *const *args, intptr_t n);
static struct pyobj *on_return(struct pyobj *self, struct pyobj *const *args, intptr_t n);
static struct pyobj *on_unwind(struct pyobj *self, struct pyobj *const *args, intptr_t n);

static struct {
	const char *event;
	struct method_def def;
	long bit;               /* from sys.monitoring.events: they moved in 3.14 */
	struct pyobj *function; /* ours until leave() has it back */
} callback[NCALLBACKS] = {
    [START] = {"PY_START", {"pydtrace_start", on_start, METH_FASTCALL, NULL}, 0, NULL},
    [RETURN] = {"PY_RETURN", {"pydtrace_return", on_return, METH_FASTCALL, NULL}, 0, NULL},
    [UNWIND] = {"PY_UNWIND", {"pydtrace_unwind", on_unwind, METH_FASTCALL, NULL}, 0, NULL},
};
static struct pyobj *monitoring, *disable;
static int tool = -1;
static int global_events, local_events; /* with the events that are wanted at all */

static const char tool_name[] = "pydtrace";

/* None and DISABLE are immortal where sys.monitoring is (PEP 683): no reference is taken. */
static struct pyobj *none(void)
{
	return py._Py_NoneStruct;
}

static struct matched *lookup(const struct pyobj *code)
{
	const struct decided *d = table_find(&agent.table, code);

	return d->code ? d->matched : NULL;
}

/* Drop a result that only tells success. */
static int done(struct pyobj *result)
{
	if (!result) {
		py.PyErr_Clear();
		return -EIO;
	}
	py.Py_DecRef(result);
	return 0;
}

/* A code object is seen for the first time. NULL: it does not match. */
static struct matched *started(struct pyobj *const *args)
{
	struct matched *m = agent_decide(args[0], py.PyEval_GetGlobals());

	if (!m || !m->ref)
		return m;
	m->start = py.PyLong_AsLong(args[1]);
	if (m->filters[WIRE_RETURN])
		done(py.PyObject_CallMethod(monitoring, "set_local_events", "iOi", tool, args[0], local_events));
	return m;
}

static struct pyobj *on_start(struct pyobj *self, struct pyobj *const *args, intptr_t n)
{
	struct matched *m;
	bool again;

	if (unlikely(!n)) {
		agent_poke();
		return none();
	}
	if (agent_away())
		return none();
	m = lookup(args[0]);
	if (unlikely(!m)) {
		if (agent.deciding && agent.deciding == py.PyThreadState_Get())
			return none(); /* a function that is run by a decision, which see */
		m = started(args);
		if (agent.inert)
			return none();
		if (!m)
			return disable;
	}
	/* Where nothing can be kept of it there is no event for its return, either: both are lost here, each time. */
	again = m->filters[WIRE_ENTRY] || !m->ref;
	if (unlikely(!m->ref))
		agent_return(m, 0);
	agent_entry(m);
	return again ? none() : disable;
}

static struct pyobj *on_return(struct pyobj *self, struct pyobj *const *args, intptr_t n)
{
	struct matched *m;

	if (agent_away())
		return none();
	m = lookup(args[0]);
	if (likely(m))
		agent_return(m, py.PyLong_AsLong(args[1]));
	return none();
}

/*
 * An exception leaves a frame. One thrown into a generator that never began leaves from before the instruction that a
 * body starts with: that is not the end of anything.
 */
static struct pyobj *on_unwind(struct pyobj *self, struct pyobj *const *args, intptr_t n)
{
	struct matched *m;
	int offset;

	if (agent_away())
		return none();
	m = lookup(args[0]);
	if (likely(!m))
		return none();
	offset = py.PyLong_AsLong(args[1]);
	if (offset >= m->start)
		agent_return(m, offset);
	return none();
}

/* Is the id one of a pydtrace's? Ours may not be: the program may free any tool's. */
static bool tool_ours(int id)
{
	struct pyobj *who = py.PyObject_CallMethod(monitoring, "get_tool", "i", id);
	const char *s = who ? py.PyUnicode_AsUTF8AndSize(who, NULL) : NULL;
	bool ours = s && strlen(s) == sizeof(tool_name) - 1 && !memcmp(s, tool_name, sizeof(tool_name));

	py.PyErr_Clear();
	if (who)
		done(who);
	return ours;
}

/*
 * A pydtrace that was killed, and whose callbacks have not been called since, keeps its id: call each one's callback
 * without an argument, which makes it see that its tracer has died. There is no other way to a callback than to take it out.
 */
static void peers_poke(void)
{
	for (int id = 0; id < 6; id++) {
		struct pyobj *start;

		if (!tool_ours(id))
			continue;
		start = py.PyObject_CallMethod(monitoring, "register_callback", "iiO", id, (int)callback[START].bit,
					       py._Py_NoneStruct);
		if (start && start != py._Py_NoneStruct) {
			done(py.PyObject_CallNoArgs(start));
			if (tool_ours(id))
				done(py.PyObject_CallMethod(monitoring, "register_callback", "iiO", id,
							    (int)callback[START].bit, start));
		}
		done(start);
	}
}

/* A tool id that nobody has. 4 and 3 have no meaning in PEP 669, 5, 2, 1 and 0 are other kinds of tool's. */
static int tool_take(void)
{
	static const int order[] = {4, 3, 5, 2, 1, 0};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct pyobj *who = py.PyObject_CallMethod(monitoring, "get_tool", "i", order[i]);
		bool is_free = who == py._Py_NoneStruct;

		done(who);
		if (is_free &&
		    !done(py.PyObject_CallMethod(monitoring, "use_tool_id", "is", order[i], tool_name))) {
			tool = agent.page->tool_id = order[i];
			return 0;
		}
	}
	agent_message("all six sys.monitoring tool ids are in use", NULL);
	return -EBUSY;
}

static int events_read(void)
{
	struct pyobj *events = py.PyObject_GetAttrString(monitoring, "events");
	int err = events ? 0 : -ENOTSUP;

	for (int i = 0; !err && i < NCALLBACKS; i++) {
		struct pyobj *bit = py.PyObject_GetAttrString(events, callback[i].event);

		callback[i].bit = bit ? py.PyLong_AsLong(bit) : 0;
		if (done(bit) || callback[i].bit <= 0)
			err = -ENOTSUP;
	}
	if (events)
		done(events);
	py.PyErr_Clear();
	if (err)
		agent_message("sys.monitoring of this interpreter lacks an event", NULL);
	return err;
}

static int callbacks_register(void)
{
	for (int i = 0; i < NCALLBACKS; i++) {
		callback[i].function = py.PyCFunction_NewEx(&callback[i].def, NULL, NULL);
		if (!callback[i].function)
			return -ENOMEM;
		if (done(py.PyObject_CallMethod(monitoring, "register_callback", "iiO", tool, (int)callback[i].bit,
						callback[i].function)))
			return -EIO;
	}
	return 0;
}

static int events_on(void)
{
	bool unwind_is_local = agent.version >= 0x030f; /* gh-142186 */

	global_events = callback[START].bit;
	local_events = callback[RETURN].bit;
	if (agent.at[WIRE_RETURN])
		*(unwind_is_local ? &local_events : &global_events) |= callback[UNWIND].bit;
	/* Another tool's DISABLEs stick to the places in the code, also for who gets its id. */
	if (done(py.PyObject_CallMethod(monitoring, "restart_events", NULL)))
		return -EIO;
	return done(py.PyObject_CallMethod(monitoring, "set_events", "ii", tool, global_events));
}

static int monitoring_leave(bool inside);

static int monitoring_init(void)
{
	int err = room_init();

	if (err)
		return err;
	if (!room_for_calls()) {
		room_leave();
		agent_message("the thread has reached its recursion limit; try again", NULL);
		return -EAGAIN;
	}
	monitoring = py.PySys_GetObject("monitoring");
	if (!monitoring) {
		agent_message("this interpreter has no sys.monitoring", NULL);
		return -ENOTSUP;
	}
	py.Py_IncRef(monitoring);
	disable = py.PyObject_GetAttrString(monitoring, "DISABLE");
	err = disable ? events_read() : -ENOTSUP;
	if (!err) {
		peers_poke();
		err = tool_take();
	}
	if (err)
		goto out;
	err = callbacks_register();
	if (!err)
		err = events_on();
	if (err)
		agent_message("sys.monitoring refused: an audit hook of the program may forbid it", NULL);
out:
	if (err)
		monitoring_leave(false);
	return err;
}

/* No local events any more. What is called here may run anything, and code objects may die of it. */
static void local_events_off(bool at_once)
{
	for (int i = 0; agent.matched && (at_once || i < AT_ONCE); i++) {
		struct matched *m = agent.matched;
		struct pyobj *code = m->filters[WIRE_RETURN] ? weak_get(m->ref) : NULL;

		if (m == agent.matched)
			record_forget(m);
		if (code)
			done(py.PyObject_CallMethod(monitoring, "set_local_events", "iOi", tool, code, 0));
		py.Py_DecRef(code);
	}
}

/* 0, or -EAGAIN: there is more to do. */
static int events_off(bool at_once)
{
	done(py.PyObject_CallMethod(monitoring, "set_events", "ii", tool, 0));
	local_events_off(at_once);
	if (agent.matched)
		return -EAGAIN;
	for (int i = 0; i < NCALLBACKS; i++)
		done(py.PyObject_CallMethod(monitoring, "register_callback", "iiO", tool, (int)callback[i].bit,
					    py._Py_NoneStruct));
	done(py.PyObject_CallMethod(monitoring, "free_tool_id", "i", tool));
	return 0;
}

static int monitoring_leave(bool inside)
{
	bool clean = true;

	if (tool >= 0) {
		if (!room_for_calls())
			return -EAGAIN;
		if (tool_ours(tool) && events_off(inside))
			return -EAGAIN;
		tool = -1;
	}
	if (inside)
		return -EBUSY;
	for (int i = 0; i < NCALLBACKS; i++)
		clean &= callback_drop(&callback[i].function);
	clean &= room_leave();
	py.Py_DecRef(monitoring);
	py.Py_DecRef(disable);
	monitoring = disable = NULL;
	py.PyErr_Clear();
	return clean ? 0 : -EBUSY;
}

const struct mechanism mechanism_monitoring = {312, monitoring_init, monitoring_leave};
