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

/* No file of /proc that is read at once is longer, unless somebody has made it so. */
enum { FILE_MAX = 16 << 20 };

/* All of a file, with a NUL after it. Closes it. */
static int file_read(int fd, char **out, size_t *size)
{
	size_t cap = 4096, n = 0;
	char *s = NULL;
	int ret = 0;

	for (;;) {
		char *grown = n + 2 > cap || !s ? realloc(s, cap = s ? cap * 2 : cap) : s;
		ssize_t got;

		if (!grown || n > FILE_MAX) {
			s = grown ? grown : s;
			ret = grown ? -EFBIG : -ENOMEM;
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

int proc_open(pid_t pid, const char *name, int flags)
{
	char path[64];
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/%s", pid, name);
	fd = open(path, flags | O_CLOEXEC);
	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

int target_proc_read(pid_t pid, const char *name, char **out, size_t *size)
{
	int fd = proc_open(pid, name, O_RDONLY);

	*out = NULL;
	return fd < 0 ? fd : file_read(fd, out, size);
}

int target_proc_open(const struct target *t, const char *name, int flags)
{
	int fd = openat(t->dir, name, flags | O_CLOEXEC);

	return fd >= 0 ? fd : errno == ENOENT ? -ESRCH : -errno;
}

int target_file_read(const struct target *t, const char *name, char **out, size_t *size)
{
	int fd = target_proc_open(t, name, O_RDONLY);

	*out = NULL;
	return fd < 0 ? fd : file_read(fd, out, size);
}

/* The text of a "comm" file, which is freed; NULL: it could not be read. */
static void comm_take(char *text, char comm[16])
{
	size_t n = text ? strlen(text) : 0;

	if (n && text[n - 1] == '\n') /* the kernel's; others are of the name */
		text[n - 1] = 0;
	snprintf(comm, 16, "%s", text ? text : "?");
	free(text);
}

static void comm_read(struct target *t)
{
	char *text;

	target_file_read(t, "comm", &text, NULL);
	comm_take(text, t->comm);
}

/* The text is freed here. */
static int status_parse(char *text, struct target_status *out, bool *kernel_thread)
{
	int ret = parse_status(text, out, kernel_thread);

	free(text);
	if (!ret && out->tracer) {
		target_proc_read(out->tracer, "comm", &text, NULL);
		comm_take(text, out->tracer_comm);
	}
	return ret;
}

int status_read(pid_t pid, struct target_status *out, bool *kernel_thread)
{
	char *text;
	int ret = target_proc_read(pid, "status", &text, NULL);

	return ret ? ret : status_parse(text, out, kernel_thread);
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
	char *text;
	int ret = target_file_read(t, "status", &text, NULL);

	return ret ? ret : status_parse(text, out, &kernel_thread);
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

/* May it be looked into at all? */
static int refuse_kind(const struct target *t, const struct target_status *st, bool kernel_thread,
		       struct diag *diag)
{
	if (st->tgid && st->tgid != t->pid)
		return diag_fail(diag, ESRCH, "%d is a thread of process %d (%s); give that pid", t->pid, st->tgid,
				 t->comm);
	if (st->state == 'Z' || st->state == 'X')
		return diag_fail(diag, ESRCH,
				 st->nthreads > 1
				     ? "process %d (%s) cannot be looked into: its first thread has ended"
				     : "process %d (%s) is a zombie: it has ended and waits for its parent",
				 t->pid, t->comm);
	return kernel_thread ? diag_fail(diag, ENOENT, "process %d (%s) is a kernel thread", t->pid, t->comm) : 0;
}

/* The pidfd and the memory of the process that t->dir is of. */
static int handles_open(struct target *t, struct diag *diag)
{
	struct target_status st;
	int ret;

	t->pidfd = (int)syscall(SYS_pidfd_open, t->pid, 0);
	if (t->pidfd < 0)
		return refuse_pidfd(diag, t->pid, t->comm, errno);
	ret = mem_open(t);
	if (ret < 0)
		return refuse_mem(diag, t->pid, t->comm, -ret);
	t->mem = ret;
	/* It lives, so its number has meant nobody else since the directory was opened, nor when the pidfd was. */
	ret = target_status(t, &st);
	return ret ? refuse_mem(diag, t->pid, t->comm, -ret) : 0;
}

/*
 * A number may mean another process from one moment to the next, a directory in /proc does not: it is of the process that it was
 * opened for, and empty when that is gone (fs/proc/base.c, proc_pid_lookup()). So all files are opened from there.
 */
int target_open(struct target **out, pid_t pid, struct diag *diag)
{
	struct target_status st;
	struct target *t;
	bool kernel_thread;
	char *text;
	int ret = refuse_proc(diag);

	if (ret)
		return ret;
	t = calloc(1, sizeof(*t));
	if (!t)
		return diag_fail(diag, ENOMEM, "out of memory");
	t->pid = pid;
	t->pidfd = t->mem = -1;
	t->dir = pid > 0 ? proc_open(pid, "", O_PATH | O_DIRECTORY) : -ESRCH;
	ret = t->dir < 0 ? t->dir : target_file_read(t, "status", &text, NULL);
	if (!ret)
		ret = status_parse(text, &st, &kernel_thread);
	if (ret) {
		target_close(t);
		return refuse_unseen(pid, -ret, diag);
	}
	comm_read(t);
	ret = refuse_kind(t, &st, kernel_thread, diag);
	if (!ret)
		ret = handles_open(t, diag);
	if (ret)
		target_close(t);
	else
		*out = t;
	return ret;
}

int target_reopen(struct target *t)
{
	int fd = mem_open(t);

	if (fd < 0)
		return fd;
	dup3(fd, t->mem, O_CLOEXEC); /* at once: another thread may be reading */
	close(fd);
	comm_read(t);
	return 0;
}

void target_close(struct target *t)
{
	if (!t)
		return;
	if (t->dir >= 0)
		close(t->dir);
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

const struct target_map *target_map_at(const struct target_maps *maps, u64 addr)
{
	for (size_t i = 0; i < maps->n; i++)
		if (addr >= maps->v[i].start && addr < maps->v[i].end)
			return &maps->v[i];
	return NULL;
}

int target_threads(struct target *t, pid_t **out, size_t *n)
{
	size_t cap = 0;
	struct dirent *d;
	DIR *dir;
	int ret = target_proc_open(t, "task", O_RDONLY | O_DIRECTORY);

	*out = NULL;
	*n = 0;
	if (ret < 0)
		return ret;
	dir = fdopendir(ret);
	if (!dir) {
		close(ret);
		return -ENOMEM;
	}
	ret = 0;
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
