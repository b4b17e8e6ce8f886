// SPDX-License-Identifier: Apache-2.0
/*
 * The call that runs, on 3.12 and later: its number is the address of its frame. A generator's or coroutine's frame lies in
 * the generator from its creation to its end, any other on the thread's stack of frames from its call to its return; it moves
 * only after that. So the number stays the same while the call lives, and no other call that lives then has it.
 */
#include "agent_impl.h"

#define FRAME_CODE 0 /* _PyInterpreterFrame.f_code, later f_executable, in all of them */

/*
 * Include/cpython/pystate.h: PyThreadState.current_frame; in 3.12 PyThreadState.cframe, whose first member it is. From 3.14
 * on the lowest bits of f_executable say how it is counted (Include/internal/pycore_stackref.h).
 */
static const struct frame_layout {
	uint16_t version, tstate_frame;
	bool in_cframe;
	uintptr_t code_bits;
} layouts[] = {
    {0x030c, 56, true, ~(uintptr_t)0},
    {0x030d, 72, false, ~(uintptr_t)0},
    {0x030e, 72, false, ~(uintptr_t)3},
    {0x030f, 72, false, ~(uintptr_t)3},
};
static struct frame_layout at;

int frame_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].version == agent.version) {
			at = layouts[i];
			return 0;
		}
	return -ENOTSUP;
}

uint64_t frame_call(const struct pyobj *code)
{
	const char *frame = *(char *const *)((const char *)py.PyThreadState_Get() + at.tstate_frame);

	if (at.in_cframe)
		frame = *(char *const *)frame;
	/* A compiled module may say that code of its own runs, which has no frame (PyMonitoring_FirePyStartEvent()). */
	if (!frame || (*(const uintptr_t *)(frame + FRAME_CODE) & at.code_bits) != (uintptr_t)code)
		return 0;
	return (uintptr_t)frame;
}
