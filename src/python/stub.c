// SPDX-License-Identifier: Apache-2.0
/*
 * The code that runs in a borrowed thread of the target (stub.h). Everything is in one section that is copied as a
 * whole, so: no data, no string constants, no call to anything outside, no vector registers, no stack protector.
 * Until the C library may be called (see docs/attach.md) it makes raw system calls only; none of them may sleep on a
 * timeout, since that would overwrite the restart block of the call that was interrupted (-ERESTART_RESTARTBLOCK).
 */
#include <fcntl.h>
#include <pthread.h>
#include <stdbool.h>
#include <stddef.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <time.h>

#include "python/stub.h"
#include "wire.h"

#define STUB __attribute__((section("pydtrace_stub"), used))

enum { RTLD_NOW_ = 2, SIG_SETMASK_ = 2, SIGSET_SIZE = 8, PAGE_OPEN = O_RDWR | O_CLOEXEC };
enum { ERESTARTSYS_ = 512, EINTR_ = 4, SA_RESTART_ = 0x10000000 };

STUB static long call6(long nr, long a, long b, long c, long d, long e, long f)
{
	register long r10 __asm__("r10") = d;
	register long r8 __asm__("r8") = e;
	register long r9 __asm__("r9") = f;
	long ret;

	__asm__ volatile("syscall"
			 : "=a"(ret)
			 : "0"(nr), "D"(a), "S"(b), "d"(c), "r"(r10), "r"(r8), "r"(r9)
			 : "rcx", "r11", "memory");
	return ret;
}

STUB static void copy_text(char *dst, const char *src, int max)
{
	int i = 0;

	for (; src && src[i] && i < max - 1; i++)
		((volatile char *)dst)[i] = src[i];
	((volatile char *)dst)[i] = 0;
}

STUB static void fd_close(int32_t *fd)
{
	if (*fd >= 0)
		call6(SYS_close, *fd, 0, 0, 0, 0, 0);
	*fd = -1;
}

/* Is the agent's descriptor still what we made? The program may have closed it and opened another under its number. */
STUB static bool agent_ours(const struct stub_ctl *c)
{
	struct stat st;

	return c->agent_fd < 0 || (!call6(SYS_fstat, c->agent_fd, (long)&st, 0, 0, 0, 0) &&
				   st.st_dev == c->agent_dev && st.st_ino == c->agent_ino);
}

STUB static bool job_open(struct stub_ctl *c)
{
	if (!agent_ours(c)) {
		c->agent_fd = -1;
		c->stage = STUB_NO_FILE;
		return false;
	}
	/* Nobody would take it out again. */
	if (((struct wire_page *)c->page)->owner & WIRE_OWNER_DIED) {
		fd_close(&c->agent_fd);
		return false;
	}
	c->handle = (uint64_t)c->dlopen(c->path, RTLD_NOW_);
	fd_close(&c->agent_fd);
	if (c->handle)
		return true;
	copy_text(c->error, c->dlerror(), sizeof(c->error));
	c->stage = STUB_NO_DLOPEN;
	return false;
}

/* Made again when the agent asked for that: it is loaded then. */
STUB static void job_load(struct stub_ctl *c)
{
	int (*init)(void *, void *, uint32_t);

	if (!c->handle && !job_open(c))
		return;
	*(void **)&init = c->dlsym((void *)c->handle, c->init_name);
	if (!init) {
		c->stage = STUB_NO_SYMBOL;
		return;
	}
	c->result = init((void *)c->page, (void *)c->dlsym, c->version);
	c->stage = c->result ? STUB_INIT_FAILED : STUB_OK;
}

STUB static void job_call(struct stub_ctl *c)
{
	int (*call)(void);

	*(void **)&call = c->dlsym((void *)c->handle, c->call_name);
	c->result = call ? call() : 0;
	c->stage = STUB_OK;
}

/* Do the open job, with the GIL held; nothing when somebody else has done it. */
STUB static void job_run(struct stub_ctl *c)
{
	uint32_t job = __atomic_exchange_n(&c->job, STUB_IDLE, __ATOMIC_ACQ_REL);

	if (job == STUB_IDLE)
		return;
	if (job == STUB_LOAD)
		job_load(c);
	else if (job == STUB_CALL)
		job_call(c);
	else if (c->handle) {
		c->dlclose((void *)c->handle);
		c->handle = 0;
	}
	__atomic_fetch_add(&c->done, 1, __ATOMIC_RELEASE);
}

/*
 * A child that is forked while a call is queued has it in its own queue, but it has no page. So the one word that the
 * call gets says whose it is, too: the page of stub_ctl (35 bits of address) and the process (22 bits: PID_MAX_LIMIT).
 */
#define PID_BITS   22
#define PAGE_SHIFT 12

STUB static void *ticket(struct stub_ctl *c)
{
	uint64_t pid = (uint64_t)call6(SYS_getpid, 0, 0, 0, 0, 0, 0);

	return (void *)((uint64_t)c >> PAGE_SHIFT << PID_BITS | pid);
}

/* What the interpreter calls at a safe point of its main thread. */
STUB static int pending(void *arg)
{
	struct stub_ctl *c = (void *)((uint64_t)arg >> PID_BITS << PAGE_SHIFT);

	if (ticket(c) != arg)
		return 0;

	int *err = c->errno_location(), saved = *err;

	job_run(c);
	*err = saved;
	__atomic_fetch_add(&c->called, 1, __ATOMIC_RELEASE);
	return 0;
}

STUB static void queue(struct stub_ctl *c)
{
	__atomic_fetch_add(&c->queued, 1, __ATOMIC_RELAXED);
	if ((int)c->add_pending(pending, ticket(c)) == 0)
		return;
	__atomic_fetch_sub(&c->queued, 1, __ATOMIC_RELAXED);
	c->refused++;
}

/*
 * A thread outside of any system call may be on its way into one that never ends; what is queued would then wait there
 * for ever. While it holds the GIL it is more likely to come by the interpreter's loop first.
 */
STUB static void queue_if_held(struct stub_ctl *c)
{
	if (c->gil_check())
		queue(c);
	else
		__atomic_fetch_add(&c->not_held, 1, __ATOMIC_RELEASE);
}

STUB static void borrow(struct stub_ctl *c, bool released)
{
	int state;

	if (!c->this_state()) /* no thread of Python's: it must not wait for the GIL */
		return;
	if (!released && c->gil_check()) {
		queue(c);
		return;
	}
	__atomic_fetch_add(&c->waiting, 1, __ATOMIC_RELAXED);
	state = c->gil_ensure();
	__atomic_fetch_sub(&c->waiting, 1, __ATOMIC_RELAXED);
	job_run(c);
	c->gil_release(state);
}

/*
 * A thread that holds no lock at all may wait for the GIL as long as it takes. Its stack is ours, so that the C library
 * does not keep it for later threads, and stays out of children. All signals are blocked in it, as they are here.
 */
STUB static void *thread_main(void *arg)
{
	struct stub_ctl *c = arg;
	int state;

	__atomic_store_n(&c->thread_tid, (uint32_t)call6(SYS_gettid, 0, 0, 0, 0, 0, 0), __ATOMIC_RELEASE);
	state = c->gil_ensure();
	job_run(c);
	c->gil_release(state);
	__atomic_fetch_add(&c->threads_left, 1, __ATOMIC_RELEASE);
	return NULL;
}

STUB static bool thread_stack(struct stub_ctl *c)
{
	long stack;

	if (c->stack)
		return true;
	stack = call6(SYS_mmap, 0, STUB_THREAD_STACK, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
	if (stack < 0 && stack > -4096)
		return false;
	call6(SYS_madvise, stack, STUB_THREAD_STACK, MADV_DONTFORK, 0, 0, 0);
	c->stack = (uint64_t)stack;
	return true;
}

STUB static void thread_start(struct stub_ctl *c)
{
	uint64_t attr[16]; /* pthread_attr_t: 56 bytes */
	unsigned long thread;

	if (c->gil_check() || !thread_stack(c))
		return;
	if (c->attr_init(attr) || c->attr_setstack(attr, (void *)c->stack, STUB_THREAD_STACK) ||
	    c->attr_setdetach(attr, PTHREAD_CREATE_DETACHED))
		return;
	c->thread_tid = 0;
	__atomic_fetch_add(&c->threads, 1, __ATOMIC_RELAXED);
	if (c->thread_create(&thread, attr, thread_main, c))
		__atomic_fetch_sub(&c->threads, 1, __ATOMIC_RELAXED);
}

/* The tracer seals a file as the last thing, when all of it is written. */
STUB static bool sealed(int32_t fd)
{
	long seals = call6(SYS_fcntl, fd, F_GET_SEALS, 0, 0, 0, 0);

	return seals > 0 && seals & F_SEAL_SEAL;
}

/* Yield until *word is not 0, file `fd` (-1: none) is sealed, or the time is over; the tracer is at work meanwhile. */
STUB static void spin(uint32_t *word, int32_t fd, uint32_t ms)
{
	struct timespec ts;
	long until = 0, now;

	do {
		if (__atomic_load_n(word, __ATOMIC_ACQUIRE) || (fd >= 0 && sealed(fd)))
			return;
		call6(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
		if (call6(SYS_clock_gettime, CLOCK_MONOTONIC, (long)&ts, 0, 0, 0, 0))
			return;
		now = ts.tv_sec * 1000 + ts.tv_nsec / 1000000;
		if (!until)
			until = now + ms;
	} while (now < until);
}

/* A file has its size from the tracer: to set it here may raise SIGXFSZ (setrlimit(2), RLIMIT_FSIZE). */
STUB static int32_t file_make(const char *name)
{
	return (int32_t)call6(SYS_memfd_create, (long)name, MFD_CLOEXEC | MFD_ALLOW_SEALING, 0, 0, 0, 0);
}

STUB static int32_t files_make(struct stub_frame *f)
{
	if (f->agent_name[0]) {
		f->agent_fd = file_make(f->agent_name);
		if (f->agent_fd < 0)
			return f->agent_fd;
	}
	if (f->page_name[0])
		f->page_fd = file_make(f->page_name);
	else if (f->page_path[0])
		f->page_fd = (int32_t)call6(SYS_openat, AT_FDCWD, (long)f->page_path, PAGE_OPEN, 0, 0, 0);
	else
		return 0;
	return f->page_fd < 0 ? f->page_fd : 0;
}

/* A child that is forked must not share it: what it then writes would be taken for its parent's. */
STUB static int32_t page_map(struct stub_frame *f)
{
	long flags = f->page_fd < 0 ? MAP_SHARED | MAP_ANONYMOUS : MAP_SHARED;
	long page = call6(SYS_mmap, 0, (long)f->map_size, PROT_READ | PROT_WRITE, flags, f->page_fd, 0);

	if (page < 0 && page > -4096)
		return (int32_t)page;
	f->page = (uint64_t)page;
	return (int32_t)call6(SYS_madvise, page, (long)f->map_size, MADV_DONTFORK, 0, 0, 0);
}

STUB static void page_unmap(struct stub_frame *f)
{
	if (f->page)
		call6(SYS_munmap, (long)f->page, (long)f->map_size, 0, 0, 0, 0);
}

STUB static bool ready_change(struct stub_ctl *c, uint32_t from, uint32_t to)
{
	return __atomic_compare_exchange_n(&c->ready, &from, to, false, __ATOMIC_ACQ_REL, __ATOMIC_ACQUIRE);
}

/*
 * Make the memory files and let the tracer size, fill and seal both, then map the page; one without a file is mapped first. A
 * tracer that died in between leaves nothing behind: the stub then takes all back. Fails with what went wrong in the
 * frame.
 */
STUB static struct stub_ctl *prepare(struct stub_frame *f)
{
	struct stub_ctl *c;

	f->error = files_make(f);
	if (!f->error && f->page_name[0]) {
		__atomic_store_n(&f->step, 1, __ATOMIC_RELEASE);
		spin(&f->ack, f->page_fd, f->spin_ms);
		if (!sealed(f->page_fd))
			goto undo;
	}
	if (!f->error)
		f->error = page_map(f);
	if (f->error) {
		__atomic_store_n(&f->step, -1, __ATOMIC_RELEASE);
		spin(&f->ack, -1, f->spin_ms);
		goto undo;
	}
	c = (struct stub_ctl *)(f->page + f->ctl_off);
	__atomic_store_n(&f->step, 1, __ATOMIC_RELEASE);
	spin(&c->ready, -1, f->spin_ms);
	if (!ready_change(c, STUB_RAW, STUB_ABANDONED) && ready_change(c, STUB_FILLED, STUB_TAKEN)) {
		c->agent_fd = f->agent_fd;
		__atomic_store_n(&c->page, f->page, __ATOMIC_RELEASE);
		fd_close(&f->page_fd);
		return c;
	}
undo:
	page_unmap(f);
	fd_close(&f->agent_fd);
	fd_close(&f->page_fd);
	return NULL;
}

/* Before its start and at its end an interpreter must be left alone: its locks are not there, Ensure would end the thread. */
STUB static bool usable(struct stub_ctl *c)
{
	if (!c->initialized())
		__atomic_fetch_add(&c->not_ready, 1, __ATOMIC_RELEASE);
	else if (c->finalizing && c->finalizing())
		c->stage = STUB_FINALIZING;
	else
		return true;
	return false;
}

STUB static void work(struct stub_frame *f)
{
	struct stub_ctl *c;
	int *err, saved;

	if (f->how == STUB_UNMAP) {
		page_unmap(f);
		if (f->stack)
			call6(SYS_munmap, (long)f->stack, STUB_THREAD_STACK, 0, 0, 0, 0);
		fd_close(&f->agent_fd);
		f->step = 1;
		return;
	}
	c = f->ctl ? f->ctl : prepare(f);
	if (!c)
		return;
	__atomic_fetch_add(&c->entered, 1, __ATOMIC_RELAXED);
	err = c->errno_location();
	saved = *err;
	if (!usable(c))
		;
	else if (f->how == STUB_PENDING)
		queue(c);
	else if (f->how == STUB_BORROW || f->how == STUB_RELEASED)
		borrow(c, f->how == STUB_RELEASED);
	else if (f->how == STUB_IF_HELD)
		queue_if_held(c);
	else if (f->how == STUB_THREAD)
		thread_start(c);
	else
		job_run(c);
	*err = saved;
	__atomic_fetch_add(&c->left, 1, __ATOMIC_RELEASE);
}

/*
 * A signal that came meanwhile is still pending. Had we not been here it would have ended the system call that the thread
 * was in, and the call must not be made again: signal(7), "Interruption of system calls by signal handlers".
 */
STUB static void restart_or_not(struct stub_frame *f)
{
	struct {
		uint64_t handler, flags, restorer, mask;
	} sa; /* the kernel's, not the C library's */
	uint64_t pending = 0;

	if (!f->interrupted || call6(SYS_rt_sigpending, (long)&pending, SIGSET_SIZE, 0, 0, 0, 0))
		return;
	pending &= ~f->mask;
	for (long sig = 1; sig <= 64; sig++) {
		if (!(pending >> (sig - 1) & 1) || call6(SYS_rt_sigaction, sig, 0, (long)&sa, SIGSET_SIZE, 0, 0) ||
		    sa.handler <= 1) /* default, ignore */
			continue;
		if (f->interrupted != ERESTARTSYS_ || !(sa.flags & SA_RESTART_)) {
			f->regs.rax = (uint64_t)-EINTR_;
			f->regs.rip += 2;
		}
		return;
	}
}

STUB void stub_main(struct stub_frame *f);
STUB void stub_main(struct stub_frame *f)
{
	uint64_t all = ~0ull;

	/* The tracer has blocked them already, unless it was killed just before. */
	call6(SYS_rt_sigprocmask, SIG_SETMASK_, (long)&all, 0, SIGSET_SIZE, 0, 0);
	work(f);
	restart_or_not(f);
}

/*
 * Where the thread starts: rdi = rsp = the frame, 64-byte aligned. The way back restores vector state, signal mask,
 * general registers in the order of user_regs_struct, and with one iretq rip, flags and rsp, for which no scratch
 * register or stack word of the thread is needed.
 */
__asm__(".pushsection pydtrace_stub, \"ax\"\n"
	".balign 16\n"
	".hidden stub_code_enter\n"
	".globl stub_code_enter\n"
	".type stub_code_enter, @function\n"
	"stub_code_enter:\n"
	"	mov	%rdi, %rbx\n"
	"	call	stub_main\n"
	"	mov	224(%rbx), %rax\n" /* xsave_mask */
	"	mov	%rax, %rdx\n"
	"	shr	$32, %rdx\n"
	"	xrstor64 576(%rbx)\n"
	"	mov	$14, %eax\n" /* rt_sigprocmask(SIG_SETMASK, &mask, NULL, 8) */
	"	mov	$2, %edi\n"
	"	lea	216(%rbx), %rsi\n"
	"	xor	%edx, %edx\n"
	"	mov	$8, %r10d\n"
	"	syscall\n"
	"	mov	%rbx, %rsp\n"
	"	pop	%r15\n	pop	%r14\n	pop	%r13\n	pop	%r12\n"
	"	pop	%rbp\n	pop	%rbx\n	pop	%r11\n	pop	%r10\n"
	"	pop	%r9\n	pop	%r8\n	pop	%rax\n	pop	%rcx\n"
	"	pop	%rdx\n	pop	%rsi\n	pop	%rdi\n"
	"	add	$8, %rsp\n" /* orig_rax */
	"	iretq\n"            /* rip, cs, flags, rsp, ss */
	".size stub_code_enter, . - stub_code_enter\n"
	".popsection\n");
_Static_assert(offsetof(struct stub_frame, regs) == 0 && sizeof(struct user_regs_struct) == 216, "see above");
_Static_assert(offsetof(struct stub_frame, mask) == 216, "see above");
_Static_assert(offsetof(struct stub_frame, xsave_mask) == 224, "see above");
_Static_assert(offsetof(struct stub_frame, xsave) == 576, "see above");
