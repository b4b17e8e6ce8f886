// SPDX-License-Identifier: Apache-2.0
/* What another instance of the agent, in the same process, calls in us. It finds us by what peer.h says. */
#include "events_impl.h"

bool agent_poke(void)
{
	return agent.page ? agent_away() : agent.inert;
}
