// SPDX-License-Identifier: Apache-2.0
/*
 * 3.12 and later: sys.monitoring is each interpreter's own, and its objects may be touched only by a thread that runs it, with its GIL,
 * which need not be anybody else's. To make a thread state of ours there (PyThreadState_New()) would end the process if the
 * interpreter ended just then (Py_EndInterpreter(): "not the last thread"), and to wait for another GIL could deadlock. So we wait
 * until a thread of the interpreter's own comes by: the frame evaluator of that interpreter (PEP 523) is ours until the next
 * function is called in it. That call comes in, or takes out what is to go, puts back the evaluator that was there, and goes on.
 * An interpreter that runs nothing has nothing to be counted meanwhile.
 */
#include "events_impl.h"

#define NINTERPS 1024

extern agent_eval pydtrace_turn; /* sites.S: the jump to interp_turn() */
agent_eval interp_turn;
agent_eval **turn_next(void *state); /* for sites.S */

static struct interp interps[NINTERPS];
static uint32_t ninterps; /* used so far */
static uint32_t eval_at;  /* of the evaluator's address in an interpreter */

struct interp *interp_of(const void *state)
{
	uint32_t n = __atomic_load_n(&ninterps, __ATOMIC_ACQUIRE);

	for (uint32_t i = 0; i < n; i++)
		if (__atomic_load_n(&interps[i].state, __ATOMIC_ACQUIRE) == state)
			return &interps[i];
	return NULL;
}

struct interp *interp_here(void)
{
	return interp_of(py.PyInterpreterState_Get());
}

/* The word that says who evaluates the frames of an interpreter; NULL in it: the interpreter itself. */
static agent_eval **eval_of(void *state)
{
	return (agent_eval **)((char *)state + eval_at);
}

/*
 * Where that word is, by asking for it of memory that is no interpreter, and in which each word says where it is. It is then
 * written without the interpreter's own function, which is for its own threads where it has compiled code.
 */
static int eval_find(void)
{
	const size_t size = 1 << 20;
	uintptr_t *fake = agent_map(size), found;

	if (!fake)
		return -ENOMEM;
	for (size_t i = 0; i < size / sizeof(*fake); i++)
		fake[i] = i + 1;
	found = (uintptr_t)py._PyInterpreterState_GetEvalFrameFunc(fake) - 1;
	agent_unmap(fake, size);
	if (!found || found >= size / sizeof(*fake))
		return -ENOTSUP;
	eval_at = found * sizeof(*fake);
	return 0;
}

void interp_free(struct interp *in)
{
	lock_take(&agent.locks->state);
	__atomic_store_n(&in->state, NULL, __ATOMIC_RELEASE);
	lock_leave(&agent.locks->state);
}

bool interps_left(void)
{
	for (uint32_t i = 0; i < ninterps; i++)
		if (interps[i].state)
			return true;
	return false;
}

bool interps_inside(void)
{
	for (uint32_t i = 0; i < ninterps; i++)
		if (interps[i].state && (interps[i].inside || interps[i].turning))
			return true;
	return false;
}

/*
 * Other agents may have put theirs before ours, or theirs be what ours calls: before the function there is a mark by which they
 * know each other, and the distance to one that says where it is kept whom it calls in an interpreter.
 */
agent_eval **turn_next(void *state)
{
	struct interp *in = interp_of(state);

	return in && in->put ? &in->eval : NULL;
}

static agent_eval **next_of(agent_eval *eval, void *state)
{
	const char *p = (const char *)eval;

	if (!p || ((uintptr_t)p & 4095) < 16 || *(const uint64_t *)(p - 16) != AGENT_TURN_MARK)
		return NULL;
	return ((agent_eval * *(*)(void *))(p - 8 + *(const int64_t *)(p - 8)))(state);
}

/* Does the interpreter call our evaluator, directly or after other agents'? */
static bool turn_is_there(const struct interp *in)
{
	agent_eval **word = eval_of(in->state);

	while (word && *word != pydtrace_turn)
		word = next_of(*word, in->state);
	return word;
}

/* Once: who is called by ours must never be ours again. The lock is held. */
static void put_locked(struct interp *in)
{
	agent_eval **eval = eval_of(in->state);

	if (in->put)
		return;
	in->put = true;
	if (turn_is_there(in))
		return;
	in->eval = *eval;
	__atomic_store_n(eval, pydtrace_turn, __ATOMIC_RELEASE);
}

/* With the list of interpreters held, or in a thread that runs this one. */
void turn_put(struct interp *in)
{
	lock_take(&agent.locks->state);
	put_locked(in);
	lock_leave(&agent.locks->state);
}

/*
 * An interpreter that begins may have been met from outside a moment before: then it is known, and so is whom our evaluator calls in it.
 * One that is at the place of another, which has ended, has not our evaluator.
 */
struct interp *interp_add(void *state)
{
	struct interp *in;

	lock_take(&agent.locks->state);
	in = interp_of(state);
	if (in && in->put && turn_is_there(in))
		goto out;
	if (!in)
		in = interp_of(NULL);
	if (!in && ninterps < NINTERPS)
		in = &interps[ninterps];
	if (in) {
		*in = (struct interp){.tool = -1};
		__atomic_store_n(&in->state, state, __ATOMIC_RELEASE);
		if (in == &interps[ninterps])
			__atomic_store_n(&ninterps, ninterps + 1, __ATOMIC_RELEASE);
	}
out:
	lock_leave(&agent.locks->state);
	return in;
}

/* False: somebody whom we do not know calls it, and it must stay. */
static bool turn_take(struct interp *in)
{
	agent_eval **word = eval_of(in->state);

	while (word && in->put && *word != pydtrace_turn)
		word = next_of(*word, in->state);
	if (!word)
		return false;
	if (in->put)
		__atomic_store_n(word, in->eval, __ATOMIC_RELEASE);
	in->put = false;
	return true;
}

/* Is this thread, which runs the interpreter, to come in or go out? Not when we have left it from outside meanwhile. */
static bool turn_begin(struct interp *in, const void *state)
{
	bool ours;

	lock_take(&agent.locks->state);
	ours = in->state == state && !in->turning;
	if (ours)
		in->turning = true;
	lock_leave(&agent.locks->state);
	return ours;
}

static void turn_end(struct interp *in)
{
	lock_take(&agent.locks->state);
	in->turning = false;
	lock_leave(&agent.locks->state);
}

/* The next function is called in an interpreter. What is to be called for it, then. */
static void turn(struct interp *in, const void *state)
{
	struct py_error error;

	if (!turn_begin(in, state))
		return;
	turn_take(in);
	py_error_save(&error);
	if (!agent_away() && !in->inside)
		interp_come(in);
	else if (agent.inert)
		interp_go(in);
	py_error_restore(&error);
	turn_end(in);
}

struct pyobj *interp_turn(void *tstate, struct pyframe *frame, int throwing)
{
	struct calls *calls = active_enter(tstate);
	void *state = py.PyInterpreterState_Get();
	struct interp *in = interp_of(state);
	agent_eval *eval = in ? in->eval : NULL;

	if (in)
		turn(in, state);
	active_leave(calls);
	return (eval ? eval : py._PyEval_EvalFrameDefault)(tstate, frame, throwing);
}

static void *own; /* the interpreter that this thread runs */

/* For each interpreter there is, from outside: it is to come in, or to go out; one that has not come in goes at once. */
static int turn_of(void *state)
{
	struct interp *in = interp_of(state);

	if (state == own)
		return 0;
	if (!agent.inert) {
		in = in ? in : interp_add(state);
		if (!in)
			return -E2BIG;
		turn_put(in);
		return 0;
	}
	if (!in)
		return 0;
	in->seen = true;
	lock_take(&agent.locks->state);
	if (!in->inside && !in->turning && turn_take(in))
		in->state = NULL;
	else
		put_locked(in);
	lock_leave(&agent.locks->state);
	return 0;
}

/* Those that are not there any more: the process is a child, or they ended before they came in. */
static void ended_forget(void)
{
	for (uint32_t i = 0; i < ninterps; i++)
		if (interps[i].state && interps[i].state != own && !interps[i].seen)
			interps[i].state = NULL;
}

int turns_put(void)
{
	int err = eval_at ? 0 : eval_find();

	own = py.PyInterpreterState_Get();
	for (uint32_t i = 0; i < ninterps; i++)
		interps[i].seen = false;
	if (!err)
		err = interps_each(turn_of);
	if (!err && agent.inert)
		ended_forget();
	return err;
}
