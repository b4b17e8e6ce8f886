// SPDX-License-Identifier: Apache-2.0
/*
 * Stands in for the tracer in the tests. For the kernel's uprobe: the agent's sites are patched with a jump to here, so
 * that each event that a uprobe would have seen is counted and the last ones are kept. For who serves the mail: a child that
 * answers, or does not, as it is told.
 */
#include <linux/futex.h>
#include <signal.h>
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#include "wire.h"

#define NFIDS 65536
#define NLOG  (1 << 16)

struct counter_event {
	uint32_t event, fid;
	int64_t line;
	uint64_t filters;
	uint32_t tid, cpu; /* of mail */
};

/* What the one who serves does with an event, after `hold_ms`. */
enum { ANSWER, DIE, SHUT, NOTHING };

struct counter {
	uint64_t counts[WIRE_NEVENTS][NFIDS];
	struct counter_event log[NLOG];
	uint64_t nlog, bad;
	uint32_t hold_ms, then;
	uint32_t look; /* how often before it sleeps */
} * counter;           /* shared with the child */

__attribute__((constructor)) static void begin(void)
{
	counter = mmap(NULL, sizeof(*counter), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
}

static void count(uint32_t event, uint64_t fid, uint64_t filters, const char *file, const char *func, int64_t line,
		  const struct wire_function *f, uint32_t tid, uint32_t cpu)
{
	if (fid >= NFIDS || !file || !func || !f || f->name == 0 || !filters || (filters & ~f->filters)) {
		counter->bad++;
		return;
	}
	counter->counts[event][fid]++;
	counter->log[counter->nlog++ % NLOG] = (struct counter_event){
	    .event = event, .fid = fid, .line = line, .filters = filters, .tid = tid, .cpu = cpu};
}

void counter_entry(uint64_t fid, uint64_t filters, const char *file, const char *func, int64_t line,
		   const struct wire_function *f)
{
	count(WIRE_ENTRY, fid, filters, file, func, line, f, 0, 0);
}

void counter_return(uint64_t fid, uint64_t filters, const char *file, const char *func, int64_t line,
		    const struct wire_function *f)
{
	count(WIRE_RETURN, fid, filters, file, func, line, f, 0, 0);
}

void counter_reset(void)
{
	memset(counter->counts, 0, sizeof(counter->counts));
	counter->nlog = counter->bad = 0;
}

/* --- mail ------------------------------------------------------------------------------------------------------ */

#define LOOK(word)       __atomic_load_n(&(word), __ATOMIC_SEQ_CST)
#define TELL(word, what) __atomic_store_n(&(word), (what), __ATOMIC_SEQ_CST)

static void wake(uint32_t *word)
{
	syscall(SYS_futex, word, FUTEX_WAKE, 1, NULL, NULL, 0);
}

static void serve_one(struct wire_page *page, uint32_t asked)
{
	struct wire_mail *m = &page->mail;

	if (counter->hold_ms)
		usleep(counter->hold_ms * 1000);
	if (counter->then == ANSWER)
		count(m->event, m->fid, m->filters, (const char *)m->file, (const char *)m->func, m->line,
		      (const struct wire_function *)m->function, m->tid, m->cpu);
	if (counter->then == DIE)
		TELL(page->owner, page->owner | WIRE_OWNER_DIED);
	if (counter->then == SHUT) {
		TELL(m->open, 0);
		wake(&m->answered);
	}
	if (counter->then != ANSWER)
		return;
	TELL(m->answered, asked);
	if (LOOK(m->waits))
		wake(&m->answered);
}

static void serve(struct wire_page *page)
{
	static const struct timespec slice = {0, 50000000};
	struct wire_mail *m = &page->mail;
	uint32_t served = m->answered;

	for (uint32_t looks = 0;; looks++) {
		uint32_t asked = LOOK(m->asked);

		if (asked != served) {
			served = asked;
			serve_one(page, asked);
			looks = 0;
		} else if (looks >= counter->look) {
			TELL(m->asleep, 1);
			syscall(SYS_futex, &m->asked, FUTEX_WAIT, served, &slice, NULL, 0);
			TELL(m->asleep, 0);
			looks = 0;
		} else {
			__builtin_ia32_pause();
		}
	}
}

/* Serve the mail of `page`, which is shared, in a child that ends with us. Its process ID. */
int counter_serve(struct wire_page *page)
{
	pid_t parent = getpid(), pid = fork();

	if (pid)
		return pid;
	prctl(PR_SET_PDEATHSIG, SIGKILL);
	for (int fd = 0; fd < 3; fd++)
		close(fd);
	if (getppid() == parent)
		serve(page);
	_exit(0);
}

void counter_serve_end(int pid)
{
	kill(pid, SIGKILL);
	waitpid(pid, NULL, 0);
}

/* --- sites --------------------------------------------------------------------------------------------------- */

/* Replace the site's five-byte nop, which must be there, by a jump. -1: it is not, or too far away. */
int counter_patch(unsigned char *site, void (*to)(void))
{
	static const unsigned char nop[5] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
	unsigned char *page = (unsigned char *)((uintptr_t)site & -4096ul);
	int64_t distance = (unsigned char *)to - (site + 5);
	int32_t rel = distance;

	if (memcmp(site, nop, 5) || rel != distance || mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC))
		return -1;
	site[0] = 0xe9;
	memcpy(site + 1, &rel, 4);
	return mprotect(page, 8192, PROT_READ | PROT_EXEC);
}

/* And back. */
int counter_unpatch(unsigned char *site)
{
	static const unsigned char nop[5] = {0x0f, 0x1f, 0x44, 0x00, 0x00};
	unsigned char *page = (unsigned char *)((uintptr_t)site & -4096ul);

	if (mprotect(page, 8192, PROT_READ | PROT_WRITE | PROT_EXEC))
		return -1;
	memcpy(site, nop, 5);
	return mprotect(page, 8192, PROT_READ | PROT_EXEC);
}

/* A frame evaluator of somebody else's, which calls what is put here. */
void *(*counter_default)(void *, void *, int);
void *counter_foreign(void *tstate, void *frame, int throwing)
{
	return counter_default(tstate, frame, throwing);
}
