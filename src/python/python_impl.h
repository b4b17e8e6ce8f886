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

/* The page of a plan: the wire page and its tables; the caller frees it. */
void *python_plan_page(const struct python_plan *plan, size_t *size);

/* An attached process. */
struct python {
	struct target *t;
	struct python_info info;
	struct python_symbols sym;
	struct target_maps maps; /* as they were when the stub's place was chosen */
	u64 code;                /* of the stub, in the target; 0: not there */
	u64 target_page;         /* of the shared file, in the target; 0: not mapped */
	size_t map_size, ctl_off;
	struct wire_page *page;     /* here */
	struct stub_ctl *ctl;       /* here */
	struct guard *guard;        /* of them, against a target that cuts its page short */
	struct python_owner *owner; /* the thread that holds the page, where it has one of its own */
	int page_fd, agent_fd;      /* here */
	u64 target_frame;           /* of the last shot */
	pid_t shot_tid;
	const void *agent;
	size_t agent_size;
	char nonce[16];
	char file[128];      /* of the agent in the target's file system; "": a memory file */
	char page_file[128]; /* the same for the page */
	const char *dir;     /* that they are in */
	int dir_fd;
	bool no_memfd, no_proc;
	int cancel_fd;     /* 0: none */
	struct diag *tell; /* who is told, once, that a job takes long; NULL: nobody */
	bool told_lost;    /* python_refuse_lost() has said so */
	bool leave_page;   /* a pending call may still come: the page and the stub must stay */
	u32 jobs;          /* given out */
	u32 shots;         /* that will count themselves in stub_ctl.left */
	u64 site[WIRE_NEVENTS];
	bool mail, open;     /* events come by mail; somebody serves them */
	u32 taken, answered; /* of wire_mail.asked */
};

/* What a stopped thread is doing, as far as it matters for what may run on it. */
enum thread_doing {
	DOING_PYTHON, /* or anything else that may hold the GIL or a lock of the C library: queue on it, if it is main */
	DOING_GIL,  /* waiting for the GIL: it will get it soon, so queue on it, if it is main */
	DOING_WAIT, /* parked in a system call, with no lock of the C library */
};
/* The kernel's ERESTART_RESTARTBLOCK (include/linux/errno.h): a call that restart_syscall() goes on with. */
enum { PYTHON_RESTARTBLOCK = 516 };

/* judge.c */
enum thread_doing python_thread_doing(const struct python *p, const struct user_regs_struct *r);
/* The loader is in the middle of mapping or relocating something: nothing of ours may run now. */
bool python_loader_at_work(struct python *p, const struct user_regs_struct *r);
bool python_call_restarts(s64 rax); /* rax of a call that the kernel would make again */
const struct target_map *python_map_at(const struct target_maps *maps, u64 addr);
/* 2: a thread stands in [start, end); 1: a word near the top of a thread's stack points there; 0: neither; -errno. */
int python_threads_inside(struct python *p, u64 start, u64 end);

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
int python_page_seal(struct python *p); /* before: a memory file of the target's must stay as long as the page */
void python_page_unmap(struct python *p);
bool python_page_lost(const struct python *p); /* python_page_check() without a message */
void python_owner_hold(struct python *p);

/* files.c: where the target has no /proc or may make no memory files, files in its /tmp for as long as the load takes. */
bool python_target_has_proc(struct python *p);
int python_files_prepare(struct python *p, const void *page, size_t page_size);
void python_files_unlink(struct python *p);
int python_agent_write(struct python *p); /* the agent into agent_fd, whatever kind of file it is */

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
bool python_is_page(const struct target_map *m);  /* of any pydtrace */
bool python_others_there(const struct python *p); /* by p->maps */

/* adopt.c: take out what killed tracers have left. With the lock. */
void python_bury_dead(struct target *t, const struct python_info *info, const struct python_symbols *sym);

/* refuse.c: all return -errno, with a message. */
int python_refuse_state(struct target *t, struct diag *diag); /* 0: nothing against it */
int python_refuse_stop(struct python *p, int err, struct diag *diag);
int python_refuse_busy(struct python *p, struct diag *diag);
int python_refuse_lost(struct python *p, struct diag *diag); /* its page is; the message comes once */

/* jobs.c */
int python_shoot_first(struct python *p, const void *page, size_t page_size);
int python_job_do(struct python *p, enum stub_job job, u64 deadline); /* -ETIMEDOUT: nobody did or will do it */
int python_job_finish(struct python *p, u64 deadline);

/* attach.c */
int python_new(struct python **out, struct target *t, const struct python_info *info,
	       const struct python_plan *plan, const struct python_attach_options *opt, void **page,
	       size_t *page_size, struct diag *diag);
/* After the job: check what the agent says and find its sites. */
int python_loaded(struct python *p, struct diag *diag);
extern const char pydtrace_agent_so[], pydtrace_agent_so_end[];

/* detach.c */
void python_undo(struct python *p, u64 deadline); /* after an attach that failed: whatever of it is in the target */

#endif
