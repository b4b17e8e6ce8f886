// SPDX-License-Identifier: Apache-2.0
/*
 * 3.9 to 3.11: a frame evaluator (PEP 523). What does not match is passed on by a tail call, after one look into the
 * table; what does is called, so that its end is seen.
 *
 * An unmatched code object may be freed, and another be made at its address, at any time: so its entry also says what
 * it was like, and that is compared on each call. A matched one has left the table by then (weak.c) and needs no comparing.
 */
#include "events_impl.h"
#include "layout_impl.h"

#define CALLS_PER_LOOK 1024 /* unmatched calls until the tracer's sign of life is looked at again */
#define DEPTH_SURE     16   /* 3.11: calls that any stack can hold */

#define CO_GENERATORS 0x2a0 /* CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR */
#define UNICODE_HASH  24    /* PyASCIIObject.hash, in all three */
#define TP_BASICSIZE  32    /* PyTypeObject.tp_basicsize */
#define DICT_TAG      24    /* PyDictObject.ma_version_tag (PEP 509), new at each change of any dictionary */

#define SLOW __attribute__((noinline))

static bool hides_subscript; /* see subscript.c */
static bool key_has_file, key_has_module;
static void *interpreter;
static agent_eval *saved;
static uint32_t until_look;

/* --- calls ------------------------------------------------------------------------------------------- */

static int64_t text_hash(const struct pyobj *s)
{
	return field(int64_t, s, UNICODE_HASH);
}

/* What tells one code object from another that had its address: 64 bits of their texts' (keyed) hashes. */
static inline uint64_t code_key(const struct pyobj *code)
{
	uint64_t key = text_hash(field(struct pyobj *, code, layout.code_name)) +
		       (uint64_t)field(uint32_t, code, layout.code_firstline) * 0x9e3779b97f4a7c15ull;

	if (key_has_file)
		key ^= (uint64_t)text_hash(field(struct pyobj *, code, layout.code_file)) * 0x9e3779b97f4a7c15ull;
	return key;
}

/* The hash of a text object, which keeps it from then on. */
static int64_t text_hash_make(struct pyobj *s)
{
	return text_hash(s) == -1 ? py.PyObject_Hash(s) : text_hash(s);
}

/* The hash of the module's name; 0: it has none. */
static int64_t module_hash(struct pyobj *globals)
{
	struct pyobj *name = py.PyDict_GetItemWithError(globals, agent.dunder_name);

	return name && type_of(name) == py.PyUnicode_Type ? text_hash_make(name) : 0;
}

/* Another dictionary, or a changed one: it is the same module when the name is. To ask for it may run anything. */
static bool same_module(const struct pyobj *code, struct pyobj *globals)
{
	struct py_error error;
	struct decided *d;
	int64_t hash;

	py_error_save(&error);
	hash = module_hash(globals);
	py_error_restore(&error);
	d = table_find(&agent.table, code);
	if (!d->code || d->matched || hash != d->module)
		return false;
	d->globals = globals;
	d->globals_tag = field(uint64_t, globals, DICT_TAG);
	return true;
}

/* Only what some filter looks at takes part. */
static void remember_unmatched(struct pyobj *code, struct pyframe *frame)
{
	struct pyobj *globals = field(struct pyobj *, frame, layout.frame_globals);
	struct py_error error;
	struct decided d = {.code = code};

	py_error_save(&error);
	text_hash_make(field(struct pyobj *, code, layout.code_name));
	if (key_has_file)
		text_hash_make(field(struct pyobj *, code, layout.code_file));
	d.key = code_key(code);
	if (key_has_module) {
		d.module = module_hash(globals);
		d.globals = globals;
		d.globals_tag = field(uint64_t, globals, DICT_TAG);
	}
	py_error_restore(&error);
	if (!agent.inert)                    /* to ask for the module's name may have run anything */
		table_put(&agent.table, &d); /* no memory: it will be decided on again */
}

/*
 * The code object is kept alive while its body runs, so that `m` is still there when that is over, unless the agent has gone
 * inert. The frame keeps it alive too, but need not do so after the evaluator has returned.
 */
static SLOW struct pyobj *traced(struct matched *m, void *tstate, struct pyframe *frame, int throwing)
{
	struct pyobj *code = field(struct pyobj *, frame, layout.frame_code);
	bool generator = field(int, code, layout.code_flags) & CO_GENERATORS;
	bool returns = m->filters[WIRE_RETURN];
	struct pyobj *result;
	struct calls *calls;

	if (generator) {
		/* 3.11: the call that only makes the generator, on a frame of the thread's. */
		if (layout.code_bytes && field(uint8_t, frame, layout.frame_state) == 0)
			return saved(tstate, frame, throwing);
		/* Closed, or thrown into, before it began: no body runs. */
		if (layout.began(frame))
			goto run;
		if (throwing)
			return saved(tstate, frame, throwing);
	}
	agent_entry(m);
run:
	if (!returns || agent.inert)
		return saved(tstate, frame, throwing);
	py.Py_IncRef(code);
	calls = active_enter(tstate);
	result = saved(tstate, frame, throwing);
	active_leave(calls);
	if (!agent_away() && !(generator && result && layout.yielded(frame)))
		agent_return(m, layout.offset(frame));
	py.Py_DecRef(code);
	return result;
}

/* Run the body of a class, whether it matches or not, and look at what it has made. */
static struct pyobj *class_body(struct matched *m, void *tstate, struct pyframe *frame, int throwing)
{
	struct calls *calls = active_enter(tstate);
	struct pyobj *result;

	result = m ? traced(m, tstate, frame, throwing) : saved(tstate, frame, throwing);
	active_leave(calls);
	if (result && !agent_away())
		subscript_body_ran(frame);
	return result;
}

static SLOW struct pyobj *not_known(void *tstate, struct pyframe *frame, int throwing)
{
	struct pyobj *code = field(struct pyobj *, frame, layout.frame_code);
	struct matched *m = NULL;

	if (agent_away())
		return saved(tstate, frame, throwing);

	const struct decided *d = table_find(&agent.table, code);
	bool body = hides_subscript && subscript_is_body(code);

	if (d->code && d->matched) {
		m = d->matched;
	} else if (agent.deciding != tstate) { /* else: a function that is run by a decision, which see */
		struct pyframe *outer = agent.deciding_frame;

		agent.deciding_frame = layout.code_qualname ? NULL : frame;
		m = agent_decide(code, field(struct pyobj *, frame, layout.frame_globals));
		agent.deciding_frame = outer;
		/* A class's body is not remembered: it has to come here each time that it makes a class. */
		if (!m && !agent.inert && !body)
			remember_unmatched(code, frame);
	}
	if (body)
		return class_body(m, tstate, frame, throwing);
	if (m && hides_subscript)
		subscript_called(frame, m);
	return m && !agent.inert ? traced(m, tstate, frame, throwing) : saved(tstate, frame, throwing);
}

/* An unmatched code object runs with other globals than at the last time, or these have changed. */
static SLOW struct pyobj *other_globals(void *tstate, struct pyframe *frame, int throwing)
{
	if (same_module(field(struct pyobj *, frame, layout.frame_code),
			field(struct pyobj *, frame, layout.frame_globals)))
		return saved(tstate, frame, throwing);
	return not_known(tstate, frame, throwing);
}

static int evalframe_leave(bool inside);

static SLOW struct pyobj *look(void *tstate, struct pyframe *frame, int throwing)
{
	until_look = CALLS_PER_LOOK;
	agent_poke();
	/* Left, when somebody who came later was called before us: it may have gone as well. */
	if (agent.inert)
		evalframe_leave(true);
	return not_known(tstate, frame, throwing);
}

static SLOW struct pyobj *too_deep(void *tstate, struct pyframe *frame, int throwing)
{
	if (!*agent.mine) {
		agent_orphan();
	} else if (!agent.inert) {
		agent_message(
		    "the program recurses deeper than its stack can hold while it is traced on Python 3.11; "
		    "tracing of Python stopped there (see ulimit -s)",
		    NULL);
		agent_give_up(E2BIG);
	}
	return saved(tstate, frame, throwing);
}

static inline struct pyobj *evaluate(void *tstate, struct pyframe *frame, int throwing)
{
	const struct pyobj *code = field(struct pyobj *, frame, layout.frame_code);
	const struct pyobj *globals = field(struct pyobj *, frame, layout.frame_globals);
	const struct decided *d = table_find(&agent.table, code);

	if (unlikely(!d->code || d->matched || code_key(code) != d->key))
		return not_known(tstate, frame, throwing);
	if (d->globals && (d->globals != globals || d->globals_tag != field(uint64_t, globals, DICT_TAG)))
		return other_globals(tstate, frame, throwing);
	return saved(tstate, frame, throwing);
}

static SLOW struct pyobj *deep(void *tstate, struct pyframe *frame, int throwing)
{
	if (!stack_has_room(field(int, tstate, layout.tstate_limit) - field(int, tstate, layout.tstate_remaining)))
		return too_deep(tstate, frame, throwing);
	return evaluate(tstate, frame, throwing);
}

agent_eval evalframe_call; /* for sites.S */

/*
 * What the interpreter calls. The unmatched way through it is what every call in the process pays: it ends
 * in a jump, with nothing of its own left on the stack, and everything else is behind other jumps.
 */
struct pyobj *evalframe_call(void *tstate, struct pyframe *frame, int throwing)
{
	if (unlikely(!--until_look))
		return look(tstate, frame, throwing);
	if (unlikely(field(int, tstate, layout.tstate_limit) - field(int, tstate, layout.tstate_remaining) >
		     DEPTH_SURE))
		return deep(tstate, frame, throwing);
	return evaluate(tstate, frame, throwing);
}

/* --- in and out ------------------------------------------------------------------------------------------ */

extern agent_eval pydtrace_evalframe; /* sites.S: the jump to evalframe_call() */

/*
 * Is the evaluator another pydtrace's? Before it there is a mark, and the distance to agent_poke() (sites.S). That is
 * called: when its tracer was killed and it has not noticed, because nothing was called since, it goes away now. One that
 * stays is called by us as it calls what was before it. They may leave in any order; who leaves first stays mapped.
 */
static bool peer_poke(agent_eval *eval)
{
	const char *p = (const char *)eval;
	bool (*poke)(void);

	if (((uintptr_t)p & 4095) < 16 || field(uint64_t, p, -16) != AGENT_PEER_MARK)
		return false;
	poke = (bool (*)(void))(p - 8 + field(int64_t, p, -8));
	poke();
	return true;
}

/* What is to be called in our place. -EBUSY: somebody's whom we do not know. */
static int saved_take(void)
{
	agent_eval *current = py._PyInterpreterState_GetEvalFrameFunc(interpreter);
	bool peer = peer_poke(current);

	saved = py._PyInterpreterState_GetEvalFrameFunc(interpreter);
	if (saved == py._PyEval_EvalFrameDefault || (peer && saved == current))
		return 0;
	interpreter = NULL;
	agent_message("another tool (a debugger or a compiler) evaluates the frames of this process", NULL);
	return -EBUSY;
}

static int evalframe_init(void)
{
	int err = layout_init();

	if (err)
		return err;
	interpreter = py.PyInterpreterState_Main();
	err = saved_take();
	if (err)
		return err;
	stack_init(agent.stack_end);
	/* The name is the end of the qualified name, so that alone will do where there is one. */
	if (layout.code_qualname && agent.field_used[WIRE_QUALNAME])
		layout.code_name = layout.code_qualname;
	key_has_file = agent.field_used[WIRE_FILE];
	key_has_module =
	    agent.field_used[WIRE_MODULE] || (!layout.code_qualname && agent.field_used[WIRE_QUALNAME]);
	/* f_localsplus[1] is the last member of PyFrameObject. */
	agent.frame_locals = field(uint64_t, py.PyFrame_Type, TP_BASICSIZE) - 8;
	hides_subscript = subscript_init();
	until_look = CALLS_PER_LOOK;
	py._PyInterpreterState_SetEvalFrameFunc(interpreter, pydtrace_evalframe);
	return 0;
}

static int evalframe_leave(bool inside)
{
	if (hides_subscript)
		subscript_leave();
	hides_subscript = false;
	if (!interpreter)
		return inside ? -EBUSY : 0;
	/* Someone who came after us calls us as we call what was before us: stay, and pass everything on. */
	if (py._PyInterpreterState_GetEvalFrameFunc(interpreter) == pydtrace_evalframe)
		py._PyInterpreterState_SetEvalFrameFunc(interpreter, saved);
	else if (py._PyInterpreterState_GetEvalFrameFunc(interpreter) != saved)
		return -EBUSY;
	interpreter = NULL; /* out for good, whatever is installed later */
	return inside ? -EBUSY : 0;
}

const struct mechanism mechanism_evalframe = {39, evalframe_init, evalframe_leave};
