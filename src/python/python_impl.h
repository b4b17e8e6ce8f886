// SPDX-License-Identifier: Apache-2.0
/* What the files of this part share. */
#ifndef PYDTRACE_PYTHON_IMPL_H
#define PYDTRACE_PYTHON_IMPL_H

#include "python/python.h"
#include "python/stub.h"

/* What an executable mapping offers: the addresses that the stub calls. 0: not there. */
struct python_symbols {
	u64 add_pending, gil_check, gil_ensure, gil_release, initialized, finalizing; /* CPython */
	u64 dlopen, dlsym, dlclose, dlerror, errno_location;                          /* glibc */
	/* What starts a thread; all or none. */
	u64 attr_init, attr_setstack, attr_setdetach, thread_create;
	u64 this_state;             /* PyGILState_GetThisThreadState */
	u64 restore_thread;         /* PyEval_RestoreThread */
	u64 acquire_lock;           /* PyThread_acquire_lock_timed */
	u64 semaphore_wait;         /* _PySemaphore_Wait, from 3.13; 0: not exported */
	u64 image_start, image_end; /* all mappings of the interpreter's file, for "is this the GIL" */
	u64 r_debug;                /* the loader's */
};
int python_symbols_find(struct target *t, const struct python_info *info, struct python_symbols *out,
			struct diag *diag);

/* Why the memory map of a process, or its images, cannot be read (`err` > 0). Returns -err. */
int python_refuse_maps(struct target *t, int err, struct diag *diag);

/* Parse what Py_GetVersion() holds ("3.9.18 (main, ..."): the PY_VERSION_HEX; 0 when it is none. */
u32 python_version_parse(const char *s, size_t n);
void python_version_text(u32 version, char *out, size_t size);

/*
 * The page of a plan: the wire page and its tables, *size bytes, with as much room for functions behind them as the plan may
 * need; the caller frees it. NULL: no memory.
 */
void *python_plan_page(const struct python_plan *plan, size_t *size);
/* Give it room for so many functions, but not for more than it had. */
void python_page_room(struct wire_page *page, size_t size, u32 functions);
struct python;
/* map_size and ctl_off are the page's. */
void python_page_sizes(struct python *p, const struct wire_page *page);

/* What the shared page is in the target. */
enum page_kind {
	PAGE_MEMFD,  /* a memory file that the stub makes */
	PAGE_SHARED, /* memory that the stub maps, without a file that had a name */
	PAGE_FILE,   /* a file in the target's /tmp, which is removed at once */
};

/* An attached process. */
struct python {
	struct target *t;
	struct python_info info;
	struct python_symbols sym;
	struct target_maps maps; /* as they were when the stub's place was chosen */
	u64 code;                /* of the stub, in the target; 0: not there */
	u64 target_page;         /* of the shared file, in the target; 0: not mapped */
	size_t map_size, ctl_off, functions_at;
	struct wire_page *page; /* here */
	struct stub_ctl *ctl;   /* here */
	struct guard *guard;
	struct python_owner *owner;
	int page_fd, agent_fd; /* here */
	u64 target_frame;      /* of the last shot */
	pid_t shot_tid;
	const void *agent;
	size_t agent_size;
	char nonce[16];
	u64 cookie;          /* the same as a number */
	char file[128];      /* of the agent in the target's file system; "": a memory file */
	char page_file[128]; /* the same for the page */
	int dir_fd;          /* that they are in */
	bool no_memfd, no_proc;
	enum page_kind page_kind;
	const char *fatal_call; /* a system call that the target's filters would not let us survive */
	int cancel_fd;          /* 0: none */
	struct diag *tell;      /* who is told, once, that a job takes long; NULL: nobody */
	bool told_lost;
	bool leave_page; /* a pending call may still come: the page and the stub must stay */
	u32 jobs;        /* given out */
	u32 shots;       /* that will count themselves in stub_ctl.left */
	bool filtered;   /* system calls are filtered: the C library's must not be called for more than it is */
	u32 threads;     /* that had been started when the last job was done */
	u64 takers[8];   /* functions that take the GIL; parked.c */
	size_t ntakers;
	bool by_thread; /* the last job was done by a thread that was made for it */
	u64 site[WIRE_NEVENTS];
	bool mail, open;     /* events come by mail; somebody serves them */
	u32 taken, answered; /* of wire_mail.asked */
	u32 ndead, dead_at;  /* of the wire_dead in the page, as we wrote it */
	struct range {
		u64 start, end;
	} dead_code[WIRE_MAX_DEAD];
};

/* What a stopped thread is doing, as far as it matters for what may run on it. */
enum thread_doing {
	DOING_PYTHON, /* or anything else that may hold the GIL or a lock of the C library: queue on it, if it is main */
	DOING_GIL, /* waiting for the GIL: it will get it soon, so queue on it, if it is main */
	/*
	 * Parked in a system call, and it will wait for the GIL next, with the same locks as now: it may do so for us. What
	 * python_thread_doing() says from the registers alone is "parked in a system call"; python_parked() says where.
	 */
	DOING_WAIT,
	DOING_RELEASED, /* the same, and it is known to have released the GIL */
	DOING_ELSEWHERE, /* parked under code that may hold locks of its own: it may start a thread, but never wait */
};
/* The kernel's results of interrupted calls (include/linux/errno.h); the latter is what restart_syscall() goes on with. */
enum { PYTHON_RESTARTS = 512 /* ERESTARTSYS */, PYTHON_RESTARTBLOCK = 516 };

/* Before an agent that has answered -EAGAIN is asked again: others have the GIL meanwhile, and no thread is stopped all the time. */
enum { AGAIN_US = 1000 };

/* judge.c */
enum thread_doing python_thread_doing(const struct python *p, const struct user_regs_struct *r);
/* The loader is in the middle of mapping or relocating something: nothing of ours may run now. */
bool python_loader_at_work(struct python *p, const struct user_regs_struct *r);
/* inside.c: until no thread is in this range of code of ours. 0, -EBUSY or -errno. */
int python_wait_outside(struct python *p, u64 start, u64 end, u64 deadline);

/* parked.c: of a thread that is parked in system call `nr`: DOING_WAIT, DOING_RELEASED, DOING_ELSEWHERE, or DOING_PYTHON: leave it alone. */
enum thread_doing python_parked(struct python *p, const struct target_unwind *u, s64 nr);
enum thread_doing python_doing(struct python *p, const struct target_stop *s); /* by registers and stack */
bool python_call_waits(s64 nr);     /* one of those that a thread may be parked in */
bool python_call_restarts(s64 rax); /* rax of a call that the kernel would make again */

/* inject.c: one shot at a stopped thread. The thread is not let go of here. */
int python_stub_place(struct python *p);
size_t python_stub_size(void);
int python_shot(struct python *p, const struct target_stop *s, enum stub_how how);

/* handshake.c: the stub's side of making the shared page is answered: it is filled. After the thread goes on. */
int python_handshake(struct python *p, const void *page, size_t page_size);
void python_handshake_undo(struct python *p); /* a first shot that came to nothing: as before it */
/* The agent's descriptor in the target while it is open there and ours; -1. */
int python_agent_fd(struct python *p);
bool python_ctl_wait(struct python *p, u32 done, u64 deadline); /* until so many jobs are done */

/* fill.c: the page, and all that the stub needs, before it is told that the page is filled. Takes the process. */
void python_page_fill(struct python *p, const void *page, size_t size, int target_agent_fd);

/*
 * owner.c: the page as mapped here, and the word in it by which the agent knows that we live. Holding it concerns the
 * calling thread, which has to be the one that lives as long as the tracer.
 */
int python_page_map(struct python *p);
void python_page_unmap(struct python *p);
bool python_page_lost(const struct python *p); /* python_page_check() without a message */
void python_owner_hold(struct python *p);

/* files.c: where the target has no /proc or may make no memory files, files in its /tmp for as long as the load takes. */
bool python_target_has_proc(struct python *p);
int python_files_prepare(struct python *p, void *page, size_t page_size, struct diag *diag);
void python_files_unlink(struct python *p);
int python_agent_write(struct python *p); /* the agent into agent_fd, whatever kind of file it is */

/*
 * calls.c: do the filters of a stopped thread allow what will run in it? 0; -ENOSYS: all but memory files; -EKEYREJECTED:
 * they would punish it for p->fatal_call.
 */
int python_calls_allowed(struct python *p, const struct target_stop *s);
/* True if no filter of system calls would punish the thread for starting another one; false where that is not known. */
bool python_thread_allowed(struct python *p, const struct target_stop *s);

/* mail.c: ask for mail in the page of a plan for process `pid`. */
void python_mail_plan(struct wire_page *page, pid_t pid);

/* lock.c: who attaches or detaches holds it; the kernel lets it go when this process ends. */
struct python_lock {
	int fd[2]; /* -1: not needed */
};
enum python_lock_for { PYTHON_LOCK_ATTACH, PYTHON_LOCK_DETACH };
/* 0; -ESRCH: the process has ended; other -errno with a message: -EAGAIN: another did not let go of it in time. */
int python_lock(struct python_lock *lock, struct target *t, enum python_lock_for wish, struct diag *diag);
void python_unlock(struct python_lock *lock);

/* others.c: other tracers of the same process. */
bool python_others_there(const struct python *p); /* by p->maps */

/*
 * dead.c: what nobody holds any more in the process. With the lock. Before the load it is entered into the page that is going to
 * be the target's; after it, what can go goes.
 */
void python_dead_find(struct python *p, struct wire_page *page);
void python_dead_close(struct python *p);
void python_dead_again(struct python *p); /* the same with what has come since */
/* The control block of a page of any pydtrace, or what is left of one; false: `m` is none. */
bool python_ctl_read(struct target *t, const struct target_map *m, struct stub_ctl *out);

/* refuse.c: all return -errno, with a message. */
int python_refuse_state(struct target *t, struct diag *diag); /* 0: nothing against it */
int python_refuse_stop(struct python *p, int err, struct diag *diag);
int python_refuse_busy(struct python *p, struct diag *diag);
int python_refuse_lost(struct python *p, struct diag *diag); /* its page is; the message comes once */

/* jobs.c */
int python_shoot_first(struct python *p, const void *page, size_t page_size);
int python_job_do(struct python *p, enum stub_job job, u64 deadline); /* -ETIMEDOUT: nobody did or will do it */
int python_job_finish(struct python *p, u64 deadline);
int python_agent_call(struct python *p, const char *name, u64 deadline); /* the agent's function, as a job */
/* True if the thread that the stub has started last is there: it uses the page, and a stack of ours. */
bool python_thread_there(struct target *t, const struct stub_ctl *c);

/* attach.c */
/* Is `err` what a shot comes to where there may be no memory files? Then files take their place from now on. */
bool python_memfd_denied(struct python *p, int err);
int python_new(struct python **out, struct target *t, const struct python_info *info,
	       const struct python_plan *plan, const struct python_attach_options *opt, void **page,
	       size_t *page_size, struct diag *diag);
/* After the job: check what the agent says and find its sites. */
int python_loaded(struct python *p, struct diag *diag);
extern const char pydtrace_agent_so[], pydtrace_agent_so_end[];

/* detach.c */
/* After an attach that failed: take out whatever of it is in the target, or say what has to stay. */
void python_undo(struct python *p, u64 deadline, struct diag *diag);

#endif
