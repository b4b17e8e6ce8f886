// SPDX-License-Identifier: Apache-2.0
/*
 * One line that says why a process may not be traced, and what to do about it. Each reason stands on evidence
 * (permit.c); the first one that holds is given, and they are in such an order that a later one would remain if an earlier
 * one were done away with.
 */
#include <errno.h>
#include <grp.h>
#include <pwd.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "target/target_impl.h"

#define NEEDS "tracing it needs CAP_SYS_PTRACE"

/* --- words ---------------------------------------------------------------------------------------- */

/* How to get CAP_SYS_PTRACE: goes on from "run ". */
static const char *get_cap(const struct permit *p)
{
	return p->we.uid[1] ? "as root (sudo)" : "with that capability (in a container: --cap-add=SYS_PTRACE)";
}

static const char *user_text(uid_t uid, char *buf, size_t size)
{
	const struct passwd *pw = getpwuid(uid);

	if (pw)
		snprintf(buf, size, "user %.40s (%u)", pw->pw_name, uid);
	else
		snprintf(buf, size, "user %u", uid);
	return buf;
}

static const char *group_text(gid_t gid, char *buf, size_t size)
{
	const struct group *gr = getgrgid(gid);

	if (gr)
		snprintf(buf, size, "group %.40s (%u)", gr->gr_name, gid);
	else
		snprintf(buf, size, "group %u", gid);
	return buf;
}

static bool all_are(const u32 id[3], u32 want)
{
	return id[0] == want && id[1] == want && id[2] == want;
}

/* Who is checked by user, group and capabilities: those that CAP_SYS_PTRACE does not lift above that. */
static bool is_checked(const struct permit *p)
{
	return p->it_known && !p->ptrace_cap;
}

/* --- the reasons: text and true, or false ------------------------------------------------------------ */

static bool by_itself(const struct permit *p, char *why, size_t size)
{
	snprintf(why, size, "is pydtrace itself: it cannot trace itself");
	return p->pid == getpid();
}

static bool by_tracer(const struct permit *p, char *why, size_t size)
{
	char thread[32] = "is";

	if (p->traced_tid != p->pid)
		snprintf(thread, sizeof(thread), "has a thread, %d, that is", p->traced_tid);
	snprintf(why, size, "%s traced by %s (pid %d); end that first", thread, p->tracer_comm, p->tracer);
	return p->tracer;
}

static bool by_yama_nobody(const struct permit *p, char *why, size_t size)
{
	snprintf(why, size,
		 "kernel.yama.ptrace_scope is 3: nobody may trace anything on this machine until it is booted with "
		 "another value (/etc/sysctl.d)");
	return p->yama == 3;
}

static bool by_seccomp(const struct permit *p, char *why, size_t size)
{
	snprintf(why, size,
		 "ptrace is denied here by a seccomp filter: run the container with --cap-add=SYS_PTRACE or "
		 "--security-opt seccomp=unconfined");
	/* Scope 2 denies it for a child, too. */
	return p->probe && p->we.seccomp == 2 && (p->yama != 2 || p->ptrace_cap);
}

static bool by_namespace(const struct permit *p, char *why, size_t size)
{
	snprintf(
	    why, size,
	    "is outside of this user namespace, and no capability of here counts there: run pydtrace outside, as "
	    "its user or as root (sudo)");
	return p->outside;
}

static bool by_user(const struct permit *p, char *why, size_t size)
{
	char user[64];

	snprintf(why, size, "belongs to %s, and " NEEDS ": run as that user or %s",
		 user_text(p->it.uid[1], user, sizeof(user)), get_cap(p));
	return is_checked(p) && p->it.uid[0] != p->we.uid[0] && p->it.uid[1] != p->we.uid[0];
}

static bool by_set_uid(const struct permit *p, char *why, size_t size)
{
	char user[64];
	bool ours = p->it.uid[1] == p->we.uid[0] && p->it.uid[2] == p->we.uid[0]; /* and started by another */
	uid_t other = ours ? p->it.uid[0] : p->it.uid[1] != p->we.uid[0] ? p->it.uid[1] : p->it.uid[2];

	snprintf(why, size, "runs a set-uid program, %s %s, and " NEEDS ": run %s",
		 ours ? "started by" : "with the rights of", user_text(other, user, sizeof(user)), get_cap(p));
	return is_checked(p) && !all_are(p->it.uid, p->we.uid[0]);
}

static bool by_group(const struct permit *p, char *why, size_t size)
{
	char its[64], ours[64];
	bool set_gid = !all_are(p->it.gid, p->it.gid[0]);
	gid_t other = p->it.gid[1] != p->we.gid[0] ? p->it.gid[1] : p->it.gid[2];

	if (set_gid)
		snprintf(why, size, "runs a set-gid program, with the rights of %s, and " NEEDS ": run %s",
			 group_text(other, its, sizeof(its)), get_cap(p));
	else
		snprintf(why, size, "runs as %s, pydtrace as %s, and then " NEEDS ": run in its group (sg) or %s",
			 group_text(p->it.gid[0], its, sizeof(its)), group_text(p->we.gid[0], ours, sizeof(ours)),
			 get_cap(p));
	return is_checked(p) && !all_are(p->it.gid, p->we.gid[0]);
}

static bool by_capabilities(const struct permit *p, char *why, size_t size)
{
	u64 more = p->it.permitted & ~p->we.effective;
	unsigned n = (unsigned)__builtin_popcountll(more), bit = more ? (unsigned)__builtin_ctzll(more) : 0;
	char name[32], rest[32] = "";

	capability_text(bit, name, sizeof(name));
	if (n > 1)
		snprintf(rest, sizeof(rest), " and %u more", n - 1);
	snprintf(why, size, "has capabilities that pydtrace has not (%s%s), and then " NEEDS ": run %s", name, rest,
		 get_cap(p));
	return is_checked(p) && more;
}

static bool by_undumpable(const struct permit *p, char *why, size_t size)
{
	snprintf(why, size,
		 "is undumpable (it said so by prctl, has changed its user, or its program may not be read), and "
		 "then " NEEDS ": run %s",
		 get_cap(p));
	/* To root its own files tell nothing; but then, without a security module, nothing else forbids to look. */
	return is_checked(p) && (p->owner != p->it.uid[1] || (!p->owner && !p->readable && !*p->label));
}

static bool by_yama_admin(const struct permit *p, char *why, size_t size)
{
	snprintf(why, size,
		 "kernel.yama.ptrace_scope is 2, and then tracing needs CAP_SYS_PTRACE: run %s, or set it to 0 "
		 "(sysctl kernel.yama.ptrace_scope=0)",
		 get_cap(p));
	return !p->ptrace_cap && p->yama == 2;
}

static bool by_yama(const struct permit *p, char *why, size_t size)
{
	snprintf(why, size,
		 "may not be traced, as kernel.yama.ptrace_scope is 1: start the program with -c, or run %s, or "
		 "set it to 0 "
		 "(sysctl kernel.yama.ptrace_scope=0)",
		 p->we.uid[1] ? "as root (sudo)" : "with CAP_SYS_PTRACE");
	return is_checked(p) && p->yama == 1 && p->readable && !p->descendant;
}

static bool by_probe(const struct permit *p, char *why, size_t size)
{
	snprintf(why, size, "ptrace does not work here, not even on a child of pydtrace: %s%s%s%s",
		 strerror(-p->probe), *p->label ? " (a security module? It takes pydtrace for '" : " (a sandbox?)",
		 p->label, *p->label ? "')" : "");
	return p->probe;
}

static bool by_module(const struct permit *p, char *why, size_t size)
{
	snprintf(
	    why, size,
	    "may not be traced: permission denied by the kernel (a security module? It takes pydtrace for '%s')",
	    p->label);
	return *p->label && !strstr(p->label, "unconfined");
}

static const struct {
	bool (*holds)(const struct permit *p, char *why, size_t size);
	bool of_process; /* the text goes on from "process N (comm) " */
} reasons[] = {
    {by_itself, true},
    {by_tracer, true},
    {by_yama_nobody},
    {by_seccomp},
    {by_namespace, true},
    {by_user, true},
    {by_set_uid, true},
    {by_group, true},
    {by_capabilities, true},
    {by_undumpable, true},
    {by_yama_admin},
    {by_yama, true},
    {by_probe},
    {by_module, true},
};

bool refuse_reason(const struct permit *p, char *why, size_t size, bool *of_process)
{
	for (size_t i = 0; i < ARRAY_SIZE(reasons); i++) {
		*of_process = reasons[i].of_process;
		if (reasons[i].holds(p, why, size))
			return true;
	}
	return false;
}

/* --- said ----------------------------------------------------------------------------------------- */

/* Nothing that is known speaks against it: what may be behind it that cannot be seen from here? */
static const char *guess(const struct permit *p)
{
	if (p->it_known && p->it.seccomp == 2)
		return "a seccomp filter of its own?";
	return p->attachable ? "is it traced from outside of this container?" : "a security module?";
}

static bool has_ended(pid_t pid)
{
	struct target_status st;
	bool kernel_thread;
	int ret = status_read(pid, &st, &kernel_thread);

	return ret == -ESRCH || (!ret && (st.state == 'Z' || st.state == 'X'));
}

int target_refuse(pid_t pid, const char *comm, int err, struct diag *diag)
{
	struct permit p;
	char why[400];
	bool of_process, known;

	permit_find(&p, pid);
	known = refuse_reason(&p, why, sizeof(why), &of_process);
	/* Last, as what has no memory left looks undumpable. */
	if (has_ended(pid))
		return diag_fail(diag, ESRCH, "process %d (%s) has ended", pid, comm);
	if (!known)
		return diag_fail(diag, err, "process %d (%s): the kernel denies tracing it: %s (%s)", pid, comm,
				 strerror(err), guess(&p));
	if (p.tracer)
		err = EBUSY;
	return of_process ? diag_fail(diag, err, "process %d (%s) %s", pid, comm, why)
			  : diag_fail(diag, err, "%s", why);
}

int target_refuse_traced(struct target *t, struct diag *diag)
{
	struct permit p = {.pid = target_pid(t)};
	char why[128];

	if (!permit_traced(&p, p.pid))
		return 0;
	by_tracer(&p, why, sizeof(why));
	return diag_fail(diag, EBUSY, "process %d (%s) %s", p.pid, target_comm(t), why);
}

int refuse_proc(struct diag *diag)
{
	char link[32];
	ssize_t n = readlink("/proc/self", link, sizeof(link) - 1);

	if (n < 0)
		return diag_fail(diag, ENOENT, "/proc is not mounted: mount it (mount -t proc proc /proc)");
	link[n] = 0;
	if (parse_tid(link) != getpid())
		return diag_fail(diag, EXDEV,
				 "/proc shows the processes of another pid namespace: mount one of this "
				 "namespace (mount -t proc proc /proc)");
	return 0;
}

int refuse_unseen(pid_t pid, int err, struct diag *diag)
{
	char *mounts, hidepid[32];
	bool there = pid > 0 && (!kill(pid, 0) || errno == EPERM), hidden = false;

	if (there && !target_proc_read(getpid(), "mounts", &mounts, NULL)) {
		hidden = parse_hidepid(mounts, hidepid, sizeof(hidepid));
		free(mounts);
	}
	if (hidden)
		return diag_fail(diag, EPERM,
				 "process %d belongs to another user, and /proc hides it (hidepid=%s): run as root "
				 "(sudo)",
				 pid, hidepid);
	if (!there || err == ESRCH)
		return diag_fail(diag, ESRCH, "no process with pid %d", pid);
	return diag_fail(diag, err, "process %d: cannot read its status: %s", pid, strerror(err));
}
