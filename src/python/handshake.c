// SPDX-License-Identifier: Apache-2.0
/* The shared page: the stub makes it, we give it its size and fill it (stub.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { STEP_MS = 2000, TAKE_MS = 1000, ACK_MS = 500 };

/*
 * The kernel's own file system for shared memory (mm/shmem.c, shm_mnt): a memory file of ours is on it. Since Linux 6.3 a
 * sysctl may want it to be said that there is no code in it (vm.memfd_noexec).
 */
static bool memory_device(dev_t *out)
{
	int fd = memfd_create("pydtrace", MFD_CLOEXEC);
	struct stat st;
	bool ok;

	if (fd < 0)
		fd = memfd_create("pydtrace", MFD_CLOEXEC | 8 /* MFD_NOEXEC_SEAL */);
	ok = fd >= 0 && !fstat(fd, &st);
	if (ok)
		*out = st.st_dev;
	if (fd >= 0)
		close(fd);
	return ok;
}

/*
 * Hold file `name` of the target's /proc/PID without opening it (O_PATH): what a hostile target has put there must not be opened for writing because
 * of its name alone. Then it has to be memory of the kernel's own file system for that: no name leads to such a file, and
 * nothing else is on it. -ETIMEDOUT: it is something else; the stub waited in vain and has taken it back.
 */
static int memory_hold(struct python *p, const char *name, const char *want, struct stat *st)
{
	int held = target_proc_open(p->t, name, O_PATH);
	char link[128], own[64];
	dev_t device;
	ssize_t n;

	if (held < 0)
		return held == -ESRCH ? -ETIMEDOUT
				      : held; /* not there; whether the process is, is seen elsewhere */
	snprintf(own, sizeof(own), "/proc/self/fd/%d", held);
	n = readlink(own, link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	if (!strncmp(link, want, strlen(want)) && !fstat(held, st) && S_ISREG(st->st_mode) && !st->st_nlink &&
	    memory_device(&device) && st->st_dev == device)
		return held;
	close(held);
	return -ETIMEDOUT;
}

/* Open for writing what memory_hold() holds; `held` is closed. */
static int memory_open(int held)
{
	char path[64];
	int fd;

	if (held < 0)
		return held;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", held);
	fd = open(path, O_RDWR | O_CLOEXEC);
	fd = fd < 0 ? -errno : fd;
	close(held);
	return fd;
}

/* The memory file that is descriptor `fd` in the target, if it is the one that our stub made. */
static int fd_hold(struct python *p, int fd, const char *kind, struct stat *st)
{
	char name[32], want[64];

	snprintf(name, sizeof(name), "fd/%d", fd);
	snprintf(want, sizeof(want), "/memfd:pydtrace-%s-%s", kind, p->nonce);
	return memory_hold(p, name, want, st);
}

/* The agent's descriptor in the target, when it is still open there and still ours; -1. */
int python_agent_fd(struct python *p)
{
	int fd = p->ctl ? p->ctl->agent_fd : -1, held = -1;
	struct stat st, ours;
	bool same = false;

	if (fd >= 0 && p->agent_fd >= 0)
		held = fd_hold(p, fd, "agent", &st);
	if (held >= 0) {
		same = !fstat(p->agent_fd, &ours) && st.st_dev == ours.st_dev && st.st_ino == ours.st_ino;
		close(held);
	}
	return same ? fd : -1;
}

static int frame_word(struct python *p, size_t off, void *dst, size_t n)
{
	return target_read(p->t, p->target_frame + off, dst, n);
}
#define FRAME_GET(p, field, to) frame_word(p, offsetof(struct stub_frame, field), (to), sizeof(*(to)))

/*
 * The error has been read, so the stub need not wait. The frame is gone when the stub is, and its place on the stack is the
 * program's again: so the word is written only while the thread is seen to be in the stub.
 */
static void step_ack(struct python *p)
{
	struct target_stop s;
	u32 ack = 1;

	if (target_stop(p->t, p->shot_tid, ACK_MS, &s))
		return;
	if (s.regs.rip >= p->code && s.regs.rip < p->code + python_stub_size())
		target_write(p->t, p->target_frame + offsetof(struct stub_frame, ack), &ack, sizeof(ack));
	target_stop_end(&s);
}

static int step_error(struct python *p)
{
	s32 error;
	int ret = FRAME_GET(p, error, &error);

	step_ack(p);
	return ret ? ret : error < 0 && error > -4096 ? error : -ETIMEDOUT;
}

/* Wait for the stub's answer: 0, its error, or -ETIMEDOUT when the thread did not get to run. */
static int wait_step(struct python *p)
{
	u64 deadline = now_ns() + STEP_MS * 1000000ull;
	struct timespec nap = {0, 20000};
	s32 step = 0;

	while (!step) {
		int ret = FRAME_GET(p, step, &step);

		if (ret)
			return ret;
		if (!step && now_ns() > deadline)
			return -ETIMEDOUT;
		if (!step)
			nanosleep(&nap, NULL);
	}
	if (step == 1)
		return 0;
	/* Anything else than its two answers: the stub has given up, and its place on the stack is the program's again. */
	return step == -1 ? step_error(p) : -ETIMEDOUT;
}

/* The page is filled: until the stub has taken it. -ETIMEDOUT: it has not, and never will. */
static int wait_taken(struct python *p)
{
	u64 deadline = now_ns() + TAKE_MS * 1000000ull;
	struct timespec nap = {0, 50000};

	for (;;) {
		u64 page = __atomic_load_n(&p->ctl->page, __ATOMIC_ACQUIRE);
		u32 ready = __atomic_load_n(&p->ctl->ready, __ATOMIC_ACQUIRE);
		s32 step = 0;

		if (ready == STUB_TAKEN && page) {
			p->target_page = page;
			return 0;
		}
		if (ready == STUB_ABANDONED)
			return -ETIMEDOUT;
		if (FRAME_GET(p, step, &step))
			step = 0;
		if (ready == STUB_FILLED && (step == -1 || now_ns() > deadline) &&
		    __atomic_compare_exchange_n(&p->ctl->ready, &ready, STUB_ABANDONED, false, __ATOMIC_ACQ_REL,
						__ATOMIC_ACQUIRE))
			return step == -1 ? step_error(p) : -ETIMEDOUT;
		if (now_ns() > deadline + TAKE_MS * 1000000ull) /* taken, but without a page: not by our stub */
			return -EIO;
		nanosleep(&nap, NULL);
	}
}

/* Give a memory file its size, for good: who reads it never runs into its end (SIGBUS). */
static int file_size(int fd, size_t size)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW;
	struct stat st;
	int seals;

	if (ftruncate(fd, (off_t)size))
		return -errno;
	fcntl(fd, F_ADD_SEALS, want);
	seals = fcntl(fd, F_GET_SEALS);
	return seals > 0 && (seals & want) == want && !fstat(fd, &st) && st.st_size == (off_t)size ? 0 : -ETIMEDOUT;
}

/* The page is a memory file, made by the stub a moment ago and empty. */
static int page_open_memfd(struct python *p, s32 fd)
{
	struct stat st;

	p->page_fd = memory_open(fd_hold(p, fd, "page", &st));
	if (p->page_fd < 0)
		return p->page_fd;
	return st.st_size ? -ETIMEDOUT : file_size(p->page_fd, p->map_size);
}

/* The agent too. From now on nobody changes it, not even the target. */
static int agent_open(struct python *p, s32 fd)
{
	const int want = F_SEAL_SHRINK | F_SEAL_GROW | F_SEAL_WRITE | F_SEAL_SEAL;
	struct stat st;
	int ret;

	p->agent_fd = memory_open(fd_hold(p, fd, "agent", &st));
	if (p->agent_fd < 0)
		return p->agent_fd;
	ret = st.st_size ? -ETIMEDOUT : python_agent_write(p);
	if (!ret && fcntl(p->agent_fd, F_ADD_SEALS, want))
		ret = -ETIMEDOUT; /* somebody has sealed it, or has it mapped for writing */
	return ret;
}

/* The page is memory that the stub has mapped without a file's name: the kernel has a file for that, too. */
static int page_open_shared(struct python *p)
{
	struct stat st;
	char name[64];
	u64 page;
	int held, ret = FRAME_GET(p, page, &page);

	if (ret)
		return ret;
	snprintf(name, sizeof(name), "map_files/%llx-%llx", (unsigned long long)page,
		 (unsigned long long)(page + p->map_size));
	held = memory_hold(p, name, "/dev/zero", &st);
	if (held >= 0 && st.st_size != (off_t)p->map_size) {
		close(held);
		held = -ETIMEDOUT;
	}
	p->page_fd = memory_open(held);
	return p->page_fd < 0 ? p->page_fd : 0;
}

/* What the stub has made is there: open it, fill it, and let the stub go on with it. */
static int page_make(struct python *p, const void *page, size_t page_size)
{
	u32 raw = STUB_RAW;
	s32 fds[2];
	int ret = wait_step(p);

	if (!ret)
		ret = FRAME_GET(p, page_fd, &fds[0]);
	if (!ret)
		ret = FRAME_GET(p, agent_fd, &fds[1]);
	if (!ret)
		ret = p->page_kind == PAGE_MEMFD ? page_open_memfd(p, fds[0]) : page_open_shared(p);
	if (!ret)
		ret = python_page_map(p);
	if (!ret && !p->file[0])
		ret = agent_open(p, fds[1]);
	if (ret)
		return ret;
	python_page_fill(p, page, page_size, p->file[0] ? -1 : fds[1]);
	if (!__atomic_compare_exchange_n(&p->ctl->ready, &raw, STUB_FILLED, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return -ETIMEDOUT;
	/* What the stub waits for. */
	if (p->page_kind == PAGE_MEMFD && fcntl(p->page_fd, F_ADD_SEALS, F_SEAL_SEAL))
		return -ETIMEDOUT;
	return 0;
}

int python_handshake(struct python *p, const void *page, size_t page_size)
{
	int ret = p->page_kind == PAGE_FILE ? 0 : page_make(p, page, page_size);

	return ret ? ret : wait_taken(p);
}

/* A first shot that came to nothing: as before it. */
void python_handshake_undo(struct python *p)
{
	python_files_unlink(p);
	python_page_unmap(p);
	if (p->page_fd >= 0)
		close(p->page_fd);
	if (p->agent_fd >= 0)
		close(p->agent_fd);
	p->page_fd = p->agent_fd = -1;
	p->target_page = 0;
	p->shots = 0;
	p->file[0] = p->page_file[0] = 0;
}

bool python_ctl_wait(struct python *p, u32 done, u64 deadline)
{
	struct timespec nap = {0, 50000};

	for (;;) {
		if (__atomic_load_n(&p->ctl->done, __ATOMIC_ACQUIRE) >= done)
			return true;
		if (now_ns() > deadline)
			return false;
		nanosleep(&nap, NULL);
	}
}
