// SPDX-License-Identifier: Apache-2.0
/*
 * Forks and execs of the whole system, as the kernel tells them to who samples nothing (perf_event_open(2), attr.task and
 * attr.comm_exec): one ring for each processor. It takes CAP_PERFMON.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/ioctl.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "target/target.h"

enum { DATA_PAGES = 16 /* a power of two */, RECORD_MAX = 512 };

struct ring {
	int fd;
	struct perf_event_mmap_page *page;
};

struct target_births {
	int epoll;
	size_t size, mask; /* of a ring's mapping; of its data, less one */
	size_t n;
	struct ring rings[];
};

static int ring_open(struct target_births *b, int cpu)
{
	struct perf_event_attr attr = {
	    .type = PERF_TYPE_SOFTWARE,
	    .size = sizeof(attr),
	    .config = PERF_COUNT_SW_DUMMY,
	    .task = 1,
	    .comm = 1,
	    .comm_exec = 1,
	    .watermark = 1,
	    .wakeup_watermark = 1,
	};
	struct ring *r = &b->rings[b->n];
	struct epoll_event ev = {.events = EPOLLIN};
	int err;

	r->fd = (int)syscall(SYS_perf_event_open, &attr, -1, cpu, -1, PERF_FLAG_FD_CLOEXEC);
	if (r->fd < 0)
		return errno == ENODEV ? 0 : -errno; /* a processor that is offline */
	r->page = mmap(NULL, b->size, PROT_READ | PROT_WRITE, MAP_SHARED, r->fd, 0);
	err = r->page == MAP_FAILED ? -errno : 0;
	if (!err && epoll_ctl(b->epoll, EPOLL_CTL_ADD, r->fd, &ev)) {
		err = -errno;
		munmap(r->page, b->size);
	}
	if (err)
		close(r->fd);
	b->n += !err;
	return err;
}

int target_births_open(struct target_births **out)
{
	long ncpus = sysconf(_SC_NPROCESSORS_CONF), page = sysconf(_SC_PAGESIZE);
	struct target_births *b = calloc(1, sizeof(*b) + (size_t)(ncpus > 0 ? ncpus : 1) * sizeof(b->rings[0]));
	int err = 0;

	*out = NULL;
	if (!b)
		return -ENOMEM;
	b->size = (size_t)page * (1 + DATA_PAGES);
	b->mask = (size_t)page * DATA_PAGES - 1;
	b->epoll = epoll_create1(EPOLL_CLOEXEC);
	if (b->epoll < 0)
		err = -errno;
	for (int cpu = 0; !err && cpu < ncpus; cpu++)
		err = ring_open(b, cpu);
	if (err) {
		target_births_close(b);
		return err;
	}
	*out = b;
	return 0;
}

void target_births_close(struct target_births *b)
{
	if (!b)
		return;
	for (size_t i = 0; i < b->n; i++) {
		munmap(b->rings[i].page, b->size);
		close(b->rings[i].fd);
	}
	if (b->epoll >= 0)
		close(b->epoll);
	free(b);
}

int target_births_fd(const struct target_births *b)
{
	return b->epoll;
}

/* A record may go round the end of the ring. */
static void copy_out(const struct target_births *b, const struct ring *r, u64 at, void *to, size_t n)
{
	const u8 *data = (const u8 *)r->page + (b->size - b->mask - 1);

	for (size_t i = 0; i < n; i++)
		((u8 *)to)[i] = data[(at + i) & b->mask];
}

static void tell(const struct perf_event_header *h, const u8 *record, target_birth_fn *fn, void *arg)
{
	struct {
		u32 pid, ppid, tid, ptid;
	} task; /* PERF_RECORD_FORK; PERF_RECORD_COMM has pid, tid */

	memcpy(&task, record + sizeof(*h), sizeof(task));
	if (h->type == PERF_RECORD_FORK && task.pid != task.ppid)
		fn(arg, TARGET_FORK, (pid_t)task.pid, (pid_t)task.ppid);
	else if (h->type == PERF_RECORD_COMM && h->misc & PERF_RECORD_MISC_COMM_EXEC)
		fn(arg, TARGET_EXEC, (pid_t)task.pid, 0);
	else if (h->type == PERF_RECORD_LOST)
		fn(arg, TARGET_LOST, 0, 0);
}

static void ring_take(struct target_births *b, struct ring *r, target_birth_fn *fn, void *arg)
{
	u64 head = __atomic_load_n(&r->page->data_head, __ATOMIC_ACQUIRE), at = r->page->data_tail;

	while (at < head) {
		u8 record[RECORD_MAX] = {0};
		struct perf_event_header h;

		copy_out(b, r, at, &h, sizeof(h));
		if (h.size < sizeof(h))
			break;
		copy_out(b, r, at, record, h.size < sizeof(record) ? h.size : sizeof(record));
		tell(&h, record, fn, arg);
		at += h.size;
	}
	__atomic_store_n(&r->page->data_tail, head, __ATOMIC_RELEASE);
}

void target_births_take(struct target_births *b, target_birth_fn *fn, void *arg)
{
	for (size_t i = 0; i < b->n; i++)
		ring_take(b, &b->rings[i], fn, arg);
}
