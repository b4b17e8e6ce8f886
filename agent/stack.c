// SPDX-License-Identifier: Apache-2.0
/*
 * 3.11 calls from Python to Python without using the C stack, but not under a foreign evaluator: a program that
 * recurses deeper than its stack can then hold would die of being traced. So deep calls look how much is left, and before
 * it is too little the evaluator is taken off; from there on calls use no more C stack.
 *
 * Where a thread's stack lies is read from glibc's descriptor of the thread, which begins at the thread pointer
 * (nptl/descr.h: stackblock, stackblock_size). Its offset differs between versions; the two words are found by what they
 * say: a block of whole pages that holds the stack pointer and, near its upper end, the descriptor itself.
 * pthread_getattr_np() would do the same, with a lock, an allocation and a system call. The main thread's stack ends at
 * __libc_stack_end.
 */
#include "agent_impl.h"

#define SPARE          (1u << 20) /* bytes that are left for C code at the deepest call; of small stacks the half */
#define MAIN_MOST      (120ull << 20) /* the kernel keeps no more than 128 MB free below it (mmap_base()) */
#define ABOVE          (64u << 10)    /* the descriptor is not farther from its block's end */
#define PAGE_REST      4095
#define PER_CALL       560 /* of the C stack, where nothing is known: measured 400 to 530 (3.11.2, 3.11.7) */
#define WORD_FIRST     64  /* of the descriptor, to look at */
#define WORD_LAST      280
#define DESCRIPTOR_END 2304

_Static_assert((WORD_LAST + 2) * sizeof(uintptr_t) < DESCRIPTOR_END, "within the descriptor");

static uintptr_t main_low, main_top;
static uint32_t word; /* the index of stackblock; 0: not seen yet */
static int depth_max; /* for a stack of unknown size */

static bool is_block(const uintptr_t *tp, uint32_t i, uintptr_t sp)
{
	uintptr_t low = tp[i], size = tp[i + 1];

	return low && size && !((low | size) & PAGE_REST) && sp - low < size && (uintptr_t)tp - low < size &&
	       low + size - (uintptr_t)tp < ABOVE;
}

static bool within(uintptr_t sp, uintptr_t low, uintptr_t size)
{
	return sp - low > (size / 2 < SPARE ? size / 2 : SPARE);
}

bool stack_has_room(int depth)
{
	const uintptr_t *tp;
	uintptr_t sp;

	__asm__("mov %%fs:0x10, %0" : "=r"(tp));
	__asm__ volatile("mov %%rsp, %0" : "=r"(sp));
	if (sp - main_low < main_top - main_low)
		return within(sp, main_low, main_top - main_low);
	if (unlikely(!word))
		for (uint32_t i = WORD_FIRST; i < WORD_LAST && !word; i++)
			if (is_block(tp, i, sp))
				word = i;
	if (likely(word && is_block(tp, word, sp)))
		return within(sp, tp[word], tp[word + 1]);
	return depth <= depth_max;
}

/* `end`: __libc_stack_end, or NULL. */
void stack_init(void *const *end)
{
	uint64_t limit = agent_stack_limit();
	uint64_t most = limit < MAIN_MOST ? limit : MAIN_MOST;

	depth_max = most > SPARE ? (most - SPARE) / PER_CALL : 0;
	main_top = end ? (uintptr_t)*end : 0;
	main_low = main_top > most ? main_top - most : 0;
	word = 0;
}
