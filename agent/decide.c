// SPDX-License-Identifier: Apache-2.0
/* A code object is seen for the first time: does it match, and if so, on the page with it. */
#include "events_impl.h"

/*
 * To make a weak reference may collect garbage, and that runs anything: the decision is over by then, so that
 * functions which are called there are seen, and what they may have changed is looked at again.
 */
static struct matched *decided_on(struct facts *f, uint64_t filters)
{
	struct pyobj *ref = weak_new(f->code);
	bool away = agent_away(); /* then nothing is in the table */
	struct matched *m = table_find(&agent.table, f->code)->matched;

	if (!m && !away)
		return record_function(f, filters, ref);
	py.Py_DecRef(ref);
	return m;
}

struct matched *agent_decide(struct pyobj *code, struct pyobj *globals)
{
	void *thread = py.PyThreadState_Get(), *outer = agent.deciding;
	struct calls *calls = active_enter(thread);
	struct matched *m = NULL;
	struct py_error error;
	struct facts f;
	uint64_t filters;

	py_error_save(&error);
	py.Py_IncRef(code);

	/*
	 * Reading facts can run the program's own code in one odd case (a key of the module's globals with an __eq__),
	 * and another thread may then decide on the same code object: so look again before it is recorded.
	 */
	agent.deciding = thread;
	facts_init(&f, code, globals);
	filters = match_filters(agent.page, &f);
	for (int i = 0; filters && i < NFIELDS; i++)
		if (i != WIRE_LINE)
			facts_text(&f, i);
	agent.deciding = outer;
	if (!agent_away()) {
		agent.page->seen++;
		if (filters)
			m = decided_on(&f, filters);
	}
	facts_done(&f);
	py.Py_DecRef(code);
	py_error_restore(&error);
	active_leave(calls);
	return m;
}
