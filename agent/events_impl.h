// SPDX-License-Identifier: Apache-2.0
/*
 * What both ways to get events do with one: ask whether there is still somebody to see it, and pass it to its site or by
 * mail. In a header, for every event pays for it.
 */
#ifndef PYDTRACE_AGENT_EVENTS_IMPL_H
#define PYDTRACE_AGENT_EVENTS_IMPL_H

#include "agent_impl.h"

/* To be asked before each event: must it be left out, because there is nobody to see it? */
static inline bool agent_away(void)
{
	if (unlikely(!*agent.mine))
		return agent_orphan();
	if (unlikely(agent.inert)) {
		if (unlikely(agent.postponed))
			agent_clean_up_late();
		return true;
	}
	if (unlikely(*(volatile uint32_t *)&agent.page->owner & WIRE_OWNER_DIED))
		return agent_abandoned();
	return false;
}

/* peer.c: another instance asks us to look whether there is still a reason to be here. */
bool agent_poke(void);

/* sites.S */
extern wire_site pydtrace_site_entry, pydtrace_site_return;

/* By mail this may end in going inert: then `m` is gone. */
static inline void agent_pass(struct matched *m, enum wire_event event, wire_site *site, int64_t line)
{
	agent.page->events[event]++;
	if (unlikely(agent.mail))
		agent_mail(m, event, line);
	else
		site(m->fid, m->filters[event], m->file, m->func, line, m->function);
}

static inline void agent_entry(struct matched *m)
{
	if (!m->filters[WIRE_ENTRY])
		return;
	if (likely(m->function))
		agent_pass(m, WIRE_ENTRY, pydtrace_site_entry, m->firstline);
	else
		agent.page->dropped_events++;
}

static inline void agent_return(struct matched *m, int offset)
{
	if (!m->filters[WIRE_RETURN])
		return;
	if (likely(m->function))
		agent_pass(m, WIRE_RETURN, pydtrace_site_return, record_line(m, offset));
	else
		agent.page->dropped_events++;
}

#endif
