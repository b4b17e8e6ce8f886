// SPDX-License-Identifier: Apache-2.0
/* A process as /proc shows it: open, status, maps, threads. */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "target/target_impl.h"

int target_proc_read(pid_t pid, const char *name, char **out, size_t *size)
{
	char path[64];
	size_t cap = 4096, n = 0;
	char *s = NULL;
	int fd, ret = 0;

	*out = NULL;
	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return errno == ENOENT ? -ESRCH : -errno;
	for (;;) {
		char *grown = n + 2 > cap || !s ? realloc(s, cap = s ? cap * 2 : cap) : s;
		ssize_t got;

		if (!grown) {
			ret = -ENOMEM;
			break;
		}
		s = grown;
		got = read(fd, s + n, cap - n - 1);
		if (got < 0 && errno == EINTR)
			continue;
		if (got < 0)
			ret = -errno;
		if (got <= 0)
			break;
		n += (size_t)got;
	}
	close(fd);
	if (ret) {
		free(s);
		return ret;
	}
	s[n] = 0;
	*out = s;
	if (size)
		*size = n;
	return 0;
}

static void read_comm(pid_t pid, char comm[16])
{
	char *s;
	size_t n;

	snprintf(comm, 16, "?");
	if (target_proc_read(pid, "comm", &s, &n))
		return;
	/* The kernel adds one newline (proc(5)); the name may hold others. */
	if (n && s[n - 1] == '\n')
		s[n - 1] = 0;
	snprintf(comm, 16, "%s", s);
	free(s);
}

int status_read(pid_t pid, struct target_status *out, bool *kernel_thread)
{
	char *text;
	int ret = target_proc_read(pid, "status", &text, NULL);

	if (ret)
		return ret;
	ret = parse_status(text, out, kernel_thread);
	free(text);
	if (!ret && out->tracer)
		read_comm(out->tracer, out->tracer_comm);
	return ret;
}

u64 status_field(pid_t pid, const char *label, int base)
{
	char *text, *at;
	u64 n = 0;

	if (target_proc_read(pid, "status", &text, NULL))
		return 0;
	at = strstr(text, label);
	if (at)
		n = strtoull(at + strlen(label), NULL, base);
	free(text);
	return n;
}

int target_status(struct target *t, struct target_status *out)
{
	bool kernel_thread;

	return status_read(t->pid, out, &kernel_thread);
}

/* Say why the memory of a process cannot be opened. */
static int refuse_mem(struct diag *diag, pid_t pid, const char *comm, int err)
{
	if (err == ENOENT || err == ESRCH)
		return diag_fail(diag, ESRCH, "process %d has ended", pid);
	if (err == EACCES || err == EPERM)
		return target_refuse(pid, comm, err, diag);
	return diag_fail(diag, err, "process %d (%s): cannot open its memory: %s", pid, comm, strerror(err));
}

/* pidfd_open() asks for no right (its manual page): only a filter of system calls denies it. */
static int refuse_pidfd(struct diag *diag, pid_t pid, const char *comm, int err)
{
	if (err == EPERM || err == EACCES)
		return diag_fail(diag, err,
				 "pidfd_open is denied here by a seccomp filter: run the container with "
				 "--security-opt seccomp=unconfined");
	return diag_fail(diag, err, "process %d (%s): pidfd_open: %s", pid, comm, strerror(err));
}

int target_open(struct target **out, pid_t pid, struct diag *diag)
{
	struct target_status st;
	struct target *t;
	bool kernel_thread;
	int ret = refuse_proc(diag);

	if (ret)
		return ret;
	ret = pid > 0 ? status_read(pid, &st, &kernel_thread) : -ESRCH;
	if (ret)
		return refuse_unseen(pid, -ret, diag);
	t = calloc(1, sizeof(*t));
	if (!t)
		return diag_fail(diag, ENOMEM, "out of memory");
	t->pid = pid;
	t->pidfd = t->mem = -1;
	read_comm(pid, t->comm);
	if (st.tgid && st.tgid != pid)
		ret = diag_fail(diag, ESRCH, "%d is a thread of process %d (%s); give that pid", pid, st.tgid,
				t->comm);
	else if (st.state == 'Z' || st.state == 'X')
		ret = diag_fail(diag, ESRCH,
				st.nthreads > 1
				    ? "process %d (%s) cannot be looked into: its first thread has ended"
				    : "process %d (%s) is a zombie: it has ended and waits for its parent",
				pid, t->comm);
	else if (kernel_thread)
		ret = diag_fail(diag, ENOENT, "process %d (%s) is a kernel thread", pid, t->comm);
	if (ret)
		goto out;
	t->pidfd = (int)syscall(SYS_pidfd_open, pid, 0);
	if (t->pidfd < 0) {
		ret = refuse_pidfd(diag, pid, t->comm, errno);
		goto out;
	}
	t->mem = mem_open(pid);
	if (t->mem < 0)
		ret = refuse_mem(diag, pid, t->comm, -t->mem);
out:
	if (ret)
		target_close(t);
	else
		*out = t;
	return ret;
}

int target_reopen(struct target *t)
{
	int fd = mem_open(t->pid);

	if (fd < 0)
		return fd;
	dup3(fd, t->mem, O_CLOEXEC); /* at once: another thread may be reading */
	close(fd);
	read_comm(t->pid, t->comm);
	return 0;
}

void target_close(struct target *t)
{
	if (!t)
		return;
	if (t->pidfd >= 0)
		close(t->pidfd);
	if (t->mem >= 0)
		close(t->mem);
	free(t);
}

pid_t target_pid(const struct target *t)
{
	return t->pid;
}

int target_pidfd(const struct target *t)
{
	return t->pidfd;
}

const char *target_comm(const struct target *t)
{
	return t->comm;
}

int target_maps_read(struct target *t, struct target_maps *out)
{
	size_t cap = 0;
	char *text, *line, *next;
	int ret = target_proc_read(t->pid, "maps", &text, NULL);

	memset(out, 0, sizeof(*out));
	for (line = ret ? NULL : text; line && *line; line = next) {
		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (out->n == cap) {
			size_t want = cap ? cap * 2 : 64;
			struct target_map *v = reallocarray(out->v, want, sizeof(*v));

			ret = v ? 0 : -ENOMEM;
			if (ret)
				break;
			out->v = v;
			cap = want;
		}
		ret = parse_map_line(line, &out->v[out->n]);
		if (ret)
			break;
		out->n++;
	}
	free(text);
	if (ret)
		target_maps_free(out);
	else if (!out->n) /* it has ended: an empty file */
		ret = -ESRCH;
	return ret;
}

void target_maps_free(struct target_maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		free(m->v[i].path);
	free(m->v);
	memset(m, 0, sizeof(*m));
}

const struct target_map *target_map_at(const struct target_maps *maps, u64 addr)
{
	for (size_t i = 0; i < maps->n; i++)
		if (addr >= maps->v[i].start && addr < maps->v[i].end)
			return &maps->v[i];
	return NULL;
}

int target_threads(struct target *t, pid_t **out, size_t *n)
{
	char path[64];
	size_t cap = 0;
	struct dirent *d;
	DIR *dir;
	int ret = 0;

	*out = NULL;
	*n = 0;
	snprintf(path, sizeof(path), "/proc/%d/task", t->pid);
	dir = opendir(path);
	if (!dir)
		return errno == ENOENT ? -ESRCH : -errno;
	while ((d = readdir(dir))) {
		pid_t tid = parse_tid(d->d_name);

		if (!tid)
			continue;
		if (*n == cap) {
			size_t want = cap ? cap * 2 : 16;
			pid_t *v = reallocarray(*out, want, sizeof(*v));

			if (!v) {
				ret = -ENOMEM;
				break;
			}
			*out = v;
			cap = want;
		}
		(*out)[(*n)++] = tid;
	}
	closedir(dir);
	if (!ret && !*n)
		ret = -ESRCH;
	if (ret) {
		free(*out);
		*out = NULL;
	}
	return ret;
}
