// SPDX-License-Identifier: Apache-2.0
/*
 * The memory map of a process, /proc/PID/maps. How long it is, is for the process to say: a mapping for each page, of files with
 * long names. So equal names are kept once, and there are limits.
 *
 * The kernel makes the text of a path anew for each mapping, which takes most of the time. From Linux 6.11 on it can be asked for
 * one mapping after the other without its name (PROCMAP_QUERY; fs/proc/task_mmu.c), and for the name of each file once. Before, the
 * text is read line by line into a buffer of fixed size.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/sysmacros.h>
#include <unistd.h>

#include "target/target_impl.h"

enum {
	BUFFER = 1 << 16,      /* holds any line: a path of 4096 bytes, each of which may be written as four */
	NAMES_CHUNK = 1 << 14, /* holds any name */
	NAME_MAX_QUERY = 4096, /* PATH_MAX: the kernel takes no larger buffer */
};

/* include/uapi/linux/fs.h of Linux 6.11 */
struct map_query {
	u64 size, flags, addr;                               /* in */
	u64 start, end, vma_flags, page_size, offset, inode; /* out */
	u32 dev_major, dev_minor, name_size, build_id_size;  /* sizes: in and out */
	u64 name_addr, build_id_addr;                        /* in */
};
#define MAP_QUERY         _IOWR('f', 17, struct map_query)
#define MAP_COVERING_NEXT 0x10u
#define MAP_SHARED_FLAG   8u

/* Names, NUL-terminated, that do not move. */
struct target_names {
	struct target_names *next;
	size_t used, size;
	char text[];
};

void maps_names_free(struct target_names *n)
{
	for (struct target_names *next; n; n = next) {
		next = n->next;
		free(n);
	}
}

/* A copy of the name, kept as long as the reader's names. */
static int name_add(struct maps_reader *r, const char *name, const char **out)
{
	struct target_names *last = r->names;
	size_t n = strlen(name) + 1;

	r->name_bytes += n;
	if (r->name_bytes > TARGET_MAPS_NAMES)
		return -ENAMETOOLONG;
	if (!last || last->size - last->used < n) {
		size_t size = n > NAMES_CHUNK ? n : NAMES_CHUNK;

		last = malloc(sizeof(*last) + size);
		if (!last)
			return -ENOMEM;
		*last = (struct target_names){.next = r->names, .size = size};
		r->names = last;
	}
	*out = memcpy(last->text + last->used, name, n);
	last->used += n;
	return 0;
}

/* The same, once for neighbours, which mostly have the same few names. */
static int name_keep(struct maps_reader *r, const char *name, const char **out)
{
	const char **seen = &r->recent[hash_bytes(name, strlen(name)) % MAPS_RECENT];
	int ret = 0;

	if (!*name) {
		*out = "";
		return 0;
	}
	if (!*seen || strcmp(*seen, name))
		ret = name_add(r, name, seen);
	*out = *seen;
	return ret;
}

static int map_found(struct maps_reader *r, const struct target_map *m)
{
	if (++r->maps > TARGET_MAPS_MAX)
		return -E2BIG;
	r->over = r->fn(r->arg, m);
	return 0;
}

/* --- line by line --------------------------------------------------------------------------------------------- */

static ssize_t read_some(int fd, char *dst, size_t n)
{
	ssize_t got;

	do {
		got = read(fd, dst, n);
	} while (got < 0 && errno == EINTR);
	return got < 0 ? -errno : got;
}

/* The whole lines at the front of n bytes: each to fn. What is left over: its length, or what fn returned < 0; fn's 1 ends it. */
static ssize_t lines_take(char *text, size_t n, struct maps_reader *r)
{
	char *line = text, *end;
	struct target_map m;
	int ret;

	while ((end = memchr(line, '\n', n - (size_t)(line - text)))) {
		*end = 0;
		ret = parse_map_line(line, &m);
		if (ret)
			return ret;
		ret = map_found(r, &m);
		if (ret || r->over)
			return ret;
		line = end + 1;
	}
	n -= (size_t)(line - text);
	memmove(text, line, n);
	return (ssize_t)n;
}

static int lines_walk(int fd, struct maps_reader *r)
{
	char *text = malloc(BUFFER);
	ssize_t have = 0, got = text ? 1 : -ENOMEM;
	u64 total = 0;

	while (got > 0 && have >= 0 && !r->over) {
		got = have < BUFFER - 1 ? read_some(fd, text + have, (size_t)(BUFFER - 1 - have)) : -EINVAL;
		if (got <= 0)
			break;
		total += (u64)got;
		have = total > TARGET_MAPS_TEXT ? -EFBIG : lines_take(text, (size_t)(have + got), r);
	}
	free(text);
	return got < 0 ? (int)got : have < 0 ? (int)have : 0;
}

/* --- one by one ----------------------------------------------------------------------------------------------- */

static int query(int fd, struct map_query *q)
{
	return ioctl(fd, MAP_QUERY, q) ? -errno : 0;
}

/* The name of the mapping at q->start. */
static int name_query(int fd, const struct map_query *found, struct maps_reader *r, const char **out)
{
	char name[NAME_MAX_QUERY];
	struct map_query q = {
	    .size = sizeof(q), .addr = found->start, .name_addr = (u64)(uintptr_t)name, .name_size = sizeof(name)};
	int ret = query(fd, &q);

	if (ret || !q.name_size)
		name[0] = 0; /* it is gone, or has none */
	name[sizeof(name) - 1] = 0;
	return name_keep(r, name, out);
}

/* Of a file's mappings the first is asked. */
static int name_find(int fd, const struct map_query *q, struct maps_reader *r, struct target_map *m)
{
	struct maps_file *f = &r->files[hash_bytes(&q->inode, sizeof(q->inode)) % MAPS_FILES];
	int ret;

	if (!m->ino)
		return name_query(fd, q, r, &m->path);
	if (f->name && f->dev == m->dev && f->ino == m->ino) {
		m->path = f->name;
		return 0;
	}
	ret = name_query(fd, q, r, &m->path);
	*f = (struct maps_file){m->dev, m->ino, ret ? NULL : m->path};
	return ret;
}

/* -ENOTTY: the kernel cannot be asked. */
static int query_walk(int fd, struct maps_reader *r)
{
	struct map_query q = {.end = 0};
	int ret;

	r->kept = true;
	for (;;) {
		struct target_map m;

		q = (struct map_query){.size = sizeof(q), .flags = MAP_COVERING_NEXT, .addr = q.end};
		ret = query(fd, &q);
		if (ret)
			return ret == -ENOENT ? 0 : ret;
		if (q.end <= q.start) /* no kernel says so */
			return -EINVAL;
		m = (struct target_map){
		    .start = q.start,
		    .end = q.end,
		    .off = q.offset,
		    .dev = makedev(q.dev_major, q.dev_minor),
		    .ino = q.inode,
		    .prot = {"-r"[q.vma_flags & 1], "-w"[q.vma_flags >> 1 & 1], "-x"[q.vma_flags >> 2 & 1],
			     q.vma_flags & MAP_SHARED_FLAG ? 's' : 'p'},
		};
		ret = name_find(fd, &q, r, &m);
		if (!ret)
			ret = map_found(r, &m);
		if (ret || r->over)
			return ret;
	}
}

/* --- either way ----------------------------------------------------------------------------------------------- */

int maps_walk(int fd, struct maps_reader *r, bool text_only)
{
	int ret = text_only ? -ENOTTY : query_walk(fd, r);

	if (ret == -ENOTTY && !r->maps) {
		r->kept = false;
		ret = lines_walk(fd, r);
	}
	if (ret || r->over)
		return ret ? ret : r->over;
	return r->maps ? 0 : -ESRCH; /* it has ended: an empty file */
}

/* Frees the reader. The names are the caller's if he wants them. */
static int walk_and_close(int fd, target_map_fn *fn, void *arg, struct maps_reader *r, struct target_names **names)
{
	int ret = -ENOMEM;

	if (r) {
		r->fn = fn;
		r->arg = arg;
		ret = fd < 0 ? fd : maps_walk(fd, r, false);
		if (names)
			*names = r->names;
		else
			maps_names_free(r->names);
	}
	if (fd >= 0)
		close(fd);
	free(r);
	return ret;
}

int target_maps_walk(const struct target *t, target_map_fn *fn, void *arg)
{
	return walk_and_close(target_proc_open(t, "maps", O_RDONLY), fn, arg, calloc(1, sizeof(struct maps_reader)),
			      NULL);
}

int target_proc_maps_walk(pid_t pid, target_map_fn *fn, void *arg)
{
	return walk_and_close(proc_open(pid, "maps", O_RDONLY), fn, arg, calloc(1, sizeof(struct maps_reader)),
			      NULL);
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

struct collect {
	struct target_maps *to;
	struct maps_reader *r;
	size_t cap;
};

static int collect(void *arg, const struct target_map *m)
{
	struct collect *c = arg;
	struct target_maps *to = c->to;

	if (to->n == c->cap) {
		size_t want = c->cap ? c->cap * 2 : 64;
		struct target_map *v = reallocarray(to->v, want, sizeof(*v));

		if (!v)
			return -ENOMEM;
		to->v = v;
		c->cap = want;
	}
	to->v[to->n++] = *m;
	return c->r->kept ? 0 : name_keep(c->r, m->path, &to->v[to->n - 1].path);
}

int target_maps_read(struct target *t, struct target_maps *out)
{
	struct collect c = {.to = out, .r = calloc(1, sizeof(*c.r))};
	int ret;

	memset(out, 0, sizeof(*out));
	ret = walk_and_close(target_proc_open(t, "maps", O_RDONLY), collect, &c, c.r, &out->names);
	if (ret)
		target_maps_free(out);
	return ret;
}

void target_maps_free(struct target_maps *m)
{
	maps_names_free(m->names);
	free(m->v);
	memset(m, 0, sizeof(*m));
}
