// SPDX-License-Identifier: Apache-2.0
/*
 * What decides whether we may trace a process: the evidence for refuse.c. The rules are those of the kernel's
 * __ptrace_may_access() and ptrace_attach() (kernel/ptrace.c), cap_ptrace_access_check() (security/commoncap.c) and
 * yama_ptrace_access_check() (security/yama/yama_lsm.c); see also ptrace(2), "Ptrace access mode checking".
 */
#include <dirent.h>
#include <errno.h>
#include <fcntl.h>
#include <linux/capability.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "target/target_impl.h"

#define YAMA_SCOPE "/proc/sys/kernel/yama/ptrace_scope"
enum { ANCESTORS_MAX = 64 };

int permit_yama(const char *path)
{
	FILE *f = fopen(path, "re");
	int scope;

	if (!f)
		return -1;
	if (fscanf(f, "%d", &scope) != 1)
		scope = -1;
	fclose(f);
	return scope;
}

static bool creds_read(pid_t pid, struct creds *out)
{
	char *text;
	bool ok;

	if (target_proc_read(pid, "status", &text, NULL))
		return false;
	ok = !parse_creds(text, out);
	free(text);
	return ok;
}

static bool users_read(pid_t pid, u64 *users, bool *unmapped)
{
	char *text;
	bool ok;

	if (target_proc_read(pid, "uid_map", &text, NULL))
		return false;
	ok = parse_uid_map(text, users, unmapped);
	free(text);
	return ok;
}

/*
 * A namespace below ours has no user that ours has not, and no more of them. (The link /proc/PID/ns/user would tell it
 * outright, but reading it needs the very right that we lack.)
 */
static bool is_outside(pid_t pid)
{
	u64 ours, its;
	bool unmapped, ignored;

	return users_read(getpid(), &ours, &ignored) && users_read(pid, &its, &unmapped) &&
	       (unmapped || its > ours);
}

/* PTRACE_MODE_READ, which neither Yama nor another tracer takes away: a link that only who has it can read. */
static bool is_readable(pid_t pid)
{
	char path[64], link[8];

	snprintf(path, sizeof(path), "/proc/%d/exe", pid);
	return readlink(path, link, sizeof(link)) >= 0 || (errno != EACCES && errno != EPERM);
}

/* PTRACE_MODE_ATTACH, which a present tracer does not take away either. */
static bool is_attachable(pid_t pid)
{
	int fd = proc_open(pid, "mem", O_RDWR);

	if (fd >= 0)
		close(fd);
	return fd >= 0;
}

static uid_t owner_of(pid_t pid)
{
	char path[64];
	struct stat st;

	/* A file: the folder itself belongs to the process's user always (task_dump_owner() in fs/proc/base.c). */
	snprintf(path, sizeof(path), "/proc/%d/status", pid);
	return stat(path, &st) ? (uid_t)-1 : st.st_uid;
}

static bool is_descendant(pid_t parent)
{
	struct creds c;

	for (int i = 0; i < ANCESTORS_MAX && parent > 1; i++, parent = c.parent) {
		if (parent == getpid())
			return true;
		if (!creds_read(parent, &c))
			break;
	}
	return false;
}

/* What is written for AppArmor and SELinux alike; without such a module reading fails. */
static void label_read(char *out, size_t size)
{
	char *text;

	*out = 0;
	if (target_proc_read(getpid(), "attr/current", &text, NULL))
		return;
	text[strcspn(text, "\n")] = 0;
	snprintf(out, size, "%s", text);
	free(text);
}

/*
 * Does ptrace work at all? A child of our own has our rights, and Yama has nothing against it but with scope 2 and 3. If we
 * are undumpable ourselves (a program that may be run and not read), so is the child, and nothing is proven.
 */
static int probe_child(void)
{
	pid_t us = getpid(), child = prctl(PR_GET_DUMPABLE) == 1 ? fork() : -1;
	int ret;

	if (child < 0)
		return 0;
	if (!child) {
		prctl(PR_SET_PDEATHSIG, SIGKILL);
		while (getppid() == us)
			pause();
		_exit(0);
	}
	ret = ptrace(PTRACE_SEIZE, child, 0, 0) ? -errno : 0;
	kill(child, SIGKILL);
	while (waitpid(child, NULL, __WALL) < 0 && errno == EINTR)
		continue;
	return ret;
}

/* Is the tracer one of our own threads? */
static bool is_ours(pid_t tid)
{
	char path[64];

	snprintf(path, sizeof(path), "/proc/self/task/%d", tid);
	return !access(path, F_OK);
}

bool permit_traced(struct permit *p, pid_t pid)
{
	char path[64];
	struct dirent *d;
	DIR *dir;

	snprintf(path, sizeof(path), "/proc/%d/task", pid);
	dir = opendir(path);
	p->tracer = 0;
	while (dir && !p->tracer && (d = readdir(dir))) {
		pid_t tid = parse_tid(d->d_name);
		struct target_status st;
		bool kernel_thread;

		if (!tid || status_read(tid, &st, &kernel_thread) || !st.tracer || is_ours(st.tracer))
			continue;
		p->traced_tid = tid;
		p->tracer = st.tracer;
		memcpy(p->tracer_comm, st.tracer_comm, sizeof(p->tracer_comm));
	}
	if (dir)
		closedir(dir);
	return p->tracer;
}

void permit_find(struct permit *p, pid_t pid)
{
	memset(p, 0, sizeof(*p));
	p->pid = pid;
	creds_read(getpid(), &p->we);
	p->it_known = creds_read(pid, &p->it);
	p->ptrace_cap = p->we.effective >> CAP_SYS_PTRACE & 1;
	p->outside = is_outside(pid);
	p->owner = owner_of(pid);
	p->readable = is_readable(pid);
	p->attachable = is_attachable(pid);
	p->descendant = is_descendant(p->it.parent);
	p->yama = permit_yama(YAMA_SCOPE);
	label_read(p->label, sizeof(p->label));
	permit_traced(p, pid);
	p->probe = probe_child();
}
