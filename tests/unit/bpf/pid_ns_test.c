// SPDX-License-Identifier: Apache-2.0
/* Which pid namespace a process is in, and that a program finds the process's own number where it is told to look. */
#include <sched.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/bpf.h"

static void need_root(void)
{
	if (!geteuid())
		return;
	if (getenv("CI") && !strcmp(getenv("CI"), "true"))
		fail_msg("under CI these tests must run as root");
	fprintf(stderr, "SKIP: needs root\n");
	skip();
}

struct seen {
	int err;
	struct asm_pid_ns ns;
};

/* What the first process of a new namespace below ours finds out; or a process of ours. */
static struct seen ask(bool below)
{
	struct seen *s = mmap(NULL, sizeof(*s), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0), seen;
	int status;
	pid_t pid;

	assert_ptr_not_equal(s, MAP_FAILED);
	s->err = -1;
	pid = fork();
	if (!pid) {
		if (below && unshare(CLONE_NEWPID))
			_exit(1);
		pid = fork();
		if (!pid) {
			s->err = bpf_pid_ns(&s->ns);
			_exit(0);
		}
		_exit(waitpid(pid, &status, 0) != pid || status);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_equal(status, 0);
	seen = *s;
	munmap(s, sizeof(*s));
	assert_int_equal(seen.err, 0);
	return seen;
}

static void own(void **state)
{
	struct asm_pid_ns ns;
	struct seen child;

	need_root();
	assert_int_equal(bpf_pid_ns(&ns), 0);
	child = ask(false);
	assert_int_equal(child.ns.level, ns.level);
	assert_int_equal(child.ns.ns, ns.ns);
	assert_int_equal(!ns.level, !ns.ns); /* of the initial one nothing more is asked */
}

static void below(void **state)
{
	struct asm_pid_ns ours;
	struct seen first, second;

	need_root();
	assert_int_equal(bpf_pid_ns(&ours), 0);
	first = ask(true);
	second = ask(true);
	assert_int_equal(first.ns.level, ours.level + 1);
	assert_int_equal(second.ns.level, ours.level + 1);
	assert_int_equal(first.ns.ns >> 48, 0xffff); /* an address of the kernel's */
	assert_true(first.ns.upid_size >= 12 && first.ns.upid_nr != first.ns.upid_ns);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(own), cmocka_unit_test(below)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
