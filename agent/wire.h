// SPDX-License-Identifier: Apache-2.0
/*
 * What the tracer and its agent in the traced process say to each other: one shared memory file, and the probe
 * sites. Included by both; fixed-size types only. All offsets are from the start of the page.
 *
 *   struct wire_page | filters | terms | functions | strings
 *
 * The tracer writes the page up to `functions` before the agent is loaded; from then on each word has one writer.
 */
#ifndef PYDTRACE_WIRE_H
#define PYDTRACE_WIRE_H

#include <stdint.h>

#define WIRE_MAGIC       0x7079647472616365ull /* "pydtrace" */
#define WIRE_VERSION     3
#define WIRE_MAX_FILTERS 64 /* one bit each in a 64-bit word */

/*
 * wire_page.owner is a robust futex (get_robust_list(2)): the ID of the tracer's thread that holds the process. When that
 * thread ends, however it does, the kernel puts this bit there, and the agent goes inert at the next event that it
 * sees: no heartbeat, no clock. 0: nobody holds the process.
 */
#define WIRE_OWNER_DIED 0x40000000u /* FUTEX_OWNER_DIED */

/* Python events; also the numbers of the sites. */
enum wire_event { WIRE_ENTRY, WIRE_RETURN, WIRE_NEVENTS };

enum wire_state {
	WIRE_NEW,     /* as the tracer made it */
	WIRE_LOADING, /* agent_init() has begun */
	WIRE_ACTIVE,  /* events are on */
	WIRE_FAILED,  /* agent_init() refused: error, message */
	WIRE_LEAVING, /* agent_fini() has begun */
	WIRE_GONE,    /* events are off, all Python objects released, no frame of ours is active: may be unloaded */
	WIRE_INERT,   /* events are off, but code of ours is still on some stack: must stay mapped */
};

/* What a term of a filter looks at. */
enum wire_field {
	WIRE_FILE,   /* co_filename */
	WIRE_NAME,   /* co_name */
	WIRE_LINE,   /* co_firstlineno */
	WIRE_MODULE, /* __name__ of the globals */
	WIRE_QUALNAME,
};
enum wire_op { WIRE_EQ, WIRE_NE, WIRE_LT, WIRE_LE, WIRE_GT, WIRE_GE, WIRE_GLOB };
#define WIRE_OR_NEXT 0x100 /* with `op`: this term or the next one must hold */

/* Text is compared as the first strsize - 1 bytes of both sides; only WIRE_GLOB sees whole text. */
struct wire_term {
	uint32_t field, op;
	int64_t number; /* WIRE_LINE */
	uint32_t str;   /* offset of NUL-terminated text */
	uint32_t len;   /* strlen of it */
};

/* All terms of a group must hold (a description); any group will do; then all of the last terms must. */
struct wire_filter {
	uint32_t events; /* bit for each wire_event that the clause is at */
	uint32_t any_first,
	    nany; /* descriptions: `nany` ranges at `any_first` in the array of wire_range; 0: all match */
	uint32_t all_first, nall; /* terms that must hold besides */
};
struct wire_range {
	uint32_t first, n; /* terms; n == 0 matches everything */
};

/*
 * A matched function. Its number is its index + 1. Written once, before the first event with it. Code objects of which all
 * this is the same share one: a program may make the same function again and again.
 */
struct wire_function {
	uint32_t file, name, module, qualname; /* offsets of NUL-terminated UTF-8 */
	int32_t firstline;
	uint32_t pad;
	uint64_t filters; /* bits of the filters that it matches, for any event */
	uint64_t
	    page; /* address of the wire_page in the target: what a program in the kernel adds the offsets to */
};

/*
 * Mail: where no program of the kernel sits on the sites, the agent puts each event here and waits until the tracer has run
 * what is to be run. There is one at a time, as the thread that sends it holds the GIL. Each side writes a cache line of
 * its own.
 *
 *   agent: if `open`: fills in the event, asked++, wakes `asked` if the tracer is `asleep`; waits until answered == asked
 *   (a moment by looking, then on the futex `answered`, with `waits` set), or not `open`, or the tracer has died
 *   (WIRE_OWNER_DIED), or the deadline is over: then it gives up (WIRE_INERT, with a message).
 *   tracer: sees asked != answered, runs, answered = asked, wakes `answered` if the agent `waits`.
 *
 * The futexes are shared ones: the page is mapped in two processes.
 */
#define WIRE_MAIL_DEADLINE_MS 2000
struct wire_mail {
	/* written by the tracer */
	uint32_t wanted;   /* 1: events go by mail, never through a site; fixed before the agent is loaded */
	uint32_t open;     /* somebody serves */
	uint32_t asleep;   /* the tracer sleeps on `asked` */
	uint32_t answered; /* futex */
	uint32_t
	    spin; /* how often to look before sleeping, a `pause` each (10 to 50 ns); 0 where there is one CPU */
	uint32_t pad[11];

	/* written by the agent */
	uint32_t asked; /* futex */
	uint32_t waits;
	uint32_t event; /* enum wire_event */
	uint32_t tid, cpu;
	uint32_t pad2;
	uint64_t fid, filters, file, func; /* as the arguments of a site */
	int64_t line;
	uint64_t function;
	uint64_t own_ip; /* the address behind the one instruction that makes the agent's own system calls */
};

/*
 * An agent that nobody holds any more, in the process that the new one is loaded into: its tracer was killed, or the process
 * is a child that has inherited it. The new agent calls WIRE_BURY of each before it starts, and puts down what that said;
 * when the tracer has seen that no thread is in their code it sets `close` and has WIRE_CLOSE called. That asks those again
 * that had code on a stack, and clears the entries of those that are gone.
 */
#define WIRE_MAX_DEAD 8
struct wire_dead {
	/* written by the tracer */
	char path[96];              /* NUL-terminated, as dlopen() was called with; "": only a page is left */
	uint64_t page, page_size;   /* mapped memory that goes with it; 0: none */
	uint64_t stack, stack_size; /* of a thread that the tracer had made, and that has ended; 0: none */
	uint64_t job;      /* address of a word to be made 0 before; if it was, the memory must stay; 0: none */
	uint64_t dev, ino; /* a descriptor is to be closed if it is this file */
	int32_t fd;        /* -1: none */
	uint32_t close;

	/* written by the new agent: 0: it may be unloaded; -EEXIST: its tracer lives; -EBUSY: its code is on a stack; -errno */
	int32_t result;
	uint32_t pad;
};

struct wire_page {
	uint64_t magic;
	uint32_t version, size; /* size of the file */
	uint32_t strsize;
	uint32_t nfilters, filters; /* offset of wire_filter[] */
	uint32_t nranges, ranges;
	uint32_t nterms, terms;
	uint32_t max_functions, functions; /* offset of wire_function[] */
	uint32_t strings, strings_end;     /* room for text that the agent adds */

	/* written by the tracer, and by the kernel at its end */
	uint32_t pad;
	uint32_t owner; /* see WIRE_OWNER_DIED; at a multiple of 8 */

	/* written by the agent */
	uint32_t state;     /* enum wire_state */
	int32_t error;      /* errno */
	char message[256];  /* WIRE_FAILED, and WIRE_INERT of its own accord: why, for the user */
	uint32_t mechanism; /* 312: sys.monitoring, 39: frame evaluator */
	int32_t tool_id;    /* sys.monitoring's; -1 */
	uint32_t nfunctions;
	uint32_t strings_used;
	uint64_t dropped_events;       /* of functions that there was no room for in the page, or no memory */
	uint64_t events[WIRE_NEVENTS]; /* passed to a site (for tests and benches; not used in production counts) */
	uint64_t seen;                 /* code objects decided on */
	uint64_t looks;                /* objects looked at for qualified names (3.9, 3.10) */

	/* written by the tracer: what dlsym() is to be asked with; 0: the default scope (the interpreter is global) */
	uint64_t dl_handle;
	uint64_t dlopen, dlclose; /* the C library's functions, for the following; 0: not known */
	uint32_t ndead, dead;     /* offset of wire_dead[] */

	struct wire_mail mail __attribute__((aligned(64)));
};

/*
 * A site is a function of the agent, exported by name, that a uprobe is put on at its first instruction (a five-byte
 * nop). Its arguments are what the kernel's program reads from the registers (System V: rdi, rsi, rdx, rcx, r8, r9).
 *   fid       number of the function
 *   filters   the bits of its filters for this event
 *   file, func addresses of NUL-terminated text
 *   line      first line; for WIRE_RETURN the line that it is left from
 *   function  address of its wire_function in the target
 */
typedef void wire_site(uint64_t fid, uint64_t filters, const char *file, const char *func, int64_t line,
		       const struct wire_function *function);
#define WIRE_SITE_ENTRY  "pydtrace_site_entry"
#define WIRE_SITE_RETURN "pydtrace_site_return"

/*
 * What the stub calls, by dlsym, with the GIL held (from a pending call or after PyGILState_Ensure); they never
 * raise and never block. `page` is the address of the mapped file; `dlsym` resolves a name in the interpreter.
 *
 * init: 0 or -errno, as in wire_page.error.
 * fini: 0: gone (WIRE_GONE), the agent may be unloaded; -EAGAIN: there is more to do, call it again at once; -EBUSY: events
 * are off, but it must stay mapped (WIRE_INERT), ask again later; -ESRCH: it was not active. In a child that was forked while it was active too, where there is no page to say
 * so: only the result tells.
 * bury, which a newer agent calls: the same as fini if nobody holds the agent, else -EEXIST.
 * close: unloads what the tracer has marked in wire_page.dead.
 */
#define WIRE_INIT  "pydtrace_agent_init"
#define WIRE_FINI  "pydtrace_agent_fini"
#define WIRE_BURY  "pydtrace_agent_bury"
#define WIRE_CLOSE "pydtrace_agent_close"
typedef int wire_init(struct wire_page *page, void *(*dlsym)(void *, const char *), uint32_t py_version_hex);
typedef int wire_fini(void);

#endif
