// SPDX-License-Identifier: Apache-2.0
/* dtrace:::BEGIN, END and ERROR: fired by the session itself, in every phase of a run. */
#include "provider/provider_impl.h"

static const char *const names[] = {"BEGIN", "END", "ERROR"}; /* their numbers are 1, 2, 3 */

struct provider_run {
	struct provider_group *group[ARRAY_SIZE(names)];
};

/* The context is what exec_fire() was given: word n is argN. */
static void event_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	for (int n = 0; n < PROVIDER_ARG_ERRNO; n++) {
		if (!(mask & 1u << n))
			continue;
		asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, (s16)(8 * n));
		asm_store(b, BPF_DW, BPF_REG_10, (s16)(off + 8 * n), BPF_REG_0);
	}
	provider_args_zero(b, mask & 1u << PROVIDER_ARG_ERRNO, off);
}

static const struct cg_group_ops event_ops = {.args = event_args};

static bool dtrace_claims(const char *prov)
{
	return glob_match(prov, "dtrace");
}

static int dtrace_open(struct provider_run **out, struct provider_env *env)
{
	struct provider_run *r = arena_alloc(env->arena, sizeof(*r));

	for (size_t i = 0; i < ARRAY_SIZE(names); i++) {
		r->group[i] = env->add_group(env, &(struct provider_group){
						      .provider = &provider_dtrace,
						      .name = names[i],
						      .kind = ASM_RAW_TRACEPOINT,
						      .ops = &event_ops,
						      .always = true,
						  });
		env->add_probe(env, r->group[i],
			       &(struct probe){.prov = "dtrace", .mod = "", .func = "", .name = names[i]});
	}
	*out = r;
	return 0;
}

static int dtrace_expand(struct provider_run *r, const struct d_desc *d, void (*found)(void *arg, struct probe *p),
			 void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(names); i++)
		provider_match(r->group[i], d, found, arg);
	return 0;
}

const struct provider provider_dtrace = {
    .name = "dtrace",
    .summary = "the run itself: BEGIN, END, ERROR",
    .claims = dtrace_claims,
    .open = dtrace_open,
    .expand = dtrace_expand,
};
