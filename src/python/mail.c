// SPDX-License-Identifier: Apache-2.0
/*
 * Events that the agent hands over: the tracer's side of struct wire_mail. The target may write the page at any time, so
 * what we go by is kept here: which event was answered last, and whether the mail is open.
 */
#include <linux/futex.h>
#include <sched.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "python/python_impl.h"

enum {
	LOOK_NS =
	    20000, /* that the agent looks for an answer: longer than most clauses run, shorter than a futex pays */
	MEASURED_TURNS = 512,
	MEASURES = 5,
};

/* One total order of all: each side writes its own word, then reads the other's, and must not miss it (Dekker). */
#define LOOK(word)       __atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define TELL(word, what) __atomic_store_n(&(word), (what), __ATOMIC_SEQ_CST)
#define READ(word)       __atomic_load_n(&(word), __ATOMIC_RELAXED)

/* `pause` takes from 40 cycles to 140, by the processor: the fastest of some runs tells. */
static u64 turns_ns(u32 turns)
{
	u64 best = ~0ull;

	for (int i = 0; i < MEASURES; i++) {
		u64 start = now_ns();

		for (u32 n = 0; n < turns; n++)
			__builtin_ia32_pause();
		start = now_ns() - start;
		best = start && start < best ? start : best;
	}
	return best;
}

/* May the two of us run at the same time? */
static bool in_parallel(pid_t pid)
{
	cpu_set_t own, its;

	if (sched_getaffinity(0, sizeof(own), &own) || sched_getaffinity(pid, sizeof(its), &its))
		return sysconf(_SC_NPROCESSORS_ONLN) > 1;
	CPU_OR(&own, &own, &its);
	return CPU_COUNT(&own) > 1;
}

void python_mail_plan(struct wire_page *page, pid_t pid)
{
	page->mail.wanted = 1;
	if (in_parallel(pid))
		page->mail.spin = (u32)(LOOK_NS * (u64)MEASURED_TURNS / turns_ns(MEASURED_TURNS)) + 1;
}

/* The futexes are shared ones: the page is mapped in two processes. */
static void wake(u32 *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void answer(struct python *p, u32 asked)
{
	struct wire_mail *m = &p->page->mail;

	p->answered = asked;
	TELL(m->answered, asked);
	if (LOOK(m->waits))
		wake(&m->answered);
}

void python_mail_open(struct python *p, bool open)
{
	struct wire_mail *m;

	if (!p->page || (open && p->open))
		return;
	m = &p->page->mail;
	p->open = open;
	if (open) {
		answer(p, LOOK(m->asked));
		TELL(m->open, 1);
		return;
	}
	TELL(m->open, 0);
	answer(p, LOOK(m->asked));
	wake(&m->answered);
}

bool python_mail_take(struct python *p, struct python_mail *out)
{
	const struct wire_mail *m = &p->page->mail;
	u32 asked = LOOK(m->asked);

	if (asked == p->answered)
		return false;
	p->taken = asked;
	*out = (struct python_mail){
	    .event = READ(m->event),
	    .tid = (pid_t)READ(m->tid),
	    .cpu = READ(m->cpu),
	    .fid = READ(m->fid),
	    .filters = READ(m->filters),
	    .file = READ(m->file),
	    .func = READ(m->func),
	    .line = READ(m->line),
	    .function = READ(m->function),
	};
	/* An agent that has given us up does not wait for this any more. */
	if (p->open && out->event < WIRE_NEVENTS && READ(p->page->state) == WIRE_ACTIVE)
		return true;
	answer(p, asked);
	return false;
}

void python_mail_answer(struct python *p)
{
	answer(p, p->taken);
}

void python_mail_asleep(struct python *p, bool asleep)
{
	TELL(p->page->mail.asleep, asleep);
}

u32 *python_mail_bell(struct python *p, u32 *seen)
{
	*seen = p->answered;
	return &p->page->mail.asked;
}

u64 python_mail_own_ip(const struct python *p)
{
	return READ(p->page->mail.own_ip);
}
