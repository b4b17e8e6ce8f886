// SPDX-License-Identifier: Apache-2.0
/* May a thread whose system calls are filtered (seccomp(2)) make those that the stub, the loader and the agent make in it? */
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <time.h>

#include "python/python_impl.h"

/*
 * The arguments that filters look at: numbers and flags, as they are passed; a filter sees no memory. With pointers, sizes and
 * descriptors they can do nothing, so those are 0 here.
 */
struct call {
	const char *name;
	s64 nr;
	u64 args[6];
	bool memfd; /* made only for memory files, so it need not be allowed */
};
#define CODE (PROT_READ | PROT_EXEC)
#define DATA (PROT_READ | PROT_WRITE)
#define CALL(name, ...)                                                                                            \
#name, SYS_##name,                                                                                         \
	{                                                                                                          \
		__VA_ARGS__                                                                                        \
	}

static const struct call calls[] = {
    {CALL(memfd_create, 0, MFD_CLOEXEC | MFD_ALLOW_SEALING), true},
    {CALL(fcntl, 0, F_GET_SEALS), true},
    {CALL(rt_sigprocmask, SIG_SETMASK, 0, 0, 8), false},
    {CALL(rt_sigpending, 0, 8), false},
    {CALL(rt_sigaction, SIGUSR1, 0, 0, 8), false},
    {CALL(sched_yield, 0), false},
    {CALL(clock_gettime, CLOCK_MONOTONIC), false},
    {CALL(getpid, 0), false},
    {CALL(gettid, 0), false},
    {CALL(openat, (u32)AT_FDCWD, 0, O_RDONLY | O_CLOEXEC), false},
    {CALL(read, 0), false},
    {CALL(pread64, 0), false},
    {CALL(fstat, 0), false},
    {CALL(newfstatat, 0, 0, 0, AT_EMPTY_PATH), false},
    {CALL(close, 0), false},
    {CALL(mmap, 0, 4096, DATA, MAP_SHARED), false},
    {CALL(mmap, 0, 4096, DATA, MAP_PRIVATE | MAP_ANONYMOUS, (u64)-1), false},
    {CALL(mmap, 0, 4096, PROT_READ, MAP_PRIVATE | MAP_DENYWRITE), false},
    {CALL(mmap, 0, 4096, CODE, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE), false},
    {CALL(mmap, 0, 4096, DATA, MAP_PRIVATE | MAP_FIXED | MAP_DENYWRITE), false},
    {CALL(mprotect, 0, 4096, PROT_READ), false},
    {CALL(munmap, 0, 4096), false},
    {CALL(madvise, 0, 4096, MADV_DONTFORK), false},
    {CALL(madvise, 0, 4096, MADV_WIPEONFORK), false},
    {CALL(futex, 0, 0), false},
    {CALL(prlimit64, 0, 3), false},
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

		if (c->memfd && p->page_kind == PAGE_MEMFD && answer != TARGET_ALLOWS)
			ret = -ENOSYS;
		if (!c->memfd && answer == TARGET_PUNISHES) {
			p->fatal_call = c->name;
			ret = -EKEYREJECTED;
		}
	}
	target_filters_free(f);
	return ret;
}
