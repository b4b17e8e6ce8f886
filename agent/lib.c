// SPDX-License-Identifier: Apache-2.0
/* What the agent would have had from a C library. The compiler calls the first four by itself. */
#include <sys/mman.h>
#include <sys/syscall.h>

#include "agent_impl.h"

void *memcpy(void *dst, const void *src, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep movsb" : "+D"(d), "+S"(src), "+c"(n) : : "memory");
	return dst;
}

void *memmove(void *dst, const void *src, size_t n)
{
	char *d = dst;
	const char *s = src;

	if ((uintptr_t)d - (uintptr_t)s >= n)
		return memcpy(dst, src, n);
	while (n--)
		((volatile char *)d)[n] = s[n];
	return dst;
}

void *memset(void *dst, int c, size_t n)
{
	void *d = dst;

	__asm__ volatile("rep stosb" : "+D"(d), "+c"(n) : "a"(c) : "memory");
	return dst;
}

int memcmp(const void *a, const void *b, size_t n)
{
	const unsigned char *x = a, *y = b;

	for (; n; n--, x++, y++)
		if (*x != *y)
			return *x - *y;
	return 0;
}

size_t strlen(const char *s)
{
	const char *p = s;

	while (*(const volatile char *)p)
		p++;
	return p - s;
}

void *agent_map(size_t size)
{
	long p = agent_syscall(SYS_mmap, 0, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	return p < 0 && p > -4096 ? NULL : (void *)p;
}

void agent_unmap(void *p, size_t size)
{
	if (p)
		agent_syscall(SYS_munmap, (long)p, size, 0, 0, 0, 0);
}

int agent_madvise(void *p, size_t size, int advice)
{
	return agent_syscall(SYS_madvise, (long)p, size, advice, 0, 0, 0);
}

uint64_t agent_stack_limit(void)
{
	uint64_t limit[2] = {UINT64_MAX, UINT64_MAX};

	/* 3: RLIMIT_STACK */
	agent_syscall(SYS_prlimit64, 0, 3, 0, (long)limit, 0, 0);
	return limit[0];
}

uint64_t hash_text(const char *s, size_t n)
{
	uint64_t h = 0xcbf29ce484222325ull;

	while (n--)
		h = (h ^ (unsigned char)*s++) * 0x100000001b3ull;
	return h ^ h >> 32;
}
