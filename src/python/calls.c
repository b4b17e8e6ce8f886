// SPDX-License-Identifier: Apache-2.0
/* May a thread whose system calls are filtered (seccomp(2)) make those that the stub, the loader and the agent make in it? */
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "python/python_impl.h"

/* What a call is made for: every attach; memory files, which there are other means for; starting a thread, the same. */
enum purpose { FOR_ALL, FOR_MEMFD, FOR_THREAD };

/*
 * The arguments that filters look at: numbers and flags, as they are passed; a filter sees no memory. With pointers, sizes and
 * descriptors they can do nothing, so those are 0 here.
 */
struct call {
	const char *name;
	s64 nr;
	u64 args[6];
	enum purpose purpose;
};
#define CODE (PROT_READ | PROT_EXEC)
#define DATA (PROT_READ | PROT_WRITE)
/* glibc's flags (sysdeps/unix/sysv/linux/createthread.c), and what it gives rseq() on x86 (bits/rseq.h). */
#define THREAD                                                                                                     \
	(CLONE_VM | CLONE_FS | CLONE_FILES | CLONE_SYSVSEM | CLONE_SIGHAND | CLONE_THREAD | CLONE_SETTLS |         \
	 CLONE_PARENT_SETTID | CLONE_CHILD_CLEARTID)
#define RSEQ_SIGNATURE 0x53053053
#define CALL(name, ...)                                                                                            \
#name, SYS_##name,                                                                                         \
	{                                                                                                          \
		__VA_ARGS__                                                                                        \
	}

static const struct call calls[] = {
    {CALL(memfd_create, 0, MFD_CLOEXEC | MFD_ALLOW_SEALING), FOR_MEMFD},
    {CALL(fcntl, 0, F_GET_SEALS), FOR_MEMFD},
    {CALL(rt_sigprocmask, SIG_SETMASK, 0, 0, 8), FOR_ALL},
    {CALL(rt_sigpending, 0, 8), FOR_ALL},
    {CALL(rt_sigaction, SIGUSR1, 0, 0, 8), FOR_ALL},
    {CALL(sched_yield, 0), FOR_ALL},
    {CALL(clock_gettime, CLOCK_MONOTONIC), FOR_ALL},
    {CALL(getpid, 0), FOR_ALL},
    {CALL(gettid, 0), FOR_ALL},
    {CALL(openat, (u32)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC), FOR_ALL},
    {CALL(read, 0), FOR_ALL},
    {CALL(pread64, 0), FOR_ALL},
    {CALL(fstat, 0), FOR_ALL},
    {CALL(newfstatat, 0, 0, 0, AT_EMPTY_PATH), FOR_ALL},
    {CALL(close, 0), FOR_ALL},
    {CALL(mmap, 0, 4096, DATA, MAP_SHARED), FOR_ALL},
    {CALL(mmap, 0, 4096, DATA, MAP_PRIVATE | MAP_ANONYMOUS, (u64)-1), FOR_ALL},
    {CALL(mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_DENYWRITE), FOR_ALL},
    {CALL(mmap, 0, 4096, CODE, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE), FOR_ALL},
    {CALL(mmap, 0, 4096, DATA, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE), FOR_ALL},
    {CALL(mprotect, 0, 4096, PROT_READ), FOR_ALL},
    {CALL(munmap, 0, 4096), FOR_ALL},
    {CALL(madvise, 0, 4096, MADV_DONTFORK), FOR_ALL},
    {CALL(madvise, 0, 4096, MADV_WIPEONFORK), FOR_ALL},
    {CALL(futex, 0, 0), FOR_ALL},
    {CALL(prlimit64, 0, 3), FOR_ALL},
    /* pthread_create() with a stack that is there, the start of the thread, and its end; clone() where clone3() fails. */
    {CALL(clone3, 0, 88), FOR_THREAD},
    {CALL(clone, THREAD), FOR_THREAD},
    {CALL(set_robust_list, 0, 24), FOR_THREAD},
    {CALL(rseq, 0, 32, 0, RSEQ_SIGNATURE), FOR_THREAD},
    {CALL(exit, 0), FOR_THREAD},
};

/* Where the kernel does not tell us what the filters say, these calls are made by every program; memfd_create() is not. */
static int calls_unknown(struct python *p)
{
	return p->page_kind == PAGE_MEMFD ? -ENOSYS : 0;
}

int python_calls_allowed(struct python *p, const struct target_stop *s)
{
	struct target_filters *f;
	int ret = target_filters_read(s, &f);

	if (ret == -ESRCH || ret == -ENOMEM)
		return ret;
	if (ret)
		return calls_unknown(p);
	for (size_t i = 0; i < ARRAY_SIZE(calls) && !ret; i++) {
		const struct call *c = &calls[i];
		enum target_answer answer = target_filters_ask(f, c->nr, c->args, p->code);

		if (c->purpose == FOR_MEMFD && p->page_kind == PAGE_MEMFD && answer != TARGET_ALLOWS)
			ret = -ENOSYS;
		if (c->purpose == FOR_ALL && answer == TARGET_PUNISHES) {
			p->fatal_call = c->name;
			ret = -EKEYREJECTED;
		}
	}
	target_filters_free(f);
	return ret;
}

bool python_thread_allowed(struct python *p, const struct target_stop *s)
{
	struct target_filters *f;
	bool allowed = true;

	if (!p->filtered)
		return true;
	if (target_filters_read(s, &f))
		return false; /* who knows */
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].purpose == FOR_THREAD &&
		    target_filters_ask(f, calls[i].nr, calls[i].args, p->code) == TARGET_PUNISHES)
			allowed = false;
	target_filters_free(f);
	return allowed;
}
