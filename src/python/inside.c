// SPDX-License-Identifier: Apache-2.0
/* Is any thread still in code of ours? Asked before that code is taken away. */
#include <errno.h>
#include <stdlib.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { MENTIONED_MS = 20 /* how long a word on a stack keeps us waiting */ };

/* A word in the top of the stack that points into [start, end): a return address, or a stale one. */
static bool stack_points_into(struct python *p, u64 sp, u64 start, u64 end)
{
	const struct target_map *m = target_map_at(&p->maps, sp);
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

/* 2: a thread stands in [start, end); 1: a word near the top of a thread's stack points there; 0: neither; -errno. */
static int threads_inside(struct python *p, u64 start, u64 end)
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

/*
 * Wait until no thread is in a range of code of ours. By then the agent has said that no call of its is active, and
 * the borrowed threads that they have left; this is the second look. Words on a stack that point there may be old ones in
 * frames that live on (a thread parked for ever never overwrites them), so they are waited for only a little.
 */
int python_wait_outside(struct python *p, u64 start, u64 end, u64 deadline)
{
	u64 mentioned = now_ns() + MENTIONED_MS * 1000000ull;

	for (;;) {
		int ret = threads_inside(p, start, end);

		if (ret == 0 || (ret == 1 && now_ns() > mentioned))
			return 0;
		if (ret < 0 && ret != -ETIMEDOUT)
			return ret;
		if (now_ns() > deadline)
			return -EBUSY;
		usleep(2000);
	}
}
