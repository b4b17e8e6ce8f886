// SPDX-License-Identifier: Apache-2.0
/*
 * The agent: what lives in the traced process. Everything here runs with the interpreter's lock held, allocates
 * nothing and makes no system call in steady state but those of mail.c, and has no C library: what it needs of one is
 * in lib.c.
 */
#ifndef PYDTRACE_AGENT_IMPL_H
#define PYDTRACE_AGENT_IMPL_H

#include <errno.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "peer.h"
#include "wire.h"

#define EXPORT        __attribute__((visibility("default")))
#define ARRAY_SIZE(a) (sizeof(a) / sizeof((a)[0]))
#define likely(x)     __builtin_expect(!!(x), 1)
#define unlikely(x)   __builtin_expect(!!(x), 0)

struct pyobj;   /* a PyObject; its insides are looked at by evalframe.c and table.c only */
struct pyframe; /* PyFrameObject (3.9, 3.10), _PyInterpreterFrame (3.11) */
typedef struct pyobj *agent_eval(void *tstate, struct pyframe *frame, int throwing);

/* --- lib.c ---------------------------------------------------------------------------------------- */

void *memcpy(void *dst, const void *src, size_t n);
void *memmove(void *dst, const void *src, size_t n);
void *memset(void *dst, int c, size_t n);
int memcmp(const void *a, const void *b, size_t n);
size_t strlen(const char *s);
/*
 * sites.S: the one way to make a system call, so that who watches them can tell ours by where they are made
 * (wire_mail.own_ip). What the kernel returns: no errno.
 */
long agent_syscall(long nr, long a, long b, long c, long d, long e, long f);
/* Zeroed anonymous memory; NULL when there is none. */
void *agent_map(size_t size);
void agent_unmap(void *p, size_t size);
int agent_madvise(void *p, size_t size, int advice);
/* The soft limit of the stack in bytes; UINT64_MAX: none. */
uint64_t agent_stack_limit(void);
/* Can the calling thread's stack hold one more call, and C code in it? `depth`: calls that are on it. */
bool stack_has_room(int depth);
/* `end`: __libc_stack_end, or NULL. */
void stack_init(void *const *end);
uint64_t hash_text(const char *s, size_t n);

/* --- api.c: the interpreter's functions, by name ---------------------------------------------------- */

/*
 * name, result, arguments, first and last version (major << 8 | minor) that must have it. Where it is missing outside
 * of these the pointer is NULL. Py_IncRef() and Py_DecRef() are Py_XINCREF() and Py_XDECREF(): NULL is allowed.
 */
#define PY_ANY 0x0309, 0xffff
#define PY_310 0x030a, 0xffff
#define PY_OLD 0x0309, 0x030b /* the frame evaluator's versions */
#define PY_NEW 0x030c, 0xffff /* sys.monitoring's */
#define AGENT_API(X)                                                                                               \
	X(Py_IncRef, void, (struct pyobj *), PY_ANY)                                                               \
	X(Py_DecRef, void, (struct pyobj *), PY_ANY)                                                               \
	X(PyErr_Fetch, void, (struct pyobj **, struct pyobj **, struct pyobj **), PY_ANY)                          \
	X(PyErr_Restore, void, (struct pyobj *, struct pyobj *, struct pyobj *), PY_ANY)                           \
	X(PyErr_Clear, void, (void), PY_ANY)                                                                       \
	X(PyObject_GetAttrString, struct pyobj *, (struct pyobj *, const char *), PY_ANY)                          \
	X(PyObject_CallMethod, struct pyobj *, (struct pyobj *, const char *, const char *, ...), PY_ANY)          \
	X(PyObject_Hash, intptr_t, (struct pyobj *), PY_ANY)                                                       \
	X(PyCFunction_NewEx, struct pyobj *, (void *, struct pyobj *, struct pyobj *), PY_ANY)                     \
	X(PyWeakref_NewRef, struct pyobj *, (struct pyobj *, struct pyobj *), PY_ANY)                              \
	X(PySys_GetObject, struct pyobj *, (const char *), PY_ANY)                                                 \
	X(PyUnicode_AsUTF8AndSize, const char *, (struct pyobj *, intptr_t *), PY_ANY)                             \
	X(PyUnicode_AsEncodedString, struct pyobj *, (struct pyobj *, const char *, const char *), PY_ANY)         \
	X(PyUnicode_InternFromString, struct pyobj *, (const char *), PY_ANY)                                      \
	X(PyBytes_AsString, char *, (struct pyobj *), PY_ANY)                                                      \
	X(PyBytes_Size, intptr_t, (struct pyobj *), PY_ANY)                                                        \
	X(PyLong_AsLong, long, (struct pyobj *), PY_ANY)                                                           \
	X(PyDict_GetItemWithError, struct pyobj *, (struct pyobj *, struct pyobj *), PY_ANY)                       \
	X(PyDict_Next, int, (struct pyobj *, intptr_t *, struct pyobj **, struct pyobj **), PY_ANY)                \
	X(PyTuple_Size, intptr_t, (struct pyobj *), PY_ANY)                                                        \
	X(PyTuple_GetItem, struct pyobj *, (struct pyobj *, intptr_t), PY_ANY)                                     \
	X(PyUnicode_FromFormat, struct pyobj *, (const char *, ...), PY_ANY)                                       \
	X(PyObject_CallNoArgs, struct pyobj *, (struct pyobj *), PY_ANY)                                           \
	X(PyFunction_GetGlobals, struct pyobj *, (struct pyobj *), PY_ANY)                                         \
	X(PyList_Size, intptr_t, (struct pyobj *), PY_ANY)                                                         \
	X(PyList_GetItem, struct pyobj *, (struct pyobj *, intptr_t), PY_ANY)                                      \
	X(PyMapping_GetItemString, struct pyobj *, (struct pyobj *, const char *), PY_ANY)                         \
	X(PyFunction_GetCode, struct pyobj *, (struct pyobj *), PY_ANY)                                            \
	X(PyFunction_GetClosure, struct pyobj *, (struct pyobj *), PY_ANY)                                         \
	X(PyCell_Get, struct pyobj *, (struct pyobj *), PY_ANY)                                                    \
	X(_PyObject_GetDictPtr, struct pyobj **, (struct pyobj *), PY_OLD)                                         \
	X(PyCode_Addr2Line, int, (struct pyobj *, int), PY_ANY)                                                    \
	X(PyThreadState_Get, void *, (void), PY_ANY)                                                               \
	X(PyInterpreterState_Get, void *, (void), PY_ANY)                                                          \
	X(PyInterpreterState_Main, void *, (void), PY_ANY)                                                         \
	X(PyInterpreterState_ThreadHead, void *, (void *), PY_ANY)                                                 \
	X(PyThreadState_Next, void *, (void *), PY_ANY)                                                            \
	X(PyGC_Disable, int, (void), PY_310)                                                                       \
	X(PyGC_Enable, int, (void), PY_310)                                                                        \
	X(Py_GetRecursionLimit, int, (void), PY_ANY)                                                               \
	X(PyEval_GetGlobals, struct pyobj *, (void), PY_NEW)                                                       \
	X(_PyInterpreterState_GetEvalFrameFunc, agent_eval *, (void *), PY_OLD)                                    \
	X(_PyInterpreterState_SetEvalFrameFunc, void, (void *, agent_eval *), PY_OLD)                              \
	X(_PyEval_EvalFrameDefault, struct pyobj *, (void *, struct pyframe *, int), PY_OLD)

#define AGENT_DATA(X)                                                                                              \
	X(_Py_NoneStruct, PY_ANY)                                                                                  \
	X(PyFunction_Type, PY_ANY)                                                                                 \
	X(PyCode_Type, PY_ANY)                                                                                     \
	X(PyModule_Type, PY_ANY)                                                                                   \
	X(PyUnicode_Type, PY_ANY)                                                                                  \
	X(PyBaseObject_Type, PY_ANY)                                                                               \
	X(PyDict_Type, PY_ANY)                                                                                     \
	X(PyFrame_Type, PY_ANY)                                                                                    \
	X(PyType_Type, PY_ANY)                                                                                     \
	X(PyProperty_Type, PY_ANY)                                                                                 \
	X(PyStaticMethod_Type, PY_ANY)                                                                             \
	X(PyClassMethod_Type, PY_ANY)

struct agent_api {
#define X(name, result, args, span) result(*name) args;
	AGENT_API(X)
#undef X
#define X(name, span) struct pyobj *name;
	AGENT_DATA(X)
#undef X
};
extern struct agent_api py;

/* PyObject.ob_type. Builds of 3.12+ without the GIL have it elsewhere, and are refused. */
static inline struct pyobj *type_of(const struct pyobj *o)
{
	return *(struct pyobj *const *)((const char *)o + 8);
}
/*
 * The exception that the thread had when we came: put aside, since what we ask of the interpreter makes and clears its
 * own, and put back when we leave.
 */
struct py_error {
	struct pyobj *type, *value, *traceback;
};
static inline void py_error_save(struct py_error *e)
{
	py.PyErr_Fetch(&e->type, &e->value, &e->traceback);
}
static inline void py_error_restore(const struct py_error *e)
{
	py.PyErr_Restore(e->type, e->value, e->traceback);
}

/* Fill `py`. 0, or -ENOENT with the missing name in *missing. */
int agent_api_resolve(void *(*dlsym)(void *, const char *), void *handle, uint32_t version, const char **missing);

/* --- page.c: the page as a whole -------------------------------------------------------------------------- */

static inline const struct wire_filter *page_filters(const struct wire_page *page)
{
	return (const void *)((const char *)page + page->filters);
}
static inline const struct wire_range *page_ranges(const struct wire_page *page)
{
	return (const void *)((const char *)page + page->ranges);
}
static inline struct wire_dead *page_dead(struct wire_page *page)
{
	return (void *)((char *)page + page->dead);
}
static inline const struct wire_term *page_terms(const struct wire_page *page)
{
	return (const void *)((const char *)page + page->terms);
}
/* Is all that the page says of filters inside the page? */
bool page_valid(const struct wire_page *page);
/* Prove the page, learn from it what is to be traced, and make it ours. 0 or -errno, with a message. */
int page_take(struct wire_page *page);
/* Text for the user into page->message: the parts up to NULL, one after the other, cut to fit. */
void agent_message(const char *part, ...);

/* --- facts.c: the texts of a code object --------------------------------------------------------------- */

#define NFIELDS (WIRE_QUALNAME + 1)

/* Text of a code object as UTF-8, fetched when it is first asked for. It has no NUL inside and one after it. */
struct fact_text {
	const char *s; /* NULL: not fetched yet */
	size_t len;
	struct pyobj *owner; /* what keeps it alive */
};
struct facts {
	struct pyobj *code, *globals;   /* borrowed */
	struct fact_text text[NFIELDS]; /* by enum wire_field; WIRE_LINE is not used */
	long firstline;
};
/* Reads the first line; no text yet. Leaves no exception. */
void facts_init(struct facts *f, struct pyobj *code, struct pyobj *globals);
void facts_done(struct facts *f);
/* The text of a field, never NULL: "" where there is none. Valid until facts_done(). */
const struct fact_text *facts_text(struct facts *f, enum wire_field field);

/* --- match.c: which filters does a code object match ------------------------------------------------ */

/* The filters of the page that it matches, one bit each. */
uint64_t match_filters(const struct wire_page *page, struct facts *f);
/* As util's glob_match(), which the agent cannot have: * ? [set] [!set] and \ to quote; "" matches anything. */
bool match_glob(const char *pat, const char *s);

/* --- qualname.c --------------------------------------------------------------------------------------- */

/* The qualified name of a code object of 3.9 and 3.10, which have none: a new string object; NULL: not found. */
struct pyobj *qualname_find(struct pyobj *code, struct pyobj *globals);

/* --- subscript.c: what 3.11.0 to 3.11.3 hide from a frame evaluator ------------------------------------ */

/* Pin what there is already. False: this interpreter has not that fault. */
bool subscript_init(void);
void subscript_leave(void);                       /* unpin all */
bool subscript_is_body(const struct pyobj *code); /* of a class or module */
/* A class's body has run, in `frame`; a matched function is called. */
void subscript_body_ran(struct pyframe *frame);
struct matched;
void subscript_called(struct pyframe *frame, const struct matched *m);

/* --- table.c: from code objects to what was decided ------------------------------------------------- */

/*
 * A matched code object: what the agent itself keeps of it, as long as it lives (weak.c). Its code object may be looked at
 * while somebody else keeps that alive: it runs, or it is the argument of a callback.
 */
struct matched {
	struct pyobj *code;          /* borrowed */
	struct pyobj *ref;           /* weak reference to it; NULL: one of `lost` */
	struct matched *next, *prev; /* of those in use; free ones have `next` only */
	struct chunk *chunk;         /* of memory that it is in */
	uint64_t filters[WIRE_NEVENTS];
	const char *file, *func;              /* in the page */
	const struct wire_function *function; /* NULL: there is no room for it: its events are lost, and counted */
	uint32_t fid;
	int32_t firstline;
	int32_t start; /* offset of the instruction that the body starts with; -1: not known */
	struct {
		int32_t offset, line;
	} lines[2]; /* lines that it was left from lately */
};

/*
 * A code object that was decided on. One that matches leaves the table when it dies. On 3.9 to 3.11 one that does not
 * may be freed and its address used again: then the rest, which is compared on each call, tells (evalframe.c).
 */
struct decided {
	const struct pyobj *code; /* NULL: free */
	struct matched *matched;  /* NULL: does not match */
	uint64_t key;             /* of its name, line and file */
	/* The module's dictionary; NULL: does not matter. While its version tag is the same, so is the name in it. */
	const struct pyobj *globals;
	uint64_t globals_tag;
	int64_t module; /* hash of the name */
	uint64_t pad[2];
};
_Static_assert(sizeof(struct decided) == 64, "one cache line");
struct table {
	struct decided *v;
	uint32_t mask; /* size - 1 */
	uint32_t used, least;
};
/* `size` is a power of two; it never has fewer entries. 0 or -ENOMEM. */
int table_init(struct table *t, uint32_t size);
/* Nothing is in it any more. It may still be searched, but nothing may be put in. */
void table_free(struct table *t);
/* Where its entry would like to be. */
static inline uint32_t table_place(const struct table *t, const struct pyobj *code)
{
	return (uint32_t)(((uintptr_t)code >> 4) * 0x9e3779b97f4a7c15ull >> 32) & t->mask;
}
/* Its entry, or the free one that table_put() would use. It stays valid until something is put in or taken out. */
static inline struct decided *table_find(const struct table *t, const struct pyobj *code)
{
	for (uint32_t i = table_place(t, code);; i++) {
		struct decided *d = &t->v[i & t->mask];

		if (d->code == code || !d->code)
			return d;
	}
}
/* Put `d` in, replacing what has the same code; grows, or forgets unmatched ones, when it is full. 0 or -ENOMEM. */
int table_put(struct table *t, const struct decided *d);
/* Take the entry of `code` out, if there is one. */
void table_delete(struct table *t, const struct pyobj *code);

/* --- slot.c: memory for matched functions, as much as there are -------------------------------------------- */

/* A new one, in the list agent.matched; NULL: no memory. */
struct matched *slot_new(void);
void slot_free(struct matched *m);
void slot_trim(void); /* after all have been freed: the memory that is kept for the next one */

/* --- weak.c: code objects are not kept alive -------------------------------------------------------------- */

#define METH_FASTCALL 0x80
#define METH_O        0x08
#define METH_NOARGS   0x04
struct method_def { /* PyMethodDef */
	const char *name;
	void *function;
	int flags;
	const char *doc;
};
/* Give up a function object of ours. False: somebody else has got hold of it and may call it for ever. */
bool callback_drop(struct pyobj **function);

int weak_init(void); /* 0 or -ENOMEM */
/* When there are no weak references of ours any more. False: code of ours may still be called. */
bool weak_leave(void);
/* A weak reference to `code`, to be entered in agent.refs; NULL: no memory. May collect garbage, so run anything. */
struct pyobj *weak_new(struct pyobj *code);
/* The object behind a weak reference, a new reference; NULL: it is dead. */
struct pyobj *weak_get(struct pyobj *ref);

/* --- room.c: may we call, or is the thread at its limit of recursion? -------------------------------------------- */

int room_init(void);   /* 0 or -ENOMEM */
bool room_leave(void); /* as callback_drop() */
/* Will the interpreter make the calls that coming or leaving needs? True where there is nothing to end. Leaves no exception. */
bool room_for_calls(void);

/* --- active.c: calls of ours that are on some stack ------------------------------------------------------ */

struct calls {
	uint32_t thread; /* Python's thread state, as active_thread() makes a number of it */
	uint32_t n;
};
/* Thread states are 16 bytes apart at least; two that are the same here are 64 GB apart. */
static inline uint32_t active_thread(const void *thread)
{
	return (uintptr_t)thread >> 4;
}
struct calls *active_find(uint32_t thread);
/* All of ours; in a forked child those of the threads that it has. */
bool active_any(void);
void active_forget(void);

/* --- record.c: matched functions on the page ----------------------------------------------------------- */

/*
 * Enter a matched code object, with a weak reference to it that is taken over. Never NULL: one of which nothing can be
 * kept for want of memory is one of `lost`, which are all the same.
 */
struct matched *record_function(struct facts *f, uint64_t filters, struct pyobj *ref);
void record_forget(struct matched *m);
void record_init(void);
void record_free(void); /* forgets all; gives the memory back */
/* The line that `m` is left from by the instruction at `offset` bytes. */
int record_line(struct matched *m, int offset);

/* --- the two ways to get events --------------------------------------------------------------------------- */

struct mechanism {
	uint32_t number; /* wire_page.mechanism */
	int (*init)(void);
	/*
	 * Events off and nothing of ours left with the interpreter; may be called again. 0: no code of ours is on a stack or
	 * can be called again; -EBUSY: there is, or may; -EAGAIN: that was as much as may be done without letting others have
	 * the GIL in between. `inside`: called from one of our own callbacks: all at once, and never 0. Does not touch the page.
	 */
	int (*leave)(bool inside);
};
extern const struct mechanism mechanism_monitoring, mechanism_evalframe;

/* --- agent.c: the state --------------------------------------------------------------------------------------- */

struct agent {
	struct wire_page *page; /* not there in a forked child: look at *mine first */
	const uint32_t *mine;   /* 1; a forked child reads 0 (MADV_WIPEONFORK) */
	uint32_t version;       /* major << 8 | minor */
	uint32_t version_hex;
	const struct mechanism *mechanism;
	uint64_t at[WIRE_NEVENTS];      /* filters that are at an event */
	bool field_used[NFIELDS];       /* some term looks at it */
	struct table table;             /* code objects */
	struct table refs;              /* weak references to those that match */
	struct matched *matched;        /* the first of those in use */
	struct pyobj *dunder_name;      /* "__name__" */
	struct calls *calls;            /* of the thread that had some last */
	struct pyframe *deciding_frame; /* 3.9, 3.10: the frame that is about to run the code object; else NULL */
	uint16_t frame_locals;          /* and the offset of its first local variable */
	void *deciding;                 /* thread state that is inside a decision */
	bool inert, postponed;          /* postponed: inert, with all that it had before */
	struct wire_mail *mail;         /* events go there; NULL: to the sites */
	int mail_luck;                  /* with looking for an answer before sleeping */
	uint32_t tid_at;                /* of a thread's ID, from the thread pointer; 0: not known */
	void *const *stack_end;         /* __libc_stack_end; NULL: there is none */
};
extern struct agent agent;

/* To be called before and after a call of ours during which others may run; it returns what the other is called with. */
static inline struct calls *active_enter(const void *thread)
{
	if (unlikely(agent.calls->thread != active_thread(thread)))
		agent.calls = active_find(active_thread(thread));
	agent.calls->n++;
	return agent.calls;
}
static inline void active_leave(struct calls *calls)
{
	calls->n--;
}

/* --- mail.c ------------------------------------------------------------------------------------------------ */

void agent_mail_init(bool glibc); /* is that the C library of the process? */
/* Hand an event to the tracer and wait until it is done with it. Leaves errno and Python's error state alone. */
void agent_mail(const struct matched *m, enum wire_event event, int64_t line);

/* --- decide.c ---------------------------------------------------------------------------------------------- */

/*
 * Decide on a code object: NULL if it does not match. Leaves no exception and disturbs none. May run anything, so look
 * whether the agent is inert after it: then the answer is NULL.
 */
struct matched *agent_decide(struct pyobj *code, struct pyobj *globals);

/* --- bury.c ------------------------------------------------------------------------------------------------- */

/* End the agents of the page that nobody holds any more. `dlsym` is the C library's. */
void agents_bury(void *(*dlsym)(void *, const char *));

/* --- gone.c ------------------------------------------------------------------------------------------------- */

/* All the memory that grows: what matched and what was decided. Only when inert. */
void agent_forget(void);
/* The tracer has died: take the events off, and say so on the page; true. */
bool agent_abandoned(void);
/* Go inert from inside an event, and say so on the page with an errno (the message is there already). */
void agent_give_up(int err);
void agent_clean_up_late(
    void); /* while postponed, from inside an event: what going inert has left, if it may be here */
/* Is this process a child that has inherited us? Then take the events off; true. */
bool agent_orphan(void);

#endif
