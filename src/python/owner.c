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
 *
 * The kernel gives up a list at the first word that it cannot reach (exit_robust_list()). So a target that cuts its page short
 * would keep the other targets' agents from knowing. A page that can be cut short (a file in the target's /tmp) is held by a
 * thread of its own, which has only that word in its list, sleeps, and ends with us.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/futex.h>
#include <pthread.h>
#include <signal.h>
#include <stdlib.h>
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

/*
 * Zeros behind the page end every text in it, also one whose NUL the target takes away while it is read. What the target takes
 * away of the page itself is zeros, too (guard.c).
 */
int python_page_map(struct python *p)
{
	char *v = mmap(NULL, GAP + p->map_size + GUARD, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	int err;

	if (v == MAP_FAILED)
		return -errno;
	err =
	    mmap(v + GAP, p->map_size, PROT_READ | PROT_WRITE, MAP_SHARED | MAP_FIXED, p->page_fd, 0) == MAP_FAILED
		? -errno
		: guard_add(&p->guard, v + GAP, p->map_size);
	if (err) {
		munmap(v, GAP + p->map_size + GUARD);
		return err;
	}
	p->page = (struct wire_page *)(v + GAP);
	p->ctl = (struct stub_ctl *)(v + GAP + p->ctl_off);
	return 0;
}

bool python_page_lost(const struct python *p)
{
	/* A file loses its end first: a look at the last byte tells. */
	if (p->page)
		(void)*((const volatile u8 *)p->page + p->map_size - 1);
	return guard_lost(p->guard);
}

/* What stands there when we let go: an agent that has to stay sees it as if we had died, and goes inert. */
static u32 owner_gone(const struct python *p)
{
	return p->target_page ? WIRE_OWNER_DIED : 0;
}

/* --- held by a thread of its own ------------------------------------------------------------------------------ */

struct python_owner {
	struct robust_list_head head;
	struct python *p;
	pthread_t thread;
	u32 holds, over; /* futexes */
};

static void word_wait(u32 *word)
{
	while (!__atomic_load_n(word, __ATOMIC_ACQUIRE))
		syscall(SYS_futex, word, FUTEX_WAIT_PRIVATE, 0, NULL, NULL, 0);
}

static void word_set(u32 *word)
{
	__atomic_store_n(word, 1, __ATOMIC_RELEASE);
	syscall(SYS_futex, word, FUTEX_WAKE_PRIVATE, 1, NULL, NULL, 0);
}

static void *owner_thread(void *arg)
{
	struct python_owner *o = arg;
	struct robust_list *link = link_of(o->p);

	o->head.list.next = link;
	link->next = &o->head.list;
	if (!syscall(SYS_set_robust_list, &o->head, sizeof(o->head)))
		__atomic_store_n(&o->p->page->owner, (u32)gettid(), __ATOMIC_RELEASE);
	word_set(&o->holds);
	word_wait(&o->over);
	__atomic_store_n(&o->p->page->owner, owner_gone(o->p), __ATOMIC_RELEASE);
	o->head.list.next = &o->head.list;
	return NULL;
}

static int owner_start(struct python *p)
{
	struct python_owner *o = calloc(1, sizeof(*o));
	sigset_t all, mask;
	int err;

	if (!o)
		return -ENOMEM;
	o->p = p;
	o->head.futex_offset = GAP;
	guard_fillset(&all);
	pthread_sigmask(SIG_SETMASK, &all, &mask);
	err = pthread_create(&o->thread, NULL, owner_thread, o);
	pthread_sigmask(SIG_SETMASK, &mask, NULL);
	if (err) {
		free(o);
		return -err;
	}
	word_wait(&o->holds);
	p->owner = o;
	return 0;
}

static void owner_end(struct python *p)
{
	if (!p->owner)
		return;
	word_set(&p->owner->over);
	pthread_join(p->owner->thread, NULL);
	free(p->owner);
	p->owner = NULL;
}

/* --- held by the calling thread ------------------------------------------------------------------------------- */

static void owner_drop(struct python *p)
{
	struct robust_list *link = link_of(p);

	for (struct robust_list *l = &held.list; l->next != &held.list; l = l->next) {
		if (l->next != link)
			continue;
		__atomic_store_n(&p->page->owner, owner_gone(p), __ATOMIC_RELEASE);
		l->next = link->next;
		return;
	}
}

void python_page_unmap(struct python *p)
{
	if (!p->page)
		return;
	owner_end(p);
	owner_drop(p);
	guard_remove(p->guard);
	munmap((char *)p->page - GAP, GAP + p->map_size + GUARD);
	p->guard = NULL;
	p->page = NULL;
	p->ctl = NULL;
}

static bool can_be_cut(const struct python *p)
{
	int seals = fcntl(p->page_fd, F_GET_SEALS);

	return seals < 0 || !(seals & F_SEAL_SHRINK);
}

void python_owner_hold(struct python *p)
{
	struct robust_list *link = link_of(p);

	if (can_be_cut(p) && !owner_start(p))
		return;
	if (syscall(SYS_set_robust_list, &held,
		    sizeof(held))) /* a kernel without it: the agent cannot know, and stays */
		return;
	link->next = held.list.next;
	held.list.next = link;
	__atomic_store_n(&p->page->owner, (u32)gettid(), __ATOMIC_RELEASE);
}
