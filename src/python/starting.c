// SPDX-License-Identifier: Apache-2.0
/*
 * A process that has just made an execve: the agent is to be in it before the first line of its Python. Nothing may be left in it that
 * it could run into if we died, so there is no breakpoint. It is held by ptrace instead, in a stop at each of its system calls:
 *
 *   1. on, until a call is made by code outside of the loader: all is mapped and relocated
 *   2. the page is made (the stub makes raw system calls only)
 *   3. on, and at each third call the stub asks whether the interpreter is initialized. It is so before `site` is imported, with
 *      calls enough to come; then the load is queued (Py_AddPendingCall()), which the interpreter does before it goes on much further
 *   4. on, until the agent is in it; there it stands until its sites are attached, and is let go
 */
#include <elf.h>
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "python/python_impl.h"

enum {
	OPTIONS = PTRACE_O_TRACESYSGOOD | PTRACE_O_TRACEEXEC,
	SYSCALL_STOP = SIGTRAP | 0x80,
	EACH = 3,
	STEP_MS = 2000, /* to the next stop: it may wait for something */
	STUB_STOPS = 4096,
};

/* Wait for the next stop, and take note of the signal that it is to go on with. 0, or -ESRCH: it has ended, or made an execve; -ETIMEDOUT. */
static int stop_next(pid_t pid, int *status)
{
	u64 deadline = now_ns() + STEP_MS * 1000000ull;

	for (unsigned spins = 0;; spins++) {
		pid_t got = waitpid(pid, status, __WALL | WNOHANG | __WNOTHREAD);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got == pid)
			return WIFSTOPPED(*status) && *status >> 16 != PTRACE_EVENT_EXEC ? 0 : -ESRCH;
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		if (spins > 100)
			usleep(20);
	}
}

static int signal_of(int status)
{
	int sig = WSTOPSIG(status);

	return status >> 16 || sig == SYSCALL_STOP ? 0 : sig;
}

static bool is_group_stop(int status)
{
	return status >> 16 == PTRACE_EVENT_STOP && WSTOPSIG(status) != SIGTRAP;
}

/* From one stop of a call to the next. 0 or -errno; -EAGAIN: it is stopped by somebody. */
static int call_next(pid_t pid, int *status)
{
	do {
		int ret = ptrace(PTRACE_SYSCALL, pid, 0, signal_of(*status)) ? -errno : stop_next(pid, status);

		if (ret)
			return ret;
		if (is_group_stop(*status))
			return -EAGAIN;
	} while (WSTOPSIG(*status) != SYSCALL_STOP);
	return 0;
}

/* At the end of a call the kernel has its result; at its entry -ENOSYS stands there (arch/x86/entry/common.c). */
static bool is_call_end(const struct user_regs_struct *r)
{
	return (s64)r->rax != -ENOSYS;
}

static int hold(pid_t pid, int *status)
{
	*status = 0;
	if (ptrace(PTRACE_INTERRUPT, pid, 0, 0))
		return -errno;
	for (;;) {
		int ret = stop_next(pid, status);

		if (ret || *status >> 16 == PTRACE_EVENT_STOP)
			return ret ? ret : is_group_stop(*status) ? -EAGAIN : 0;
		if (ptrace(PTRACE_CONT, pid, 0, signal_of(*status)))
			return -errno;
	}
}

static void let_go(pid_t pid, int status)
{
	ptrace(PTRACE_DETACH, pid, 0, signal_of(status));
}

/* --- 1 -------------------------------------------------------------------------------------------------------- */

/* Where the loader is: AT_BASE; 0: the program is static. */
static u64 loader_base(struct target *t)
{
	u64 base = 0;
	char *text;
	size_t n;

	if (target_file_read(t, "auxv", &text, &n))
		return 0;
	for (size_t at = 0; at + sizeof(Elf64_auxv_t) <= n; at += sizeof(Elf64_auxv_t)) {
		Elf64_auxv_t a;

		memcpy(&a, text + at, sizeof(a));
		if (a.a_type == AT_BASE)
			base = a.a_un.a_val;
	}
	free(text);
	return base;
}

struct image {
	u64 base, end;
	ino_t ino;
};

static int image_grow(void *arg, const struct target_map *m)
{
	struct image *i = arg;

	if (m->start == i->base)
		i->ino = m->ino;
	if (i->ino && m->ino == i->ino)
		i->end = m->end;
	return 0;
}

/* It may still be in the execve: it stands where that is over. From then on another one is told of. */
static int seize(struct target *t, int *status)
{
	pid_t pid = target_pid(t);
	int ret;

	if (ptrace(PTRACE_SEIZE, pid, 0, PTRACE_O_TRACESYSGOOD))
		return -errno;
	ret = hold(pid, status);
	if (!ret && ptrace(PTRACE_SETOPTIONS, pid, 0, OPTIONS))
		ret = -errno;
	return ret;
}

int python_starting_hold(struct target *t)
{
	struct image loader = {0};
	struct user_regs_struct regs;
	pid_t pid = target_pid(t);
	int status = 0, ret = seize(t, &status);

	if (!ret) {
		loader.base = loader_base(t);
		ret = loader.base ? target_maps_walk(t, image_grow, &loader) : -ENOENT;
	}
	while (!ret) {
		ret = call_next(pid, &status);
		if (!ret && ptrace(PTRACE_GETREGS, pid, 0, &regs))
			ret = -errno;
		if (!ret && is_call_end(&regs) && (regs.rip < loader.base || regs.rip >= loader.end))
			return 0;
	}
	let_go(pid, status);
	return ret;
}

void python_starting_end(struct target *t)
{
	pid_t pid = target_pid(t);
	int status;

	if (ptrace(PTRACE_DETACH, pid, 0, 0) && !hold(pid, &status))
		let_go(pid, status);
}

/* --- 2 -------------------------------------------------------------------------------------------------------- */

static int look(pid_t pid, struct target_stop *s)
{
	s->tid = pid;
	return ptrace(PTRACE_GETREGS, pid, 0, &s->regs) || ptrace(PTRACE_GETSIGMASK, pid, sizeof(s->mask), &s->mask)
		   ? -errno
		   : 0;
}

int python_starting_shoot(struct python *p)
{
	pid_t pid = target_pid(p->t);
	struct target_stop s;
	int status = 0, ret = look(pid, &s);

	while (!ret && (!is_call_end(&s.regs) || python_loader_at_work(p, &s.regs))) {
		ret = call_next(pid, &status);
		if (!ret)
			ret = look(pid, &s);
	}
	if (!ret)
		ret = python_shot(p, &s, STUB_PENDING);
	if (!ret && ptrace(PTRACE_CONT, pid, 0, 0))
		ret = -errno;
	return ret;
}

/* --- 3 -------------------------------------------------------------------------------------------------------- */

/* Until the stub has come to its end: its last call is a stop that is behind that. */
static int stub_pass(struct python *p, int *status)
{
	for (int i = 0; i < STUB_STOPS; i++) {
		int ret;

		if (__atomic_load_n(&p->ctl->left, __ATOMIC_ACQUIRE) >= p->shots)
			return 0;
		ret = call_next(target_pid(p->t), status);
		if (ret)
			return ret;
	}
	return -ETIMEDOUT;
}

static int ask(struct python *p, int *status)
{
	struct target_stop s;
	int ret = look(target_pid(p->t), &s);

	if (ret)
		return ret;
	if (!is_call_end(&s.regs) || (s.regs.rip >= p->code && s.regs.rip < p->code + python_stub_size()))
		return -EINPROGRESS;
	ret = python_shot(p, &s, STUB_PENDING);
	if (ret == -ENOSPC) { /* the stack has grown */
		target_maps_free(&p->maps);
		ret = target_maps_read(p->t, &p->maps);
		if (!ret)
			ret = python_shot(p, &s, STUB_PENDING);
	}
	return ret ? ret : stub_pass(p, status);
}

int python_starting_queue(struct python *p, u64 deadline)
{
	struct stub_ctl *c = p->ctl;
	pid_t pid = target_pid(p->t);
	int status, n = 0, asked = 0, ret = hold(pid, &status);

	while (!ret && c->queued == c->called && now_ns() < deadline) {
		ret = call_next(pid, &status);
		if (!ret && ++n % EACH == 0)
			ret = ask(p, &status);
		if (ret == -EINPROGRESS) {
			n--;
			ret = 0;
		} else if (!ret && n % EACH == 0) {
			asked++;
		}
		p->late = asked <= 1; /* initialized when it was asked first: who knows for how long */
		if (__atomic_load_n(&c->done, __ATOMIC_ACQUIRE) >= p->jobs)
			return ret; /* at once */
	}
	while (!ret && __atomic_load_n(&c->called, __ATOMIC_ACQUIRE) < c->queued && now_ns() < deadline)
		ret = call_next(pid, &status);
	if (!ret && __atomic_load_n(&c->done, __ATOMIC_ACQUIRE) >= p->jobs)
		return 0;
	p->starting = false;
	let_go(pid, status);
	return ret;
}
