// SPDX-License-Identifier: Apache-2.0
/*
 * Stands in for the kernel's uprobe in the tests: the agent's sites are patched with a jump to here, so that each
 * event that a uprobe would have seen is counted and the last ones are kept.
 */
#include <stdint.h>
#include <string.h>
#include <sys/mman.h>
#include <unistd.h>

#include "wire.h"

#define NFIDS 65536
#define NLOG  (1 << 16)

struct counter_event {
	uint32_t event, fid;
	int64_t line;
	uint64_t filters;
};

uint64_t counter_counts[WIRE_NEVENTS][NFIDS];
struct counter_event counter_log[NLOG];
uint64_t counter_nlog, counter_bad;

static void count(uint32_t event, uint64_t fid, uint64_t filters, const char *file, const char *func, int64_t line,
		  const struct wire_function *f)
{
	if (fid >= NFIDS || !file || !func || !f || f->name == 0 || !filters || (filters & ~f->filters)) {
		counter_bad++;
		return;
	}
	counter_counts[event][fid]++;
	counter_log[counter_nlog++ % NLOG] =
	    (struct counter_event){.event = event, .fid = fid, .line = line, .filters = filters};
}

void counter_entry(uint64_t fid, uint64_t filters, const char *file, const char *func, int64_t line,
		   const struct wire_function *f)
{
	count(WIRE_ENTRY, fid, filters, file, func, line, f);
}

void counter_return(uint64_t fid, uint64_t filters, const char *file, const char *func, int64_t line,
		    const struct wire_function *f)
{
	count(WIRE_RETURN, fid, filters, file, func, line, f);
}

void counter_reset(void)
{
	memset(counter_counts, 0, sizeof(counter_counts));
	counter_nlog = counter_bad = 0;
}

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
