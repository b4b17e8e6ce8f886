// SPDX-License-Identifier: Apache-2.0
/*
 * Files in place of memory files, for a target that has no /proc or may make none.
 *
 * The agent's file is code that the target runs, and the page has addresses that its stub calls. So nobody may be able to write
 * them who has not the target's rights already:
 *
 *   agent   our own file, which the target can only read. Who else is the same user as we can still change it, so that user has
 *           to be root, or the target's and nothing more
 *   page    none, where the kernel lets us open memory that the stub has mapped without a name (page_kind); else a file of the
 *           user that the target's files belong to, which has to be root or a user who has all of the target's rights
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "python/python_impl.h"

/* Functions that a page in a file has room for: it is reserved, unlike memory. */
enum { FILE_FUNCTIONS = 4096 };

static const char *const dirs[] = {"/tmp", "/var/tmp", "/dev/shm", "/run"};

/* A directory of the target as it sees it: its links are resolved in its root, lest they lead into ours. */
static int dir_in_root(struct python *p, const char *name)
{
	struct open_how how = {.flags = O_PATH | O_DIRECTORY | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
	int root = target_proc_open(p->t, "root", O_PATH | O_DIRECTORY), fd;

	if (root < 0)
		return root;
	fd = (int)syscall(SYS_openat2, root, name, &how, sizeof(how));
	close(root);
	return fd < 0 ? -errno : fd;
}

/* Can nobody put another file in the place of ours there? Whoever owns the target's root directory can do all to it. */
static bool dir_safe(struct python *p, int fd, const struct target_status *st)
{
	int top = dir_in_root(p, "/");
	struct stat dir, root;
	bool ok = top >= 0 && !fstat(fd, &dir) && !fstat(top, &root);

	if (top >= 0)
		close(top);
	if (!ok || (dir.st_mode & 022 && !(dir.st_mode & S_ISVTX)))
		return false;
	return dir.st_uid == 0 || dir.st_uid == root.st_uid || dir.st_uid == st->fsuid || dir.st_uid == geteuid();
}

/* Where files can be made and mapped as code; opened in the target's own root. */
static int dir_open(struct python *p, const char *name, const struct target_status *st)
{
	struct statvfs fs;
	int fd = dir_in_root(p, name);

	if (fd < 0)
		return fd;
	if (!fstatvfs(fd, &fs) && !(fs.f_flag & (ST_NOEXEC | ST_RDONLY)) && dir_safe(p, fd, st))
		return fd;
	close(fd);
	return -ENOENT;
}

/* Make a file in p->dir_fd; its path as the target sees it. */
static int file_make(struct python *p, const char *dir, const char *kind, char *out, size_t size)
{
	int fd;

	snprintf(out, size, "%s/.pydtrace-%s-%s", dir, kind, p->nonce);
	fd = openat(p->dir_fd, out + strlen(dir) + 1, O_RDWR | O_CREAT | O_EXCL | O_NOFOLLOW | O_CLOEXEC, 0600);
	if (fd >= 0)
		return fd;
	*out = 0;
	return -errno;
}

static void file_unlink(struct python *p, const char *file)
{
	if (*file && p->dir_fd >= 0)
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

/* What a file of the target's /proc/PID is; of a link, the link itself. */
static bool proc_stat(struct python *p, const char *name, struct stat *out)
{
	int fd = target_proc_open(p->t, name, O_PATH | O_NOFOLLOW);
	bool known = fd >= 0 && !fstat(fd, out);

	if (fd >= 0)
		close(fd);
	return known;
}

/* Has the target a /proc in which its own descriptors can be opened? */
bool python_target_has_proc(struct python *p)
{
	struct stat st, own;

	/* The same file system type would do, but a stat of the link tells it with less. */
	return proc_stat(p, "root/proc/self", &st) && S_ISLNK(st.st_mode) && !lstat("/proc/self", &own) &&
	       st.st_size == own.st_size;
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

/* Does the kernel open unnamed memory for us? It wants CAP_SYS_ADMIN or CAP_CHECKPOINT_RESTORE (fs/proc/base.c). */
static bool map_files_open(void)
{
	void *v = mmap(NULL, 4096, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	char path[96];
	int fd;

	if (v == MAP_FAILED)
		return false;
	snprintf(path, sizeof(path), "/proc/self/map_files/%llx-%llx", (unsigned long long)(uintptr_t)v,
		 (unsigned long long)(uintptr_t)v + 4096);
	fd = open(path, O_RDWR | O_CLOEXEC);
	munmap(v, 4096);
	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

/*
 * Has every process of the target's user all of the target's rights? Not where it has been another user before, has
 * capabilities, or may not be dumped because the kernel (or it itself) wants it kept from its user's other processes.
 */
static bool user_is_all(struct python *p, const struct target_status *st)
{
	struct stat own;

	if (st->fsuid == 0)
		return true;
	/* The file is root's when the process may not be dumped. */
	return st->one_user && !st->caps && proc_stat(p, "stat", &own) && own.st_uid == st->uid;
}

static int files_refuse(struct python *p, struct diag *diag)
{
	return diag_fail(diag, EPERM,
			 "process %d (%s): it can use no memory file, and a file in its /tmp could be changed by "
			 "others who have not its rights; run as root",
			 target_pid(p->t), target_comm(p->t));
}

/* The agent's file, ready: what is written cannot be changed by the target. */
static int agent_make(struct python *p, const char *dir)
{
	int ret;

	p->agent_fd = file_make(p, dir, "agent", p->file, sizeof(p->file));
	if (p->agent_fd < 0)
		return p->agent_fd;
	ret = python_agent_write(p);
	return !ret && fchmod(p->agent_fd, 0444) ? -errno : ret;
}

/* The page's, with all of its room reserved: who writes into a hole of a file system that is full gets SIGBUS. */
static int page_make(struct python *p, const char *dir, const struct target_status *st, const void *page,
		     size_t page_size)
{
	int ret;

	p->page_fd = file_make(p, dir, "page", p->page_file, sizeof(p->page_file));
	if (p->page_fd < 0)
		return p->page_fd;
	if (st->fsuid != geteuid() && fchown(p->page_fd, st->fsuid, st->fsgid))
		return -errno;
	ret = -posix_fallocate(p->page_fd, 0, (off_t)p->map_size);
	if (!ret)
		ret = python_page_map(p);
	if (ret)
		return ret;
	python_page_fill(p, page, page_size, -1);
	p->ctl->ready = STUB_FILLED;
	return 0;
}

/* All files in one directory. */
static int files_make(struct python *p, const char *dir, const struct target_status *st, const void *page,
		      size_t page_size)
{
	int ret;

	p->dir_fd = dir_open(p, dir, st);
	if (p->dir_fd < 0)
		return p->dir_fd;
	ret = agent_make(p, dir);
	if (!ret && p->page_kind == PAGE_FILE)
		ret = page_make(p, dir, st, page, page_size);
	if (ret)
		python_handshake_undo(p);
	return ret;
}

static enum page_kind page_kind_choose(struct python *p)
{
	return !p->no_memfd ? PAGE_MEMFD : map_files_open() ? PAGE_SHARED : PAGE_FILE;
}

int python_files_prepare(struct python *p, void *page, size_t page_size, struct diag *diag)
{
	struct target_status st;
	int ret = target_status(p->t, &st), err = ENOENT;

	p->page_kind = page_kind_choose(p);
	if (!p->no_memfd && !p->no_proc)
		return 0;
	if (ret)
		return python_refuse_stop(p, ret, diag);
	if ((geteuid() && !(st.fsuid == geteuid() && user_is_all(p, &st))) ||
	    (p->page_kind == PAGE_FILE && !user_is_all(p, &st)))
		return files_refuse(p, diag);
	if (p->page_kind == PAGE_FILE) {
		python_page_room(page, page_size, FILE_FUNCTIONS);
		python_page_sizes(p, page);
	}
	for (size_t i = 0; i < ARRAY_SIZE(dirs); i++) {
		ret = files_make(p, dirs[i], &st, page, page_size);
		if (!ret)
			return 0;
		err = ret == -ENOENT ? err : -ret; /* of one that there is */
	}
	return diag_fail(diag, err,
			 "process %d (%s): it can use no memory file, and no file can be made in its /tmp: %s",
			 target_pid(p->t), target_comm(p->t), strerror(err));
}
