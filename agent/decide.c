// SPDX-License-Identifier: Apache-2.0
/* A code object is seen for the first time: does it match, and if so, on the page with it. */
#include "agent_impl.h"

struct matched *agent_decide(struct pyobj *code, struct pyobj *globals)
{
	struct py_error error;
	struct matched *m = NULL;
	struct facts f;
	uint64_t filters;

	py_error_save(&error);

	/*
	 * Reading facts can run the program's own code in one odd case (a key of the module's globals with an __eq__),
	 * and another thread may then decide on the same code object: so look again before it is recorded.
	 */
	void *outer = agent.deciding;

	agent.deciding = py.PyThreadState_Get();
	agent.active++;
	py.Py_IncRef(code);
	facts_init(&f, code, globals);
	filters = match_filters(agent.page, &f);
	for (int i = 0; filters && i < NFIELDS; i++)
		if (i != WIRE_LINE)
			facts_text(&f, i);
	agent.active--;
	agent.deciding = outer;
	if (agent.inert)
		goto out;
	agent.page->seen++;
	if (filters) {
		const struct decided *d = table_find(&agent.table, code);

		m = d->code ? d->matched : NULL;
		if (!m)
			m = record_function(&f, filters);
		if (m && table_put(&agent.table, &(struct decided){.code = code, .matched = m})) {
			agent.page->dropped_functions++;
			m = NULL;
		}
	}
out:
	facts_done(&f);
	py.Py_DecRef(code);
	py_error_restore(&error);
	return m;
}
