// SPDX-License-Identifier: Apache-2.0
/* What a program may touch: its stack, its context (reading), values of maps, and records that it has reserved. */
#include <errno.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "exec/vm_impl.h"

static bool within(u64 addr, u64 n, const void *start, u64 size)
{
	u64 off = addr - (u64)(uintptr_t)start;

	return off < size && n <= size - off;
}

/* The frames of the running function and of its callers, which may hand down pointers. */
static bool on_stack(const struct vm_run *r, u64 addr, u64 n)
{
	return within(addr, n, r->stack, (u64)r->depth * VM_FRAME_SIZE);
}

/* Within one value: not across to the next, nor to another CPU's. */
static bool in_map(const struct vm_map *m, u64 addr, u64 n)
{
	u64 off;

	if (!m->data || !m->step || !within(addr, n, m->data, m->size))
		return false;
	off = (addr - (u64)(uintptr_t)m->data) % m->step % m->stride;
	return off < m->def->value_size && n <= m->def->value_size - off;
}

u8 *vm_memory(struct vm_run *r, u64 addr, u64 n, bool write)
{
	const struct vm *vm = r->vm;
	u8 *p = (u8 *)(uintptr_t)addr;

	if (on_stack(r, addr, n))
		return p;
	if (!write && within(addr, n, r->ctx, r->ctx_size))
		return p;
	for (u32 i = 0; i < vm->exec.image->nmaps; i++) {
		if (in_map(&vm->maps[i], addr, n))
			return p;
	}
	for (u32 i = 0; i < r->nreserved; i++) {
		if (within(addr, n, r->reserved[i].p, r->reserved[i].size))
			return p;
	}
	r->error = -EFAULT;
	return NULL;
}

/*
 * The current task is no memory here, but made up word by word: two tasks, the current one at VM_TASK and its parent
 * behind it, that have the members of exec_task_layout.
 */
enum { TASK_REAL_PARENT = 8, TASK_TGID = 16, TASK_SUM_EXEC_RUNTIME = 24, TASK_SIZE = 64 };

struct exec_task_layout vm_task_layout(void)
{
	return (struct exec_task_layout){TASK_REAL_PARENT, TASK_TGID, TASK_SUM_EXEC_RUNTIME};
}

static bool load_task(struct vm_run *r, u64 addr, u32 size, u64 *v)
{
	u64 off = addr - VM_TASK;
	bool parent = off >= TASK_SIZE;

	if (off >= 2 * TASK_SIZE)
		return false;
	off %= TASK_SIZE;
	if (off == TASK_REAL_PARENT && size == 8 && !parent)
		*v = VM_TASK + TASK_SIZE;
	else if (off == TASK_TGID && size == 4)
		*v = (u32)(parent ? vm_fact(r, EXEC_PPID)->ppid : r->thread->pid);
	else if (off == TASK_SUM_EXEC_RUNTIME && size == 8 && !parent)
		*v = vm_run_time(r->thread);
	else
		return false;
	return true;
}

bool vm_is_task(u64 addr)
{
	return addr - VM_TASK < 2 * TASK_SIZE;
}

u64 vm_load(struct vm_run *r, u64 addr, u32 size)
{
	u64 v = 0;
	u8 *p;

	if (load_task(r, addr, size, &v))
		return v;
	p = vm_memory(r, addr, size, false);
	if (p)
		memcpy(&v, p, size); /* little endian, as all that we run on */
	return v;
}

struct vm_map *vm_map_of(struct vm_run *r, u64 addr)
{
	const struct vm *vm = r->vm;
	u64 off = addr - (u64)(uintptr_t)vm->maps;

	if (off < vm->exec.image->nmaps * sizeof(struct vm_map) && off % sizeof(struct vm_map) == 0)
		return (struct vm_map *)(uintptr_t)addr;
	r->error = -EFAULT;
	return NULL;
}
