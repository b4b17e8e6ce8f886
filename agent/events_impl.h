// SPDX-License-Identifier: Apache-2.0
/*
 * What both ways to get events do with one: ask whether there is still somebody to see it, and pass it to its site. In
 * a header, for every event pays for it.
 */
#ifndef PYDTRACE_AGENT_EVENTS_IMPL_H
#define PYDTRACE_AGENT_EVENTS_IMPL_H

#include "agent_impl.h"

/* To be asked before each event: must it be left out, because there is nobody to see it? */
static inline bool agent_away(void)
{
	if (unlikely(!*agent.mine))
		return agent_orphan();
	if (unlikely(agent.inert))
		return true;
	if (unlikely(*(volatile uint32_t *)&agent.page->owner & WIRE_OWNER_DIED))
		return agent_abandoned();
	return false;
}

/* peer.c: another instance asks us to look whether there is still a reason to be here. */
bool agent_poke(void);

/* sites.S */
extern wire_site pydtrace_site_entry, pydtrace_site_return;

static inline void agent_entry(struct matched *m)
{
	if (!m->filters[WIRE_ENTRY])
		return;
	agent.page->events[WIRE_ENTRY]++;
	pydtrace_site_entry(m->fid, m->filters[WIRE_ENTRY], m->file, m->func, m->firstline, m->function);
}

static inline void agent_return(struct matched *m, int offset)
{
	if (!m->filters[WIRE_RETURN])
		return;
	agent.page->events[WIRE_RETURN]++;
	pydtrace_site_return(m->fid, m->filters[WIRE_RETURN], m->file, m->func, record_line(m, offset),
			     m->function);
}

#endif
