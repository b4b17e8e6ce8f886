// SPDX-License-Identifier: Apache-2.0
/*
 * How the agent learns that its tracer is gone, even by kill -9: wire_page.owner is a robust futex. At the end of a thread
 * the kernel walks the list that the thread has registered, and sets FUTEX_OWNER_DIED in each word that holds the thread's
 * ID (kernel/futex/core.c, exit_robust_list(); get_robust_list(2)). The list's links must not stand in the page, where
 * the target could bend them: they stand in a page of our own that is mapped right before it, at the distance that
 * the list gives for all of its words.
 *
 *      | our own page:  ... link ... | the shared page:  ... owner ... |
 *                            \______________ GAP ______________/
 *
 * This takes the place of the C library's list for its robust mutexes in this thread; nothing here uses those.
 */
#include <errno.h>
#include <linux/futex.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "python/python_impl.h"

#define GAP   4096
#define GUARD 4096

_Static_assert(offsetof(struct wire_page, owner) + sizeof(u32) <= GAP,
	       "the link of the owner's word is before the page");
_Static_assert(offsetof(struct wire_page, owner) % 8 == 0, "its link is aligned");
_Static_assert(WIRE_OWNER_DIED == FUTEX_OWNER_DIED, "the kernel's bit");

static struct robust_list_head held = {.list = {&held.list}, .futex_offset = GAP};

static struct robust_list *link_of(struct python *p)
{
	return (struct robust_list *)((char *)&p->page->owner - GAP);
}

/* Zeros behind the page end every text in it, also one whose NUL the target takes away while it is read. */
int python_page_map(struct python *p)
{
	char *v = mmap(NULL, GAP + p->map_size + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);

	if (v == MAP_FAILED)
		return -errno;
	if (mmap(v + GAP, p->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, p->page_fd, 0) ==
	    MAP_FAILED) {
		int err = errno;

		munmap(v, GAP + p->map_size + GUARD);
		return -err;
	}
	p->page = (struct wire_page *)(v + GAP);
	p->ctl = (struct stub_ctl *)(v + GAP + p->ctl_off);
	return 0;
}

static void owner_drop(struct python *p)
{
	struct robust_list *link = link_of(p);

	for (struct robust_list *l = &held.list; l->next != &held.list; l = l->next) {
		if (l->next != link)
			continue;
		__atomic_store_n(&p->page->owner, 0, __ATOMIC_RELEASE);
		l->next = link->next;
		return;
	}
}

void python_page_unmap(struct python *p)
{
	if (!p->page)
		return;
	owner_drop(p);
	munmap((char *)p->page - GAP, GAP + p->map_size + GUARD);
	p->page = NULL;
	p->ctl = NULL;
}

void python_owner_hold(struct python *p)
{
	struct robust_list *link = link_of(p);

	if (syscall(SYS_set_robust_list, &held,
		    sizeof(held))) /* a kernel without it: the agent cannot know, and stays */
		return;
	link->next = held.list.next;
	held.list.next = link;
	__atomic_store_n(&p->page->owner, (u32)gettid(), __ATOMIC_RELEASE);
}
