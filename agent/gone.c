// SPDX-License-Identifier: Apache-2.0
/* What happens when the tracer, or the process that it traced, goes away under us: inert, from inside an event. */
#include "agent_impl.h"

void agent_forget(void)
{
	record_free();
	table_free(&agent.table);
	table_free(&agent.refs);
}

/*
 * Events off from inside an event. The page is not touched: there may be none any more. Who calls this, however far up
 * the stack, has no struct matched any more, and finds nothing in the tables.
 */
static void agent_go_inert(void)
{
	struct py_error error;

	agent.inert = true;
	py_error_save(&error);
	agent.mechanism->leave(true);
	agent_forget();
	py_error_restore(&error);
}

void agent_give_up(int err)
{
	agent.page->error = err;
	agent_go_inert();
	__atomic_store_n(&agent.page->state, WIRE_INERT, __ATOMIC_RELEASE);
}

bool agent_orphan(void)
{
	if (!agent.inert)
		agent_go_inert();
	return true;
}

bool agent_abandoned(void)
{
	agent_message("the tracer has gone without leaving", NULL);
	agent_give_up(ESRCH);
	return true;
}
