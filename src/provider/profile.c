// SPDX-License-Identifier: Apache-2.0
/*
 * profile:::tick-N and profile-N. tick-N fires on one CPU, from the tracer's own loop; profile-N on each CPU, from a
 * clock's interrupt, whatever runs there. N is a rate in hertz, or a time with one of the units below.
 */
#include <asm/ptrace.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "provider/provider_impl.h"

#define NSEC     1000000000ull
#define SHORTEST 200000 /* ns; DTrace refuses what is faster than 5,000 Hz */

enum clock_kind { CLOCK_TICK, CLOCK_PROFILE };

struct clock {
	enum clock_kind kind;
	u64 period, next; /* ns; CLOCK_MONOTONIC */
	struct provider_group *group;
	bool on;
};

struct provider_run {
	struct provider_env *env;
	VEC(struct clock *) clocks;
};

/* What -l shows; any other rate is made when a description names it. */
static const char *const listed[] = {
    "profile-97", "profile-199", "profile-499", "profile-997", "profile-1999", "profile-4001", "profile-4999",
    "tick-1",     "tick-10",     "tick-100",    "tick-500",    "tick-1000",    "tick-5000",
};

static const struct {
	const char *suffix;
	u64 ns;
} units[] = {
    {"ns", 1},          {"nsec", 1},           {"us", 1000},        {"usec", 1000},        {"ms", 1000000},
    {"msec", 1000000},  {"s", NSEC},           {"sec", NSEC},       {"m", 60 * NSEC},      {"min", 60 * NSEC},
    {"h", 3600 * NSEC}, {"hour", 3600 * NSEC}, {"d", 86400 * NSEC}, {"day", 86400 * NSEC},
};

/* "100", "100hz", "10ms": nanoseconds, or 0 when it is no rate that we can keep. */
static u64 period_parse(const char *s)
{
	char *end;

	if (*s < '0' || *s > '9')
		return 0;
	errno = 0;

	u64 n = strtoull(s, &end, 10), ns = 0;

	if (errno || !n)
		return 0;
	if (!*end || !strcasecmp(end, "hz"))
		ns = NSEC / n;
	for (size_t i = 0; i < ARRAY_SIZE(units); i++)
		if (!strcasecmp(end, units[i].suffix) && __builtin_mul_overflow(n, units[i].ns, &ns))
			return 0;
	return ns >= SHORTEST && ns <= INT64_MAX ? ns : 0;
}

static bool name_parse(const char *name, enum clock_kind *kind, u64 *period)
{
	if (!strncmp(name, "tick-", 5))
		*kind = CLOCK_TICK;
	else if (!strncmp(name, "profile-", 8))
		*kind = CLOCK_PROFILE;
	else
		return false;
	*period = period_parse(strchr(name, '-') + 1);
	return *period != 0;
}

/* tick-N has no place that it interrupts: all its arguments are 0. */
static void tick_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	provider_args_zero(b, mask, off);
}

/* arg0 is where the kernel was interrupted, arg1 where the user's program was; one of them is 0. */
static void profile_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	provider_args_zero(b, mask, off);
#ifdef __x86_64__
	asm_label user = asm_label_new(b), done = asm_label_new(b);

	if (!(mask & 3))
		return;
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, offsetof(struct pt_regs, rip));
	asm_branch_imm(b, BPF_JSGE, BPF_REG_0, 0, user); /* the kernel's addresses are the upper half */
	if (mask & 1)
		asm_store(b, BPF_DW, BPF_REG_10, off, BPF_REG_0);
	asm_jump(b, done);
	asm_label_here(b, user);
	if (mask & 2)
		asm_store(b, BPF_DW, BPF_REG_10, (s16)(off + 8), BPF_REG_0);
	asm_label_here(b, done);
#endif
}

static const struct cg_group_ops clock_ops[] = {
    [CLOCK_TICK] = {.args = tick_args},
    [CLOCK_PROFILE] = {.args = profile_args},
};

static bool profile_claims(const char *prov)
{
	return glob_match(prov, "profile");
}

static struct clock *clock_add(struct provider_run *r, const char *name, enum clock_kind kind, u64 period)
{
	struct provider_env *env = r->env;
	struct clock *c = arena_alloc(env->arena, sizeof(*c));

	name = arena_strdup(env->arena, name);
	c->kind = kind;
	c->period = period;
	c->group = env->add_group(env, &(struct provider_group){
					   .provider = &provider_profile,
					   .name = name,
					   .kind = kind == CLOCK_TICK ? ASM_RAW_TRACEPOINT : ASM_CLOCK,
					   .ops = &clock_ops[kind],
					   .data = c,
					   .irq_context = kind == CLOCK_PROFILE,
				       });
	env->add_probe(env, c->group, &(struct probe){.prov = "profile", .mod = "", .func = "", .name = name});
	*vec_push(env->arena, &r->clocks) = c;
	return c;
}

static int profile_open(struct provider_run **out, struct provider_env *env)
{
	struct provider_run *r = arena_alloc(env->arena, sizeof(*r));

	r->env = env;
	for (size_t i = 0; i < ARRAY_SIZE(listed); i++) {
		enum clock_kind kind;
		u64 period;

		if (name_parse(listed[i], &kind, &period))
			clock_add(r, listed[i], kind, period);
	}
	*out = r;
	return 0;
}

static struct clock *clock_by_name(struct provider_run *r, const char *name)
{
	for (size_t i = 0; i < r->clocks.n; i++)
		if (!strcmp(r->clocks.v[i]->group->name, name))
			return r->clocks.v[i];
	return NULL;
}

static int profile_expand(struct provider_run *r, const struct d_desc *d, void (*found)(void *arg, struct probe *p),
			  void *arg)
{
	enum clock_kind kind;
	u64 period;

	if (!d->by_id && name_parse(d->name, &kind, &period) && !clock_by_name(r, d->name))
		clock_add(r, d->name, kind, period);
	for (size_t i = 0; i < r->clocks.n; i++)
		provider_match(r->clocks.v[i]->group, d, found, arg);
	return 0;
}

static int profile_attach(struct provider_run *r, struct provider_group *g, struct exec *e)
{
	struct clock *c = g->data;

	if (c->kind == CLOCK_PROFILE)
		return exec_attach_clock(e, g->cg_index, -1, c->period, r->env->diag);
	c->next = now_ns() + c->period;
	c->on = true;
	return 0;
}

static int profile_detach(struct provider_run *r)
{
	for (size_t i = 0; i < r->clocks.n; i++)
		r->clocks.v[i]->on = false;
	return 0;
}

static s64 profile_timeout(struct provider_run *r)
{
	u64 first = UINT64_MAX, t = now_ns();

	for (size_t i = 0; i < r->clocks.n; i++)
		if (r->clocks.v[i]->on && r->clocks.v[i]->next < first)
			first = r->clocks.v[i]->next;
	if (first == UINT64_MAX)
		return -1;
	return first > t ? (s64)(first - t) : 0;
}

/* A tick that comes late is not made up for: the next one is on the grid that began when tracing did. */
static int profile_tick(struct provider_run *r, struct exec *e)
{
	static const u64 args[PROVIDER_ARG_ERRNO];
	u64 t = now_ns();
	int err = 0;

	for (size_t i = 0; i < r->clocks.n; i++) {
		struct clock *c = r->clocks.v[i];

		if (!c->on || c->next > t)
			continue;
		c->next += (1 + (t - c->next) / c->period) * c->period;
		int one = exec_fire(e, c->group->cg_index, args, ARRAY_SIZE(args));

		err = err ? err : one;
	}
	return err;
}

const struct provider provider_profile = {
    .name = "profile",
    .summary = "time: tick-N on one CPU, profile-N on each (hz, or with a unit: ns us ms s m h d)",
    .claims = profile_claims,
    .open = profile_open,
    .expand = profile_expand,
    .attach = profile_attach,
    .detach = profile_detach,
    .timeout = profile_timeout,
    .tick = profile_tick,
};
