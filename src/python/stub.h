// SPDX-License-Identifier: Apache-2.0
/*
 * The stub: position-independent code, the same bytes every time, that is written into the zero tail of an executable
 * mapping of the target. It holds no data. What it works with are two structs:
 *
 *   stub_frame   on the stack of the borrowed thread, below its red zone; lives until the stub returns
 *   stub_ctl     in the shared page (after the wire page), lives as long as the agent
 *
 * One PTRACE_SETREGS starts it with rdi = rsp = the frame; from then on it needs nobody: it finishes and puts the
 * thread back even if the tracer is gone.
 */
#ifndef PYDTRACE_STUB_H
#define PYDTRACE_STUB_H

#include <stddef.h>
#include <stdint.h>
#include <sys/user.h>

enum { STUB_CTL_SIZE = 4096, STUB_XSAVE_MAX = 16384, STUB_THREAD_STACK = 1 << 20 };

/*
 * The shared page's state while it is made, changed by compare and exchange only: the tracer makes it FILLED, the stub then
 * TAKEN, and either side that waits no longer makes it ABANDONED. So both go on with the page, or neither does.
 */
enum stub_ready { STUB_RAW, STUB_FILLED, STUB_TAKEN, STUB_ABANDONED };

#define STUB_MAGIC 0x316c746362757473ull /* "stubctl1": for who looks for what a dead tracer has left */

/* A job is done once, by whoever gets to it first with the GIL held. */
enum stub_job { STUB_IDLE, STUB_LOAD, STUB_CALL, STUB_UNLOAD };

enum stub_how {
	STUB_PENDING, /* queue the job with Py_AddPendingCall() */
	STUB_IF_HELD, /* the same if this thread holds the GIL; else only say that it does not */
	STUB_BORROW,  /* do it on this thread, after PyGILState_Ensure(); but queue it when the GIL is held here */
	STUB_RELEASED, /* the same where this thread is known not to hold it: what PyGILState_Check() says does not count */
	STUB_THREAD, /* start a thread that waits for the GIL and does it; this one only calls pthread_create() */
	STUB_DIRECT, /* this thread holds the GIL and stands between two functions: do it now */
	STUB_UNMAP,  /* only let go of the shared page and the agent's descriptor, as far as the frame names them */
};

enum stub_stage { STUB_OK, STUB_NO_FILE, STUB_NO_DLOPEN, STUB_NO_SYMBOL, STUB_INIT_FAILED, STUB_FINALIZING };

struct stub_ctl {
	uint64_t magic;
	uint32_t ready;                 /* enum stub_ready */
	uint32_t job;                   /* enum stub_job; taken by exchange with STUB_IDLE */
	uint32_t done;                  /* jobs done */
	uint32_t queued, called;        /* pending calls */
	uint32_t refused;               /* Py_AddPendingCall() had no room */
	uint32_t not_held;              /* STUB_IF_HELD found the GIL not held */
	uint32_t not_ready;             /* the interpreter was not initialized */
	uint32_t waiting;               /* threads inside PyGILState_Ensure() */
	uint32_t entered;               /* stubs that have seen this */
	uint32_t left;                  /* stubs that have come to their end */
	uint32_t threads, threads_left; /* threads of STUB_THREAD: started, and at their end */
	uint32_t thread_tid;            /* of the last one, once it runs */
	uint32_t stage;                 /* enum stub_stage of the last job */
	int32_t result;                 /* of the agent's function */
	int32_t agent_fd;               /* in the target; -1: closed, or a file */
	uint64_t agent_dev, agent_ino;  /* what it must still be */
	uint32_t version;
	uint64_t page, map_size;
	uint64_t handle; /* of the agent */
	uint64_t (*add_pending)(int (*)(void *), void *);
	int (*gil_check)(void);
	int (*gil_ensure)(void);
	void (*gil_release)(int);
	void *(*this_state)(void); /* PyGILState_GetThisThreadState() */
	int (*attr_init)(void *);
	int (*attr_setstack)(void *, void *, size_t);
	int (*attr_setdetach)(void *, int);
	int (*thread_create)(unsigned long *, const void *, void *(*)(void *), void *);
	uint64_t stack; /* of the thread; 0: not mapped */
	int (*initialized)(void);
	int (*finalizing)(void);
	void *(*dlopen)(const char *, int);
	void *(*dlsym)(void *, const char *);
	int (*dlclose)(void *);
	char *(*dlerror)(void);
	int *(*errno_location)(void);
	char init_name[32], call_name[32]; /* of the agent's functions: for STUB_LOAD, for STUB_CALL */
	char path[192];                    /* of the agent, as the target opens it */
	char error[256];
};

struct stub_frame {
	struct user_regs_struct regs; /* to go back to */
	uint64_t mask;                /* signal mask to restore */
	uint64_t xsave_mask;          /* components that `xsave` has */
	uint32_t how, spin_ms;
	uint32_t interrupted; /* the kernel's ERESTART number of the call that is to be made again; 0: none */
	struct stub_ctl *ctl; /* NULL: make the shared page first */
	uint64_t map_size, ctl_off;
	/* What the page is: a memory file, or a file that is there already; else shared memory without a name. */
	char page_name[48], agent_name[48]; /* of memory files */
	char page_path[128];
	/* answers */
	int32_t step; /* 0; 1: the descriptors of the memory files, or page, are there; -1: error is */
	int32_t page_fd, agent_fd, error;
	uint64_t page;
	uint32_t ack; /* the tracer has read the error: written only while the thread is known to be in the stub */
	uint64_t stack;  /* STUB_UNMAP: of a thread of ours that has ended; 0: none */
	uint64_t cookie; /* a number that nobody knows: where it can be read, this frame is */
	uint8_t xsave[] __attribute__((aligned(64)));
};

/* The blob, to be copied as it is, and where in it the thread starts. */
extern const char __start_pydtrace_stub[], __stop_pydtrace_stub[]; /* made by the linker */
extern const char stub_code_enter[];

#endif
