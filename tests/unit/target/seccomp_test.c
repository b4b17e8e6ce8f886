// SPDX-License-Identifier: Apache-2.0
/* Filters of system calls, run here and by the kernel: both must come to the same. */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <setjmp.h>
#include <signal.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cmocka.h>

#include "target/target_impl.h"

#define ARG(n)            (offsetof(struct seccomp_data, args) + 8 * (n))
#define RUN(code, d, out) seccomp_run(code, ARRAY_SIZE(code), d, out)

/* Put before a test's instructions: only getppid() is the test's. Behind them: A, cut to seven bits, is the call's error. */
static const struct sock_filter before[] = {
    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, SYS_getppid, 1, 0),
    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
};
static const struct sock_filter after[] = {
    BPF_STMT(BPF_ALU | BPF_AND | BPF_K, 0x7f),
    BPF_STMT(BPF_ALU | BPF_ADD | BPF_K, 1),
    BPF_STMT(BPF_ALU | BPF_OR | BPF_K, SECCOMP_RET_ERRNO),
    BPF_STMT(BPF_RET | BPF_A, 0),
};

/* A whole filter around `code`; its length. */
static size_t whole(struct sock_filter *out, const struct sock_filter *code, size_t n)
{
	memcpy(out, before, sizeof(before));
	memcpy(out + ARRAY_SIZE(before), code, n * sizeof(*code));
	memcpy(out + ARRAY_SIZE(before) + n, after, sizeof(after));
	return ARRAY_SIZE(before) + n + ARRAY_SIZE(after);
}

static int filter_install(const struct sock_filter *code, size_t n)
{
	struct sock_fprog prog = {.len = (unsigned short)n, .filter = (struct sock_filter *)code};

	return prctl(PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) || prctl(PR_SET_SECCOMP, SECCOMP_MODE_FILTER, &prog) ? -errno
													   : 0;
}

/* The error of getppid(1, 2, ...) under the filter, as the kernel has it; -1: the thread was killed. */
static int by_kernel(const struct sock_filter *code, size_t n)
{
	int status;
	pid_t pid = fork();

	if (pid == 0) {
		if (filter_install(code, n))
			_exit(255);
		syscall(SYS_getppid, 0x100000001, 2, 3, 4, 5, 6);
		_exit(errno);
	}
	assert_int_equal(waitpid(pid, &status, 0), pid);
	assert_int_not_equal(WEXITSTATUS(status), 255);
	return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
}

static int by_us(const struct sock_filter *code, size_t n)
{
	struct seccomp_data d = {
	    .nr = SYS_getppid, .arch = AUDIT_ARCH_X86_64, .args = {0x100000001, 2, 3, 4, 5, 6}};
	u32 answer;

	assert_int_equal(seccomp_run(code, n, &d, &answer), 0);
	return (answer & SECCOMP_RET_ACTION_FULL) == SECCOMP_RET_ERRNO ? (int)(answer & SECCOMP_RET_DATA) : -1;
}

static void same(const struct sock_filter *code, size_t n)
{
	struct sock_filter filter[64];

	n = whole(filter, code, n);
	assert_int_equal(by_us(filter, n), by_kernel(filter, n));
}

static void computes_as_the_kernel(void **state)
{
	static const u16 ops[] = {BPF_ADD, BPF_SUB, BPF_MUL, BPF_DIV, BPF_AND, BPF_OR, BPF_XOR, BPF_LSH, BPF_RSH};
	static const u32 values[][2] = {{7, 3}, {0xffffffff, 31}, {0, 5}, {0x80000001, 1}, {100, 0}};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			struct sock_filter by_x[] = {
			    BPF_STMT(BPF_LD | BPF_IMM, values[k][0]),
			    BPF_STMT(BPF_LDX | BPF_IMM, values[k][1]),
			    BPF_STMT(BPF_ALU | ops[i] | BPF_X, 0),
			};
			struct sock_filter by_k[] = {
			    BPF_STMT(BPF_LD | BPF_IMM, values[k][0]),
			    BPF_STMT(BPF_ALU | ops[i] | BPF_K, values[k][1]),
			};

			same(by_x, ARRAY_SIZE(by_x));
			if (ops[i] != BPF_DIV || values[k][1]) /* refused by the kernel when it is installed */
				same(by_k, ARRAY_SIZE(by_k));
		}
}

static void jumps_as_the_kernel(void **state)
{
	static const u16 ops[] = {BPF_JEQ, BPF_JGT, BPF_JGE, BPF_JSET};
	static const u32 values[][2] = {{7, 3}, {3, 7}, {7, 7}, {0xffffffff, 1}, {8, 7}};

	for (size_t i = 0; i < ARRAY_SIZE(ops); i++)
		for (size_t k = 0; k < ARRAY_SIZE(values); k++) {
			struct sock_filter code[] = {
			    BPF_STMT(BPF_LDX | BPF_IMM, values[k][1]),
			    BPF_STMT(BPF_LD | BPF_IMM, values[k][0]),
			    BPF_JUMP(BPF_JMP | ops[i] | (k % 2 ? BPF_X : BPF_K), values[k][1], 2, 0),
			    BPF_STMT(BPF_LD | BPF_IMM, 10),
			    BPF_JUMP(BPF_JMP | BPF_JA, 1, 0, 0),
			    BPF_STMT(BPF_LD | BPF_IMM, 20),
			};

			same(code, ARRAY_SIZE(code));
		}
}

static void reads_as_the_kernel(void **state)
{
	struct sock_filter arch[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, arch))};
	struct sock_filter low[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(0))};
	struct sock_filter high[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(0) + 4)};
	struct sock_filter last[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, ARG(5))};
	struct sock_filter length[] = {BPF_STMT(BPF_LD | BPF_W | BPF_LEN, 0)};
	struct sock_filter memory[] = {
	    BPF_STMT(BPF_LD | BPF_IMM, 41),         BPF_STMT(BPF_ST, 15),
	    BPF_STMT(BPF_LDX | BPF_IMM, 1),         BPF_STMT(BPF_STX, 0),
	    BPF_STMT(BPF_LD | BPF_MEM, 0),          BPF_STMT(BPF_LDX | BPF_MEM, 15),
	    BPF_STMT(BPF_ALU | BPF_ADD | BPF_X, 0),
	};
	struct sock_filter moves[] = {
	    BPF_STMT(BPF_LD | BPF_IMM, 5),   BPF_STMT(BPF_MISC | BPF_TAX, 0), BPF_STMT(BPF_LD | BPF_IMM, 9),
	    BPF_STMT(BPF_MISC | BPF_TXA, 0), BPF_STMT(BPF_ALU | BPF_NEG, 0),
	};

	same(arch, ARRAY_SIZE(arch));
	same(low, ARRAY_SIZE(low));
	same(high, ARRAY_SIZE(high));
	same(last, ARRAY_SIZE(last));
	same(length, ARRAY_SIZE(length));
	same(memory, ARRAY_SIZE(memory));
	same(moves, ARRAY_SIZE(moves));
}

/* What the kernel would not have taken, and what comes from a kernel gone mad: an error, nothing worse. */
static void damaged_ones_are_refused(void **state)
{
	struct sock_filter outside[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, sizeof(struct seccomp_data)),
					BPF_STMT(BPF_RET | BPF_A, 0)};
	struct sock_filter crooked[] = {BPF_STMT(BPF_LD | BPF_W | BPF_ABS, 2), BPF_STMT(BPF_RET | BPF_A, 0)};
	struct sock_filter store[] = {BPF_STMT(BPF_ST, 16), BPF_STMT(BPF_RET | BPF_A, 0)};
	struct sock_filter fetch[] = {BPF_STMT(BPF_LD | BPF_MEM, 16), BPF_STMT(BPF_RET | BPF_A, 0)};
	struct sock_filter endless[] = {BPF_STMT(BPF_LD | BPF_IMM, 0)};
	struct sock_filter far[] = {BPF_JUMP(BPF_JMP | BPF_JA, 0xffffffff, 0, 0), BPF_STMT(BPF_RET | BPF_A, 0)};
	struct seccomp_data d = {0};
	u32 answer;

	assert_int_equal(RUN(outside, &d, &answer), -EINVAL);
	assert_int_equal(RUN(crooked, &d, &answer), -EINVAL);
	assert_int_equal(RUN(store, &d, &answer), -EINVAL);
	assert_int_equal(RUN(fetch, &d, &answer), -EINVAL);
	assert_int_equal(RUN(endless, &d, &answer), -EINVAL);
	assert_int_equal(RUN(far, &d, &answer), -EINVAL);
	assert_int_equal(seccomp_run(NULL, 0, &d, &answer), -EINVAL);
}

/* A filter that answers `action` to one system call. */
static int deny(long nr, u32 action)
{
	struct sock_filter code[] = {
	    BPF_STMT(BPF_LD | BPF_W | BPF_ABS, offsetof(struct seccomp_data, nr)),
	    BPF_JUMP(BPF_JMP | BPF_JEQ | BPF_K, (u32)nr, 0, 1),
	    BPF_STMT(BPF_RET | BPF_K, action),
	    BPF_STMT(BPF_RET | BPF_K, SECCOMP_RET_ALLOW),
	};

	return filter_install(code, ARRAY_SIZE(code));
}

/* All filters of a thread count, and the most severe answer is the one. */
static void asks_all_filters_of_a_thread(void **state)
{
	const u64 args[6] = {0};
	struct diag diag = {0};
	struct target_filters *f;
	struct target_stop s;
	struct target *t;
	int ready[2], ret;
	pid_t pid;
	char c;

	assert_int_equal(pipe(ready), 0);
	pid = fork();
	if (pid == 0) {
		bool ok = !deny(SYS_memfd_create, SECCOMP_RET_ERRNO | EPERM) &&
			  !deny(SYS_memfd_create, SECCOMP_RET_TRAP) &&
			  !deny(SYS_fcntl, SECCOMP_RET_ERRNO | EPERM) && !deny(SYS_fcntl, SECCOMP_RET_LOG) &&
			  !deny(SYS_getppid, SECCOMP_RET_LOG) && !deny(SYS_madvise, SECCOMP_RET_USER_NOTIF);

		alarm(60);
		_exit(write(ready[1], ok ? "y" : "n", 1) == 1 ? pause() : 1);
	}
	assert_int_equal(read(ready[0], &c, 1), 1);
	assert_int_equal(c, 'y');
	assert_int_equal(target_open(&t, pid, &diag), 0);
	assert_int_equal(target_stop(t, pid, 5000, &s), 0);
	ret = target_filters_read(&s, &f);
	target_stop_end(&s);
	if (ret != -EACCES) { /* else we are not root */
		assert_int_equal(ret, 0);
		assert_int_equal(target_filters_ask(f, SYS_memfd_create, args, 0), TARGET_PUNISHES);
		assert_int_equal(target_filters_ask(f, SYS_fcntl, args, 0), TARGET_DENIES);
		assert_int_equal(target_filters_ask(f, SYS_getppid, args, 0), TARGET_ALLOWS);
		assert_int_equal(target_filters_ask(f, SYS_madvise, args, 0), TARGET_PUNISHES);
		assert_int_equal(target_filters_ask(f, SYS_close, args, 0), TARGET_ALLOWS);
		target_filters_free(f);
	}
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
	target_close(t);
	close(ready[0]);
	close(ready[1]);
	if (ret == -EACCES)
		skip();
}

static void no_filter_allows_all(void **state)
{
	const u64 args[6] = {0};
	struct target_filters *f;
	struct target_stop s = {.tid = getpid()};

	if (target_filters_read(&s, &f) || f) /* under a filter ourselves */
		skip();
	assert_int_equal(target_filters_ask(f, SYS_memfd_create, args, 0), TARGET_ALLOWS);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(computes_as_the_kernel),       cmocka_unit_test(jumps_as_the_kernel),
	    cmocka_unit_test(reads_as_the_kernel),          cmocka_unit_test(damaged_ones_are_refused),
	    cmocka_unit_test(asks_all_filters_of_a_thread), cmocka_unit_test(no_filter_allows_all),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
