// SPDX-License-Identifier: Apache-2.0
/* What the providers share. */
#ifndef PYDTRACE_PROVIDER_IMPL_H
#define PYDTRACE_PROVIDER_IMPL_H

#include "provider/provider.h"

/* Does the description speak of this probe: by its four names, or by its number? */
bool provider_desc_matches(const struct d_desc *d, const struct probe *p);

/* Call `found` for each probe of the group that has a name and that `d` matches. */
void provider_match(const struct provider_group *g, const struct d_desc *d,
		    void (*found)(void *arg, struct probe *p), void *arg);

/* Zero each argument of `mask` (bit n: argN; bit 10: errno) at r10 + off. */
void provider_args_zero(struct asm_buf *b, u32 mask, s16 off);
#define PROVIDER_ARG_ERRNO 10
#define PROVIDER_NARGS     11

#endif
