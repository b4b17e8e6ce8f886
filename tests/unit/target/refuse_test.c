// SPDX-License-Identifier: Apache-2.0
/* Which reason is given for which evidence, and how the evidence is read. */
#include <errno.h>
#include <linux/capability.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "target/target_impl.h"

/* Users and groups that no machine has a name for. */
enum { US = 761234, THEM = 761235, OUR_GROUP = 761236, THEIR_GROUP = 761237, PID = 123 };

/* An ordinary user asks for a process of their own, and nothing is known that speaks against it. */
static const struct permit plain = {
    .pid = PID,
    .we = {.uid = {US, US, US}, .gid = {OUR_GROUP, OUR_GROUP, OUR_GROUP}},
    .it = {.uid = {US, US, US}, .gid = {OUR_GROUP, OUR_GROUP, OUR_GROUP}},
    .it_known = true,
    .owner = US,
    .readable = true,
    .yama = -1,
};

static const char *reason(const struct permit *p)
{
	static char why[400];
	bool of_process;

	if (!refuse_reason(p, why, sizeof(why), &of_process))
		return NULL;
	assert_true(strlen(why) < sizeof(why) - 1); /* nothing is cut off */
	return why;
}

#define WITH(...)                                                                                                  \
	({                                                                                                         \
		struct permit p_ = plain;                                                                          \
		struct permit *p = &p_;                                                                            \
		__VA_ARGS__;                                                                                       \
		reason(p);                                                                                         \
	})

static void root_of_nothing(struct permit *p)
{
	memset(&p->we, 0, sizeof(p->we));
}

static void nobody_is_accused(void **state)
{
	assert_null(reason(&plain));
	assert_null(WITH(p->yama = 0));
	assert_null(WITH(p->yama = 1; p->descendant = true)); /* the child of -c */
	assert_null(WITH(p->yama = 1; p->ptrace_cap = true));
	assert_null(WITH(p->yama = 2; p->ptrace_cap = true));
	assert_null(WITH(p->we.seccomp = 2)); /* a filter that lets ptrace pass */
	assert_null(WITH(snprintf(p->label, sizeof(p->label), "unconfined")));
	/* CAP_SYS_PTRACE stands above all of these. */
	assert_null(WITH(p->ptrace_cap = true; p->it.uid[0] = p->it.uid[1] = p->it.uid[2] = THEM; p->owner = 0;
			 p->it.gid[1] = THEIR_GROUP; p->it.permitted = 1));
	/* Nothing is said of who is not known. */
	assert_null(WITH(p->it_known = false; p->it.uid[0] = p->it.uid[1] = p->it.uid[2] = THEM));
}

static void users_and_groups(void **state)
{
	assert_string_equal(
	    WITH(p->it.uid[0] = p->it.uid[1] = p->it.uid[2] = THEM),
	    "belongs to user 761235, and tracing it needs CAP_SYS_PTRACE: run as that user or as root "
	    "(sudo)");
	assert_string_equal(WITH(p->it.uid[0] = p->it.uid[1] = p->it.uid[2] = 0),
			    "belongs to user root (0), and tracing it needs CAP_SYS_PTRACE: run as that user or as "
			    "root (sudo)");
	assert_string_equal(WITH(root_of_nothing(p)),
			    "belongs to user 761234, and tracing it needs CAP_SYS_PTRACE: run as that user or with "
			    "that capability (in a container: --cap-add=SYS_PTRACE)");
	assert_string_equal(WITH(p->it.uid[1] = p->it.uid[2] = THEM),
			    "runs a set-uid program, with the rights of user 761235, and tracing it needs "
			    "CAP_SYS_PTRACE: run as root (sudo)");
	assert_string_equal(WITH(p->it.uid[2] = THEM),
			    "runs a set-uid program, with the rights of user 761235, and tracing it needs "
			    "CAP_SYS_PTRACE: run as root (sudo)");
	assert_string_equal(
	    WITH(p->it.uid[0] = THEM),
	    "runs a set-uid program, started by user 761235, and tracing it needs CAP_SYS_PTRACE: run "
	    "as root (sudo)");
	assert_string_equal(WITH(p->it.gid[1] = p->it.gid[2] = THEIR_GROUP),
			    "runs a set-gid program, with the rights of group 761237, and tracing it needs "
			    "CAP_SYS_PTRACE: run as root (sudo)");
	assert_string_equal(WITH(p->it.gid[0] = p->it.gid[1] = p->it.gid[2] = THEIR_GROUP),
			    "runs as group 761237, pydtrace as group 761236, and then tracing it needs "
			    "CAP_SYS_PTRACE: run in its group (sg) or as root (sudo)");
}

static void capabilities_and_dumpable(void **state)
{
	static const char undumpable[] =
	    "is undumpable (it said so by prctl, has changed its user, or its program may not be read), and then "
	    "tracing it needs CAP_SYS_PTRACE: run as root (sudo)";

	assert_string_equal(WITH(p->it.permitted = 1ull << CAP_NET_RAW),
			    "has capabilities that pydtrace has not (CAP_NET_RAW), and then tracing it needs "
			    "CAP_SYS_PTRACE: run as root (sudo)");
	assert_string_equal(WITH(p->it.permitted = 1ull << CAP_CHECKPOINT_RESTORE | 1ull << 62; p->owner = 0),
			    "has capabilities that pydtrace has not (CAP_CHECKPOINT_RESTORE and 1 more), and then "
			    "tracing it needs CAP_SYS_PTRACE: run as root (sudo)");
	assert_string_equal(WITH(p->it.permitted = 1ull << 62),
			    "has capabilities that pydtrace has not (number 62), and then tracing it needs "
			    "CAP_SYS_PTRACE: run as root (sudo)");
	assert_null(WITH(p->it.permitted = p->we.effective = 1ull << CAP_NET_RAW));
	assert_string_equal(WITH(p->owner = 0), undumpable);
	assert_string_equal(WITH(p->owner = 0; p->yama = 1), undumpable);
}

static void yama(void **state)
{
	assert_string_equal(
	    WITH(p->yama = 1),
	    "may not be traced, as kernel.yama.ptrace_scope is 1: start the program with -c, or run as "
	    "root (sudo), or set it to 0 (sysctl kernel.yama.ptrace_scope=0)");
	assert_string_equal(
	    WITH(p->yama = 2; p->probe = -EPERM; p->we.seccomp = 2),
	    "kernel.yama.ptrace_scope is 2, and then tracing needs CAP_SYS_PTRACE: run as root (sudo), "
	    "or set it to 0 (sysctl kernel.yama.ptrace_scope=0)");
	assert_non_null(strstr(WITH(p->yama = 3; p->ptrace_cap = true), "kernel.yama.ptrace_scope is 3: nobody"));
}

static void more_specific_first(void **state)
{
	assert_string_equal(
	    WITH(p->traced_tid = PID; p->tracer = 456; strcpy(p->tracer_comm, "strace"); p->yama = 1),
	    "is traced by strace (pid 456); end that first");
	assert_string_equal(WITH(p->traced_tid = 124; p->tracer = 456; strcpy(p->tracer_comm, "strace")),
			    "has a thread, 124, that is traced by strace (pid 456); end that first");
	assert_non_null(strstr(WITH(p->pid = getpid()), "pydtrace itself"));
	assert_non_null(strstr(WITH(p->yama = 1; p->it.uid[0] = p->it.uid[1] = THEM), "belongs to user 761235"));
	assert_non_null(strstr(WITH(p->outside = p->ptrace_cap = true), "outside of this user namespace"));
}

static void filters_and_modules(void **state)
{
	assert_string_equal(WITH(p->probe = -EPERM; p->we.seccomp = 2),
			    "ptrace is denied here by a seccomp filter: run the container with "
			    "--cap-add=SYS_PTRACE or --security-opt seccomp=unconfined");
	assert_string_equal(
	    WITH(p->probe = -EPERM),
	    "ptrace does not work here, not even on a child of pydtrace: Operation not permitted (a "
	    "sandbox?)");
	assert_string_equal(WITH(p->probe = -EACCES; strcpy(p->label, "jail (enforce)")),
			    "ptrace does not work here, not even on a child of pydtrace: Permission denied (a "
			    "security module? It takes pydtrace for 'jail (enforce)')");
	assert_string_equal(WITH(strcpy(p->label, "docker-default (enforce)")),
			    "may not be traced: permission denied by the kernel (a security module? It takes "
			    "pydtrace for 'docker-default (enforce)')");
}

static void scope_file(void **state)
{
	char path[] = "/tmp/scope-XXXXXX";
	int fd = mkstemp(path);

	assert_true(fd >= 0);
	for (int scope = 0; scope <= 3; scope++) {
		dprintf(fd, "%d\n", scope);
		assert_int_equal(permit_yama(path), scope);
		assert_int_equal(ftruncate(fd, 0), 0);
		assert_int_equal(lseek(fd, 0, SEEK_SET), 0);
	}
	assert_int_equal(permit_yama(path), -1);
	close(fd);
	unlink(path);
	assert_int_equal(permit_yama(path), -1);
}

static void parsers(void **state)
{
	struct creds c;
	char hidepid[32];
	u64 users;
	bool unmapped;

	assert_int_equal(
	    parse_creds("Name:\tx\nPPid:\t7\nUid:\t1\t2\t3\t4\nGid:\t5\t6\t7\t8\nCapPrm:\t00000000000000ff\n"
			"CapEff:\t8000000000000001\nSeccomp:\t2\n",
			&c),
	    0);
	assert_true(c.uid[0] == 1 && c.uid[1] == 2 && c.uid[2] == 3 && c.gid[0] == 5 && c.gid[2] == 7);
	assert_true(c.permitted == 0xff && c.effective == 0x8000000000000001 && c.parent == 7 && c.seccomp == 2);
	assert_int_equal(parse_creds("Uid:\t1\t2\n", &c), -EINVAL);

	assert_true(parse_uid_map("         0          0 4294967295\n", &users, &unmapped));
	assert_true(users == UINT32_MAX && !unmapped);
	assert_true(parse_uid_map("0 1000 1\n1 4294967295 65536\n", &users, &unmapped));
	assert_true(users == 65537 && unmapped);
	assert_false(parse_uid_map("", &users, &unmapped));

	assert_true(parse_hidepid("/dev/vda / ext4 rw 0 0\nproc /proc proc rw,hidepid=invisible,gid=4 0 0\n",
				  hidepid, sizeof(hidepid)));
	assert_string_equal(hidepid, "invisible");
	assert_false(
	    parse_hidepid("proc /proc proc rw,hidepid=2 0 0\nproc /proc proc rw 0 0\n", hidepid, sizeof(hidepid)));
	assert_false(parse_hidepid("proc /mnt/proc proc rw,hidepid=2 0 0\n", hidepid, sizeof(hidepid)));
	assert_false(parse_hidepid("proc /proc proc rw,hidepid=off 0 0\n", hidepid, sizeof(hidepid)));
	assert_false(parse_hidepid("", hidepid, sizeof(hidepid)));
}

static void sink(void *arg, enum diag_level level, const char *text)
{
	strcpy(arg, text);
}

/* The evidence itself, on a child of ours. */
static pid_t child_start(bool undumpable)
{
	int ready[2];
	char c;
	pid_t pid;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		alarm(60);
		if (undumpable)
			prctl(PR_SET_DUMPABLE, 0);
		if (write(ready[1], "", 1) == 1)
			for (;;)
				pause();
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	close(ready[0]);
	close(ready[1]);
	return pid;
}

static void child_end(pid_t pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, __WALL);
}

static void evidence(void **state)
{
	pid_t pid = child_start(false);
	struct permit p;

	permit_find(&p, pid);
	assert_true(p.it_known && p.descendant && p.readable && !p.outside && !p.tracer);
	assert_int_equal(p.probe, 0);
	assert_int_equal(p.owner, geteuid());
	assert_memory_equal(p.we.uid, p.it.uid, sizeof(p.we.uid));
	/* What we trace ourselves is no hindrance. */
	assert_int_equal(ptrace(PTRACE_SEIZE, pid, 0, 0), 0);
	assert_false(permit_traced(&p, pid));
	child_end(pid);
	permit_find(&p, pid);
	assert_false(p.it_known);
}

/* A zombie's files belong to root, as those of an undumpable process do. */
static void ended_is_not_undumpable(void **state)
{
	char told[256] = "";
	struct diag diag = {.sink = sink, .arg = told};
	pid_t pid = child_start(false);
	char want[64];

	kill(pid, SIGKILL);
	assert_int_equal(waitid(P_PID, (id_t)pid, &(siginfo_t){0}, WEXITED | WNOWAIT), 0);
	snprintf(want, sizeof(want), "pydtrace: process %d (x) has ended\n", pid);
	assert_int_equal(target_refuse(pid, "x", EPERM, &diag), -ESRCH);
	assert_string_equal(told, want);
	child_end(pid);
	told[0] = 0;
	assert_int_equal(target_refuse(pid, "x", EPERM, &diag), -ESRCH);
	assert_string_equal(told, want);
}

static void unexplained(void **state)
{
	char told[256] = "";
	struct diag diag = {.sink = sink, .arg = told};
	pid_t pid = child_start(false);
	struct permit p;

	permit_find(&p, pid);
	if (reason(&p)) { /* a container, or a security module */
		child_end(pid);
		skip();
	}
	assert_int_equal(target_refuse(pid, "x", EPERM, &diag), -EPERM);
	assert_non_null(
	    strstr(told, "the kernel denies tracing it: Operation not permitted (is it traced from outside"));
	child_end(pid);
}

static void evidence_of_undumpable(void **state)
{
	pid_t pid = child_start(true);
	struct permit p;

	permit_find(&p, pid);
	assert_int_equal(p.owner, 0);
	if (geteuid() && !p.ptrace_cap)
		assert_non_null(strstr(reason(&p), "is undumpable"));
	child_end(pid);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(nobody_is_accused),
	    cmocka_unit_test(users_and_groups),
	    cmocka_unit_test(capabilities_and_dumpable),
	    cmocka_unit_test(yama),
	    cmocka_unit_test(more_specific_first),
	    cmocka_unit_test(filters_and_modules),
	    cmocka_unit_test(scope_file),
	    cmocka_unit_test(parsers),
	    cmocka_unit_test(evidence),
	    cmocka_unit_test(ended_is_not_undumpable),
	    cmocka_unit_test(unexplained),
	    cmocka_unit_test(evidence_of_undumpable),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
