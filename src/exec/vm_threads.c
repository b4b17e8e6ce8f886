// SPDX-License-Identifier: Apache-2.0
/*
 * The threads that events came from. Nobody tells us when an untraced one ends, so we look from time to time: much more
 * often than its number can come round again (the kernel hands numbers out in a circle, kernel/pid.c).
 */
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "exec/vm_live_impl.h"

#define REAP_EACH 100000000ull /* ns */

static struct vm_thread **bucket(struct vm_live *l, pid_t tid)
{
	return &l->threads[(u32)tid * 0x9e3779b1u >> 24];
}
_Static_assert(VM_THREAD_BUCKETS == 256, "eight bits of the hash");

/* Is it a thread of the process? */
static bool thread_lives(struct target *process, pid_t tid)
{
	return !syscall(SYS_tgkill, target_pid(process), tid, 0) || errno == EPERM;
}

static int target_memory(void *arg, void *dst, u64 addr, u32 n)
{
	return target_read(arg, addr, dst, n);
}

int vm_run_in(struct vm *vm, u32 prog, const void *ctx, u32 size, struct vm_thread *th, u64 *r0)
{
	struct exec_thread t; /* the name is not cleared: it is not known yet */

	t.pid = target_pid(th->process);
	t.tid = th->tid;
	t.cookie = th->cookie;
	t.known = th->known;
	t.cpu = th->cpu;
	return vm_run_program(vm, prog, ctx, size, &t, target_memory, th->process, r0);
}

void vm_lose(struct vm *vm)
{
	__atomic_add_fetch(&vm->live->lost, 1, __ATOMIC_RELAXED);
}

static struct vm_thread *thread_new(struct vm *vm, struct target *process, pid_t tid, pid_t own_tid)
{
	struct vm_live *l = vm->live;
	struct vm_thread *th = calloc(1, sizeof(*th)), **b = bucket(l, tid);

	if (!th)
		return NULL;
	*th = (struct vm_thread){
	    .next = *b, .process = process, .tid = tid, .own_tid = own_tid, .cookie = ++l->next_cookie};
	*b = th;
	l->nuntraced++;
	return th;
}

void vm_thread_traced(struct vm *vm, struct vm_thread *th, bool traced)
{
	if (th->traced == traced)
		return;
	th->traced = traced;
	vm->live->nuntraced += traced ? -1u : 1u;
}

static struct vm_thread *thread_find(struct vm_live *l, const struct target *process, pid_t tid)
{
	struct vm_thread *th = *bucket(l, tid);

	while (th && (th->tid != tid || th->process != process))
		th = th->next;
	return th;
}

struct vm_thread *vm_thread_get(struct vm *vm, struct target *process, pid_t tid)
{
	struct vm_thread *th = thread_find(vm->live, process, tid);

	if (th || !thread_lives(process, tid))
		return th;
	return thread_new(vm, process, tid, tid);
}

/* --- other pid namespaces --------------------------------------------------------------------------- */

static bool ns_of(const char *who, char *out, size_t size)
{
	char path[64];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%s/ns/pid", who);
	n = readlink(path, out, size - 1);
	out[n > 0 ? n : 0] = '\0';
	return n > 0;
}

bool vm_foreign_tids(struct target *t)
{
	char pid[16], own[64], its[64];

	snprintf(pid, sizeof(pid), "%d", target_pid(t));
	return ns_of("self", own, sizeof(own)) && ns_of(pid, its, sizeof(its)) && strcmp(own, its) != 0;
}

/* The innermost number of a thread: the last on the line NSpid of its status (Linux 4.1). */
static pid_t innermost(struct target *process, pid_t tid)
{
	char name[64], *text, *line, *end;
	pid_t own = 0;

	snprintf(name, sizeof(name), "task/%d/status", tid);
	if (target_file_read(process, name, &text, NULL))
		return 0;
	line = strstr(text, "\nNSpid:");
	end = line ? strchr(line + 1, '\n') : NULL;
	if (end) {
		*end = '\0';
		line = strrchr(line, '\t');
		own = line ? (pid_t)strtol(line, NULL, 10) : 0;
	}
	free(text);
	return own;
}

/* The thread of the process that is called `own_tid` inside, among all of them. */
static pid_t outer_tid(struct target *process, pid_t own_tid)
{
	pid_t *tids, found = 0;
	size_t n;

	if (target_threads(process, &tids, &n))
		return 0;
	for (size_t i = 0; i < n && !found; i++)
		if (innermost(process, tids[i]) == own_tid)
			found = tids[i];
	free(tids);
	return found;
}

struct vm_thread *vm_thread_named(struct vm *vm, const struct vm_site *s, pid_t own_tid)
{
	struct vm_live *l = vm->live;
	struct vm_thread *th;
	pid_t tid;

	if (!s->foreign_tids)
		return vm_thread_get(vm, s->process, own_tid);
	for (size_t b = 0; b < VM_THREAD_BUCKETS; b++)
		for (th = l->threads[b]; th; th = th->next)
			if (th->process == s->process && th->own_tid == own_tid && th->own_tid != th->tid)
				return th;
	tid = outer_tid(s->process, own_tid);
	th = tid ? vm_thread_get(vm, s->process, tid) : NULL;
	if (th)
		th->own_tid = own_tid;
	return th;
}

/* --- the end ---------------------------------------------------------------------------------------- */

static void thread_unlink(struct vm_live *l, struct vm_thread *th)
{
	struct vm_thread **link = bucket(l, th->tid);

	while (*link != th)
		link = &(*link)->next;
	*link = th->next;
}

/* What the kernel does at the end of a thread: the programs hear of it, and its storage is given up. */
static void thread_end(struct vm *vm, struct vm_thread *th)
{
	static const u64 ctx[EXEC_MAX_ARGS];

	thread_unlink(vm->live, th);
	vm_thread_traced(vm, th, false);
	vm->live->nuntraced--;
	if (vm->live->point[VM_PROCESS_EXIT] != VM_NO_PROG)
		vm_run_in(vm, vm->live->point[VM_PROCESS_EXIT], ctx, sizeof(ctx), th, NULL);
	vm_storage_drop(vm, th->cookie);
	free(th);
}

void vm_thread_rename(struct vm *vm, struct vm_thread *th, pid_t tid)
{
	struct vm_thread *old = thread_find(vm->live, th->process, tid);

	if (old == th)
		return;
	if (old)
		thread_end(vm, old);
	thread_unlink(vm->live, th);
	th->tid = th->own_tid = tid;
	th->next = *bucket(vm->live, tid);
	*bucket(vm->live, tid) = th;
}

/* A traced one may be without its number for a while: in the middle of an exec (vm_thread_rename()). */
void vm_thread_reap(struct vm *vm, struct vm_thread *th)
{
	if (!th->traced && !thread_lives(th->process, th->tid))
		thread_end(vm, th);
}

void vm_threads_reap(struct vm *vm, u64 now)
{
	struct vm_live *l = vm->live;

	if (now < l->next_reap)
		return;
	l->next_reap = now + REAP_EACH;
	for (size_t b = 0; b < VM_THREAD_BUCKETS; b++) {
		for (struct vm_thread *next, *th = l->threads[b]; th; th = next) {
			next = th->next;
			vm_thread_reap(vm, th);
		}
	}
}

void vm_threads_forget(struct vm *vm)
{
	for (size_t b = 0; b < VM_THREAD_BUCKETS; b++)
		while (vm->live->threads[b])
			thread_end(vm, vm->live->threads[b]);
}

void vm_threads_free(struct vm *vm)
{
	struct vm_live *l = vm->live;

	for (size_t b = 0; b < VM_THREAD_BUCKETS; b++) {
		for (struct vm_thread *next, *th = l->threads[b]; th; th = next) {
			next = th->next;
			free(th);
		}
		l->threads[b] = NULL;
	}
	l->nuntraced = 0;
}
