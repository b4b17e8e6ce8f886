// SPDX-License-Identifier: Apache-2.0
/*
 * Mail (wire.h): an event is handed to the tracer, and the thread waits, with the GIL held, until the tracer has run what
 * is to be run. It looks for a moment and then sleeps in short slices, so that it sees within one of them that the
 * tracer has died. How long it has waited is known by the slices that have run out: there is no clock without a system
 * call everywhere, and a target that is itself stopped for an hour has waited no longer for that.
 */
#include <linux/futex.h>
#include <sys/syscall.h>

#include "agent_impl.h"

#define SLICE_US    20000u
#define SLICE_LEAST (SLICE_US >> 8)
#define DEADLINE_US (WIRE_MAIL_DEADLINE_MS * 1000u)

#define LUCK    4
#define UNLUCKY 64

/*
 * Where the C library keeps the ID of a thread, from the thread pointer: struct pthread of glibc (nptl/descr.h: a header of
 * 24 pointers, then list_t list, then tid; so from 2.4 to 2.43) and of musl (src/internal/pthread_impl.h).
 */
#define GLIBC_TID 0x2d0
#define MUSL_TID  0x30

/*
 * The segment whose limit is the number of the processor and, from bit 12 on, of its node: what the vDSO's getcpu() reads
 * (arch/x86/include/asm/segment.h, __CPUNODE_SEG). Unlike rdtscp it cannot be forbidden by prctl(PR_SET_TSC).
 */
#define CPUNODE_SEGMENT 0x7b
#define CPUNODE_CPU     0xfff

/* One total order of all: each side writes its own word, then reads the other's, and must not miss it (Dekker). */
#define LOOK(word)       __atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define TELL(word, what) __atomic_store_n(&(word), (what), __ATOMIC_SEQ_CST)

extern const char agent_syscall_end[]; /* sites.S: behind the instruction */

static uint32_t tid_at(uint32_t offset)
{
	uint32_t tid;

	__asm__ volatile("mov %%fs:(%1), %0" : "=r"(tid) : "r"((uintptr_t)offset));
	return tid;
}

static uint32_t thread_id(void)
{
	if (likely(agent.tid_at))
		return tid_at(agent.tid_at);
	return agent_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0);
}

static uint32_t cpu_number(void)
{
	uint32_t limit = 0; /* stays where there is no such segment */

	__asm__ volatile("lsl %1, %0" : "+r"(limit) : "r"(CPUNODE_SEGMENT) : "cc");
	return limit & CPUNODE_CPU;
}

void agent_mail_init(bool glibc)
{
	uint32_t offset = glibc ? GLIBC_TID : MUSL_TID;

	agent.page->mail.own_ip = (uintptr_t)agent_syscall_end;
	if (!agent.page->mail.wanted)
		return;
	agent.mail = &agent.page->mail;
	agent.mail_luck = LUCK;
	agent.tid_at = tid_at(offset) == (uint32_t)agent_syscall(SYS_gettid, 0, 0, 0, 0, 0, 0) ? offset : 0;
}

/* The futexes are shared ones: no FUTEX_PRIVATE_FLAG. */
static void wake(uint32_t *word)
{
	agent_syscall(SYS_futex, (long)word, FUTEX_WAKE, 1, 0, 0, 0);
}

static long sleep_on(uint32_t *word, uint32_t value, uint32_t us)
{
	const int64_t timeout[2] = {0, us * (int64_t)1000}; /* struct timespec */

	return agent_syscall(SYS_futex, (long)word, FUTEX_WAIT, value, (long)timeout, 0, 0);
}

/*
 * Two wake-ups cost more than a short clause. But where the tracer has to run on our processor, looking only keeps it from
 * running: after so many times in a row in vain it is given up for a while.
 */
static bool answered_at_once(const struct wire_mail *mail, uint32_t asked)
{
	if (agent.mail_luck <= 0) {
		agent.mail_luck = agent.mail_luck > -UNLUCKY ? agent.mail_luck - 1 : 1;
		return false;
	}
	for (uint32_t turns = mail->spin; turns; turns--) {
		if (LOOK(mail->answered) == asked) {
			agent.mail_luck += agent.mail_luck < LUCK;
			return true;
		}
		__builtin_ia32_pause();
	}
	agent.mail_luck--;
	return false;
}

enum outcome { GOES_ON, TRACER_DEAD, TRACER_LATE };

/*
 * A signal with a handler ends a slice early. It says nothing of the time then, so the next ones are shorter, until they do
 * run out between signals; the shortest count in any case, so that this ends.
 */
static enum outcome answer_await(struct wire_mail *mail, uint32_t asked)
{
	uint32_t slice = SLICE_US, waited = 0;

	for (;;) {
		uint32_t answered = LOOK(mail->answered);
		long err;

		if (answered == asked || !LOOK(mail->open))
			return GOES_ON;
		if (LOOK(agent.page->owner) & WIRE_OWNER_DIED)
			return TRACER_DEAD;
		if (waited >= DEADLINE_US)
			return TRACER_LATE;
		err = sleep_on(&mail->answered, answered, slice);
		if (err == -EINTR && slice > SLICE_LEAST)
			slice /= 2;
		else if (err && err != -EAGAIN) /* a value that has changed is no time */
			waited += slice;
	}
}

void agent_mail(const struct matched *m, enum wire_event event, int64_t line)
{
	struct wire_mail *mail = agent.mail;
	uint32_t asked = mail->asked + 1;
	enum outcome outcome = GOES_ON;
	struct calls *calls;

	if (!LOOK(mail->open))
		return;
	mail->event = event;
	mail->tid = thread_id();
	mail->cpu = cpu_number();
	mail->fid = m->fid;
	mail->filters = m->filters[event];
	mail->file = (uintptr_t)m->file;
	mail->func = (uintptr_t)m->func;
	mail->line = line;
	mail->function = (uintptr_t)m->function;
	calls = active_enter(py.PyThreadState_Get()); /* whoever may come by meanwhile must not unload us */
	TELL(mail->asked, asked);
	if (LOOK(mail->asleep))
		wake(&mail->asked);
	if (!answered_at_once(mail, asked)) {
		TELL(mail->waits, 1);
		outcome = answer_await(mail, asked);
		TELL(mail->waits, 0);
	}
	active_leave(calls);
	if (likely(outcome == GOES_ON) || agent.inert)
		return;
	if (outcome == TRACER_DEAD) {
		agent_abandoned();
		return;
	}
	agent_message("the tracer did not answer within 2 s; tracing of Python stopped there", NULL);
	agent_give_up(ETIMEDOUT);
}
