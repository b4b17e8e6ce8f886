// SPDX-License-Identifier: Apache-2.0
/* What a stopped thread is doing, as far as its registers tell. */
#include <errno.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "python/python_impl.h"

/* kernel-internal results of an interrupted call, include/linux/errno.h */
enum { ERESTARTNOINTR = 513, ERESTARTNOHAND = 514 };

bool python_call_restarts(s64 rax)
{
	return rax == -PYTHON_RESTARTS || rax == -ERESTARTNOINTR || rax == -ERESTARTNOHAND ||
	       rax == -PYTHON_RESTARTBLOCK;
}

/* Calls that a stop ends with EINTR; everybody who makes them is prepared for that. */
static bool ends_with_eintr(s64 nr)
{
	static const s64 calls[] = {SYS_epoll_wait,   SYS_epoll_pwait, SYS_epoll_pwait2,  SYS_rt_sigtimedwait,
				    SYS_io_getevents, SYS_semtimedop,  SYS_io_uring_enter};

	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (nr == calls[i])
			return true;
	return false;
}

/*
 * A thread in a futex waits for one of: the GIL (a condition variable or mutex inside _PyRuntime, so in the
 * interpreter's own data), a lock of the C library (FUTEX_WAIT), or a semaphore: what Python's locks are made of
 * (FUTEX_WAIT_BITSET, in the heap up to 3.12, on the stack from 3.13). Only the last holds nothing that the stub needs.
 * Waiting for the GIL a second time inside a wait for it makes glibc's condition variable wait for ever.
 */
static enum thread_doing doing_futex(const struct python *p, u64 addr, u64 op)
{
	u64 cmd = op & ~(u64)(FUTEX_PRIVATE_FLAG | FUTEX_CLOCK_REALTIME);
	const struct target_map *m = target_map_at(&p->maps, addr);

	if (addr >= p->sym.image_start && addr < p->sym.image_end)
		return DOING_GIL;
	/* In a library's data: one of its locks. Semaphores between processes are in files that are shared. */
	if (cmd != FUTEX_WAIT_BITSET || (m && m->ino && m->prot[3] != 's'))
		return DOING_PYTHON;
	return DOING_WAIT;
}

/* True if the second argument is that of a futex(2) that waits with a timeout, as far as calls that restart have such ones. */
static bool is_futex_op(u64 op)
{
	return op & FUTEX_PRIVATE_FLAG || op == FUTEX_WAIT_BITSET ||
	       op == (FUTEX_WAIT_BITSET | FUTEX_CLOCK_REALTIME);
}

/* Before RT_CONSISTENT images are mapped whose code cannot run yet, at the process's start above all. */
bool python_loader_at_work(struct python *p, const struct user_regs_struct *r)
{
	const struct target_map *m = target_map_at(&p->maps, r->rip);
	struct {
		u64 version, map, brk;
		u32 state;
	} d; /* struct r_debug of <link.h> */

	if (m && strstr(m->path, "/ld-"))
		return true;
	return p->sym.r_debug && !target_read(p->t, p->sym.r_debug, &d, sizeof(d)) && (!d.map || d.state);
}

enum thread_doing python_thread_doing(const struct python *p, const struct user_regs_struct *r)
{
	s64 nr = (s64)r->orig_rax, rax = (s64)r->rax;
	const struct target_map *m = target_map_at(&p->maps, r->rip);

	if (nr < 0 || !python_call_waits(nr) ||
	    !(python_call_restarts(rax) || (rax == -EINTR && ends_with_eintr(nr))))
		return DOING_PYTHON;
	if (m && strstr(m->path, "/ld-")) /* the loader, under its lock */
		return DOING_PYTHON;
	/* A futex that was stopped before is restarted under another number; its arguments are still there. */
	if (nr == SYS_futex || (nr == SYS_restart_syscall && is_futex_op(r->rsi) && r->rdi > 65536))
		return doing_futex(p, r->rdi, r->rsi);
	return DOING_WAIT;
}
