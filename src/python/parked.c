// SPDX-License-Identifier: Apache-2.0
/*
 * Where a thread that is parked in a system call goes back to. It decides what may be done on such a thread.
 *
 * The thread may wait for the GIL on our behalf only if it would do so itself next, with the same locks held: then our wait
 * adds no order of locks that the program does not have already. This is so between Py_BEGIN_ALLOW_THREADS and
 * Py_END_ALLOW_THREADS, where a function of the interpreter, or of an extension module of its own, has called a function of
 * the C library that does nothing but make the system call:
 *
 *      ... | a function whose code calls PyEval_RestoreThread() | poll() | the kernel
 *
 * Any other code in between may hold a lock of its own (SQLite's busy wait holds the connection's mutex), and then somebody
 * may want that lock with the GIL held. Which image a frame is in does not tell: libraries are linked into some
 * interpreters.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>

#include "python/python_impl.h"

enum { MAX_LIBC = 12, MAX_FRAMES = 200, MAX_CODE = 1 << 18 };

/* How the interpreter makes a call with the GIL released. */
enum release {
	BY_NOBODY, /* it does not make this call */
	BY_CALLER, /* the function that makes it releases the GIL */
	BY_EITHER, /* it does so, or it is called where the GIL is held for good: _Py_write_noraise(), also in signal handlers */
	BY_SECOND, /* that one, or its caller: socket objects have a function for each call, and one that calls them all */
	BY_LOCK, /* that one, or it is PyThread_acquire_lock_timed() or _PySemaphore_Wait() */
};

/*
 * System calls that wait, and functions of the C library that do nothing but make one of them, without a lock of the
 * library's. What is not here (clone, mmap ...) may be made by the C library with its locks held.
 */
static const struct call {
	int nr;
	const char *function;
	enum release release;
} calls[] = {
    {SYS_poll, "poll", BY_CALLER},
    {SYS_poll, "__poll_chk", BY_CALLER},
    {SYS_ppoll, "ppoll", BY_CALLER},
    {SYS_select, "select", BY_CALLER},
    {SYS_pselect6, "select", BY_CALLER},
    {SYS_pselect6, "pselect", BY_CALLER},
    {SYS_epoll_wait, "epoll_wait", BY_CALLER},
    {SYS_epoll_pwait, "epoll_wait", BY_CALLER},
    {SYS_epoll_pwait, "epoll_pwait", BY_CALLER},
    {SYS_nanosleep, "nanosleep", BY_CALLER},
    {SYS_clock_nanosleep, "nanosleep", BY_CALLER},
    {SYS_clock_nanosleep, "clock_nanosleep", BY_CALLER},
    {SYS_read, "read", BY_CALLER},
    {SYS_read, "__read_chk", BY_CALLER},
    {SYS_readv, "readv", BY_CALLER},
    {SYS_pread64, "pread64", BY_CALLER},
    {SYS_pread64, "pread", BY_CALLER},
    {SYS_write, "write", BY_EITHER},
    {SYS_writev, "writev", BY_EITHER},
    {SYS_pwrite64, "pwrite64", BY_EITHER},
    {SYS_pwrite64, "pwrite", BY_EITHER},
    {SYS_recvfrom, "recv", BY_SECOND},
    {SYS_recvfrom, "__recv_chk", BY_SECOND},
    {SYS_recvfrom, "recvfrom", BY_SECOND},
    {SYS_recvfrom, "__recvfrom_chk", BY_SECOND},
    {SYS_recvmsg, "recvmsg", BY_SECOND},
    {SYS_sendto, "send", BY_SECOND},
    {SYS_sendto, "sendto", BY_SECOND},
    {SYS_sendmsg, "sendmsg", BY_SECOND},
    {SYS_sendfile, "sendfile64", BY_CALLER},
    {SYS_sendfile, "sendfile", BY_CALLER},
    {SYS_accept, "accept", BY_SECOND},
    {SYS_accept4, "accept4", BY_SECOND},
    {SYS_connect, "connect", BY_SECOND},
    {SYS_wait4, "waitpid", BY_CALLER},
    {SYS_wait4, "wait3", BY_CALLER},
    {SYS_wait4, "wait4", BY_CALLER},
    {SYS_waitid, "waitid", BY_CALLER},
    {SYS_pause, "pause", BY_CALLER},
    {SYS_rt_sigtimedwait, "sigwait", BY_CALLER},
    {SYS_rt_sigtimedwait, "sigwaitinfo", BY_CALLER},
    {SYS_rt_sigtimedwait, "sigtimedwait", BY_CALLER},
    {SYS_openat, "open64", BY_EITHER},
    {SYS_openat, "open", BY_EITHER},
    {SYS_openat, "openat64", BY_EITHER},
    {SYS_openat, "openat", BY_EITHER},
    {SYS_flock, "flock", BY_CALLER},
    {SYS_fcntl, "fcntl64", BY_CALLER},
    {SYS_fcntl, "fcntl", BY_CALLER},
    {SYS_futex, "sem_wait", BY_LOCK},
    {SYS_futex, "sem_timedwait", BY_LOCK},
    {SYS_futex, "sem_clockwait", BY_LOCK},
    /* What was interrupted before with a timeout: ERESTART_RESTARTBLOCK. */
    {SYS_restart_syscall, "poll", BY_CALLER},
    {SYS_restart_syscall, "nanosleep", BY_CALLER},
    {SYS_restart_syscall, "clock_nanosleep", BY_CALLER},
    {SYS_restart_syscall, "sem_timedwait", BY_LOCK},
    {SYS_restart_syscall, "sem_clockwait", BY_LOCK},
    {SYS_epoll_pwait2, "epoll_pwait2", BY_NOBODY},
    {SYS_io_getevents, "", BY_NOBODY},
    {SYS_io_uring_enter, "", BY_NOBODY},
    {SYS_semtimedop, "semtimedop", BY_NOBODY},
    {SYS_msgrcv, "msgrcv", BY_NOBODY},
    {SYS_recvmmsg, "recvmmsg", BY_NOBODY},
};

bool python_call_waits(s64 nr)
{
	for (size_t i = 0; i < ARRAY_SIZE(calls); i++)
		if (calls[i].nr == nr)
			return true;
	return false;
}

/* --- whose code a frame is ------------------------------------------------------------------------------------------ */

enum code { CODE_LIBC, CODE_LOADER, CODE_INTERPRETER, CODE_OTHER };

static bool name_is(const char *path, const char *const *names, size_t n)
{
	const char *base = strrchr(path, '/');

	for (size_t i = 0; base && i < n; i++)
		if (!strncmp(base + 1, names[i], strlen(names[i])))
			return true;
	return false;
}

/* Up to glibc 2.33 the functions of threads are in a library of their own. */
static enum code code_at(const struct python *p, u64 pc)
{
	static const char *const libc[] = {"libc.so", "libc-", "libpthread"}, *const loader[] = {"ld-"};
	const struct target_map *m = target_map_at(&p->maps, pc);

	if (!m)
		return CODE_OTHER;
	if ((pc >= p->sym.image_start && pc < p->sym.image_end) || strstr(m->path, "/lib-dynload/"))
		return CODE_INTERPRETER;
	if (name_is(m->path, libc, ARRAY_SIZE(libc)))
		return CODE_LIBC;
	return name_is(m->path, loader, ARRAY_SIZE(loader)) ? CODE_LOADER : CODE_OTHER;
}

/* --- which function was called -------------------------------------------------------------------------------------- */

static u64 read_word(struct python *p, u64 addr)
{
	u64 word;

	return target_read(p->t, addr, &word, sizeof(word)) ? 0 : word;
}

/* Where "jmp *disp(%rip)" of a procedure linkage table leads to, with or without endbr64 and bnd before it; else `at`. */
static u64 through_plt(struct python *p, u64 at)
{
	static const u8 endbr64[] = {0xf3, 0x0f, 0x1e, 0xfa};
	u8 code[16];
	size_t n = 0;
	s32 disp;

	if (target_read(p->t, at, code, sizeof(code)))
		return at;
	if (!memcmp(code, endbr64, sizeof(endbr64)))
		n += sizeof(endbr64);
	if (code[n] == 0xf2)
		n++;
	if (code[n] != 0xff || code[n + 1] != 0x25)
		return at;
	memcpy(&disp, code + n + 2, sizeof(disp));
	return read_word(p, at + n + 6 + (u64)(s64)disp);
}

/*
 * The two functions that a call instruction may have called: by "call rel32", and by "call *disp(%rip)", as -fno-plt has it.
 * `code` are the six bytes before `ret`, the return address. 0: it is no such call.
 */
static void called_from(struct python *p, const u8 code[6], u64 ret, u64 function[2])
{
	s32 rel;

	memcpy(&rel, code + 2, sizeof(rel));
	function[0] = code[1] == 0xe8 ? ret + (u64)(s64)rel : 0;
	function[1] = code[0] == 0xff && code[1] == 0x15 ? read_word(p, ret + (u64)(s64)rel) : 0;
}

/* The image of the C library that an address is in: its dynamic symbols. */
static struct target_elf *library_of(struct python *p, u64 addr)
{
	const struct target_map *m = target_map_at(&p->maps, addr), *first = m;
	struct target_elf *e = NULL;

	if (!m || code_at(p, addr) != CODE_LIBC)
		return NULL;
	for (; first > p->maps.v && first->off; first--)
		if (first[-1].ino != m->ino || first[-1].dev != m->dev)
			return NULL;
	return target_elf_open(&e, p->t, first->start) ? NULL : e;
}

/* The row of the function that was called before `ret`, where it makes just this system call; else NULL. */
static const struct call *call_before(struct python *p, u64 ret, s64 nr)
{
	const struct call *found = NULL;
	u64 function[2], addr;
	u8 code[6];

	if (target_read(p->t, ret - sizeof(code), code, sizeof(code)))
		return NULL;
	called_from(p, code, ret, function);
	function[0] = function[0] ? through_plt(p, function[0]) : 0;
	for (size_t f = 0; f < ARRAY_SIZE(function) && !found; f++) {
		struct target_elf *e = library_of(p, function[f]);

		for (size_t i = 0; e && i < ARRAY_SIZE(calls) && !found; i++)
			if (calls[i].nr == nr && !target_elf_symbol(e, calls[i].function, &addr) &&
			    addr == function[f])
				found = &calls[i];
		target_elf_close(e);
	}
	return found;
}

/* Calls `each` for all functions that the code in [start, end) calls in the interpreter, until it says true. */
static bool calls_any(struct python *p, u64 start, u64 end, bool (*each)(struct python *p, u64 function))
{
	size_t n = end > start && end - start <= MAX_CODE ? end - start : 0;
	u8 *code = malloc(n + 1);
	bool found = false;
	u64 function[2];

	if (!code || target_read(p->t, start, code, n))
		n = 0;
	for (size_t i = 6; i <= n && !found; i++) {
		called_from(p, code + i - 6, start + i, function);
		if (function[0] && code_at(p, function[0]) == CODE_INTERPRETER)
			found = each(p, through_plt(p, function[0]));
		found = found || (function[1] && each(p, function[1]));
	}
	free(code);
	return found;
}

static bool is_taker(struct python *p, u64 function)
{
	for (size_t i = 0; i < p->ntakers; i++)
		if (function == p->takers[i])
			return true;
	return false;
}

static bool add_taker(struct python *p, u64 function)
{
	if (code_at(p, function) == CODE_INTERPRETER && !is_taker(p, function) &&
	    p->ntakers < ARRAY_SIZE(p->takers))
		p->takers[p->ntakers++] = function;
	return false;
}

/*
 * What takes the GIL: PyEval_RestoreThread(), and what that itself calls in the interpreter, since link-time optimisation may
 * have put it into its callers (_Py_read() of Debian's builds).
 */
static void takers_find(struct python *p)
{
	struct target_unwind u = {.t = p->t, .maps = &p->maps, .pc = p->sym.restore_thread};

	p->ntakers = 1;
	p->takers[0] = p->sym.restore_thread;
	if (!target_unwind_look(&u))
		calls_any(p, u.function, u.function_end, add_taker);
}

static bool takes_gil(struct python *p, u64 start, u64 end)
{
	if (!p->ntakers)
		takers_find(p);
	return calls_any(p, start, end, is_taker);
}

/* --- the walk ------------------------------------------------------------------------------------------------------- */

/* From the system call to the code that has called the C library for it. True: there is such code. */
static bool to_caller(struct python *p, struct target_unwind *u)
{
	for (int n = 0; n < MAX_LIBC; n++) {
		if (code_at(p, u->pc) != CODE_LIBC)
			return n > 0 && code_at(p, u->pc) == CODE_INTERPRETER;
		if (target_unwind_next(u) != 1 || u->signal)
			return false;
	}
	return false;
}

/*
 * DOING_RELEASED if the function that u stands in, or where the row says so, its caller, takes the GIL next. DOING_WAIT where the
 * row says that this one may be called with the GIL held as well. Else DOING_ELSEWHERE.
 */
static enum thread_doing goes_on_with_gil(struct python *p, struct target_unwind *u, enum release release)
{
	for (int n = 0; n < (release == BY_SECOND ? 2 : 1); n++) {
		if (code_at(p, u->pc) != CODE_INTERPRETER || target_unwind_look(u))
			return DOING_ELSEWHERE;
		if (release == BY_LOCK &&
		    (u->function == p->sym.acquire_lock || u->function == p->sym.semaphore_wait))
			return DOING_WAIT;
		if (takes_gil(p, u->function, u->function_end))
			return release == BY_EITHER ? DOING_WAIT : DOING_RELEASED;
		if (target_unwind_next(u) != 1)
			return DOING_ELSEWHERE;
	}
	return DOING_ELSEWHERE;
}

/*
 * True if no function of the loader, and no signal handler, which may have interrupted one of the C library's own
 * functions, is on the stack, up to the interpreter or the thread's first frame: pthread_create() may be called then.
 */
static bool may_start_thread(struct python *p, struct target_unwind u)
{
	for (int n = 0; n < MAX_FRAMES; n++) {
		enum code code = code_at(p, u.pc);
		int ret;

		if (code == CODE_INTERPRETER)
			return true;
		if (code == CODE_LOADER)
			return false;
		ret = target_unwind_next(&u);
		if (ret <= 0 || u.signal)
			return ret == 0 && !u.signal;
	}
	return false;
}

/*
 * True if the thread may be in a signal handler, which may have interrupted one of the C library's functions with its lock
 * held. faulthandler's handlers write; the interpreter's own one does nothing that waits.
 */
static bool may_be_in_handler(struct target_unwind u)
{
	int ret = 1;

	for (int n = 0; n < MAX_FRAMES && ret == 1; n++) {
		ret = target_unwind_next(&u);
		if (u.signal)
			return true;
	}
	return ret != 0;
}

enum thread_doing python_parked(struct python *p, const struct target_unwind *u, s64 nr)
{
	enum thread_doing doing = DOING_ELSEWHERE;
	struct target_unwind at = *u;
	const struct call *call = to_caller(p, &at) ? call_before(p, at.pc, nr) : NULL;

	if (call && call->release == BY_EITHER && may_be_in_handler(*u))
		return DOING_PYTHON;
	if (call && call->release != BY_NOBODY)
		doing = goes_on_with_gil(p, &at, call->release);
	if (doing != DOING_ELSEWHERE)
		return doing;
	return may_start_thread(p, *u) ? DOING_ELSEWHERE : DOING_PYTHON;
}

/*
 * True if the thread stands before the instruction that makes a system call: one that was interrupted, by us as well, and has
 * not run since. It is as good as parked, and must not be taken for one that computes.
 */
static bool about_to_call(struct python *p, const struct user_regs_struct *r)
{
	static const u8 syscall[] = {0x0f, 0x05};
	u8 code[sizeof(syscall)];

	return (s64)r->orig_rax < 0 && !target_read(p->t, r->rip, code, sizeof(code)) &&
	       !memcmp(code, syscall, sizeof(code));
}

enum thread_doing python_doing(struct python *p, const struct target_stop *s)
{
	struct user_regs_struct r = s->regs;
	enum thread_doing doing;
	struct target_unwind u;

	if (about_to_call(p, &r)) {
		r.orig_rax = r.rax;
		r.rax = (u64)-PYTHON_RESTARTS;
	}
	doing = python_thread_doing(p, &r);
	if (doing != DOING_WAIT)
		return doing;
	target_unwind_begin(&u, p->t, &p->maps, &r);
	return python_parked(p, &u, (s64)r.orig_rax);
}
