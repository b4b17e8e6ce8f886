// SPDX-License-Identifier: Apache-2.0
/*
 * Two small locks for builds of Python without a GIL, where any number of threads are in events of ours at the same time: one for
 * what the agent knows (tables, records), one for the place of mail. Where there is a GIL they are always free.
 *
 * Whoever holds the first one touches memory of ours only and makes no call into the interpreter, so it never stops there for a
 * stop of the world, and the wait for it is short. They are in memory that a forked child finds zeroed, that is, free.
 */
#include <linux/futex.h>
#include <sys/syscall.h>

#include "agent_impl.h"

enum { FREE, HELD, WAITED_FOR };

#define LOOKS 100 /* before the thread sleeps */

static bool lock_try(uint32_t *word)
{
	uint32_t is_free = FREE;

	return __atomic_compare_exchange_n(word, &is_free, HELD, false, __ATOMIC_ACQUIRE, __ATOMIC_RELAXED);
}

void lock_take(uint32_t *word)
{
	for (int i = 0; i < LOOKS; i++) {
		if (likely(lock_try(word)))
			return;
		__builtin_ia32_pause();
	}
	while (__atomic_exchange_n(word, WAITED_FOR, __ATOMIC_ACQUIRE) != FREE)
		agent_syscall(SYS_futex, (long)word, FUTEX_WAIT | FUTEX_PRIVATE_FLAG, WAITED_FOR, 0, 0, 0);
}

void lock_leave(uint32_t *word)
{
	if (unlikely(__atomic_exchange_n(word, FREE, __ATOMIC_RELEASE) == WAITED_FOR))
		agent_syscall(SYS_futex, (long)word, FUTEX_WAKE | FUTEX_PRIVATE_FLAG, 1, 0, 0, 0);
}

void agent_change_begin(void)
{
	lock_take(&agent.locks->state);
	__atomic_store_n(&agent.changes, agent.changes + 1, __ATOMIC_RELAXED);
	__atomic_thread_fence(__ATOMIC_RELEASE); /* the number is odd before anything is changed */
}

void agent_change_end(void)
{
	__atomic_store_n(&agent.changes, agent.changes + 1, __ATOMIC_RELEASE);
	lock_leave(&agent.locks->state);
}
