// SPDX-License-Identifier: Apache-2.0
/*
 * 3.9 to 3.11: a frame evaluator (PEP 523). What does not match is passed on by a tail call, after one look into the
 * table; what does is called, so that its end is seen.
 *
 * An unmatched code object may be freed, and another be made at its address, at any time: so its entry also says what
 * it was like, and that is compared on each call. A matched one is kept alive and needs no comparing.
 */
#include "agent_impl.h"

#define CALLS_PER_LOOK 1024 /* unmatched calls until the tracer's sign of life is looked at again */
#define DEPTH_SURE     16   /* 3.11: calls that any stack can hold */

#define CO_GENERATORS       0x2a0 /* CO_GENERATOR | CO_COROUTINE | CO_ASYNC_GENERATOR */
#define OP_RETURN_GENERATOR 75    /* 3.11 */
#define OP_YIELD_VALUE      86

/* How a frame tells that the generator it belongs to has yielded, and that its body has not begun yet. */
static bool began_lasti(const struct pyframe *f);
static bool began_311(const struct pyframe *f);
static bool yielded_39(const struct pyframe *f);
static bool yielded_310(const struct pyframe *f);
static bool yielded_311(const struct pyframe *f);
static int offset_39(const struct pyframe *f);
static int offset_310(const struct pyframe *f);
static int offset_311(const struct pyframe *f);

/*
 * Where things are, in bytes. Include/cpython/code.h and frameobject.h of 3.9 and 3.10; Include/cpython/code.h and
 * Include/internal/pycore_frame.h of 3.11. The code object's part is checked against a live one before it is used.
 */
static const struct layout {
	uint16_t version;
	uint16_t frame_code, frame_globals, frame_last;
	uint16_t frame_state;                    /* 3.9: f_stacktop; 3.10: f_state; 3.11: owner */
	uint16_t tstate_limit, tstate_remaining; /* 3.11: of recursion; else both 0, so no difference */
	uint16_t code_flags, code_firstline, code_file, code_name;
	uint16_t code_qualname; /* 3.11 */
	uint16_t code_bytes;    /* 3.11: co_code_adaptive */
	bool (*began)(const struct pyframe *f);
	bool (*yielded)(const struct pyframe *f);
	int (*offset)(const struct pyframe *f); /* of the last instruction, in bytes */
} layouts[] = {
    {
	.version = 0x0309,
	.frame_code = 32,
	.frame_globals = 48,
	.frame_last = 104,
	.frame_state = 72,
	.code_flags = 36,
	.code_firstline = 40,
	.code_file = 104,
	.code_name = 112,
	.began = began_lasti,
	.yielded = yielded_39,
	.offset = offset_39,
    },
    {
	.version = 0x030a,
	.frame_code = 32,
	.frame_globals = 48,
	.frame_last = 96,
	.frame_state = 108,
	.code_flags = 36,
	.code_firstline = 40,
	.code_file = 104,
	.code_name = 112,
	.began = began_lasti,
	.yielded = yielded_310,
	.offset = offset_310,
    },
    {
	.version = 0x030b,
	.frame_code = 32,
	.frame_globals = 8,
	.frame_last = 56,
	.frame_state = 69,
	.code_flags = 48,
	.code_firstline = 72,
	.code_file = 112,
	.code_name = 120,
	.code_qualname = 128,
	.code_bytes = 184,
	.began = began_311,
	.yielded = yielded_311,
	.offset = offset_311,
	.tstate_limit = 36,
	.tstate_remaining = 32,
    },
};
#define UNICODE_HASH 24 /* PyASCIIObject.hash, in all three */
#define TP_BASICSIZE 32 /* PyTypeObject.tp_basicsize */
#define DICT_TAG     24 /* PyDictObject.ma_version_tag (PEP 509), new at each change of any dictionary */

static struct layout at; /* this interpreter's */
#define SLOW __attribute__((noinline))

static bool hides_subscript; /* see subscript.c */
static bool key_has_file, key_has_module;
static void *interpreter;
static agent_eval *saved;
static uint32_t until_look;

#define field(type, object, offset) (*(type const *)((const char *)(object) + (offset)))

static bool began_lasti(const struct pyframe *f)
{
	return field(int, f, at.frame_last) != -1;
}

static bool began_311(const struct pyframe *f)
{
	return *field(const uint8_t *, f, at.frame_last) != OP_RETURN_GENERATOR;
}

/* f_stacktop "remains NULL unless yield suspends frame" (Python/ceval.c). */
static bool yielded_39(const struct pyframe *f)
{
	return field(void *, f, at.frame_state);
}

static bool yielded_310(const struct pyframe *f)
{
	return field(int8_t, f, at.frame_state) == -1; /* FRAME_SUSPENDED */
}

static bool yielded_311(const struct pyframe *f)
{
	return *field(const uint8_t *, f, at.frame_last) == OP_YIELD_VALUE;
}

static int offset_39(const struct pyframe *f)
{
	return field(int, f, at.frame_last);
}

static int offset_310(const struct pyframe *f)
{
	return field(int, f, at.frame_last) * 2;
}

static int offset_311(const struct pyframe *f)
{
	return field(const char *, f, at.frame_last) -
	       ((const char *)field(void *, f, at.frame_code) + at.code_bytes);
}

/* --- calls ------------------------------------------------------------------------------------------- */

static int64_t text_hash(const struct pyobj *s)
{
	return field(int64_t, s, UNICODE_HASH);
}

/* What tells one code object from another that had its address: 64 bits of their texts' (keyed) hashes. */
static inline uint64_t code_key(const struct pyobj *code)
{
	uint64_t key = text_hash(field(struct pyobj *, code, at.code_name)) +
		       (uint64_t)field(uint32_t, code, at.code_firstline) * 0x9e3779b97f4a7c15ull;

	if (key_has_file)
		key ^= (uint64_t)text_hash(field(struct pyobj *, code, at.code_file)) * 0x9e3779b97f4a7c15ull;
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

/* Another dictionary, or a changed one: it is the same module when the name is. */
static bool same_module(struct decided *d, struct pyobj *globals)
{
	struct pyobj *type, *value, *traceback;
	int64_t hash;

	py.PyErr_Fetch(&type, &value, &traceback);
	hash = module_hash(globals);
	py.PyErr_Restore(type, value, traceback);
	if (hash != d->module)
		return false;
	d->globals = globals;
	d->globals_tag = field(uint64_t, globals, DICT_TAG);
	return true;
}

/* Only what some filter looks at takes part. */
static void remember_unmatched(struct pyobj *code, struct pyframe *frame)
{
	struct pyobj *globals = field(struct pyobj *, frame, at.frame_globals);
	struct pyobj *type, *value, *traceback;
	struct decided d = {.code = code};

	py.PyErr_Fetch(&type, &value, &traceback);
	text_hash_make(field(struct pyobj *, code, at.code_name));
	if (key_has_file)
		text_hash_make(field(struct pyobj *, code, at.code_file));
	d.key = code_key(code);
	if (key_has_module) {
		d.module = module_hash(globals);
		d.globals = globals;
		d.globals_tag = field(uint64_t, globals, DICT_TAG);
	}
	py.PyErr_Restore(type, value, traceback);
	table_put(&agent.table, &d); /* no memory: it will be decided on again */
}

static SLOW struct pyobj *traced(struct matched *m, void *tstate, struct pyframe *frame, int throwing)
{
	bool generator = field(int, m->code, at.code_flags) & CO_GENERATORS;
	struct pyobj *result;

	if (generator) {
		/* 3.11: the call that only makes the generator, on a frame of the thread's. */
		if (at.code_bytes && field(uint8_t, frame, at.frame_state) == 0)
			return saved(tstate, frame, throwing);
		/* Closed, or thrown into, before it began: no body runs. */
		if (at.began(frame))
			goto run;
		if (throwing)
			return saved(tstate, frame, throwing);
	}
	agent_entry(m);
run:
	if (!m->filters[WIRE_RETURN])
		return saved(tstate, frame, throwing);
	agent.active++;
	result = saved(tstate, frame, throwing);
	agent.active--;
	if (agent_away() || (generator && result && at.yielded(frame)))
		return result;
	agent_return(m, at.offset(frame));
	return result;
}

/* Run the body of a class, whether it matches or not, and look at what it has made. */
static struct pyobj *class_body(struct matched *m, void *tstate, struct pyframe *frame, int throwing)
{
	struct pyobj *result;

	agent.active++;
	result = m ? traced(m, tstate, frame, throwing) : saved(tstate, frame, throwing);
	agent.active--;
	if (result && !agent_away())
		subscript_body_ran(frame);
	return result;
}

static SLOW struct pyobj *not_known(void *tstate, struct pyframe *frame, int throwing)
{
	struct pyobj *code = field(struct pyobj *, frame, at.frame_code);
	struct matched *m = NULL;

	if (agent_away())
		return saved(tstate, frame, throwing);

	const struct decided *d = table_find(&agent.table, code);
	bool body = hides_subscript && subscript_is_body(code);

	if (d->code && d->matched) {
		m = d->matched;
	} else if (agent.deciding != tstate) { /* else: a function that is run by a decision, which see */
		struct pyframe *outer = agent.deciding_frame;

		agent.deciding_frame = at.code_qualname ? NULL : frame;
		m = agent_decide(code, field(struct pyobj *, frame, at.frame_globals));
		agent.deciding_frame = outer;
		/* A class's body is not remembered: it has to come here each time that it makes a class. */
		if (!m && !agent.inert && !body)
			remember_unmatched(code, frame);
	}
	if (body)
		return class_body(m, tstate, frame, throwing);
	if (m && hides_subscript)
		subscript_called(frame, m);
	return m ? traced(m, tstate, frame, throwing) : saved(tstate, frame, throwing);
}

/* An unmatched code object runs with other globals than at the last time, or these have changed. */
static SLOW struct pyobj *other_globals(void *tstate, struct pyframe *frame, int throwing)
{
	struct decided *d = table_find(&agent.table, field(struct pyobj *, frame, at.frame_code));

	if (same_module(d, field(struct pyobj *, frame, at.frame_globals)))
		return saved(tstate, frame, throwing);
	return not_known(tstate, frame, throwing);
}

static bool evalframe_leave(bool inside);

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
	const struct pyobj *code = field(struct pyobj *, frame, at.frame_code);
	const struct pyobj *globals = field(struct pyobj *, frame, at.frame_globals);
	const struct decided *d = table_find(&agent.table, code);

	if (unlikely(!d->code || d->matched || code_key(code) != d->key))
		return not_known(tstate, frame, throwing);
	if (d->globals && (d->globals != globals || d->globals_tag != field(uint64_t, globals, DICT_TAG)))
		return other_globals(tstate, frame, throwing);
	return saved(tstate, frame, throwing);
}

static SLOW struct pyobj *deep(void *tstate, struct pyframe *frame, int throwing)
{
	if (!stack_has_room(field(int, tstate, at.tstate_limit) - field(int, tstate, at.tstate_remaining)))
		return too_deep(tstate, frame, throwing);
	return evaluate(tstate, frame, throwing);
}

/*
 * What the interpreter calls. The unmatched way through it is what every call in the process pays: it ends
 * in a jump, with nothing of its own left on the stack, and everything else is behind other jumps.
 */
struct pyobj *evalframe_call(void *tstate, struct pyframe *frame, int throwing)
{
	if (unlikely(!--until_look))
		return look(tstate, frame, throwing);
	if (unlikely(field(int, tstate, at.tstate_limit) - field(int, tstate, at.tstate_remaining) > DEPTH_SURE))
		return deep(tstate, frame, throwing);
	return evaluate(tstate, frame, throwing);
}

/* --- in and out ------------------------------------------------------------------------------------------ */

extern agent_eval pydtrace_evalframe; /* sites.S: the jump to evalframe_call() */

/* The offsets of the code object, proved on one that every interpreter has. */
static int layout_check(void)
{
	struct pyobj *modules = py.PySys_GetObject("modules"), *o = NULL, *code = NULL;
	struct pyobj *name = NULL, *file = NULL, *line = NULL;
	bool right = false;

	if (modules)
		o = py.PyMapping_GetItemString(modules, "_frozen_importlib");
	if (o) {
		struct pyobj *f = py.PyObject_GetAttrString(o, "_call_with_frames_removed");

		code = f ? py.PyFunction_GetCode(f) : NULL; /* borrowed, and audits nothing as __code__ does */
		if (code)
			py.Py_IncRef(code);
		if (f)
			py.Py_DecRef(f);
	}
	if (code) {
		name = py.PyObject_GetAttrString(code, "co_name");
		file = py.PyObject_GetAttrString(code, "co_filename");
		line = py.PyObject_GetAttrString(code, "co_firstlineno");
		right = name && file && line && field(struct pyobj *, code, at.code_name) == name &&
			field(struct pyobj *, code, at.code_file) == file &&
			field(int, code, at.code_firstline) == py.PyLong_AsLong(line);
	}
	struct pyobj *drop[] = {o, code, name, file, line};

	for (size_t i = 0; i < ARRAY_SIZE(drop); i++)
		if (drop[i])
			py.Py_DecRef(drop[i]);
	py.PyErr_Clear();
	return right ? 0 : -ENOTSUP;
}

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
	int err;

	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].version == agent.version)
			at = layouts[i];
	if (!at.version || layout_check() ||
	    (at.tstate_limit && field(int, py.PyThreadState_Get(), at.tstate_limit) != py.Py_GetRecursionLimit())) {
		agent_message("the structures of this interpreter are not laid out as in any known Python", NULL);
		return -ENOTSUP;
	}
	interpreter = py.PyInterpreterState_Main();
	err = saved_take();
	if (err)
		return err;
	stack_init(agent.stack_end);
	/* The name is the end of the qualified name, so that alone will do where there is one. */
	if (at.code_qualname && agent.field_used[WIRE_QUALNAME])
		at.code_name = at.code_qualname;
	key_has_file = agent.field_used[WIRE_FILE];
	key_has_module = agent.field_used[WIRE_MODULE] || (!at.code_qualname && agent.field_used[WIRE_QUALNAME]);
	/* f_localsplus[1] is the last member of PyFrameObject. */
	agent.frame_locals = *(uint64_t *)((char *)py.PyFrame_Type + TP_BASICSIZE) - 8;
	hides_subscript = subscript_init();
	until_look = CALLS_PER_LOOK;
	py._PyInterpreterState_SetEvalFrameFunc(interpreter, pydtrace_evalframe);
	return 0;
}

static bool evalframe_leave(bool inside)
{
	if (hides_subscript)
		subscript_leave();
	hides_subscript = false;
	if (!interpreter)
		return !inside;
	/* Someone who came after us calls us as we call what was before us: stay, and pass everything on. */
	if (py._PyInterpreterState_GetEvalFrameFunc(interpreter) == pydtrace_evalframe)
		py._PyInterpreterState_SetEvalFrameFunc(interpreter, saved);
	else if (py._PyInterpreterState_GetEvalFrameFunc(interpreter) != saved)
		return false;
	interpreter = NULL; /* out for good, whatever is installed later */
	return !inside;
}

const struct mechanism mechanism_evalframe = {39, evalframe_init, evalframe_leave};
