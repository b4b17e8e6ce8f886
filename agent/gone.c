// SPDX-License-Identifier: Apache-2.0
/* What happens when the tracer, or the process that it traced, goes away under us: inert, from inside an event. */
#include "agent_impl.h"

#define MAIN_STACK (8u << 20) /* from its top on it is the main thread's for sure */

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
static void clean_up(void)
{
	struct py_error error;

	agent.postponed = false;
	py_error_save(&error);
	agent.mechanism->leave(true);
	agent_forget();
	py_error_restore(&error);
}

/*
 * From 3.14 on the interpreter measures how much of the C stack is left. In a thread with a small one it refuses our calls
 * (Py_EnterRecursiveCall()), and keeps what we release for a time that does not come (_Py_Dealloc(), the trashcan). So it is left
 * to the main thread, or to who takes us out. And in any version there must be room for calls.
 */
static bool may_clean_up(void)
{
	uintptr_t here = (uintptr_t)__builtin_frame_address(0),
		  top = agent.stack_end ? (uintptr_t)*agent.stack_end : 0;

	return (agent.version < 0x030e || (here < top && top - here < MAIN_STACK)) && room_for_calls();
}

static void agent_go_inert(void)
{
	agent.inert = true;
	if (may_clean_up())
		clean_up();
	else
		agent.postponed = true;
}

void agent_clean_up_late(void)
{
	if (may_clean_up())
		clean_up();
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
	else if (agent.postponed)
		agent_clean_up_late();
	return true;
}

bool agent_abandoned(void)
{
	agent_message("the tracer has gone without leaving", NULL);
	agent_give_up(ESRCH);
	return true;
}
