// SPDX-License-Identifier: Apache-2.0
/*
 * The memory map of a process, /proc/PID/maps. How long it is, is for the process to say: a mapping for each page, of files with
 * long names. So it is read line by line into a buffer of fixed size, equal names are kept once, and there are limits.
 */
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/target_impl.h"

enum {
	BUFFER = 1 << 16,      /* holds any line: a path of 4096 bytes, each of which may be written as four */
	NAMES_CHUNK = 1 << 14, /* holds any name */
	RECENT = 64,
};

/* Names, NUL-terminated, that do not move. */
struct target_names {
	struct target_names *next;
	size_t used, size;
	char text[];
};

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
		if (++r->lines > TARGET_MAPS_MAX)
			return -E2BIG;
		r->over = r->fn(r->arg, &m);
		if (r->over)
			return 0;
		line = end + 1;
	}
	n -= (size_t)(line - text);
	memmove(text, line, n);
	return (ssize_t)n;
}

int maps_walk(int fd, struct maps_reader *r)
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
	if (r->over)
		return r->over;
	if (got < 0 || have < 0)
		return got < 0 ? (int)got : (int)have;
	return r->lines ? 0 : -ESRCH; /* it has ended: an empty file */
}

static int walk_and_close(int fd, target_map_fn *fn, void *arg)
{
	struct maps_reader r = {.fn = fn, .arg = arg};
	int ret;

	if (fd < 0)
		return fd;
	ret = maps_walk(fd, &r);
	close(fd);
	return ret;
}

int target_maps_walk(const struct target *t, target_map_fn *fn, void *arg)
{
	return walk_and_close(target_proc_open(t, "maps", O_RDONLY), fn, arg);
}

int target_proc_maps_walk(pid_t pid, target_map_fn *fn, void *arg)
{
	return walk_and_close(proc_open(pid, "maps", O_RDONLY), fn, arg);
}

/* --- all of it ------------------------------------------------------------------------------------------------ */

struct collect {
	struct target_maps *to;
	size_t cap, names;
	const char *recent[RECENT]; /* neighbours mostly have the same few names */
};

/* A copy of the name, kept as long as the maps. */
static int name_add(struct collect *c, const char *name, const char **out)
{
	struct target_names *last = c->to->names;
	size_t n = strlen(name) + 1;

	c->names += n;
	if (c->names > TARGET_MAPS_NAMES)
		return -ENAMETOOLONG;
	if (!last || last->size - last->used < n) {
		size_t size = n > NAMES_CHUNK ? n : NAMES_CHUNK;

		last = malloc(sizeof(*last) + size);
		if (!last)
			return -ENOMEM;
		*last = (struct target_names){.next = c->to->names, .size = size};
		c->to->names = last;
	}
	*out = memcpy(last->text + last->used, name, n);
	last->used += n;
	return 0;
}

static int name_keep(struct collect *c, const char *name, const char **out)
{
	const char **seen = &c->recent[hash_bytes(name, strlen(name)) % RECENT];
	int ret = 0;

	if (!*name) {
		*out = "";
		return 0;
	}
	if (!*seen || strcmp(*seen, name))
		ret = name_add(c, name, seen);
	*out = *seen;
	return ret;
}

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
	to->v[to->n] = *m;
	return name_keep(c, m->path, &to->v[to->n++].path);
}

int target_maps_read(struct target *t, struct target_maps *out)
{
	struct collect c = {.to = out};
	int ret;

	memset(out, 0, sizeof(*out));
	ret = target_maps_walk(t, collect, &c);
	if (ret)
		target_maps_free(out);
	return ret;
}

void target_maps_free(struct target_maps *m)
{
	for (struct target_names *next, *n = m->names; n; n = next) {
		next = n->next;
		free(n);
	}
	free(m->v);
	memset(m, 0, sizeof(*m));
}
