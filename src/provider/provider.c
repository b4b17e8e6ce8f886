// SPDX-License-Identifier: Apache-2.0
#include "provider/provider_impl.h"

/*
 * The order is that of the numbers that probes get: BEGIN, END and ERROR have been 1, 2 and 3 in every DTrace. It is
 * also the order of attaching: the python provider last, so that a process is touched when all else has gone well.
 */
const struct provider *const provider_table[] = {
    &provider_dtrace, &provider_syscall, &provider_profile, &provider_python, NULL,
};

bool provider_desc_matches(const struct d_desc *d, const struct probe *p)
{
	if (d->by_id)
		return d->id == p->id;
	return glob_match(d->name, p->name) && glob_match(d->func, p->func) && glob_match(d->mod, p->mod) &&
	       glob_match(d->prov, p->prov);
}

void provider_match(const struct provider_group *g, const struct d_desc *d,
		    void (*found)(void *arg, struct probe *p), void *arg)
{
	for (size_t i = 0; i < g->probes.n; i++) {
		struct probe *p = g->probes.v[i];

		if (*p->name && provider_desc_matches(d, p))
			found(arg, p);
	}
}

void provider_args_zero(struct asm_buf *b, u32 mask, s16 off)
{
	for (int n = 0; n < PROVIDER_NARGS; n++)
		if (mask & 1u << n)
			asm_store_imm(b, BPF_DW, BPF_REG_10, (s16)(off + 8 * n), 0);
}
