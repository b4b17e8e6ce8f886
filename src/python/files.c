// SPDX-License-Identifier: Apache-2.0
/* Files in place of memory files, for a target that has no /proc or may make none. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/python_impl.h"

/* Make a file in a folder that the target can write to and map; its path as the target sees it. */
static int file_make(struct python *p, const char *kind, char *out, size_t size)
{
	static const char *const dirs[] = {"/tmp", "/var/tmp", "/dev/shm", "/run"};
	struct target_status st;
	char path[256];
	int fd, ret = target_status(p->t, &st);

	if (ret)
		return ret;
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		snprintf(out, size, "%s/.pydtrace-%s-%s", dirs[i], kind, p->nonce);
		snprintf(path, sizeof(path), "/proc/%d/root%s", target_pid(p->t), out);
		fd = open(path, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
		if (fd < 0)
			continue;
		if (fchown(fd, st.uid, st.gid) == 0 || st.uid == geteuid())
			return fd;
		close(fd);
		unlink(path);
	}
	*out = 0;
	return -ENOENT;
}

static void file_unlink(struct python *p, const char *file)
{
	char path[256];

	if (!*file)
		return;
	snprintf(path, sizeof(path), "/proc/%d/root%s", target_pid(p->t), file);
	unlink(path);
}

void python_files_unlink(struct python *p)
{
	file_unlink(p, p->file);
	file_unlink(p, p->page_file);
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

/* Files instead of memory files: all of them, or the agent only. Filled and ready before the target knows of them. */
int python_files_prepare(struct python *p)
{
	int fd;

	if (!p->no_memfd && !p->no_proc)
		return 0;
	fd = file_make(p, "agent", p->file, sizeof(p->file));
	if (fd < 0)
		return fd;
	p->agent_fd = fd;
	for (size_t done = 0; done < p->agent_size;) {
		ssize_t n = write(fd, (const char *)p->agent + done, p->agent_size - done);

		if (n <= 0)
			return -errno;
		done += (size_t)n;
	}
	if (!p->no_memfd)
		return 0;
	fd = file_make(p, "page", p->page_file, sizeof(p->page_file));
	if (fd < 0)
		return fd;
	p->page_fd = fd;
	if (ftruncate(fd, (off_t)p->map_size))
		return -errno;
	p->page = mmap(NULL, p->map_size, PROT_READ | PROT_WRITE, MAP_SHARED, fd, 0);
	if (p->page == MAP_FAILED) {
		p->page = NULL;
		return -errno;
	}
	p->ctl = (struct stub_ctl *)((char *)p->page + p->ctl_off);
	return 0;
}
