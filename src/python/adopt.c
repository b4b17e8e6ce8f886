// SPDX-License-Identifier: Apache-2.0
/*
 * What a killed pydtrace has left in the process: its agent has gone inert, and is taken out before ours is put in, so
 * that a process does not fill up with dead ones.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { ADOPT_MS = 1000, BURY_MS = 5000, ROUNDS = 8 };

static int map_open(struct python *p, const struct target_map *m)
{
	char path[128];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/map_files/%llx-%llx", target_pid(p->t), (unsigned long long)m->start,
		 (unsigned long long)m->end);
	fd = open(path, O_RDWR | O_CLOEXEC);
	return fd < 0 ? -errno : fd;
}

/* The agent that belongs to a page: their files' names end alike. */
static int agent_open(struct python *p, const char *page_path)
{
	const char *nonce = strstr(page_path, "-page-") + 6;
	char want[64];

	snprintf(want, sizeof(want), "pydtrace-agent-%.12s", nonce);
	for (size_t i = 0; i < p->maps.n; i++)
		if (!p->maps.v[i].off && strstr(p->maps.v[i].path, want))
			return map_open(p, &p->maps.v[i]);
	return -ENOENT;
}

/* Take over the page at `m` as if we had attached. -EBUSY: its tracer lives. */
static int adopt(struct python *p, const struct target_map *m)
{
	struct wire_page head;
	int ret = target_read(p->t, m->start, &head, sizeof(head));

	if (ret)
		return ret;
	if (head.magic != WIRE_MAGIC || head.version != WIRE_VERSION || head.size < sizeof(head) ||
	    head.size % 4096)
		return -ENOEXEC;
	if (head.owner && !(head.owner & WIRE_OWNER_DIED))
		return -EBUSY;
	p->ctl_off = head.size;
	p->map_size = p->ctl_off + STUB_CTL_SIZE;
	p->target_page = m->start;
	p->page_fd = map_open(p, m);
	if (p->page_fd < 0)
		return p->page_fd;
	if (lseek(p->page_fd, 0, SEEK_END) < (off_t)p->map_size)
		return -ENOEXEC;
	ret = strncmp(m->path, "/memfd:", 7) ? 0 : python_page_seal(p); /* a file in /tmp cannot be sealed */
	if (!ret)
		ret = python_page_map(p);
	if (ret)
		return ret;
	p->agent_fd = agent_open(p, m->path);
	p->jobs = p->ctl->done;
	p->shots = p->ctl->entered;
	return p->ctl->page == p->target_page && p->ctl->map_size == p->map_size ? 0 : -ENOEXEC;
}

/* One round over all pages: how many dead agents are gone. */
static int bury_round(struct target *t, const struct python_info *info, const struct python_symbols *sym,
		      u64 deadline)
{
	struct target_maps maps;
	int gone = 0;

	if (target_maps_read(t, &maps))
		return 0;
	for (size_t i = 0; i < maps.n && now_ns() < deadline; i++) {
		struct python *p = python_is_page(&maps.v[i]) ? calloc(1, sizeof(*p)) : NULL;

		if (!p)
			continue;
		p->t = t;
		p->info = *info;
		p->sym = *sym;
		p->page_fd = p->agent_fd = p->dir_fd = -1;
		if (!python_stub_place(p) && !adopt(p, &maps.v[i])) {
			python_undo(p, now_ns() + ADOPT_MS * 1000000ull);
			gone += !p->target_page;
		}
		python_close(p);
	}
	target_maps_free(&maps);
	return gone;
}

/*
 * Up to 3.11 an agent's frame evaluator may have been put before another's, and can leave only after that one has: so as
 * many rounds as it takes; but a process may be full of files that only look like pages.
 */
void python_bury_dead(struct target *t, const struct python_info *info, const struct python_symbols *sym)
{
	u64 deadline = now_ns() + BURY_MS * 1000000ull;

	for (int round = 0; round < ROUNDS && bury_round(t, info, sym, deadline); round++)
		;
}
