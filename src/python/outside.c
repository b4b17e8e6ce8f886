// SPDX-License-Identifier: Apache-2.0
/*
 * The only thread of a process, where a program that embeds Python has it wait outside of Python: uwsgi without --enable-threads
 * waits so for a request, and holds the GIL all the time. A call that is queued there is not run before the next request.
 *
 *      main() | functions of the program ... | epoll_wait() | the kernel
 *
 * Nobody else is there to wait for, nor to be kept waiting. No function of the interpreter, of the loader, or of the C library but the one that
 * makes the system call is in the middle of anything: at this point the program may call any function of Python's C API itself, and
 * so may we, without the GIL's being taken or let go of.
 */
#include <errno.h>

#include "python/python_impl.h"

enum { MAX_LIBC = 12, MAX_FRAMES = 200 };

/* From the system call to the code that has called the C library for it, where that does nothing but make the call. */
static bool is_plain_call(struct python *p, struct target_unwind *u, s64 nr)
{
	for (int n = 0; n < MAX_LIBC && python_code_at(p, u->pc) == CODE_LIBC; n++)
		if (target_unwind_next(u) != 1 || u->signal)
			return false;
	return python_code_at(p, u->pc) == CODE_OTHER && python_call_plain(p, u->pc, nr);
}

/*
 * Down to the first frame, by the code that each is in. Functions of the C library that call the program back (exit(), qsort() ...)
 * are not wanted: those at the end of the stack have called main(), and behind them is but one, _start(), whose image may be the
 * interpreter's.
 */
static bool is_programs_alone(struct python *p, struct target_unwind *u)
{
	bool start = false;
	int after = 0;

	for (int n = 0; n < MAX_FRAMES; n++) {
		enum python_code code = python_code_at(p, u->pc);
		int ret;

		start |= code == CODE_LIBC;
		after += start && code != CODE_LIBC;
		if (code == CODE_LOADER || (code == CODE_INTERPRETER && !start) || after > 1)
			return false;
		ret = target_unwind_next(u);
		if (ret <= 0 || u->signal)
			return ret == 0 && !u->signal && start;
	}
	return false;
}

bool python_outside(struct python *p, const struct target_stop *s)
{
	struct user_regs_struct r = s->regs;
	s64 nr = python_call_of(p, &r);
	struct target_unwind u;

	target_unwind_begin(&u, p->t, &p->maps, &r);
	return is_plain_call(p, &u, nr) && is_programs_alone(p, &u);
}
