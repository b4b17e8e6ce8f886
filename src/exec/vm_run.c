// SPDX-License-Identifier: Apache-2.0
/* One run of a program, and what is left of a thread in the maps when it is gone. */
#include <errno.h>

#include "exec/vm_impl.h"

int vm_run_program(struct vm *vm, u32 prog, const void *ctx, u32 size, struct exec_thread *t, exec_read_fn *read,
		   void *arg, u64 *r0)
{
	u64 args[5] = {(u64)(uintptr_t)ctx}, result, start = now_ns();
	struct vm_run r; /* not all of it is cleared: the stack is, frame by frame */

	r.vm = vm;
	r.code = &vm->progs[prog];
	r.ctx = ctx;
	r.ctx_size = size;
	r.thread = t;
	r.read = read;
	r.read_arg = arg;
	/* One program runs at a time, so which CPU's values it uses does not matter. */
	r.cpu = t->known & EXEC_CPU ? t->cpu % vm->exec.ncpus : 0;
	r.budget = VM_BUDGET;
	r.depth = r.nreserved = 0;
	r.error = 0;

	pthread_mutex_lock(&vm->lock);
	vm_call(&r, 0, args, r0 ? r0 : &result);
	/* A program that broke off leaves no record half made: the ring would stand still there. */
	while (r.nreserved) {
		vm_ring_submit(r.reserved[--r.nreserved].p, true);
		if (!r.error)
			r.error = -EFAULT;
	}
	vm->stats[prog].runs++;
	vm->stats[prog].ns += now_ns() - start;
	pthread_mutex_unlock(&vm->lock);
	return r.error;
}

void vm_storage_drop(struct vm *vm, u64 cookie)
{
	pthread_mutex_lock(&vm->lock);
	for (u32 i = 0; i < vm->exec.image->nmaps; i++)
		if (vm->maps[i].type == &vm_storage_type)
			vm_storage_type.remove(&vm->maps[i], &cookie);
	pthread_mutex_unlock(&vm->lock);
}
