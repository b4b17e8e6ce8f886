// SPDX-License-Identifier: Apache-2.0
/*
 * Who runs the programs: what -x exec names; else the kernel, where eBPF may be used, and the vm where it may not, with the
 * reason kept for who asks (-v, notice.c). What does not trace compiles for the kernel.
 */
#include <errno.h>

#include "session/session_impl.h"

static bool traces(const struct session *s)
{
	return s->cfg->mode == SESSION_TRACE && !s->cfg->opt.text[SESSION_DUMP];
}

int session_exec_force(struct session *s)
{
	const char *name = s->cfg->opt.text[SESSION_EXEC];

	if (!name)
		return 0;
	s->exec_ops = exec_by_name(name);
	if (!s->exec_ops)
		return diag_fail(s->diag, EINVAL, "there is no executor '%s'", name);
	if (s->exec_ops != &exec_kernel)
		s->exec_why = arena_printf(s->arena, "-x exec=%s", name);
	return traces(s) ? s->exec_ops->probe(s->diag) : 0;
}

/* What the script's probes are made of in the kernel. */
static u32 needs(const struct session *s)
{
	static const u32 by_kind[] = {[ASM_UPROBE] = BPF_NEED_UPROBES, [ASM_CLOCK] = BPF_NEED_CLOCKS};
	u32 need = 0;

	for (size_t i = 0; i < s->clauses.n; i++) {
		const struct session_clause *c = &s->clauses.v[i];

		for (size_t n = 0; n < c->matches.n; n++)
			if (c->matches.v[n].group->kind < ARRAY_SIZE(by_kind))
				need |= by_kind[c->matches.v[n].group->kind];
	}
	return need;
}

/* Of descriptors and memory the vm needs no less: that is to be said, not to be evaded. */
static bool is_shortage(int err)
{
	return err == -EMFILE || err == -ENFILE || err == -ENOMEM;
}

int session_exec_choose(struct session *s)
{
	struct bpf_lack lack;
	int err;

	if (s->exec_ops)
		return 0;
	s->exec_ops = &exec_kernel;
	if (!traces(s))
		return 0;
	err = s->exec_lack(needs(s), &lack);
	if (!err)
		return 0;
	if (is_shortage(err))
		return exec_kernel.probe(s->diag);
	s->exec_ops = &exec_vm;
	s->exec_why = arena_strdup(s->arena, lack.why);
	s->exec_caps = *lack.caps ? arena_strdup(s->arena, lack.caps) : NULL;
	return s->exec_ops->probe(s->diag);
}
