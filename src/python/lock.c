// SPDX-License-Identifier: Apache-2.0
/*
 * Tracers of the same process enter it one after the other, since they share the place of the stub and what dead ones have left.
 *
 * The lock is flock(2) on /proc/PID/mem. Only who may trace the process can hold it: the kernel asks at the opening, whatever for it
 * is (PTRACE_MODE_ATTACH; fs/proc/base.c, proc_mem_open()). It goes with its holder, however that ends, and leaves nothing. All who
 * open the file in one mounted /proc get the same inode, as long as one of them has it open (the entry stays in the kernel's cache
 * of names). But each mounted /proc has its own since Linux 5.8, and tracers may come from several mount and pid namespaces. They have
 * one thing in common: the process, and so the /proc that it sees itself, which can be reached through /proc/PID/root. So two locks
 * are taken, in this order:
 *
 *      our own    /proc/PID/mem                whom else it may see as we do, or if it has no /proc of its own
 *      its own    /proc/PID/root/proc/N/mem    the same inode for every tracer, wherever that is
 *
 * Its root is in its own hands. What it shows there is taken only if it is a mounted proc that has this process under that number:
 * the innermost number and the pid namespace are the same for no two processes. All that it can spoil is the lock of tracers of
 * itself that see it through different /procs; so can a process that has no /proc.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/magic.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <string.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <sys/sysmacros.h>
#include <sys/vfs.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { LEVELS = 32, /* pid namespaces in each other (include/linux/pid_namespace.h, MAX_PID_NS_LEVEL) */ };

static int open_below(int dir, const char *name, u64 flags, u64 resolve)
{
	struct open_how how = {.flags = flags | O_CLOEXEC, .resolve = resolve};
	int fd = (int)syscall(SYS_openat2, dir, name, &how, sizeof(how));

	return fd < 0 ? -errno : fd;
}

/* The numbers of a process, from ours to its own, as they stand in the text of its status (Linux 4.1). How many there are. */
static size_t numbers_of(const char *status, pid_t out[LEVELS])
{
	const char *p = strstr(status, "\nNSpid:");
	size_t n = 0;

	for (p = p ? p + 7 : NULL; p && *p == '\t' && n < LEVELS; n++) {
		char *end;

		out[n] = (pid_t)strtol(p + 1, &end, 10);
		p = end;
	}
	return n;
}

/* Who a process is, whoever asks: its pid namespace, and its number there. */
struct identity {
	char ns[64];
	pid_t number;
};

static bool identity_of(int dir, const char *status, struct identity *out)
{
	pid_t number[LEVELS];
	size_t n = numbers_of(status, number);
	ssize_t len = readlinkat(dir, "ns/pid", out->ns, sizeof(out->ns) - 1);

	if (!n || len <= 0)
		return false;
	out->ns[len] = 0;
	out->number = number[n - 1];
	return true;
}

/* Its memory under this number in that /proc; -ESRCH: that is another process. */
static int mem_in(int proc, pid_t number, const struct identity *it)
{
	const u64 inside = RESOLVE_BENEATH | RESOLVE_NO_XDEV | RESOLVE_NO_SYMLINKS;
	char name[16], status[4096];
	struct identity found;
	ssize_t n = -1;
	int dir, fd;

	snprintf(name, sizeof(name), "%d", number);
	dir = open_below(proc, name, O_PATH | O_DIRECTORY, inside);
	if (dir < 0)
		return -ESRCH;
	fd = open_below(dir, "status", O_RDONLY, inside);
	if (fd >= 0) {
		n = read(fd, status, sizeof(status) - 1);
		close(fd);
	}
	status[n > 0 ? n : 0] = 0;
	fd = -ESRCH;
	if (identity_of(dir, status, &found) && found.number == it->number && !strcmp(found.ns, it->ns))
		fd = open_below(dir, "mem", O_RDONLY, inside);
	close(dir);
	return fd;
}

/* The /proc that the process sees; -ENOENT: it sees none. */
static int its_proc(struct target *t)
{
	int root = target_proc_open(t, "root", O_PATH | O_DIRECTORY), proc;
	struct statfs fs;

	if (root < 0)
		return root;
	proc = open_below(root, "proc", O_PATH | O_DIRECTORY, RESOLVE_IN_ROOT | RESOLVE_NO_MAGICLINKS);
	close(root);
	if (proc >= 0 && (fstatfs(proc, &fs) || fs.f_type != PROC_SUPER_MAGIC)) {
		close(proc);
		return -ENOENT;
	}
	return proc;
}

/* Its memory, as it sees itself; < 0: it does not. */
static int mem_its_own(struct target *t)
{
	struct identity it;
	pid_t number[LEVELS];
	char *status;
	size_t n = 0;
	int proc = its_proc(t), fd = -ESRCH;

	if (proc < 0)
		return proc;
	if (!target_file_read(t, "status", &status, NULL)) {
		int dir = target_proc_open(t, ".", O_PATH | O_DIRECTORY);

		if (dir >= 0 && identity_of(dir, status, &it))
			n = numbers_of(status, number);
		if (dir >= 0)
			close(dir);
		free(status);
	}
	while (n-- && fd < 0)
		fd = mem_in(proc, number[n], &it);
	close(proc);
	return fd;
}

/* --- the lock ------------------------------------------------------------------------------------------------- */

static bool same_file(int a, int b)
{
	struct stat one, two;

	return !fstat(a, &one) && !fstat(b, &two) && one.st_dev == two.st_dev && one.st_ino == two.st_ino;
}

/* 0, -EWOULDBLOCK: another holds it, or -errno. */
static int lock_wait(int fd, u64 deadline)
{
	while (flock(fd, LOCK_EX | LOCK_NB)) {
		if (errno != EINTR && errno != EWOULDBLOCK)
			return -errno;
		if (now_ns() > deadline)
			return -EWOULDBLOCK;
		usleep(1000);
	}
	return 0;
}

/* The process that holds a lock on `fd`, by /proc/locks (proc(5)); 0: it is not to be seen from here. */
static pid_t holder_of(int fd)
{
	unsigned major, minor;
	unsigned long long ino;
	struct stat st;
	char *line = NULL;
	size_t size = 0;
	FILE *f = fopen("/proc/locks", "re");
	int pid, holder = 0;

	while (f && !fstat(fd, &st) && !holder && getline(&line, &size, f) > 0)
		if (sscanf(line, "%*s FLOCK %*s %*s %d %x:%x:%llu", &pid, &major, &minor, &ino) == 4 &&
		    makedev(major, minor) == st.st_dev && ino == st.st_ino)
			holder = pid;
	free(line);
	if (f)
		fclose(f);
	return holder;
}

/* How long each waits, and what comes of it when that was in vain. */
static const struct {
	u32 wait_ms;
	const char *then;
} wishes[] = {
    [PYTHON_LOCK_ATTACH] = {5000, "try again"},
    /* Longer than another's attach that comes to nothing. */
    [PYTHON_LOCK_DETACH] = {12000, "the agent stays in it, inert, until the next attach takes it out"},
};

static int refuse_held(struct target *t, int fd, const char *then, struct diag *diag)
{
	pid_t holder = holder_of(fd);
	char *comm = NULL, who[64] = "another tracer";

	if (holder > 0 && !target_proc_read(holder, "comm", &comm, NULL))
		snprintf(who, sizeof(who), "process %d (%.*s)", holder, (int)strcspn(comm, "\n"), comm);
	free(comm);
	return diag_fail(diag, EAGAIN, "process %d (%s): %s holds its lock (flock of /proc/%d/mem); %s",
			 target_pid(t), target_comm(t), who, target_pid(t), then);
}

static int refuse_lock(struct target *t, int err, const char *then, struct diag *diag)
{
	if (err == ESRCH)
		return -err;
	if (err == EACCES || err == EPERM)
		return target_refuse(target_pid(t), target_comm(t), err, diag);
	return diag_fail(diag, err, "process %d (%s): cannot lock its memory: %s; %s", target_pid(t),
			 target_comm(t), strerror(err), then);
}

int python_lock(struct python_lock *lock, struct target *t, enum python_lock_for wish, struct diag *diag)
{
	u64 deadline = now_ns() + wishes[wish].wait_ms * 1000000ull;
	const char *then = wishes[wish].then;
	int ret = 0;

	lock->fd[0] = target_proc_open(t, "mem", O_RDONLY);
	lock->fd[1] = lock->fd[0] < 0 ? -1 : mem_its_own(t);
	if (lock->fd[0] < 0)
		return refuse_lock(t, -lock->fd[0], then, diag);
	if (lock->fd[1] >= 0 && same_file(lock->fd[0], lock->fd[1])) {
		close(lock->fd[1]);
		lock->fd[1] = -1;
	}
	for (size_t i = 0; i < ARRAY_SIZE(lock->fd) && !ret; i++) {
		if (lock->fd[i] < 0)
			continue;
		ret = lock_wait(lock->fd[i], deadline);
		if (ret)
			ret = ret == -EWOULDBLOCK ? refuse_held(t, lock->fd[i], then, diag)
						  : refuse_lock(t, -ret, then, diag);
	}
	if (ret)
		python_unlock(lock);
	return ret;
}

void python_unlock(struct python_lock *lock)
{
	for (size_t i = 0; i < ARRAY_SIZE(lock->fd); i++)
		if (lock->fd[i] >= 0)
			close(lock->fd[i]);
	lock->fd[0] = lock->fd[1] = -1;
}
