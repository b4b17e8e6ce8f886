// SPDX-License-Identifier: Apache-2.0
/* The shared page: the stub makes it, we fill it (stub.h). */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { STEP_MS = 2000 };

/*
 * Open what is descriptor `fd` in the target, if it still is the file that our stub made. -ETIMEDOUT: it is not; the stub
 * waited in vain and has taken it back. First it is only held (O_PATH): what a hostile target has put there must not
 * be opened for writing because of its name alone, which a bind mount can forge. A memory file has no link.
 */
static int fd_open(struct python *p, int fd, const char *kind)
{
	char path[64], link[128], want[128];
	struct stat st;
	ssize_t n;
	int held, ret;

	snprintf(path, sizeof(path), "/proc/%d/fd/%d", target_pid(p->t), fd);
	held = open(path, O_PATH | O_CLOEXEC);
	if (held < 0)
		return errno == ENOENT ? -ETIMEDOUT : -errno;
	snprintf(path, sizeof(path), "/proc/self/fd/%d", held);
	n = readlink(path, link, sizeof(link) - 1);
	link[n < 0 ? 0 : n] = 0;
	snprintf(want, sizeof(want), "/memfd:pydtrace-%s-%s", kind, p->nonce);
	ret = -ETIMEDOUT;
	if (!strncmp(link, want, strlen(want)) && !fstat(held, &st) && S_ISREG(st.st_mode) && !st.st_nlink) {
		ret = open(path, O_RDWR | O_CLOEXEC);
		ret = ret < 0 ? -errno : ret;
	}
	close(held);
	return ret;
}

/* The agent's descriptor in the target, when it is still open there and still ours; -1. */
int python_agent_fd(struct python *p)
{
	int fd = p->ctl ? p->ctl->agent_fd : -1, own = fd >= 0 ? fd_open(p, fd, "agent") : -1;

	if (own >= 0)
		close(own);
	return own >= 0 ? fd : -1;
}

static int frame_word(struct python *p, size_t off, void *dst, size_t n)
{
	return target_read(p->t, p->target_frame + off, dst, n);
}
#define FRAME_GET(p, field, to) frame_word(p, offsetof(struct stub_frame, field), (to), sizeof(*(to)))

/* Wait for the stub's answer: 0, its error, or -ETIMEDOUT when the thread did not get to run. */
static int wait_step(struct python *p)
{
	u64 deadline = now_ns() + STEP_MS * 1000000ull;
	struct timespec nap = {0, 20000};
	s32 step = 0, error;

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
	u32 ack = 1;
	int ret = FRAME_GET(p, error, &error);

	target_write(p->t, p->target_frame + offsetof(struct stub_frame, ack), &ack, sizeof(ack));
	return ret ? ret : step == -1 && error < 0 && error > -4096 ? error : -EIO;
}

/* The page is a file, filled before the shot: the stub stays for no answer, so see where it has been mapped. */
static int wait_mapped(struct python *p)
{
	u64 deadline = now_ns() + STEP_MS * 1000000ull;
	struct stat st;

	if (fstat(p->page_fd, &st))
		return -errno;
	for (;;) {
		s32 step = 0;
		int ret;

		p->target_page = __atomic_load_n(&p->ctl->page, __ATOMIC_ACQUIRE);
		if (p->target_page)
			return 0;
		if (!FRAME_GET(p, step, &step) && step == -1) {
			ret = wait_step(p);
			return ret ? ret : -EIO;
		}
		if (now_ns() > deadline)
			return -ETIMEDOUT;
		usleep(100);
	}
}

int python_handshake(struct python *p, const void *page, size_t page_size)
{
	u32 raw = STUB_RAW;
	s32 fds[2];
	int ret;

	if (p->no_memfd)
		return wait_mapped(p);
	ret = wait_step(p);
	if (!ret)
		ret = FRAME_GET(p, page_fd, &fds[0]);
	if (!ret)
		ret = FRAME_GET(p, agent_fd, &fds[1]);
	if (!ret)
		ret = FRAME_GET(p, page, &p->target_page);
	if (ret)
		return ret;
	p->page_fd = fd_open(p, fds[0], "page");
	if (p->page_fd < 0)
		return p->page_fd;
	ret = python_page_seal(p);
	if (!ret)
		ret = python_page_map(p);
	if (!ret && !p->file[0]) {
		p->agent_fd = fd_open(p, fds[1], "agent");
		ret = p->agent_fd < 0 ? p->agent_fd : python_agent_write(p);
	}
	if (ret)
		return ret;
	python_page_fill(p, page, page_size, fds[1]);
	if (!__atomic_compare_exchange_n(&p->ctl->ready, &raw, STUB_FILLED, false, __ATOMIC_ACQ_REL,
					 __ATOMIC_ACQUIRE))
		return -ETIMEDOUT;
	return 0;
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
