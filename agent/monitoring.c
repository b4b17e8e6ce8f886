// SPDX-License-Identifier: Apache-2.0
/*
 * 3.12 and later: sys.monitoring (PEP 669). The global PY_START answers DISABLE for what does not match, so each code
 * object is seen once; what matches keeps it, and gets PY_RETURN and PY_YIELD for itself alone. A generator that was
 * begun before we came is met first when it is resumed or thrown into, so PY_RESUME and PY_THROW are global too, unless starts
 * are all that is wanted. PY_THROW and PY_UNWIND can be neither local nor answered by DISABLE before 3.15 (gh-142186): there
 * they are on while somebody may want them, and look the code object up.
 */
#include "events_impl.h"

enum { START, RESUME, THROW, RETURN, YIELD, UNWIND, NCALLBACKS };

#define ALL_LOCAL 0x030f /* from this version on every event can be local, and be disabled */
#define AT_ONCE   1000   /* functions that events are taken off, in 1 to 3 ms, before others may have the GIL */

typedef struct pyobj *callback_fn(struct pyobj *self, struct pyobj *const *args, intptr_t n);
static callback_fn on_start, on_resume, on_throw, on_return, on_yield, on_unwind;

static struct {
	enum wire_event event;
	uint32_t kind;
	const char *name;
	struct method_def def;
	long bit; /* from sys.monitoring.events: they moved in 3.14 */
} callback[NCALLBACKS] = {
#define ROW(ev, k, event_name, method, fn)                                                                         \
	{                                                                                                          \
		.event = ev, .kind = k, .name = event_name, .def = { method, fn, METH_FASTCALL, NULL }             \
	}
    [START] = ROW(WIRE_ENTRY, WIRE_PY_START, "PY_START", "pydtrace_start", on_start),
    [RESUME] = ROW(WIRE_ENTRY, WIRE_PY_RESUME, "PY_RESUME", "pydtrace_resume", on_resume),
    [THROW] = ROW(WIRE_ENTRY, WIRE_PY_THROW, "PY_THROW", "pydtrace_throw", on_throw),
    [RETURN] = ROW(WIRE_RETURN, WIRE_PY_RETURN, "PY_RETURN", "pydtrace_return", on_return),
    [YIELD] = ROW(WIRE_RETURN, WIRE_PY_YIELD, "PY_YIELD", "pydtrace_yield", on_yield),
    [UNWIND] = ROW(WIRE_RETURN, WIRE_PY_UNWIND, "PY_UNWIND", "pydtrace_unwind", on_unwind),
#undef ROW
};
_Static_assert(NCALLBACKS == INTERP_NCALLBACKS, "an interpreter has one function for each");
static struct pyobj *disable; /* the same object in all interpreters, as None is */

/* Code objects that do not match, by a hash: so each is decided on once, and not at each place that it is resumed at. */
#define UNMATCHED_BITS 10
static const struct pyobj *unmatched[1 << UNMATCHED_BITS];

static const char tool_name[] = "pydtrace";

/* None and DISABLE are immortal where sys.monitoring is (PEP 683): no reference is taken. */
static struct pyobj *none(void)
{
	return py._Py_NoneStruct;
}

static struct matched *lookup(const struct pyobj *code)
{
	return agent.parallel ? matched_find(code) : table_find(&agent.table, code)->matched;
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

/* The events that are local to a function that matches. */
static int local_events(const struct matched *m)
{
	int events = 0;

	for (int i = 0; i < NCALLBACKS; i++) {
		bool local = i == RETURN || i == YIELD || (i == UNWIND && agent.version >= ALL_LOCAL);

		if (local && m->filters[callback[i].event][callback[i].kind])
			events |= (int)callback[i].bit;
	}
	return events;
}

static void local_events_set(struct interp *in, struct pyobj *code, int events)
{
	done(py.PyObject_CallMethod(in->monitoring, "set_local_events", "iOi", in->tool, code, events));
}

/* Offset of the instruction that the body starts with, the first RESUME; -1: not known. */
static int body_start(struct pyobj *code)
{
	/* Include/opcode.h, from 3.13 on Include/opcode_ids.h; by the minor version */
	static const uint8_t resume[] = {[12] = 151, [13] = 149, [14] = 128, [15] = 128};
	struct pyobj *bytes = py.PyCode_GetCode(code);
	const char *s = bytes ? py.PyBytes_AsString(bytes) : NULL;
	intptr_t n = s ? py.PyBytes_Size(bytes) : 0, i = 0;

	while (i < n && (uint8_t)s[i] != resume[agent.version & 0xff])
		i += 2;
	py.PyErr_Clear();
	py.Py_DecRef(bytes);
	return i < n ? (int)i : -1;
}

static const struct pyobj **unmatched_place(const struct pyobj *code)
{
	return &unmatched[(uint32_t)((uintptr_t)code >> 4) * 0x9e3779b1u >> (32 - UNMATCHED_BITS)];
}

/* NULL: it does not match. */
static struct matched *decided(struct pyobj *code, int which)
{
	struct matched *m;

	/*
	 * The code object that was decided on may be gone, and this be another one at its address. But that one's start has been
	 * seen then, and it would be known if it matched.
	 */
	if (which != START && *unmatched_place(code) == code)
		return NULL;
	m = agent_decide(code, py.PyEval_GetGlobals());
	if (!m && !agent.inert)
		*unmatched_place(code) = code;
	return m;
}

/*
 * Decide on a code object, unless another thread has done so, and switch its local events on: whoever comes goes on only when
 * they are, else the return of its call would be missed. NULL: it does not match, or the agent is inert.
 */
static struct matched *started(struct pyobj *const *args, int which)
{
	struct matched *m = lookup(args[0]);
	struct interp *in = interp_here();
	int events;

	if (!m)
		m = decided(args[0], which);
	if (!m || m->ready || !in)
		return m;
	m->start = which == START ? (int)py.PyLong_AsLong(args[1]) : body_start(args[0]);
	m->paired = m->filters[WIRE_ENTRY][WIRE_PY_START] && m->filters[WIRE_ENTRY][WIRE_PY_RESUME] &&
		    m->filters[WIRE_ENTRY][WIRE_PY_THROW];
	events = local_events(m);
	if (events)
		local_events_set(in, args[0], events);
	if (likely(!agent.inert)) {
		__atomic_store_n(&m->ready, true, __ATOMIC_RELEASE);
		return m;
	}
	/* Taken off meanwhile, perhaps before it had these. */
	local_events_set(in, args[0], 0);
	return NULL;
}

/* The answer of a callback that does not want its event from this place again. */
static struct pyobj *never(int which)
{
	return which != THROW || agent.version >= ALL_LOCAL ? disable : none();
}

/*
 * A code object is seen for the first time. While this is under way nobody takes out what the agent knows, and whoever wanted
 * to has left it to us.
 */
static struct pyobj *first_seen(struct pyobj *const *args, int which, struct matched **m)
{
	struct calls *calls = active_enter(py.PyThreadState_Get());
	struct pyobj *answer = none();

	*m = started(args, which);
	if (unlikely(agent.inert)) {
		*m = NULL;
		if (agent.postponed)
			agent_clean_up_late();
	} else if (!*m) {
		answer = never(which);
	}
	active_leave(calls); /* nothing of the agent's is looked at any more */
	return answer;
}

/* Is it the thread's own decision that runs the function? */
static bool decision_is_ours(void)
{
	const struct interp *in = interp_here();

	return in && in->deciding && in->deciding == py.PyThreadState_Get();
}

/* Before an event of kind `which`: the function, if it wants it; else NULL, and in *answer what the callback answers. */
static inline struct matched *wanting(struct pyobj *const *args, int which, struct pyobj **answer)
{
	struct matched *m;

	*answer = none();
	if (agent_away())
		return NULL;
	m = lookup(args[0]);
	if (unlikely(!m || !m->ready)) {
		if (decision_is_ours())
			return NULL; /* a function that is run by a decision, which see */
		*answer = first_seen(args, which, &m);
		if (!m)
			return NULL;
	}
	if (unlikely(!m->ref))
		return m;
	if (likely(m->filters[WIRE_ENTRY][callback[which].kind]))
		return m;
	*answer = never(which);
	return NULL;
}

static inline struct pyobj *entered(struct pyobj *const *args, int which)
{
	struct pyobj *answer;
	struct matched *m = wanting(args, which, &answer);
	uint64_t call;

	if (!m)
		return answer;
	/* Where nothing can be kept of it there is no event for its return, either: both are lost here, each time. */
	if (unlikely(!m->ref)) {
		agent_return(m, WIRE_PY_RETURN, 0, 0);
		agent_entry(m, callback[which].kind, 0);
		return answer;
	}
	/* Thrown into before it began: no body runs. */
	if (which == THROW && (int)py.PyLong_AsLong(args[1]) < m->start)
		return answer;
	call = frame_call(args[0]);
	if (m->paired)
		running_enter(call);
	agent_entry(m, callback[which].kind, call);
	return answer;
}

static struct pyobj *on_start(struct pyobj *self, struct pyobj *const *args, intptr_t n)
{
	if (unlikely(!n)) {
		agent_poke();
		return none();
	}
	return entered(args, START);
}

static struct pyobj *on_resume(struct pyobj *self, struct pyobj *const *args, intptr_t n)
{
	return entered(args, RESUME);
}

static struct pyobj *on_throw(struct pyobj *self, struct pyobj *const *args, intptr_t n)
{
	return entered(args, THROW);
}

static inline void left(struct matched *m, struct pyobj *const *args, int which)
{
	uint64_t call = frame_call(args[0]);

	if (!m->paired || running_leave(call))
		agent_return(m, callback[which].kind, (int)py.PyLong_AsLong(args[1]), call);
}

static struct pyobj *on_return(struct pyobj *self, struct pyobj *const *args, intptr_t n)
{
	struct matched *m = agent_away() ? NULL : lookup(args[0]);

	if (likely(m))
		left(m, args, RETURN);
	return none();
}

static struct pyobj *on_yield(struct pyobj *self, struct pyobj *const *args, intptr_t n)
{
	struct matched *m = agent_away() ? NULL : lookup(args[0]);

	if (likely(m))
		left(m, args, YIELD);
	return none();
}

/*
 * An exception leaves a frame. One thrown into a generator that never began leaves from before the instruction that a
 * body starts with: that is not the end of anything. From that instruction itself it leaves when the handler of a signal has
 * raised it there, and then no start was seen; or when another tool's callback has, after we had seen it.
 */
static struct pyobj *on_unwind(struct pyobj *self, struct pyobj *const *args, intptr_t n)
{
	struct matched *m = agent_away() ? NULL : lookup(args[0]);

	if (likely(!m))
		return none();
	if (m->paired || (int)py.PyLong_AsLong(args[1]) > m->start)
		left(m, args, UNWIND);
	return none();
}

/* Is the id one of a pydtrace's? Ours may not be: the program may free any tool's. */
static bool tool_ours(struct pyobj *monitoring, int id)
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
static void peers_poke(struct pyobj *monitoring)
{
	for (int id = 0; id < 6; id++) {
		struct pyobj *start;

		if (!tool_ours(monitoring, id))
			continue;
		start = py.PyObject_CallMethod(monitoring, "register_callback", "iiO", id, (int)callback[START].bit,
					       py._Py_NoneStruct);
		if (start && start != py._Py_NoneStruct) {
			done(py.PyObject_CallNoArgs(start));
			if (tool_ours(monitoring, id))
				done(py.PyObject_CallMethod(monitoring, "register_callback", "iiO", id,
							    (int)callback[START].bit, start));
		}
		done(start);
	}
}

/* A tool id that nobody has. 4 and 3 have no meaning in PEP 669, 5, 2, 1 and 0 are other kinds of tool's. */
static int tool_take(struct interp *in)
{
	static const int order[] = {4, 3, 5, 2, 1, 0};

	for (size_t i = 0; i < ARRAY_SIZE(order); i++) {
		struct pyobj *who = py.PyObject_CallMethod(in->monitoring, "get_tool", "i", order[i]);
		bool is_free = who == py._Py_NoneStruct;

		done(who);
		if (is_free &&
		    !done(py.PyObject_CallMethod(in->monitoring, "use_tool_id", "is", order[i], tool_name))) {
			in->tool = agent.page->tool_id = order[i];
			return 0;
		}
	}
	agent_message("all six sys.monitoring tool ids are in use", NULL);
	return -EBUSY;
}

static int events_read(struct pyobj *monitoring)
{
	struct pyobj *events = py.PyObject_GetAttrString(monitoring, "events");
	int err = events ? 0 : -ENOTSUP;

	for (int i = 0; !err && i < NCALLBACKS; i++) {
		struct pyobj *bit = py.PyObject_GetAttrString(events, callback[i].name);

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

/*
 * The interpreter has ended, or the program has freed our id: what called us for starts is freed. All of ours there goes with it,
 * because its memory may be its own. This is called in the interpreter, while it is able to free objects still.
 */
static void on_end(struct pyobj *capsule)
{
	struct interp *in = py.PyCapsule_GetPointer(capsule, tool_name);

	if (in && in->inside && *agent.mine)
		interp_drop(in);
	py.PyErr_Clear();
}

static struct pyobj *function_new(struct interp *in, int i)
{
	struct pyobj *end = i == START ? py.PyCapsule_New(in, tool_name, on_end) : NULL, *f = NULL;

	if (end)
		object_share(end);
	if (i != START || end)
		f = py.PyCFunction_NewEx(&callback[i].def, end, NULL);
	py.Py_DecRef(end);
	if (f)
		object_share(f);
	return f;
}

/* The one for starts is the interpreter's alone, so that its end tells that of the interpreter. */
static int callbacks_register(struct interp *in)
{
	for (int i = 0; i < NCALLBACKS; i++) {
		struct pyobj *f = in->function[i] = function_new(in, i);
		int err = f ? done(py.PyObject_CallMethod(in->monitoring, "register_callback", "iiO", in->tool,
							  (int)callback[i].bit, f))
			    : -ENOMEM;

		if (i == START) {
			in->function[i] = NULL;
			py.Py_DecRef(f);
		}
		if (err)
			return err;
	}
	return 0;
}

static int events_on(struct interp *in)
{
	int events = (int)callback[START].bit;

	for (int i = 0; i < NCALLBACKS; i++)
		if (i != START && agent.at[callback[i].event][callback[i].kind])
			events |= (int)(callback[RESUME].bit | callback[THROW].bit);
	if (agent.at[WIRE_RETURN][WIRE_PY_UNWIND] && agent.version < ALL_LOCAL)
		events |= (int)callback[UNWIND].bit;
	/* Another tool's DISABLEs stick to the places in the code, also for who gets its id. */
	if (done(py.PyObject_CallMethod(in->monitoring, "restart_events", NULL)))
		return -EIO;
	return done(py.PyObject_CallMethod(in->monitoring, "set_events", "ii", in->tool, events));
}

static int interp_leave(struct interp *in, bool inside);

/* Come into the interpreter that this thread runs. 0; -EAGAIN: not now; -errno with a message. */
static int interp_enter(struct interp *in)
{
	int err = room_init(in);

	if (!err)
		err = weak_init(in);
	if (err)
		goto out;
	if (!room_for_calls(in)) {
		agent_message("the thread has reached its recursion limit; try again", NULL);
		err = -EAGAIN;
		goto out;
	}
	in->monitoring = py.PySys_GetObject("monitoring");
	if (!in->monitoring) {
		agent_message("this interpreter has no sys.monitoring", NULL);
		err = -ENOTSUP;
		goto out;
	}
	py.Py_IncRef(in->monitoring);
	if (!disable)
		disable = py.PyObject_GetAttrString(in->monitoring, "DISABLE");
	err = disable ? events_read(in->monitoring) : -ENOTSUP;
	if (!err) {
		if (!agent.free_threaded) /* else its events would be lost meanwhile if it lives */
			peers_poke(in->monitoring);
		err = tool_take(in);
	}
	if (err)
		goto out;
	memset(unmatched, 0, sizeof(unmatched)); /* what has begun there was not seen */
	in->inside = true;
	err = callbacks_register(in);
	if (!err)
		err = events_on(in);
	if (err)
		agent_message("sys.monitoring refused: an audit hook of the program may forbid it", NULL);
out:
	if (err)
		interp_leave(in, false);
	return err;
}

static int monitoring_init(void)
{
	struct interp *in = interp_add(py.PyInterpreterState_Get());
	int err = in ? 0 : -ENOMEM;

	if (!err)
		err = frame_init();
	if (!err)
		err = running_init();
	if (!err)
		err = interp_enter(in);
	if (!err)
		err = turns_put();
	if (err && in)
		interp_leave(in, false);
	return err;
}

/* No local events any more. What is called here may run anything, and code objects may die of it. */
static void local_events_off(struct interp *in, bool at_once)
{
	bool had_local_events;
	struct pyobj *ref;

	for (int i = 0; (at_once || i < AT_ONCE) && (ref = record_take_first(in, &had_local_events)); i++) {
		struct pyobj *code = had_local_events ? weak_get(ref) : NULL;

		if (code)
			local_events_set(in, code, 0);
		py.Py_DecRef(code);
		py.Py_DecRef(ref);
	}
}

/* False: somebody else has the function, or it is no longer ours to be taken. */
static bool callback_take(struct interp *in, int i)
{
	struct pyobj *f = py.PyObject_CallMethod(in->monitoring, "register_callback", "iiO", in->tool,
						 (int)callback[i].bit, py._Py_NoneStruct);
	bool only = !f || f == py._Py_NoneStruct || i != START || object_ours(f);

	py.PyErr_Clear();
	py.Py_DecRef(f);
	return only;
}

/*
 * 0, or -EAGAIN: there is more to do, or another thread is in a decision. Where there is no GIL set_events() stops the world, so
 * that after it no other thread is in an event of ours: it makes no call there at which it could stop, but in a decision.
 */
static int events_off(struct interp *in, bool at_once)
{
	done(py.PyObject_CallMethod(in->monitoring, "set_events", "ii", in->tool, 0));
	if (agent.free_threaded && active_others())
		return -EAGAIN;
	local_events_off(in, at_once);
	if (record_any(in))
		return -EAGAIN;
	in->inside = false; /* it does not end now */
	for (int i = 0; i < NCALLBACKS; i++)
		in->held |= !callback_take(in, i);
	done(py.PyObject_CallMethod(in->monitoring, "free_tool_id", "i", in->tool));
	return 0;
}

/* The program has freed our id, and perhaps given it to another tool: as events_off(), but nothing is ours to be taken off. */
static int others_await(struct interp *in)
{
	if (!agent.free_threaded)
		return 0;
	done(py.PyObject_CallMethod(in->monitoring, "restart_events", NULL)); /* stops the world */
	return active_others() ? -EAGAIN : 0;
}

/* Out of the interpreter that this thread runs, as mechanism.leave(). */
static int interp_leave(struct interp *in, bool inside)
{
	bool clean;

	if (in->tool >= 0) {
		if (!room_for_calls(in))
			return -EAGAIN;
		if (tool_ours(in->monitoring, in->tool) ? events_off(in, inside) : others_await(in))
			return -EAGAIN;
		in->tool = -1;
		in->inside = false;
	}
	if (inside)
		return -EBUSY;
	clean = !in->held;
	for (int i = 0; i < NCALLBACKS; i++)
		clean &= callback_drop(&in->function[i]);
	clean &= room_leave(in);
	clean &= weak_leave(in);
	py.Py_DecRef(in->monitoring);
	in->monitoring = NULL;
	py.PyErr_Clear();
	return clean ? 0 : -EBUSY;
}

/* Out of this one now, out of the others when they run; when all are out there is nothing of ours left. */
static int monitoring_leave(bool inside)
{
	struct interp *in = interp_here();
	int err = in ? interp_leave(in, inside) : 0;

	if (err == -EAGAIN)
		return err;
	if (in && !err)
		interp_free(in);
	turns_put();
	if (inside || interps_left())
		return -EBUSY;
	py.Py_DecRef(disable);
	disable = NULL;
	return err;
}

static void monitoring_begun(void *state)
{
	struct interp *in = interp_add(state);

	if (in) {
		turn_put(in);
		return;
	}
	agent_message("there are more interpreters in the process than pydtrace can trace", NULL);
	agent_give_up(E2BIG);
}

void interp_come(struct interp *in)
{
	int err = interp_enter(in);

	if (err == -EAGAIN)
		turn_put(in);
	else if (err)
		agent_give_up(-err);
}

void interp_go(struct interp *in)
{
	int err;

	do {
		err = interp_leave(in, false);
	} while (err == -EAGAIN && room_for_calls(in));
	if (err == -EAGAIN)
		turn_put(in);
	else if (!err)
		interp_free(in);
}

void interp_drop(struct interp *in)
{
	bool had_local_events;
	struct pyobj *ref;

	in->inside = false;
	while ((ref = record_take_first(in, &had_local_events)))
		py.Py_DecRef(ref);
	for (int i = 0; i < NCALLBACKS; i++)
		callback_drop(&in->function[i]);
	room_leave(in);
	weak_leave(in);
	py.Py_DecRef(in->monitoring);
	interp_free(in);
}

const struct mechanism mechanism_monitoring = {312, monitoring_init, monitoring_leave, monitoring_begun};
