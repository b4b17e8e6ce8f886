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
#include <time.h>
#include <unistd.h>

#include "python/python_impl.h"

enum {
	RED_ZONE = 128,
	STACK_NEEDED = 48 << 10, /* for dlopen() and the agent's start, below the frame */
	TAIL_GUARD = 64,         /* zero bytes that stay between a mapping's code and the stub */
	SPIN_MS = 100,
	/* kernel-internal results of an interrupted call, include/linux/errno.h */
	ERESTARTSYS = 512,
	ERESTARTNOINTR = 513,
	ERESTARTNOHAND = 514,
	ERESTART_RESTARTBLOCK = 516,
};

u64 python_now_ns(void)
{
	struct timespec ts;

	clock_gettime(CLOCK_MONOTONIC, &ts);
	return (u64)ts.tv_sec * 1000000000 + (u64)ts.tv_nsec;
}

static size_t stub_size(void)
{
	return (size_t)(__stop_pydtrace_stub - __start_pydtrace_stub);
}

/* --- judging -------------------------------------------------------------------------------------------------------- */

static bool restarts(s64 rax)
{
	return rax == -ERESTARTSYS || rax == -ERESTARTNOINTR || rax == -ERESTARTNOHAND ||
	       rax == -ERESTART_RESTARTBLOCK;
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

static const struct target_map *map_at(const struct target_maps *maps, u64 addr)
{
	for (size_t i = 0; i < maps->n; i++)
		if (addr >= maps->v[i].start && addr < maps->v[i].end)
			return &maps->v[i];
	return NULL;
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
	const struct target_map *m = map_at(&p->maps, addr);

	if (addr >= p->sym.image_start && addr < p->sym.image_end)
		return DOING_GIL;
	if (cmd != FUTEX_WAIT_BITSET || (m && m->ino)) /* in a library's data: one of its locks */
		return DOING_PYTHON;
	return DOING_WAIT;
}

enum thread_doing python_thread_doing(const struct python *p, const struct user_regs_struct *r)
{
	s64 nr = (s64)r->orig_rax, rax = (s64)r->rax;
	const struct target_map *m = map_at(&p->maps, r->rip);

	if (nr < 0 || !(restarts(rax) || (rax == -EINTR && ends_with_eintr(nr))))
		return DOING_PYTHON;
	if (m && strstr(m->path, "/ld-")) /* the loader, under its lock */
		return DOING_PYTHON;
	/* A futex that was stopped before is restarted under another number; its arguments are still there. */
	if (nr == SYS_futex || (nr == SYS_restart_syscall && r->rsi & FUTEX_PRIVATE_FLAG && r->rdi > 65536))
		return doing_futex(p, r->rdi, r->rsi);
	return DOING_WAIT;
}

/* --- the stub's place ------------------------------------------------------------------------------------------------- */

/* The stub's address at the end of a mapping whose tail is zero (or holds this very stub); 0: no room. */
static u64 tail_of(struct python *p, const struct target_map *m)
{
	size_t want = ALIGN_UP(stub_size(), 16) + TAIL_GUARD;
	u64 at = (m->end - ALIGN_UP(stub_size(), 16)) & ~15ull;
	u8 tail[4096];

	if (m->prot[2] != 'x' || m->prot[3] != 'p' || !m->ino || want > sizeof(tail) || m->end - m->start < want)
		return 0;
	if (target_read(p->t, m->end - want, tail, want))
		return 0;
	for (size_t i = 0; i < want; i++)
		if (tail[i])
			return 0;
	return at;
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
	/* The interpreter's own text first: it will not be unmapped. */
	for (int pass = 0; pass < 2 && !p->code; pass++) {
		for (size_t i = 0; i < p->maps.n && !p->code; i++) {
			const struct target_map *m = &p->maps.v[i];
			bool own = m->start >= p->sym.image_start && m->end <= p->sym.image_end;

			if (own == (pass == 0) && *m->path == '/')
				p->code = tail_of(p, m);
		}
	}
	return p->code ? 0 : -ENOSPC;
}

int python_stub_write(struct python *p)
{
	return target_write(p->t, p->code, __start_pydtrace_stub, stub_size());
}

/* Open what is descriptor `fd` in the target, if it still is the file that our stub made. */
static int fd_open(struct python *p, int fd, const char *kind)
{
	char path[64], link[128], want[128];
	ssize_t n;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", target_pid(p->t), fd);
	n = readlink(path, link, sizeof(link) - 1);
	if (n < 0)
		return -errno;
	link[n] = 0;
	snprintf(want, sizeof(want), "/memfd:pydtrace-%s-%s", kind, p->nonce);
	if (strncmp(link, want, strlen(want)))
		return -ENOENT;
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The agent's descriptor in the target, when it is still open there and still ours; -1. */
static int agent_fd_check(struct python *p)
{
	int fd = p->ctl ? p->ctl->agent_fd : -1, own = fd >= 0 ? fd_open(p, fd, "agent") : -1;

	if (own >= 0)
		close(own);
	return own >= 0 ? fd : -1;
}

/* --- the shot --------------------------------------------------------------------------------------------------------- */

/* The registers that the thread goes back to: an interrupted call is made again as the kernel would. */
static void regs_restart(struct user_regs_struct *r)
{
	s64 nr = (s64)r->orig_rax, rax = (s64)r->rax;

	if (nr >= 0 && restarts(rax)) {
		r->rax = rax == -ERESTART_RESTARTBLOCK ? SYS_restart_syscall : (u64)nr;
		r->rip -= 2;
	}
	r->orig_rax = (u64)-1;
}

static void frame_fill(struct python *p, const struct target_stop *s, enum stub_how how, struct stub_frame *f)
{
	f->regs = s->regs;
	regs_restart(&f->regs);
	f->how = how;
	f->spin_ms = SPIN_MS;
	f->map_size = p->map_size;
	f->ctl_off = p->ctl_off;
	f->page_fd = f->agent_fd = -1;
	f->page = p->target_page;
	if (how == STUB_UNMAP) {
		f->page = p->leave_page ? 0 : p->target_page;
		f->agent_fd = agent_fd_check(p);
	} else if (p->target_page)
		f->ctl = (struct stub_ctl *)(p->target_page + p->ctl_off);
	if (p->no_memfd)
		snprintf(f->page_path, sizeof(f->page_path), "%s", p->page_file);
	else
		snprintf(f->page_name, sizeof(f->page_name), "pydtrace-page-%s", p->nonce);
	if (!p->file[0])
		snprintf(f->agent_name, sizeof(f->agent_name), "pydtrace-agent-%s", p->nonce);
}

int python_shot(struct python *p, const struct target_stop *s, enum stub_how how)
{
	struct user_regs_struct regs = s->regs;
	size_t xsize = STUB_XSAVE_MAX, total;
	const struct target_map *stack = map_at(&p->maps, regs.rsp);
	struct stub_frame *f;
	u64 at;
	int ret;

	if (regs.cs != 0x33)
		return -ENOEXEC; /* 32-bit code */
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
		ret = python_stub_write(p);
	if (ret)
		goto out;
	regs.rip = p->code + (u64)(stub_code_enter - __start_pydtrace_stub);
	regs.rsp = regs.rdi = at;
	regs.eflags &= ~0x500ull; /* direction, trap */
	regs.orig_rax = (u64)-1;  /* no restart of a call at the stub's address */
	p->target_frame = at;
	p->shot_tid = s->tid;
	ret = target_stop_set_regs(s, &regs);
	if (!ret && how != STUB_UNMAP)
		p->shots++;
out:
	free(f);
	return ret;
}

/* --- the shared page -------------------------------------------------------------------------------------------------- */

static int frame_word(struct python *p, size_t off, void *dst, size_t n)
{
	return target_read(p->t, p->target_frame + off, dst, n);
}
#define FRAME_GET(p, field, to) frame_word(p, offsetof(struct stub_frame, field), (to), sizeof(*(to)))

static int page_map(struct python *p)
{
	void *v = mmap(NULL, p->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, p->page_fd, 0);

	if (v == MAP_FAILED)
		return -errno;
	p->page = v;
	p->ctl = (struct stub_ctl *)((char *)v + p->ctl_off);
	return 0;
}

static int write_all(int fd, const void *data, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pwrite(fd, (const char *)data + done, n - done, (off_t)done);

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return got ? -errno : -EIO;
		done += (size_t)got;
	}
	return 0;
}

/*
 * A path of the memory file that no other dlopen() has used: the loader takes an equal name for an equal file. So the
 * nonce goes into it as a sequence of "/" and "./", which change nothing.
 */
static void agent_path(const struct python *p, int fd, char *out, size_t size)
{
	u64 bits = hash_bytes(p->nonce, strlen(p->nonce));
	size_t n;

	if (p->file[0]) {
		snprintf(out, size, "%s", p->file);
		return;
	}
	snprintf(out, size, "/proc/self/fd/");
	n = strlen(out);
	for (int i = 0; i < 24; i++, bits >>= 1)
		n += (size_t)snprintf(out + n, size - n, bits & 1 ? "/" : "./");
	snprintf(out + n, size - n, "%d", fd);
}

/* Everything that the stub needs, before it is told that the page is filled. */
static void ctl_fill(struct python *p, int target_agent_fd)
{
	const struct python_symbols *s = &p->sym;
	struct stub_ctl *c = p->ctl;
	struct stat st;

	c->page = p->target_page;
	c->map_size = p->map_size;
	c->version = p->info.version;
	c->agent_fd = target_agent_fd; /* set again by the stub, the same */
	if (p->agent_fd >= 0 && !fstat(p->agent_fd, &st)) {
		c->agent_dev = st.st_dev;
		c->agent_ino = st.st_ino;
	}
	c->add_pending = (void *)s->add_pending;
	c->gil_check = (void *)s->gil_check;
	c->gil_ensure = (void *)s->gil_ensure;
	c->gil_release = (void *)s->gil_release;
	c->initialized = (void *)s->initialized;
	c->finalizing = (void *)s->finalizing;
	c->dlopen = (void *)s->dlopen;
	c->dlsym = (void *)s->dlsym;
	c->dlclose = (void *)s->dlclose;
	c->dlerror = (void *)s->dlerror;
	c->errno_location = (void *)s->errno_location;
	snprintf(c->init_name, sizeof(c->init_name), "%s", WIRE_INIT);
	snprintf(c->fini_name, sizeof(c->fini_name), "%s", WIRE_FINI);
	agent_path(p, target_agent_fd, c->path, sizeof(c->path));
}

/* Wait for the stub's answer: 0, its error, or -ETIMEDOUT when the thread did not get to run. */
static int wait_step(struct python *p)
{
	u64 deadline = python_now_ns() + 2000000000ull;
	struct timespec nap = {0, 20000};
	s32 step = 0, error;

	while (!step) {
		int ret = FRAME_GET(p, step, &step);

		if (ret)
			return ret;
		if (!step && python_now_ns() > deadline)
			return -ETIMEDOUT;
		if (!step)
			nanosleep(&nap, NULL);
	}
	if (step == 1)
		return 0;
	u32 ack = 1;
	int ret = FRAME_GET(p, error, &error);

	target_write(p->t, p->target_frame + offsetof(struct stub_frame, ack), &ack, sizeof(ack));
	return ret ? ret : step == -1 && error < 0 && error > -4096 ? error : -EIO;
}

int python_handshake(struct python *p, const void *page, size_t page_size, struct diag *diag)
{
	u32 raw = STUB_RAW;
	s32 fds[2];
	int ret = wait_step(p);

	if (ret)
		return ret;
	ret = FRAME_GET(p, page_fd, &fds[0]);
	if (!ret)
		ret = FRAME_GET(p, agent_fd, &fds[1]);
	if (!ret)
		ret = FRAME_GET(p, page, &p->target_page);
	if (ret)
		return ret;
	if (!p->no_memfd) {
		p->page_fd = fd_open(p, fds[0], "page");
		if (p->page_fd < 0)
			return p->page_fd;
		ret = page_map(p);
		if (ret)
			return ret;
	}
	if (!p->file[0]) {
		p->agent_fd = fd_open(p, fds[1], "agent");
		if (p->agent_fd < 0)
			return p->agent_fd;
		ret = write_all(p->agent_fd, p->agent, p->agent_size);
		if (ret)
			return ret;
	}
	memcpy(p->page, page, page_size);
	p->page->alive_ns = python_now_ns();
	ctl_fill(p, fds[1]);
	p->ctl->job = STUB_LOAD;
	p->jobs = 1;
	if (!__atomic_compare_exchange_n(&p->ctl->ready, &raw, STUB_FILLED, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return -ETIMEDOUT;
	return 0;
}

bool python_ctl_wait(struct python *p, u32 done, u64 deadline)
{
	struct timespec nap = {0, 50000};

	for (;;) {
		if (__atomic_load_n(&p->ctl->done, __ATOMIC_ACQUIRE) >= done)
			return true;
		if (python_now_ns() > deadline)
			return false;
		python_heartbeat(p);
		nanosleep(&nap, NULL);
	}
}

/* --- has everybody left? ----------------------------------------------------------------------------------------------- */

/* A word in the top of the stack that points into [start, end): a return address, or a stale one. */
static bool stack_points_into(struct python *p, u64 sp, u64 start, u64 end)
{
	const struct target_map *m = map_at(&p->maps, sp);
	u64 words[512];

	for (u64 a = sp & ~7ull, stop = a + (32 << 10); a < stop && m && a < m->end; a += sizeof(words)) {
		size_t n = m->end - a < sizeof(words) ? m->end - a : sizeof(words);

		if (target_read(p->t, a, words, n))
			break;
		for (size_t i = 0; i < n / 8; i++)
			if (words[i] >= start && words[i] < end)
				return true;
	}
	return false;
}

/* 0: outside; 1: its stack mentions the range; 2: it stands inside; -errno. */
static int thread_inside(struct python *p, pid_t tid, u64 start, u64 end)
{
	struct target_stop s;
	struct target_call c;
	bool stopped = false;
	int ret = target_thread_call(p->t, tid, &c), inside;

	if (ret == -EAGAIN) { /* running: a stop is the only way to know */
		ret = target_stop(p->t, tid, 1000, &s);
		stopped = !ret;
		c.pc = s.regs.rip;
		c.sp = s.regs.rsp;
	}
	if (ret == -ESRCH)
		return 0; /* a thread that has ended is nowhere */
	if (ret)
		return ret;
	inside = c.pc >= start && c.pc < end ? 2 : stack_points_into(p, c.sp, start, end);
	if (stopped)
		target_stop_end(&s);
	return inside;
}

int python_threads_inside(struct python *p, u64 start, u64 end)
{
	pid_t *tids;
	size_t n;
	int ret = target_threads(p->t, &tids, &n), worst = 0;

	if (ret)
		return ret;
	target_maps_free(&p->maps);
	ret = target_maps_read(p->t, &p->maps);
	for (size_t i = 0; i < n && ret >= 0; i++) {
		ret = thread_inside(p, tids[i], start, end);
		if (ret > worst)
			worst = ret;
	}
	free(tids);
	return ret < 0 ? ret : worst;
}
