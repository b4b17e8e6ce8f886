// SPDX-License-Identifier: Apache-2.0
/* Put the stub into a process, judge a stopped thread, and give the thread the stub to run by one PTRACE_SETREGS. */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "python/python_impl.h"

enum {
	RED_ZONE = 128,
	STACK_NEEDED = 48 << 10, /* for dlopen() and the agent's start, below the frame */
	TAIL_GUARD = 64,         /* zero bytes that stay between a mapping's code and the stub */
	SPIN_MS = 10,            /* that a thread waits for us while the page is made */
};

size_t python_stub_size(void)
{
	return (size_t)(__stop_pydtrace_stub - __start_pydtrace_stub);
}

/* --- the stub's place ------------------------------------------------------------------------------------------------- */

/* The stub's address at the end of a mapping whose tail is zero (or holds this very stub); 0: no room. */
static u64 tail_of(struct python *p, const struct target_map *m)
{
	size_t want = ALIGN_UP(python_stub_size(), 16) + TAIL_GUARD;
	u64 at = (m->end - ALIGN_UP(python_stub_size(), 16)) & ~15ull;
	u8 tail[4096];

	if (m->prot[2] != 'x' || m->prot[3] != 'p' || !m->ino || want > sizeof(tail) || m->end - m->start < want)
		return 0;
	if (target_read(p->t, m->end - want, tail, want))
		return 0;
	/* Zero, or with this very stub in it: another tracer's, who is kept out by the lock. */
	if (!memcmp(tail + want - (m->end - at), __start_pydtrace_stub, python_stub_size()))
		memset(tail + want - (m->end - at), 0, python_stub_size());
	for (size_t i = 0; i < want; i++)
		if (tail[i])
			return 0;
	return at;
}

/*
 * How good a place for the stub a mapping is, by who will not unmap it while the stub runs: the interpreter's text, then the
 * C library's, then other files; never an agent's, which is unloaded by the stub. -1: none.
 */
enum { PLACE_INTERPRETER, PLACE_LIBC, PLACE_OTHER, PLACES };

static int place_of(const struct python *p, const struct target_map *m)
{
	if (*m->path != '/' || strstr(m->path, "pydtrace-"))
		return -1;
	if (m->start >= p->sym.image_start && m->end <= p->sym.image_end)
		return PLACE_INTERPRETER;
	return m->start <= p->sym.errno_location && p->sym.errno_location < m->end ? PLACE_LIBC : PLACE_OTHER;
}

int python_stub_place(struct python *p)
{
	int ret;

	target_maps_free(&p->maps);
	ret = target_maps_read(p->t, &p->maps);
	if (ret)
		return ret;
	if (p->code)
		return 0;
	for (int place = 0; place < PLACES && !p->code; place++)
		for (size_t i = 0; i < p->maps.n && !p->code; i++)
			if (place_of(p, &p->maps.v[i]) == place)
				p->code = tail_of(p, &p->maps.v[i]);
	return p->code ? 0 : -ENOSPC;
}

static int stub_write(struct python *p)
{
	return target_write(p->t, p->code, __start_pydtrace_stub, python_stub_size());
}

/* --- the shot --------------------------------------------------------------------------------------------------------- */

/*
 * The registers that the thread goes back to: an interrupted call is made again as the kernel would. Returns the kernel's
 * number of the interruption; 0: none.
 */
static u32 regs_restart(struct user_regs_struct *r)
{
	s64 nr = (s64)r->orig_rax, rax = (s64)r->rax;
	u32 interrupted = 0;

	if (nr >= 0 && python_call_restarts(rax)) {
		r->rax = rax == -PYTHON_RESTARTBLOCK ? SYS_restart_syscall : (u64)nr;
		r->rip -= 2;
		interrupted = (u32)-rax;
	}
	r->orig_rax = (u64)-1;
	return interrupted;
}

static void frame_fill(struct python *p, const struct target_stop *s, enum stub_how how, struct stub_frame *f)
{
	f->regs = s->regs;
	f->interrupted = regs_restart(&f->regs);
	f->mask = s->mask;
	f->how = how;
	f->spin_ms = SPIN_MS;
	f->cookie = p->cookie;
	f->map_size = p->map_size;
	f->ctl_off = p->ctl_off;
	f->page_fd = f->agent_fd = -1;
	f->page = p->target_page;
	if (how == STUB_UNMAP) {
		if (p->leave_page) /* all but the control block, which a call that is queued may still look at */
			f->map_size = p->ctl_off;
		f->agent_fd = python_agent_fd(p);
		f->stack = p->ctl && !p->leave_page ? p->ctl->stack : 0;
	} else if (p->target_page)
		f->ctl = (struct stub_ctl *)(p->target_page + p->ctl_off);
	if (p->page_kind == PAGE_FILE)
		snprintf(f->page_path, sizeof(f->page_path), "%s", p->page_file);
	else if (p->page_kind == PAGE_MEMFD)
		snprintf(f->page_name, sizeof(f->page_name), "pydtrace-page-%s", p->nonce);
	if (!p->file[0])
		snprintf(f->agent_name, sizeof(f->agent_name), "pydtrace-agent-%s", p->nonce);
}

/*
 * True if the thread runs in the memory that we have written to. After an exec it runs in another one, and where a process
 * made by clone(CLONE_VM) keeps the old one alive, writing there still works. The thread is stopped, so this stays true.
 */
static bool sees_frame(const struct target_stop *s, const struct python *p, u64 at)
{
	u64 cookie;

	return !target_stop_peek(s, at + offsetof(struct stub_frame, cookie), &cookie) && cookie == p->cookie;
}

int python_shot(struct python *p, const struct target_stop *s, enum stub_how how)
{
	struct user_regs_struct regs = s->regs;
	size_t xsize = STUB_XSAVE_MAX, total;
	const struct target_map *stack = target_map_at(&p->maps, regs.rsp);
	struct stub_frame *f;
	u64 at;
	int ret;

	if (regs.cs != 0x33)
		return -ENOEXEC; /* 32-bit code */
	ret = p->target_page || how == STUB_UNMAP ? 0 : python_calls_allowed(p, s);
	if (ret)
		return ret;
	f = aligned_alloc(64, sizeof(*f) + STUB_XSAVE_MAX);
	if (!f)
		return -ENOMEM;
	memset(f, 0, sizeof(*f));
	ret = target_stop_xstate(s, f->xsave, &xsize);
	if (ret)
		goto out;
	f->xsave_mask = ~0ull;
	total = ALIGN_UP(sizeof(*f) + xsize, 64);
	at = (regs.rsp - RED_ZONE - total) & ~63ull;
	/* The first thread's stack grows by itself, all others end somewhere. */
	if (!stack || (strcmp(stack->path, "[stack]") && at - stack->start < STACK_NEEDED && how != STUB_UNMAP)) {
		ret = -ENOSPC;
		goto out;
	}
	frame_fill(p, s, how, f);
	ret = target_write(p->t, at, f, total);
	if (!ret)
		ret = stub_write(p);
	if (!ret && !sees_frame(s, p, at))
		ret = -ESRCH;
	if (ret)
		goto out;
	regs.rip = p->code + (u64)(stub_code_enter - __start_pydtrace_stub);
	regs.rsp = regs.rdi = at;
	regs.eflags &= ~0x500ull; /* direction, trap */
	regs.orig_rax = (u64)-1;  /* no restart of a call at the stub's address */
	p->target_frame = at;
	p->shot_tid = s->tid;
	ret = target_stop_set_regs(s, &regs);
	/* From here on the thread runs the stub, whatever becomes of us; signals may wait for its end. */
	if (!ret)
		target_stop_set_mask(s, ~0ull);
	if (!ret && how != STUB_UNMAP)
		p->shots++;
out:
	free(f);
	return ret;
}
