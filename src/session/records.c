// SPDX-License-Identifier: Apache-2.0
/* The consumer of a run, and what it asks of the session: names, and the ERROR probe. */
#include <errno.h>

#include "session/session_impl.h"

static int names(void *arg, u64 ident, struct consumer_names *out)
{
	struct session *s = arg;
	u32 id = CG_IDENT_ID(ident), fid = CG_IDENT_FID(ident);

	if (!id || id > s->probes.n)
		return -ENOENT;

	const struct probe *p = s->probes.v[id - 1];

	*out = (struct consumer_names){p->prov, p->mod, p->func, p->name};
	if (!fid || !p->group->provider->names)
		return 0;
	return p->group->provider->names(session_provider_of(s, p->group->provider)->run, p, fid, &out->mod,
					 &out->func);
}

/* Fire the ERROR probe; not for a fault in an ERROR clause itself. */
static void fault(void *arg, u32 epid, u32 action, u32 code, u64 value)
{
	struct session *s = arg;
	const struct provider_group *g = session_group(s, "ERROR");
	const u64 args[10] = {[1] = epid, [2] = action, [3] = 0, [4] = code, [5] = value};

	if (g && !(epid && epid <= s->enablings.n && s->enablings.v[epid - 1].group == g->cg_index))
		exec_fire(s->exec, g->cg_index, args, ARRAY_SIZE(args));
}

int session_consumer_open(struct session *s)
{
	const s64 *opt = s->cfg->opt.n;
	const struct consumer_config cfg = {
	    .in = &s->in,
	    .cg = &s->cg,
	    .exec = s->exec,
	    .out = s->out,
	    .opt =
		{
		    .quiet = opt[SESSION_QUIET],
		    .flowindent = opt[SESSION_FLOWINDENT],
		    .strsize = s->env.strsize,
		    .aggsortkey = opt[SESSION_AGGSORTKEY],
		    .aggsortrev = opt[SESSION_AGGSORTREV],
		    .aggsortpos = (u32)opt[SESSION_AGGSORTPOS],
		    .aggsortkeypos = (u32)opt[SESSION_AGGSORTKEYPOS],
		    .rawbytes = opt[SESSION_RAWBYTES],
		},
	    .diag = s->diag,
	    .arg = s,
	    .names = names,
	    .error = fault,
	};

	return consumer_new(&s->consumer, &cfg);
}
