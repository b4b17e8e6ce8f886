// SPDX-License-Identifier: Apache-2.0
/* Load the agent into a live process and take it out: jobs, and on which thread each is done (docs/attach.md). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "python/python_impl.h"

enum {
	STOP_MS = 500,      /* for a thread to come to a stop */
	LOOK_AGAIN_MS = 30, /* while the job has not been done */
	DEFAULT_TIMEOUT_MS = 10000,
	MENTIONED_MS = 20,
	QUEUE_TRIES = 3, /* looks at a main thread that does not hold the GIL, before queueing on it anyway */
	FINI_RETRIES = 14,
	RETRY_TRACED_MS = 300, /* another pydtrace holds a thread for microseconds only */
};

/* --- refusals --------------------------------------------------------------------------------------------------------- */

static int refuse_state(struct target *t, struct diag *diag)
{
	struct target_status st;
	int ret = target_status(t, &st);
	pid_t pid = target_pid(t);

	for (int i = 0; !ret && st.tracer && !strcmp(st.tracer_comm, "pydtrace") && i < RETRY_TRACED_MS; i++) {
		usleep(1000);
		ret = target_status(t, &st);
	}
	if (ret || st.state == 'Z' || st.state == 'X')
		return diag_fail(diag, ESRCH, "process %d (%s) has ended", pid, target_comm(t));
	if (st.tracer)
		return diag_fail(diag, EBUSY, "process %d (%s) is traced by %s (pid %d); end that first", pid,
				 target_comm(t), st.tracer_comm, st.tracer);
	if (st.state == 'T')
		return diag_fail(diag, EAGAIN, "process %d (%s) is stopped; continue it first (kill -CONT %d)", pid,
				 target_comm(t), pid);
	if (st.shadow_stack)
		return diag_fail(diag, ENOTSUP, "process %d (%s) runs with a shadow stack, which is not supported",
				 pid, target_comm(t));
	return 0;
}

static int refuse_stop(struct python *p, int err, struct diag *diag)
{
	pid_t pid = target_pid(p->t);
	const char *comm = target_comm(p->t);

	switch (-err) {
	case ESRCH: return diag_fail(diag, ESRCH, "process %d (%s) has ended", pid, comm);
	case EBUSY:
	case EAGAIN: {
		int ret = refuse_state(p->t, diag);

		return ret ? ret
			   : diag_fail(diag, EBUSY, "process %d (%s) is traced by another; end that first", pid,
				       comm);
	}
	case EPERM:
		return diag_fail(diag, EPERM, "process %d (%s): ptrace is not permitted; CAP_SYS_PTRACE is needed",
				 pid, comm);
	case ETIMEDOUT:
		return diag_fail(diag, EBUSY,
				 "process %d (%s) sleeps uninterruptibly (a slow device or a vfork); try again",
				 pid, comm);
	default: return diag_fail(diag, -err, "process %d (%s): cannot enter it: %s", pid, comm, strerror(-err));
	}
}

static int refuse_busy(struct python *p, struct diag *diag)
{
	if (p->ctl && p->ctl->stage == STUB_FINALIZING)
		return diag_fail(diag, ESRCH, "process %d (%s): its Python is being finalized", target_pid(p->t),
				 target_comm(p->t));
	return diag_fail(diag, ETIMEDOUT,
			 "process %d (%s): its Python did not come to a safe point in time (a long call "
			 "that holds the GIL?); try again",
			 target_pid(p->t), target_comm(p->t));
}

/* --- files in place of memory files ------------------------------------------------------------------------------------- */

/* Make a file in a folder that the target can write to and map; its path as the target sees it. */
static int file_make(struct python *p, const char *kind, char *out, size_t size)
{
	static const char *const dirs[] = {"/tmp", "/var/tmp", "/dev/shm", "/run"};
	struct target_status st;
	char path[256];
	int fd, ret = target_status(p->t, &st);

	if (ret)
		return ret;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(out, size, "%s/.pydtrace-%s-%s", dirs[i], kind, p->nonce);
		snprintf(path, sizeof(path), "/proc/%d/root%s", target_pid(p->t), out);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			continue;
		if (fchown(fd, st.uid, st.gid) == 0 || st.uid == geteuid())
			return fd;
		close(fd);
		unlink(path);
	}
	*out = 0;
	return -ENOENT;
}

static void file_unlink(struct python *p, const char *file)
{
	char path[256];

	if (!*file)
		return;
	snprintf(path, sizeof(path), "/proc/%d/root%s", target_pid(p->t), file);
	unlink(path);
}

void python_files_unlink(struct python *p)
{
	file_unlink(p, p->file);
	file_unlink(p, p->page_file);
}

/* Has the target a /proc in which its own descriptors can be opened? */
static bool target_has_proc(struct python *p)
{
	char path[64];
	struct stat st, own;

	snprintf(path, sizeof(path), "/proc/%d/root/proc/self", target_pid(p->t));
	/* The same file system type would do, but a stat of the link tells it with less. */
	return !lstat(path, &st) && S_ISLNK(st.st_mode) && !lstat("/proc/self", &own) && st.st_size == own.st_size;
}

/* Files instead of memory files: all of them, or the agent only. Filled and ready before the target knows of them. */
int python_files_prepare(struct python *p)
{
	int fd;

	if (!p->no_memfd && !p->no_proc)
		return 0;
	fd = file_make(p, "agent", p->file, sizeof(p->file));
	if (fd < 0)
		return fd;
	p->agent_fd = fd;
	for (size_t done = 0; done < p->agent_size;) {
		ssize_t n = write(fd, (const char *)p->agent + done, p->agent_size - done);

		if (n <= 0)
			return -errno;
		done += (size_t)n;
	}
	if (!p->no_memfd)
		return 0;
	fd = file_make(p, "page", p->page_file, sizeof(p->page_file));
	if (fd < 0)
		return fd;
	p->page_fd = fd;
	if (ftruncate(fd, (off_t)p->map_size))
		return -errno;
	p->page = mmap(NULL, p->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->page == MAP_FAILED) {
		p->page = NULL;
		return -errno;
	}
	p->ctl = (struct stub_ctl *)((char *)p->page + p->ctl_off);
	return 0;
}

/* --- jobs ------------------------------------------------------------------------------------------------------------- */

/* Which shot a thread gets; false: none. `tries` counts the looks at the main thread. */
static bool shot_for(enum thread_doing doing, bool main_thread, bool may_queue, unsigned tries, enum stub_how *how)
{
	if (doing == DOING_WAIT) {
		*how = STUB_BORROW;
		return true;
	}
	*how = doing == DOING_GIL || tries > QUEUE_TRIES ? STUB_PENDING : STUB_IF_HELD;
	return main_thread && may_queue;
}

/* Shoot at one thread and let it go. -EINPROGRESS: not now. */
static int shoot(struct python *p, pid_t tid, bool may_queue, unsigned tries)
{
	bool main_thread = tid == target_pid(p->t);
	struct target_stop s;
	enum stub_how how;
	int ret = target_stop(p->t, tid, STOP_MS, &s), ended;

	if (ret)
		return ret;
	ret = -EINPROGRESS;
	if (shot_for(python_thread_doing(p, &s.regs), main_thread, may_queue, tries, &how))
		ret = python_shot(p, &s, how);
	ended = target_stop_end(&s);
	return ret ? ret : ended;
}

/* Another thread that is parked; found without a stop where /proc says what it sleeps in. */
static int shoot_other(struct python *p)
{
	struct target_call c;
	pid_t *tids;
	size_t n;
	int ret = target_threads(p->t, &tids, &n);

	if (ret)
		return ret;
	ret = -EINPROGRESS;
	for (size_t i = 0; i < n && ret == -EINPROGRESS; i++) {
		struct user_regs_struct r = {.rax = (u64)-512};

		if (tids[i] == target_pid(p->t) || target_thread_call(p->t, tids[i], &c) || c.nr < 0)
			continue;
		r.orig_rax = (u64)c.nr;
		r.rdi = c.args[0];
		r.rsi = c.args[1];
		r.rip = c.pc;
		if (python_thread_doing(p, &r) != DOING_WAIT)
			continue;
		ret = shoot(p, tids[i], false, 0);
		if (ret == -ESRCH || ret == -ENOSPC || ret == -EFAULT || ret == -ETIMEDOUT)
			ret = -EINPROGRESS; /* the next one */
	}
	free(tids);
	return ret;
}

/*
 * The first shot makes the shared page, so it goes to the main thread whatever that does (the part that makes it uses
 * system calls only).
 */
static int shoot_first(struct python *p, const void *page, size_t page_size, struct diag *diag)
{
	int ret = shoot(p, target_pid(p->t), true, 0);

	return ret ? ret : python_handshake(p, page, page_size, diag);
}

/* Errors that mean: this thread cannot, another may. */
static bool only_this_thread(int err)
{
	return err == -EINPROGRESS || err == -ENOSPC || err == -EFAULT || err == -ETIMEDOUT;
}

/* One more look for a thread that can do the open job. */
static int job_push(struct python *p, bool may_queue, unsigned tries)
{
	int ret;

	target_maps_free(&p->maps);
	ret = target_maps_read(p->t, &p->maps);
	if (!ret)
		ret = shoot(p, target_pid(p->t), may_queue, tries);
	if (only_this_thread(ret))
		ret = shoot_other(p);
	return ret == -EINPROGRESS ? 0 : ret;
}

/* Nobody may begin the open job any more; taken in the meantime, it will be done. */
static int job_withdraw(struct python *p)
{
	if (__atomic_exchange_n(&p->ctl->job, STUB_IDLE, __ATOMIC_ACQ_REL) != STUB_IDLE)
		return -ETIMEDOUT;
	return python_ctl_wait(p, p->jobs, python_now_ns() + 2000000000ull) ? 0 : -ETIMEDOUT;
}

/* See the open job done, on whichever thread can do it first. */
static int job_finish(struct python *p, u64 deadline)
{
	struct stub_ctl *c = p->ctl;
	u32 not_held = 0, refused = c->refused;

	for (unsigned tries = 1;; tries++) {
		u64 look = python_now_ns() + LOOK_AGAIN_MS * 1000000ull;
		bool may_queue;
		int ret;

		while (!python_ctl_wait(p, p->jobs, python_now_ns() + 1000000)) {
			if (python_now_ns() > look || (c->not_held != not_held && tries <= QUEUE_TRIES))
				break;
		}
		if (python_ctl_wait(p, p->jobs, 0))
			return 0;
		if (python_now_ns() > deadline || c->stage == STUB_FINALIZING)
			return job_withdraw(p);
		if (c->waiting || __atomic_load_n(&c->job, __ATOMIC_ACQUIRE) == STUB_IDLE)
			continue; /* a thread is at it */
		not_held = c->not_held;
		may_queue = c->queued == c->called || c->refused != refused;
		refused = c->refused;
		ret = job_push(p, may_queue, tries);
		if (ret)
			return ret;
	}
}

static int job_do(struct python *p, enum stub_job job, u64 deadline)
{
	int ret;

	p->jobs++;
	__atomic_store_n(&p->ctl->job, (u32)job, __ATOMIC_RELEASE);
	ret = job_push(p, p->ctl->queued == p->ctl->called, 0);
	return ret ? ret : job_finish(p, deadline);
}

/* --- attach --------------------------------------------------------------------------------------------------------------- */

int python_new(struct python **out, struct target *t, const struct python_info *info,
	       const struct python_plan *plan, const struct python_attach_options *opt, void **page,
	       size_t *page_size, struct diag *diag)
{
	struct python *p = calloc(1, sizeof(*p));
	u64 random = 0;

	*page = p ? python_plan_page(plan, page_size) : NULL;
	if (!*page) {
		free(p);
		return diag_fail(diag, ENOMEM, "out of memory");
	}
	p->t = t;
	p->info = *info;
	p->page_fd = p->agent_fd = -1;
	p->agent = opt && opt->agent ? opt->agent : pydtrace_agent_so;
	p->agent_size = opt && opt->agent ? opt->agent_size : (size_t)(pydtrace_agent_so_end - pydtrace_agent_so);
	p->ctl_off = ((struct wire_page *)*page)->size;
	p->map_size = p->ctl_off + STUB_CTL_SIZE;
	p->no_proc = !target_has_proc(p);
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = python_now_ns();
	snprintf(p->nonce, sizeof(p->nonce), "%012llx", (unsigned long long)random & 0xffffffffffffull);
	*out = p;
	return python_symbols_find(t, info, &p->sym, diag);
}

/* Where the agent is mapped, and its sites as offsets into its file. */
static int sites_find(struct python *p)
{
	static const char *const names[WIRE_NEVENTS] = {
	    [WIRE_ENTRY] = WIRE_SITE_ENTRY, [WIRE_RETURN] = WIRE_SITE_RETURN};
	struct target_elf *e = NULL;
	struct stat st;
	int ret;

	if (fstat(p->agent_fd, &st))
		return -errno;
	target_maps_free(&p->maps);
	ret = target_maps_read(p->t, &p->maps);
	for (size_t i = 0; !ret && i < p->maps.n && !e; i++)
		if (p->maps.v[i].ino == st.st_ino && !p->maps.v[i].off)
			ret = target_elf_open(&e, p->t, p->maps.v[i].start);
	if (!ret && !e)
		ret = -ENOENT;
	for (int ev = 0; !ret && ev < WIRE_NEVENTS; ev++) {
		u64 addr;

		ret = target_elf_symbol(e, names[ev], &addr);
		for (size_t i = 0; !ret && i < p->maps.n; i++) {
			const struct target_map *m = &p->maps.v[i];

			if (addr >= m->start && addr < m->end)
				p->site[ev] = addr - m->start + m->off;
		}
	}
	target_elf_close(e);
	return ret;
}

int python_loaded(struct python *p, struct diag *diag)
{
	const struct stub_ctl *c = p->ctl;
	pid_t pid = target_pid(p->t);
	const char *comm = target_comm(p->t);
	int ret;

	switch (c->stage) {
	case STUB_OK:
		ret = sites_find(p);
		return ret ? diag_fail(diag, -ret,
				       "process %d (%s): the agent's probe sites are not where they should be", pid,
				       comm)
			   : 0;
	case STUB_NO_FILE:
		return diag_fail(diag, EAGAIN,
				 "process %d (%s) closed the agent's file while it was being loaded; try again",
				 pid, comm);
	case STUB_NO_DLOPEN:
		return diag_fail(diag, EIO, "process %d (%s): cannot load the agent: %.200s", pid, comm, c->error);
	case STUB_INIT_FAILED:
		return diag_fail(diag, c->result < 0 ? -c->result : EIO, "process %d (%s): %.250s", pid, comm,
				 p->page->message[0] ? p->page->message : "the agent refused to start");
	default: return diag_fail(diag, EIO, "process %d (%s): the agent has no %s", pid, comm, WIRE_INIT);
	}
}

static void undo(struct python *p, u64 deadline);

static int attach(struct python *p, const void *page, size_t page_size, u64 deadline, struct diag *diag)
{
	int ret = python_stub_place(p);

	if (ret == -ENOSPC)
		return diag_fail(diag, ENOSPC, "process %d (%s): no room for the loader in its code mappings",
				 target_pid(p->t), target_comm(p->t));
	if (!ret) {
		ret = python_files_prepare(p);
		if (ret)
			return diag_fail(diag, -ret,
					 "process %d (%s): has no /proc, and no file can be made in its /tmp: %s",
					 target_pid(p->t), target_comm(p->t), strerror(-ret));
	}
	if (!ret)
		ret = shoot_first(p, page, page_size, diag);
	if (ret)
		return refuse_stop(p, ret, diag);
	ret = job_finish(p, deadline);
	if (ret == -ETIMEDOUT)
		return refuse_busy(p, diag);
	return ret ? refuse_stop(p, ret, diag) : python_loaded(p, diag);
}

int python_attach(struct python **out, struct target *t, const struct python_info *info,
		  const struct python_plan *plan, const struct python_attach_options *opt, struct diag *diag)
{
	u64 deadline =
	    python_now_ns() + (u64)(opt && opt->timeout_ms ? opt->timeout_ms : DEFAULT_TIMEOUT_MS) * 1000000;
	struct python *p = NULL;
	void *page = NULL;
	size_t page_size;
	int ret = refuse_state(t, diag);

	if (!ret)
		ret = python_new(&p, t, info, plan, opt, &page, &page_size, diag);
	if (ret)
		goto out;
	ret = attach(p, page, page_size, deadline, diag);
	python_files_unlink(p);
	if (ret && p->ctl)
		undo(p, python_now_ns() + 1000000000ull);
out:
	free(page);
	if (ret)
		python_close(p);
	else
		*out = p;
	return ret;
}

int python_site(struct python *p, enum wire_event ev, char *path, size_t size, u64 *off)
{
	if (ev >= WIRE_NEVENTS || !p->site[ev] || p->agent_fd < 0)
		return -ENOENT;
	snprintf(path, size, "/proc/%d/fd/%d", getpid(), p->agent_fd);
	*off = p->site[ev];
	return 0;
}

void python_heartbeat(struct python *p)
{
	if (p->page)
		__atomic_store_n(&p->page->alive_ns, python_now_ns(), __ATOMIC_RELEASE);
}

const struct wire_page *python_page(const struct python *p)
{
	return p->page;
}

const struct wire_function *python_function(const struct python *p, u32 fid)
{
	u64 off = p->page->functions + (u64)(fid - 1) * sizeof(struct wire_function);

	if (!fid || fid > p->page->max_functions || fid > __atomic_load_n(&p->page->nfunctions, __ATOMIC_ACQUIRE) ||
	    off + sizeof(struct wire_function) > p->ctl_off)
		return NULL;
	return (const struct wire_function *)((const char *)p->page + off);
}

const char *python_text(const struct python *p, u32 off)
{
	const char *s = (const char *)p->page + off;

	return off < p->ctl_off && memchr(s, 0, p->ctl_off - off) ? s : "?";
}

/* --- detach --------------------------------------------------------------------------------------------------------------- */

/* The range of the agent's executable mapping, when it is loaded. */
static bool agent_text(struct python *p, u64 *start, u64 *end)
{
	struct stat st;

	if (p->agent_fd < 0 || fstat(p->agent_fd, &st))
		return false;
	for (size_t i = 0; i < p->maps.n; i++) {
		if (p->maps.v[i].ino == st.st_ino && p->maps.v[i].prot[2] == 'x') {
			*start = p->maps.v[i].start;
			*end = p->maps.v[i].end;
			return true;
		}
	}
	return false;
}

/*
 * Wait until no thread is in a range of code of ours. By then the agent has said that no call of its is active, and
 * the borrowed threads that they have left; this is the second look. Words on a stack that point there may be old ones in
 * frames that live on (a thread parked for ever never overwrites them), so they are waited for only a little.
 */
static int wait_outside(struct python *p, u64 start, u64 end, u64 deadline)
{
	u64 mentioned = python_now_ns() + MENTIONED_MS * 1000000ull;

	for (;;) {
		int ret = python_threads_inside(p, start, end);

		if (ret == 0 || (ret == 1 && python_now_ns() > mentioned))
			return 0;
		if (ret < 0 && ret != -ETIMEDOUT)
			return ret;
		if (python_now_ns() > deadline)
			return -EBUSY;
		usleep(2000);
	}
}

/* Let go of the page: raw system calls, so any thread will do that can be stopped. */
static int unmap_page(struct python *p, u64 deadline)
{
	struct target_stop s;
	pid_t *tids;
	size_t n;
	int ret = target_threads(p->t, &tids, &n);

	if (ret)
		return ret;
	ret = -EBUSY;
	for (size_t i = 0; i < n && ret; i++) {
		int ended;

		ret = target_stop(p->t, tids[i], STOP_MS, &s);
		if (ret)
			continue;
		ret = python_shot(p, &s, STUB_UNMAP);
		ended = target_stop_end(&s);
		ret = ret ? ret : ended;
	}
	free(tids);
	while (!ret && !p->leave_page && python_now_ns() < deadline) {
		bool there = false;

		target_maps_free(&p->maps);
		ret = target_maps_read(p->t, &p->maps);
		for (size_t i = 0; i < p->maps.n; i++)
			there |= p->maps.v[i].start == p->target_page;
		if (!there)
			break;
		usleep(200);
	}
	if (!ret && !p->leave_page)
		p->target_page = 0;
	return ret;
}

/* Zero the stub's place again. */
static int stub_erase(struct python *p, u64 deadline)
{
	static const char zero[4096];
	size_t n = (size_t)(__stop_pydtrace_stub - __start_pydtrace_stub);
	int ret = wait_outside(p, p->code, p->code + n, deadline);

	if (!ret)
		ret = target_write(p->t, p->code, zero, n);
	if (!ret)
		p->code = 0;
	return ret;
}

/*
 * Nobody will look into the page again: the pending calls of ours that were queued have been run, and every borrowed
 * thread is past its last look (it may hang in PyGILState_Release() for a while after its job is done).
 */
static bool page_unused(struct python *p, u64 deadline)
{
	const struct stub_ctl *c = p->ctl;

	for (;;) {
		if (__atomic_load_n(&c->called, __ATOMIC_ACQUIRE) >= c->queued &&
		    __atomic_load_n(&c->left, __ATOMIC_ACQUIRE) >= p->shots)
			return true;
		if (python_now_ns() > deadline)
			return false;
		usleep(500);
	}
}

static int unload(struct python *p, u64 deadline)
{
	u64 start, end;
	int ret = 0;

	if (!p->target_page)
		return p->code ? stub_erase(p, deadline) : 0;
	if (p->ctl->handle) {
		target_maps_free(&p->maps);
		ret = target_maps_read(p->t, &p->maps);
		if (!ret && agent_text(p, &start, &end))
			ret = wait_outside(p, start, end, deadline);
		if (!ret)
			ret = job_do(p, STUB_UNLOAD, deadline);
		if (ret)
			return ret;
	}
	p->leave_page = !page_unused(p, python_now_ns() + 500000000ull);
	ret = unmap_page(p, deadline);
	if (p->leave_page)
		return -EBUSY;
	return ret ? ret : stub_erase(p, deadline);
}

/*
 * Take the events off. Calls of functions that matched may be under way: the evaluator's frames are then on their stacks.
 * Most end at once, so ask again a few times before the agent is left behind, inert.
 */
static int fini(struct python *p, u64 deadline)
{
	u32 state;

	__atomic_store_n(&p->page->leave, 1, __ATOMIC_RELEASE);
	for (int i = 0;; i++) {
		int ret = job_do(p, STUB_FINI, deadline);

		if (ret)
			return ret;
		state = __atomic_load_n(&p->page->state, __ATOMIC_ACQUIRE);
		if (state == WIRE_GONE || state == WIRE_FAILED || p->ctl->result == -ESRCH)
			return 0;
		if (state != WIRE_INERT || i == FINI_RETRIES)
			return -EBUSY;
		usleep(1000u << (i < 6 ? i : 6));
	}
}

/* After an attach that failed: whatever of it is in the target. */
static void undo(struct python *p, u64 deadline)
{
	if (p->page->state == WIRE_ACTIVE && fini(p, deadline))
		return;
	unload(p, deadline);
}

int python_detach(struct python *p, struct diag *diag)
{
	u64 deadline = python_now_ns() + (u64)DEFAULT_TIMEOUT_MS * 1000000;
	int ret;

	if (!p->target_page)
		return 0;
	ret = fini(p, deadline);
	if (ret == -ETIMEDOUT)
		return refuse_busy(p, diag);
	if (ret)
		return ret == -ESRCH || ret == -EBUSY ? ret : refuse_stop(p, ret, diag);
	ret = unload(p, deadline);
	return ret == -ESRCH || ret == 0 ? ret : -EBUSY;
}

void python_close(struct python *p)
{
	if (!p)
		return;
	target_maps_free(&p->maps);
	if (p->page)
		munmap(p->page, p->map_size);
	if (p->page_fd >= 0)
		close(p->page_fd);
	if (p->agent_fd >= 0)
		close(p->agent_fd);
	free(p);
}
