// SPDX-License-Identifier: Apache-2.0
/* What is said when the kernel, or our rights, do not give what is needed. Needs root, for it gives rights away. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <grp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "bpf/bpf.h"

static char said[1024];

static void keep(void *arg, enum diag_level level, const char *text)
{
	size_t n = strlen(said);

	snprintf(said + n, sizeof(said) - n, "%s", text);
}

static struct diag diag = {.sink = keep};

static int forget(void **state)
{
	*said = '\0';
	return 0;
}

static void need_root(void)
{
	if (!geteuid())
		return;
	if (getenv("CI") && !strcmp(getenv("CI"), "true"))
		fail_msg("under CI these tests must run as root");
	fprintf(stderr, "SKIP: needs root\n");
	skip();
}

static void all_is_there(void **state)
{
	char missing[64];

	need_root();
	if (bpf_caps_check(&diag))
		fail_msg("%s", said);
	assert_string_equal(bpf_caps_missing(~0ull, missing, sizeof(missing)), "");
}

static int as_nobody(int (*fn)(void))
{
	int status;
	pid_t pid = fork();

	if (!pid) {
		if (setgroups(0, NULL) || setgid(65534) || setuid(65534))
			_exit(100);
		_exit(fn());
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int check_without_rights(void)
{
	if (bpf_caps_check(&diag) != -EPERM)
		return 1;
	return strcmp(said, "pydtrace: tracing in the kernel needs CAP_BPF and CAP_PERFMON: run as root (sudo)\n")
		   ? 2
		   : 0;
}

static int map_without_rights(void)
{
	struct asm_map m = {"hash", BPF_MAP_TYPE_PERCPU_HASH, 4, 4, 4};

	if (bpf_map_make(&m, &diag) != -EPERM)
		return 1;
	return strcmp(said, "pydtrace: cannot make the BPF map 'hash': permission denied: it needs CAP_BPF and "
			    "CAP_PERFMON: run as root (sudo)\n") != 0;
}

static void no_rights(void **state)
{
	need_root();
	assert_int_equal(as_nobody(check_without_rights), 0);
	assert_int_equal(as_nobody(map_without_rights), 0);
}

static void absurd_maps(void **state)
{
	struct asm_map wrong = {"wrong", BPF_MAP_TYPE_HASH, 0, 8, 8};
	struct asm_map huge = {"huge", BPF_MAP_TYPE_HASH, 4, 1u << 30, 1u << 30};

	need_root();
	assert_int_equal(bpf_map_make(&wrong, &diag), -EINVAL);
	assert_string_equal(said, "pydtrace: cannot make the BPF map 'wrong': Invalid argument\n");
	*said = '\0';
	assert_true(bpf_map_make(&huge, &diag) < 0);
	assert_int_equal(strncmp(said, "pydtrace: cannot make the BPF map 'huge': ", 42), 0);
	assert_int_equal(bpf_map_make(&huge, NULL), -E2BIG);
}

/* The verifier's reason is in the message, its log in a file that the message names. */
static void refused_by_the_verifier(void **state)
{
	struct bpf_insn insns[] = {
	    {.code = BPF_LDX | BPF_MEM | BPF_DW, .dst_reg = 0, .src_reg = 0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	struct asm_prog p = {.name = "syscall:::entry", .insns = insns, .ninsns = 2};
	char dir[] = "/tmp/pydtrace-test-XXXXXX", want[256], line[256] = "", *path, *end;
	struct bpf_code c;
	FILE *log;

	need_root();
	assert_non_null(mkdtemp(dir));
	setenv("TMPDIR", dir, 1);
	assert_int_equal(bpf_code_link(&c, &p, NULL, 0, &diag), 0);
	assert_int_equal(bpf_code_load(&p, &c, NULL, &diag), -EACCES);
	bpf_code_free(&c);
	unsetenv("TMPDIR");

	snprintf(want, sizeof(want),
		 "pydtrace: the kernel's verifier refused the program of syscall:::entry, which is a bug in "
		 "pydtrace: R0 !read_ok (its log: %s/pydtrace-verifier-",
		 dir);
	assert_int_equal(strncmp(said, want, strlen(want)), 0);
	path = strstr(said, dir);
	end = strchr(path, ')');
	assert_non_null(end);
	*end = '\0';
	log = fopen(path, "re");
	assert_non_null(log);
	while (fgets(line, sizeof(line), log) && !strstr(line, "!read_ok"))
		;
	assert_string_equal(line, "R0 !read_ok\n");
	fclose(log);
	unlink(path);
	rmdir(dir);
}

/* Names of probes are no names for the kernel, which takes few characters and 15 of them. */
static void names(void **state)
{
	static const char *const all[] = {"", ":::", "syscall:::entry",
					  "python123:a.b.c:Some<locals>.f:function-entry", "\xff"};
	struct bpf_insn insns[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = 0},
	    {.code = BPF_JMP | BPF_EXIT},
	};

	need_root();
	for (size_t i = 0; i < ARRAY_SIZE(all); i++) {
		struct asm_prog p = {.name = all[i], .insns = insns, .ninsns = 2};
		struct bpf_code c;
		int fd;

		assert_int_equal(bpf_code_link(&c, &p, NULL, 0, &diag), 0);
		fd = bpf_code_load(&p, &c, NULL, &diag);
		if (fd < 0)
			fail_msg("%s", said);
		close(fd);
		bpf_code_free(&c);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_setup(all_is_there, forget), cmocka_unit_test_setup(no_rights, forget),
	    cmocka_unit_test_setup(absurd_maps, forget),  cmocka_unit_test_setup(refused_by_the_verifier, forget),
	    cmocka_unit_test_setup(names, forget),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
