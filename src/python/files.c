// SPDX-License-Identifier: Apache-2.0
/* Files in place of memory files, for a target that has no /proc or may make none. */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <string.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "python/python_impl.h"

/* A directory of the target as it sees it: its links are resolved in its root, lest they lead into ours. */
static int dir_in_root(struct python *p, const char *name)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	char path[64];
	int root, fd;

	snprintf(path, sizeof(path), "/proc/%d/root", target_pid(p->t));
	root = open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
	if (root < 0)
		return -errno;
	fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	close(root);
	return fd;
}

/* Where the target can write files and map them as code; opened in its own root. -ENOENT: nowhere. */
static int dir_open(struct python *p, const char **name)
{
	static const char *const dirs[] = {"/tmp", "/var/tmp", "/dev/shm", "/run"};
	struct statvfs fs;
	int fd;

	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		fd = dir_in_root(p, dirs[i]);
		if (fd < 0)
			continue;
		*name = dirs[i];
		if (!fstatvfs(fd, &fs) && !(fs.f_flag & (ST_NOEXEC | ST_RDONLY)))
			return fd;
		close(fd);
	}
	return -ENOENT;
}

/* Make a file for the target; its path as the target sees it. */
static int file_make(struct python *p, const char *kind, char *out, size_t size)
{
	struct target_status st;
	const char *dir = "";
	int fd, ret = target_status(p->t, &st);

	if (ret)
		return ret;
	if (p->dir_fd < 0)
		p->dir_fd = dir_open(p, &p->dir);
	if (p->dir_fd < 0)
		return p->dir_fd;
	dir = p->dir;
	snprintf(out, size, "%s/.pydtrace-%s-%s", dir, kind, p->nonce);
	fd = openat(p->dir_fd, out + strlen(dir) + 1, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	ret = fd < 0 ? -errno : 0;
	if (!ret && st.uid != geteuid() && fchown(fd, st.uid, st.gid)) {
		ret = -errno;
		close(fd);
		unlinkat(p->dir_fd, out + strlen(dir) + 1, 0);
	}
	if (!ret)
		return fd;
	*out = 0;
	return ret;
}

static void file_unlink(struct python *p, const char *file)
{
	if (*file)
		unlinkat(p->dir_fd, strrchr(file, '/') + 1, 0);
}

void python_files_unlink(struct python *p)
{
	file_unlink(p, p->file);
	file_unlink(p, p->page_file);
	if (p->dir_fd >= 0)
		close(p->dir_fd);
	p->dir_fd = -1;
}

/* Has the target a /proc in which its own descriptors can be opened? */
bool python_target_has_proc(struct python *p)
{
	char path[64];
	struct stat st, own;

	snprintf(path, sizeof(path), "/proc/%d/root/proc/self", target_pid(p->t));
	/* The same file system type would do, but a stat of the link tells it with less. */
	return !lstat(path, &st) && S_ISLNK(st.st_mode) && !lstat("/proc/self", &own) && st.st_size == own.st_size;
}

int python_agent_write(struct python *p)
{
	for (size_t done = 0; done < p->agent_size;) {
		ssize_t n = pwrite(p->agent_fd, (const char *)p->agent + done, p->agent_size - done, (off_t)done);

		if (n < 0 && errno == EINTR)
			continue;
		if (n <= 0)
			return n ? -errno : -EIO;
		done += (size_t)n;
	}
	return 0;
}

/* Files instead of memory files: all of them, or the agent only. Filled and ready before the target knows of them. */
int python_files_prepare(struct python *p, const void *page, size_t page_size)
{
	int fd, ret;

	if (!p->no_memfd && !p->no_proc)
		return 0;
	fd = file_make(p, "agent", p->file, sizeof(p->file));
	if (fd < 0)
		return fd;
	p->agent_fd = fd;
	ret = python_agent_write(p);
	if (ret)
		return ret;
	if (!p->no_memfd)
		return 0;
	fd = file_make(p, "page", p->page_file, sizeof(p->page_file));
	if (fd < 0)
		return fd;
	p->page_fd = fd;
	if (ftruncate(fd, (off_t)p->map_size))
		return -errno;
	ret = python_page_map(p);
	if (ret)
		return ret;
	python_page_fill(p, page, page_size, -1);
	p->ctl->ready = STUB_FILLED;
	return 0;
}
