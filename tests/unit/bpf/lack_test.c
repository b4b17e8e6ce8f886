// SPDX-License-Identifier: Apache-2.0
/*
 * Why BPF cannot be used, where it is really taken away: capabilities, seccomp filters, a user namespace. Needs root, and a
 * kernel that lets it use BPF, for it takes that away from children of its own.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <grp.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <sched.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/bpf_impl.h"

/* Let system call `nr` fail with `err`. */
static int deny(u32 nr, u32 err)
{
	struct sock_filter f[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, nr, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | err),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};
	struct sock_fprog prog = {ARRAY_SIZE(f), f};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog);
}

static int nothing(void)
{
	return 0;
}

static int nobody(void)
{
	return setgroups(0, NULL) || setgid(65534) || setuid(65534);
}

static int no_bpf(void)
{
	return deny(SYS_bpf, EPERM);
}

static int no_bpf_at_all(void)
{
	return deny(SYS_bpf, ENOSYS);
}

static int no_perf(void)
{
	bpf_uprobe_multi_known = 0;
	return deny(SYS_perf_event_open, EPERM);
}

static int no_perf_but_multi(void)
{
	bpf_uprobe_multi_known = 1;
	return deny(SYS_perf_event_open, EACCES);
}

static int no_perf_at_all(void)
{
	return deny(SYS_perf_event_open, ENOSYS);
}

static int user_namespace(void)
{
	return unshare(CLONE_NEWUSER);
}

struct answer {
	int err;
	struct bpf_lack lack;
};

/* What bpf_caps_lack() says in a child after `change`; false: it could not be changed. */
static bool ask(int (*change)(void), u32 need, struct answer *out)
{
	struct answer *shared =
	    mmap(NULL, sizeof(*shared), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
	pid_t pid = fork();
	int status;

	assert_true(shared != MAP_FAILED);
	if (!pid) {
		if (change())
			_exit(1);
		shared->err = bpf_caps_lack(need, &shared->lack);
		_exit(0);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	*out = *shared;
	munmap(shared, sizeof(*shared));
	return WIFEXITED(status) && !WEXITSTATUS(status);
}

static void reasons(void **state)
{
	static const struct {
		int (*change)(void);
		u32 need;
		int err;
		const char *why, *caps;
	} cases[] = {
	    {nothing, BPF_NEED_UPROBES | BPF_NEED_CLOCKS, 0, "", ""},
	    {nobody, 0, -EPERM, "no CAP_BPF", "CAP_BPF and CAP_PERFMON"},
	    {no_bpf, 0, -EPERM, "the kernel denies bpf(2) here (seccomp or lockdown)", ""},
	    {no_bpf_at_all, 0, -ENOSYS, "no bpf(2) in this kernel", ""},
	    {user_namespace, 0, -EPERM, "no CAP_BPF outside of this user namespace", ""},
	    {no_perf, 0, 0, "", ""},
	    {no_perf, BPF_NEED_CLOCKS, -EPERM, "the kernel denies perf_event_open(2) here (seccomp)", ""},
	    {no_perf, BPF_NEED_UPROBES, -EPERM, "the kernel denies perf_event_open(2) here (seccomp)", ""},
	    {no_perf_but_multi, BPF_NEED_UPROBES, 0, "", ""},
	    {no_perf_but_multi, BPF_NEED_CLOCKS, -EACCES, "the kernel denies perf_event_open(2) here (seccomp)",
	     ""},
	    {no_perf_at_all, BPF_NEED_CLOCKS, -ENOSYS, "no perf_event_open(2) in this kernel", ""},
	};

	if (geteuid()) {
		if (getenv("CI") && !strcmp(getenv("CI"), "true"))
			fail_msg("under CI this test must run as root");
		fprintf(stderr, "SKIP: needs root\n");
		skip();
	}
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct answer a;

		if (!ask(cases[i].change, cases[i].need, &a)) {
			if (cases[i].change != user_namespace)
				fail_msg("case %zu: the child could not be changed", i);
			fprintf(stderr, "SKIP: no user namespaces here\n");
			continue;
		}
		if (a.err != cases[i].err || strcmp(a.lack.why, cases[i].why) != 0 ||
		    strcmp(a.lack.caps, cases[i].caps) != 0)
			fail_msg("case %zu: %d '%s' '%s'", i, a.err, a.lack.why, a.lack.caps);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(reasons)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
