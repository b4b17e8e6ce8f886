// SPDX-License-Identifier: Apache-2.0
/* profile-N by our own clock: each CPU's firing comes from here, one after the other, and interrupts nothing. */
#include <asm/ptrace.h>
#include <string.h>
#include <unistd.h>

#include "exec/vm_live_impl.h"

/* struct bpf_perf_event_data of an interrupt that stood nowhere. */
struct clock_context {
	struct pt_regs regs;
	u64 sample_period, addr;
};

static void clock_fire(struct vm *vm, const struct vm_clock *c)
{
	u32 first = c->cpu < 0 ? 0 : (u32)c->cpu, last = c->cpu < 0 ? vm->exec.ncpus - 1 : first;
	const struct clock_context ctx = {.sample_period = c->period};
	struct exec_thread t = vm_self();

	for (t.cpu = first; t.cpu <= last; t.cpu++)
		vm_run_program(vm, c->prog, &ctx, sizeof(ctx), &t, NULL, NULL, NULL);
}

/* One that comes late is not made up for: the next is on the grid that began when tracing did. */
u32 vm_clocks_fire(struct vm *vm, u64 now)
{
	u32 fired = 0;

	for (size_t i = 0; i < vm->live->clocks.n; i++) {
		struct vm_clock *c = &vm->live->clocks.v[i];

		if (c->next > now)
			continue;
		c->next += (1 + (now - c->next) / c->period) * c->period;
		clock_fire(vm, c);
		fired++;
	}
	return fired;
}

u64 vm_clocks_next(const struct vm *vm)
{
	u64 next = UINT64_MAX;

	for (size_t i = 0; i < vm->live->clocks.n; i++)
		if (vm->live->clocks.v[i].next < next)
			next = vm->live->clocks.v[i].next;
	return next;
}
