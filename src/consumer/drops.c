// SPDX-License-Identifier: Apache-2.0
/* What was lost, in dtrace's words. */
#include "consumer/consumer_impl.h"

static const struct {
	const char *what, *remedy;
} drops[] = {
    [CG_DROP_RECORD] = {"drop", "raise bufsize or switchrate"},
    [CG_DROP_AGG] = {"aggregation drop", "raise aggsize"},
    [CG_DROP_DYNVAR] = {"dynamic variable drop", "raise dynvarsize"},
    [CG_DROP_SLOT] = {"dynamic variable drop", "too many threads for thread-local variables; raise dynvarsize"},
};

static void report(struct consumer *c, u64 n, const char *what, const char *remedy)
{
	diag_report(c->cfg.diag, DIAG_NOTE, NOWHERE, "%llu %s%s (%s)", (unsigned long long)n, what,
		    n > 1 ? "s" : "", remedy);
}

void consumer_report_drops(struct consumer *c)
{
	const struct cg_state *state = exec_map_memory(c->cfg.exec, c->cfg.cg->map_state);

	for (u32 i = 0; state && i < ARRAY_SIZE(drops); i++) {
		u64 now = __atomic_load_n(&state->drops[i], __ATOMIC_RELAXED);

		if (now > c->drops_told[i])
			report(c, now - c->drops_told[i], drops[i].what, drops[i].remedy);
		c->drops_told[i] = now;
	}
	if (c->undecoded > c->undecoded_told)
		report(c, c->undecoded - c->undecoded_told, "unreadable record",
		       "a bug in pydtrace; please report it");
	c->undecoded_told = c->undecoded;
}
