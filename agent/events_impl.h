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

/* sites.S: the ways into the sites */
extern wire_site agent_pass_entry __attribute__((visibility("hidden")));
extern wire_site agent_pass_return __attribute__((visibility("hidden")));
extern wire_site agent_trap_entry __attribute__((visibility("hidden")));
extern wire_site agent_trap_return __attribute__((visibility("hidden")));

/* By mail this may end in going inert: then `m` is gone. */
static inline void agent_pass(struct matched *m, enum wire_event event, uint32_t kind, wire_site *site,
			      int64_t line, uint64_t call)
{
	agent_count(&agent.page->events[event]);
	if (unlikely(agent.mail))
		agent_mail(m, event, kind, line, call);
	else if (unlikely(agent.follow))
		(event == WIRE_ENTRY ? agent_trap_entry : agent_trap_return)(
		    m->fid, m->filters[event][kind], m->file, m->func, line, m->function, call, kind);
	else
		site(m->fid, m->filters[event][kind], m->file, m->func, line, m->function, call, kind);
}

/* A body begins to run, in the way that `kind` says, or goes on to; `call` names the call, as wire.h says. */
static inline void agent_entry(struct matched *m, uint32_t kind, uint64_t call)
{
	if (!m->filters[WIRE_ENTRY][kind])
		return;
	if (likely(m->function))
		agent_pass(m, WIRE_ENTRY, kind, agent_pass_entry, m->firstline, call);
	else
		agent_count(&agent.page->dropped_events);
}

/* A body runs no longer; `offset`, in bytes, is that of the instruction that it was left from. */
static inline void agent_return(struct matched *m, uint32_t kind, int offset, uint64_t call)
{
	if (!m->filters[WIRE_RETURN][kind])
		return;
	if (likely(m->function))
		agent_pass(m, WIRE_RETURN, kind, agent_pass_return, record_line(m, offset), call);
	else
		agent_count(&agent.page->dropped_events);
}

#endif
