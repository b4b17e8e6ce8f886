// SPDX-License-Identifier: Apache-2.0
/*
 * Counts of references, where they are looked at rather than changed by Py_IncRef() and Py_DecRef(). A build without a GIL has
 * two in each object (PEP 703, Include/object.h of 3.13): ob_ref_local of the thread that has made it, and ob_ref_shared, from
 * its third bit on, of all others. The thread's is added to the other one at the latest when it is 0 (_Py_MergeZeroLocalRefcount()).
 */
#include "agent_impl.h"

#define REF_LOCAL  12 /* uint32_t */
#define REF_SHARED 16 /* intptr_t */
#define SHARED_ONE 4

static inline void *at(const struct pyobj *o, int offset)
{
	return (char *)o + offset;
}

bool object_ours(const struct pyobj *o)
{
	intptr_t shared;

	if (!agent.free_threaded)
		return *(const intptr_t *)o == 1; /* ob_refcnt */
	shared = __atomic_load_n((intptr_t *)at(o, REF_SHARED), __ATOMIC_ACQUIRE);
	return (intptr_t)__atomic_load_n((uint32_t *)at(o, REF_LOCAL), __ATOMIC_RELAXED) + shared / SHARED_ONE == 1;
}

/* The one reference that the thread has becomes a shared one, and the thread's count 0. */
void object_share(struct pyobj *o)
{
	if (!agent.free_threaded)
		return;
	__atomic_fetch_add((intptr_t *)at(o, REF_SHARED), SHARED_ONE, __ATOMIC_RELAXED);
	py.Py_DecRef(o);
}
