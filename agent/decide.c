// SPDX-License-Identifier: Apache-2.0
/* A code object is seen for the first time: does it match, and if so, on the page with it. */
#include "events_impl.h"

/*
 * To make a weak reference may collect garbage, and that runs anything: the decision is over by then, so that
 * functions which are called there are seen, and what they may have changed is looked at again.
 */
static struct matched *decided_on(struct facts *f, uint64_t filters, struct interp *in)
{
	struct pyobj *ref = weak_new(f->code);
	struct matched *m = NULL;

	if (!agent_away()) { /* else nothing is in the table */
		agent_change_begin();
		m = table_find(&agent.table, f->code)->matched;
		if (!m && !agent.inert)
			m = record_function(f, filters, ref, in);
		agent_change_end();
	}
	if (!m || m->ref != ref)
		py.Py_DecRef(ref);
	return m;
}

struct matched *agent_decide(struct pyobj *code, struct pyobj *globals)
{
	void *thread = py.PyThreadState_Get();
	struct interp *in = interp_here();
	void **deciding = in ? &in->deciding : &agent.deciding, *outer = *deciding;
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
	*deciding = agent.free_threaded ? NULL : thread; /* see monitoring.c */
	facts_init(&f, code, globals);
	filters = match_filters(agent.plan, &f);
	for (int i = 0; filters && i < NFIELDS; i++)
		if (i != WIRE_LINE)
			facts_text(&f, i);
	*deciding = outer;
	if (!agent_away()) {
		agent_count(&agent.page->seen);
		if (filters)
			m = decided_on(&f, filters, in);
	}
	facts_done(&f);
	py.Py_DecRef(code);
	py_error_restore(&error);
	active_leave(calls);
	return m;
}
