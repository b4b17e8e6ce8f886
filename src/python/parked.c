// SPDX-License-Identifier: Apache-2.0
/*
 * Where a thread that is parked in a system call goes back to. It decides what may be done on such a thread.
 *
 * The thread may wait for the GIL on our behalf only if it would do so itself next, with the same locks held: then our wait
 * adds no order of locks that the program does not have already. This is so where the interpreter, or an extension module
 * of its own, has called a function of the C library that does nothing but make the system call, between
 * Py_BEGIN_ALLOW_THREADS and Py_END_ALLOW_THREADS. Frames of any other library below the evaluator may hold a lock of that
 * library (SQLite's busy wait holds the connection's mutex), and then somebody may want that lock with the GIL held.
 *
 *      clone ... | evaluator | functions of the interpreter | poll() | the kernel
 *                               all frames here are seen        by its call instruction
 */
#include <errno.h>
#include <string.h>
#include <sys/syscall.h>

#include "python/python_impl.h"

enum { MAX_LIBC = 12, MAX_FRAMES = 200 };

/*
 * System calls that wait, and functions of the C library that do nothing but make one of them, without a lock of the
 * library's. Without a function: the interpreter makes no such call. What is not here (clone, mmap ...) may be made by the
 * C library with its locks held.
 */
static const struct {
	int nr;
	const char *function;
} calls[] = {
    {SYS_poll, "poll"},
    {SYS_poll, "__poll_chk"},
    {SYS_ppoll, "ppoll"},
    {SYS_select, "select"},
    {SYS_pselect6, "select"},
    {SYS_pselect6, "pselect"},
    {SYS_epoll_wait, "epoll_wait"},
    {SYS_epoll_pwait, "epoll_wait"},
    {SYS_epoll_pwait, "epoll_pwait"},
    {SYS_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "nanosleep"},
    {SYS_clock_nanosleep, "clock_nanosleep"},
    {SYS_read, "read"},
    {SYS_read, "__read_chk"},
    {SYS_readv, "readv"},
    {SYS_pread64, "pread64"},
    {SYS_pread64, "pread"},
    {SYS_write, "write"},
    {SYS_writev, "writev"},
    {SYS_pwrite64, "pwrite64"},
    {SYS_pwrite64, "pwrite"},
    {SYS_recvfrom, "recv"},
    {SYS_recvfrom, "__recv_chk"},
    {SYS_recvfrom, "recvfrom"},
    {SYS_recvfrom, "__recvfrom_chk"},
    {SYS_recvmsg, "recvmsg"},
    {SYS_sendto, "send"},
    {SYS_sendto, "sendto"},
    {SYS_sendmsg, "sendmsg"},
    {SYS_sendfile, "sendfile64"},
    {SYS_sendfile, "sendfile"},
    {SYS_accept, "accept"},
    {SYS_accept4, "accept4"},
    {SYS_connect, "connect"},
    {SYS_wait4, "waitpid"},
    {SYS_wait4, "wait3"},
    {SYS_wait4, "wait4"},
    {SYS_waitid, "waitid"},
    {SYS_pause, "pause"},
    {SYS_rt_sigtimedwait, "sigwait"},
    {SYS_rt_sigtimedwait, "sigwaitinfo"},
    {SYS_rt_sigtimedwait, "sigtimedwait"},
    {SYS_futex, "sem_wait"},
    {SYS_futex, "sem_timedwait"},
    {SYS_futex, "sem_clockwait"},
    {SYS_openat, "open64"},
    {SYS_openat, "open"},
    {SYS_openat, "openat64"},
    {SYS_openat, "openat"},
    {SYS_flock, "flock"},
    {SYS_fcntl, "fcntl64"},
    {SYS_fcntl, "fcntl"},
    {SYS_epoll_pwait2, NULL},
    {SYS_io_getevents, NULL},
    {SYS_io_uring_enter, NULL},
    {SYS_semtimedop, NULL},
    {SYS_msgrcv, NULL},
    {SYS_recvmmsg, NULL},
    /* What was interrupted before with a timeout: ERESTART_RESTARTBLOCK. */
    {SYS_restart_syscall, "poll"},
    {SYS_restart_syscall, "nanosleep"},
    {SYS_restart_syscall, "clock_nanosleep"},
    {SYS_restart_syscall, "sem_timedwait"},
    {SYS_restart_syscall, "sem_clockwait"},
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
 * The two functions that the instruction before a return address may have called: by "call rel32", and by
 * "call *disp(%rip)", as -fno-plt has it. 0: it is no such call.
 */
static void called_from(struct python *p, u64 ret, u64 function[2])
{
	u8 code[6];
	s32 rel;

	function[0] = function[1] = 0;
	if (target_read(p->t, ret - sizeof(code), code, sizeof(code)))
		return;
	memcpy(&rel, code + 2, sizeof(rel));
	if (code[1] == 0xe8)
		function[0] = through_plt(p, ret + (u64)(s64)rel);
	if (code[0] == 0xff && code[1] == 0x15)
		function[1] = read_word(p, ret + (u64)(s64)rel);
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

/* True if what was called before `ret` is a function that makes just this system call. */
static bool plain_call(struct python *p, u64 ret, s64 nr)
{
	u64 function[2], addr;

	called_from(p, ret, function);
	for (size_t f = 0; f < ARRAY_SIZE(function); f++) {
		struct target_elf *e = library_of(p, function[f]);
		bool plain = false;

		for (size_t i = 0; e && i < ARRAY_SIZE(calls) && !plain; i++)
			plain = calls[i].nr == nr && calls[i].function &&
				!target_elf_symbol(e, calls[i].function, &addr) && addr == function[f];
		target_elf_close(e);
		if (plain)
			return true;
	}
	return false;
}

/* --- the walk ------------------------------------------------------------------------------------------------------- */

/* From the system call to the code that has called the C library for it. True: there is such code. */
static bool to_caller(struct python *p, struct target_unwind *u)
{
	for (int n = 0; n < MAX_LIBC; n++) {
		if (code_at(p, u->pc) != CODE_LIBC)
			return n > 0;
		if (target_unwind_next(u) != 1 || u->signal)
			return false;
	}
	return false;
}

/*
 * True if from here to the evaluator all frames are the interpreter's. The cold part of the evaluator is a function of its
 * own in this information, and a tail-calling interpreter has many: where it is not met, all frames up to the thread's
 * first one must be the interpreter's, or those with which the C library starts a thread.
 */
static bool interpreter_only(struct python *p, struct target_unwind u)
{
	for (int n = 0; n < MAX_FRAMES; n++) {
		enum code code = code_at(p, u.pc);
		int ret = target_unwind_next(&u);

		if (code == CODE_INTERPRETER && u.function && u.function == p->sym.evaluator)
			return true;
		if (ret == 0)
			return n > 0;
		if (ret < 0 || u.signal)
			return false;
		if (code != CODE_INTERPRETER && (code != CODE_LIBC || !n))
			return false;
	}
	return false;
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

bool python_parked_likely(struct python *p, const struct target_unwind *u, s64 nr)
{
	struct target_unwind at = *u;

	return to_caller(p, &at) && code_at(p, at.pc) == CODE_INTERPRETER && plain_call(p, at.pc, nr);
}

enum thread_doing python_parked(struct python *p, const struct target_unwind *u, s64 nr)
{
	struct target_unwind at = *u;

	if (to_caller(p, &at) && code_at(p, at.pc) == CODE_INTERPRETER && plain_call(p, at.pc, nr) &&
	    interpreter_only(p, at))
		return DOING_WAIT;
	return may_start_thread(p, *u) ? DOING_ELSEWHERE : DOING_PYTHON;
}
