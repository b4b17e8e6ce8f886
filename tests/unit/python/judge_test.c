// SPDX-License-Identifier: Apache-2.0
/* Which threads may be borrowed: the table of docs/attach.md, row by row. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/syscall.h>

#include <cmocka.h>

#include "python/python_impl.h"

enum { IMAGE = 0x400000, LIBC = 0x7f1000000000, LOADER = 0x7f2000000000, HEAP = 0x1000000, STACK = 0x7ff000000000 };
enum { PRIVATE = 128, REALTIME = 256, WAIT = 0, WAIT_BITSET = 9 };

static struct target_map maps[] = {
    {.start = IMAGE, .end = IMAGE + 0x100000, .ino = 1, .prot = "r-xp", .path = "/usr/bin/python3"},
    {.start = HEAP, .end = HEAP + 0x100000, .prot = "rw-p", .path = "[heap]"},
    {.start = LIBC, .end = LIBC + 0x100000, .ino = 2, .prot = "rw-p", .path = "/lib/libc.so.6"},
    {.start = LOADER, .end = LOADER + 0x10000, .ino = 3, .prot = "r-xp", .path = "/lib64/ld-linux-x86-64.so.2"},
    {.start = STACK, .end = STACK + 0x10000, .prot = "rw-p", .path = "[stack]"},
};

static void rows(void **state)
{
	static const struct {
		const char *what;
		s64 nr, rax;
		u64 rip, rdi, rsi;
		enum thread_doing want;
	} cases[] = {
	    {"user code", -1, 5, IMAGE, 0, 0, DOING_PYTHON},
	    {"a call that has returned", SYS_read, 5, LIBC, 0, 0, DOING_PYTHON},
	    {"a call that failed", SYS_read, -9, LIBC, 0, 0, DOING_PYTHON},
	    {"read", SYS_read, -512, LIBC, 3, 0, DOING_WAIT},
	    {"read by the loader", SYS_read, -512, LOADER, 3, 0, DOING_PYTHON},
	    {"select", SYS_pselect6, -514, LIBC, 3, 0, DOING_WAIT},
	    {"sleep", SYS_clock_nanosleep, -516, LIBC, 1, 1, DOING_WAIT},
	    {"sleep, stopped before", SYS_restart_syscall, -516, LIBC, 1, 1, DOING_WAIT},
	    {"poll, stopped before", SYS_restart_syscall, -516, LIBC, STACK, 2, DOING_WAIT},
	    {"epoll", SYS_epoll_wait, -4, LIBC, 3, 0, DOING_WAIT},
	    {"epoll_pwait", SYS_epoll_pwait, -4, LIBC, 3, 0, DOING_WAIT},
	    {"a fork that a signal has broken off", SYS_clone, -513, LIBC, 0, 0, DOING_PYTHON},
	    {"memory that is being mapped", SYS_mmap, -512, LIBC, 0, 0, DOING_PYTHON},
	    {"EINTR of another call", SYS_read, -4, LIBC, 3, 0, DOING_PYTHON},
	    {"the GIL", SYS_futex, -516, LIBC, IMAGE + 64, WAIT_BITSET | PRIVATE, DOING_GIL},
	    {"the GIL's mutex", SYS_futex, -512, LIBC, IMAGE + 64, WAIT | PRIVATE, DOING_GIL},
	    {"the GIL, stopped before", SYS_restart_syscall, -516, LIBC, IMAGE + 64, WAIT_BITSET | PRIVATE,
	     DOING_GIL},
	    {"a lock of Python", SYS_futex, -512, LIBC, HEAP + 16, WAIT_BITSET | PRIVATE | REALTIME, DOING_WAIT},
	    {"the same, 3.13", SYS_futex, -512, LIBC, STACK + 16, WAIT_BITSET | PRIVATE | REALTIME, DOING_WAIT},
	    {"with a timeout, stopped before", SYS_restart_syscall, -516, LIBC, STACK + 16,
	     WAIT_BITSET | PRIVATE | REALTIME, DOING_WAIT},
	    {"malloc's lock", SYS_futex, -512, LIBC, LIBC + 16, WAIT | PRIVATE, DOING_PYTHON},
	    {"malloc's lock in an arena", SYS_futex, -512, LIBC, HEAP + 16, WAIT | PRIVATE, DOING_PYTHON},
	    {"a semaphore of a library", SYS_futex, -512, LIBC, LIBC + 16, WAIT_BITSET | PRIVATE, DOING_PYTHON},
	};
	struct python p = {.maps = {maps, ARRAY_SIZE(maps)}};

	p.sym.image_start = IMAGE;
	p.sym.image_end = IMAGE + 0x100000;
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct user_regs_struct r = {.orig_rax = (u64)cases[i].nr,
					     .rax = (u64)cases[i].rax,
					     .rip = cases[i].rip,
					     .rdi = cases[i].rdi,
					     .rsi = cases[i].rsi};

		if (python_thread_doing(&p, &r) != cases[i].want)
			fail_msg("%s: %d", cases[i].what, python_thread_doing(&p, &r));
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(rows)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
