// SPDX-License-Identifier: Apache-2.0
/*
 * The agent: what lives in the traced process. Everything here runs with the interpreter's lock held, or, in a build without
 * one, in an attached thread; it allocates nothing and makes no system call in steady state but those of mail.c, and has no C
 * library: what it needs of one is in lib.c.
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
#define PY_39  0x0309, 0x0309
#define PY_313 0x030d, 0xffff
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
	X(PyDict_GetItemRef, int, (struct pyobj *, struct pyobj *, struct pyobj **), PY_313)                       \
	X(PyDict_Next, int, (struct pyobj *, intptr_t *, struct pyobj **, struct pyobj **), PY_ANY)                \
	X(PyTuple_Size, intptr_t, (struct pyobj *), PY_ANY)                                                        \
	X(PyTuple_GetItem, struct pyobj *, (struct pyobj *, intptr_t), PY_ANY)                                     \
	X(PyObject_GC_IsTracked, int, (struct pyobj *), PY_ANY)                                                    \
	X(PyType_GetFlags, unsigned long, (struct pyobj *), PY_ANY)                                                \
	X(PyType_IsSubtype, int, (struct pyobj *, struct pyobj *), PY_ANY)                                         \
	X(PyModule_GetDict, struct pyobj *, (struct pyobj *), PY_ANY)                                              \
	X(PyUnicode_CompareWithASCIIString, int, (struct pyobj *, const char *), PY_ANY)                           \
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
	X(PyCode_GetCode, struct pyobj *, (struct pyobj *), PY_NEW)                                                \
	X(PyThreadState_Get, void *, (void), PY_ANY)                                                               \
	X(PyInterpreterState_Get, void *, (void), PY_ANY)                                                          \
	X(PyInterpreterState_Main, void *, (void), PY_ANY)                                                         \
	X(PyInterpreterState_ThreadHead, void *, (void *), PY_ANY)                                                 \
	X(PyThreadState_Next, void *, (void *), PY_ANY)                                                            \
	X(PyInterpreterState_Head, void *, (void), PY_ANY)                                                         \
	X(PyInterpreterState_Next, void *, (void *), PY_ANY)                                                       \
	X(PyCapsule_New, struct pyobj *, (void *, const char *, void (*)(struct pyobj *)), PY_ANY)                 \
	X(PyCapsule_GetPointer, void *, (struct pyobj *, const char *), PY_ANY)                                    \
	X(PyThread_acquire_lock, int, (void *, int), PY_ANY)                                                       \
	X(PyThread_release_lock, void, (void *), PY_ANY)                                                           \
	X(PyMutex_Unlock, void, (void *), PY_313)                                                                  \
	X(PyInit__imp, void *, (void), PY_310)                                                                     \
	X(PyInit__weakref, void *, (void), PY_39)                                                                  \
	X(PyObject_GC_Track, void, (void *), PY_ANY)                                                               \
	X(PyObject_GC_UnTrack, void, (void *), PY_ANY)                                                             \
	X(PyGC_Disable, int, (void), PY_310)                                                                       \
	X(PyGC_Enable, int, (void), PY_310)                                                                        \
	X(Py_GetRecursionLimit, int, (void), PY_ANY)                                                               \
	X(PyEval_GetGlobals, struct pyobj *, (void), PY_NEW)                                                       \
	X(_PyInterpreterState_GetEvalFrameFunc, agent_eval *, (void *), PY_ANY)                                    \
	X(_PyInterpreterState_SetEvalFrameFunc, void, (void *, agent_eval *), PY_OLD)                              \
	X(_PyEval_EvalFrameDefault, struct pyobj *, (void *, struct pyframe *, int), PY_ANY)

#define AGENT_DATA(X)                                                                                              \
	X(_PyRuntime, PY_ANY)                                                                                      \
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
	X(PyClassMethod_Type, PY_ANY)                                                                              \
	X(PyCell_Type, PY_ANY)                                                                                     \
	X(PyMethod_Type, PY_ANY)

struct agent_api {
#define X(name, result, args, span) result(*name) args;
	AGENT_API(X)
#undef X
#define X(name, span) struct pyobj *name;
	AGENT_DATA(X)
#undef X
};
extern struct agent_api py;

/* PyObject.ob_type where there is a GIL: who looks at types are the parts for 3.9 to 3.11. */
static inline struct pyobj *type_of(const struct pyobj *o)
{
	return *(struct pyobj *const *)((const char *)o + 8);
}
/* refs.c: True if nobody but us has a reference to `o`. */
bool object_ours(const struct pyobj *o);
/*
 * Without a GIL an object's references are counted apart for the thread that has made it, and the last one, when another thread
 * gives it up, waits for that thread to come by. So what is made in one thread and given up in any is made everybody's.
 */
void object_share(struct pyobj *o);
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
int page_keep(void); /* into agent.plan: what was proved. 0 or -ENOMEM */
void page_forget(void);
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
/* Give it the object whose text a field is, a new reference that is taken over; NULL: it has none, "". */
void facts_give(struct facts *f, enum wire_field field, struct pyobj *o);
/* The text of a field, never NULL: "" where there is none. Valid until facts_done(). */
const struct fact_text *facts_text(struct facts *f, enum wire_field field);

/* --- match.c: which filters does a code object match ------------------------------------------------ */

/* The filters of the page that it matches, one bit each; the descriptions that it matches are marked in wire_page.hits. */
uint64_t match_filters(const struct wire_page *page, struct facts *f);
/* As util's glob_match(), which the agent cannot have: * ? [set] [!set] and \ to quote; "" matches anything. */
bool match_glob(const char *pat, const char *s);

/* --- qualname.c --------------------------------------------------------------------------------------- */

/* The qualified name of a code object of 3.9 and 3.10, which have none: a new string object; NULL: not found. */
struct pyobj *qualname_find(struct pyobj *code, struct pyobj *globals);
/* The name of `code`, a constant of `outer`, which is called `prefix`: a new string; takes over the reference to the prefix. */
struct pyobj *qualname_join(struct pyobj *prefix, struct pyobj *outer, struct pyobj *code);
/* Does the qualified name of a function end in the name of its code, as nobody has changed it? */
bool qualname_own(struct pyobj *qualname, struct pyobj *code);

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
struct interp;
struct matched {
	struct pyobj *code;          /* borrowed */
	struct pyobj *ref;           /* weak reference to it; NULL: one of `lost` */
	struct interp *interp;       /* whose it is; NULL up to 3.11 */
	struct matched *next, *prev; /* of those in use; free ones have `next` only */
	struct chunk *chunk;         /* of memory that it is in */
	uint64_t filters[WIRE_NEVENTS][WIRE_NKINDS];
	const char *file, *func;              /* in the page */
	const struct wire_function *function; /* NULL: there is no room for it: its events are lost, and counted */
	uint32_t fid;
	int32_t firstline;
	int32_t start; /* offset of the instruction that the body starts with; -1: not known */
	bool paired;   /* 3.12: each of its entries is seen, as every kind is wanted */
	bool ready;    /* its local events are on */
	union left {
		struct {
			int32_t offset, line;
		};
		uint64_t word; /* to be read and written at once */
	} lines[2];            /* lines that it was left from lately */
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
	struct table_body {
		struct table_body *older; /* those that others may still be searching: they go with the table */
		uint32_t mask;            /* size - 1 */
		struct decided v[] __attribute__((aligned(64)));
	} * body; /* one pointer, for who searches without the lock */
	uint32_t used, least;
};
/* `size` is a power of two; it never has fewer entries. 0 or -ENOMEM. */
int table_init(struct table *t, uint32_t size);
/* Nothing is in it any more. It may still be searched, but nothing may be put in. */
void table_free(struct table *t);
/* Where its entry would like to be. */
static inline uint32_t table_place(const struct table_body *b, const struct pyobj *code)
{
	return (uint32_t)(((uintptr_t)code >> 4) * 0x9e3779b97f4a7c15ull >> 32) & b->mask;
}
/* Its entry, or the free one that table_put() would use. It stays valid until something is put in or taken out. */
static inline struct decided *table_find(const struct table *t, const struct pyobj *code)
{
	for (uint32_t i = table_place(t->body, code);; i++) {
		struct decided *d = &t->body->v[i & t->body->mask];

		if (d->code == code || !d->code)
			return d;
	}
}
/*
 * What it says that `code` matches, found without the lock; NULL: nothing. While somebody changes the table this may be
 * anything: matched_find() knows.
 */
struct matched *table_peek(const struct table *t, const struct pyobj *code);
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

/* The matched function of a code object that is kept alive; NULL: there is none. Any thread may ask at any time. */
struct matched *matched_find(const struct pyobj *code);

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

int weak_init(struct interp *in); /* 0 or -ENOMEM. Up to 3.11 NULL, also in the next */
/* When there are no weak references of ours any more. False: code of ours may still be called. */
bool weak_leave(struct interp *in);
/* A weak reference to `code`, to be entered in agent.refs; NULL: no memory. May collect garbage, so run anything. */
struct pyobj *weak_new(struct pyobj *code);
/* The object behind a weak reference, a new reference; NULL: it is dead. */
struct pyobj *weak_get(struct pyobj *ref);

/* --- room.c: may we call, or is the thread at its limit of recursion? -------------------------------------------- */

int room_init(struct interp *in);   /* 0 or -ENOMEM */
bool room_leave(struct interp *in); /* as callback_drop() */
/* Will the interpreter make the calls that coming or leaving needs? True where there is nothing to end. Leaves no exception. */
bool room_for_calls(struct interp *in);

/* --- active.c: calls of ours that are on some stack ------------------------------------------------------ */

struct calls {
	union {
		struct {
			uint32_t thread; /* Python's thread state, as active_thread() makes a number of it */
			uint32_t n;
		};
		uint64_t both; /* to be changed at once */
	};
};
/* Thread states are 16 bytes apart at least; two that are the same here are 64 GB apart. */
static inline uint32_t active_thread(const void *thread)
{
	return (uintptr_t)thread >> 4;
}
struct calls *active_find(uint32_t thread);
/* The same, and counted, where threads do so at the same time. */
struct calls *active_enter_shared(uint32_t thread);
/* All of ours; in a forked child those of the threads that it has. */
bool active_any(void);
void active_adopt(void);  /* in a forked child: those of threads that it has not are none */
bool active_others(void); /* but those of this thread */
void active_forget(void);

/* --- record.c: matched functions on the page ----------------------------------------------------------- */

/*
 * Enter a matched code object, within a change. The weak reference to it is taken over if the result has it. Never NULL: one of
 * which nothing can be kept for want of memory is one of `lost`, which are all the same. All texts have been fetched.
 */
struct matched *record_function(struct facts *f, uint64_t filters, struct pyobj *ref, struct interp *in);
/* Take one out, within a change: its weak reference, which is the caller's then, to be given up after the change. */
struct pyobj *record_take(struct matched *m);
bool record_knows(const struct pyobj *ref); /* Is it a weak reference of ours, not taken out yet? */
/* Those of a weak reference, and of the first of all: the weak reference; NULL: there is none. */
struct pyobj *record_take_ref(const struct pyobj *ref);
struct pyobj *record_take_first(const struct interp *in, bool *had_local_events);
bool record_any(
    const struct interp *in); /* Is there any of that interpreter's? Up to 3.11 it is NULL for all of them. */
void record_init(void);
void record_free(void); /* forgets all; gives the memory back */
/* The line that `m` is left from by the instruction at `offset` bytes. */
int record_line(struct matched *m, int offset);

/* --- frame.c: the call that runs (3.12 and later) ---------------------------------------------------------- */

/* Where this interpreter keeps it. 0, or -ENOTSUP. */
int frame_init(void);
/* The call of `code` that the thread runs, as a number (wire.h); 0: it runs none. */
uint64_t frame_call(const struct pyobj *code);

/* --- running.c: the calls that were entered and not yet left (3.12 and later) ------------------------------ */

int running_init(void); /* 0 or -ENOMEM */
void running_free(void);
void running_adopt(
    void); /* in a forked child, before it is known to be one of those that are followed: nobody holds a lock */
void running_enter(uint64_t call);
/* True if it was entered, or if that is not known. */
bool running_leave(uint64_t call);

/* --- the two ways to get events --------------------------------------------------------------------------- */

struct mechanism {
	uint32_t number; /* wire_page.mechanism */
	int (*init)(void);
	/*
	 * Events off and nothing of ours left with the interpreter; may be called again. 0: no code of ours is on a stack or
	 * can be called again; -EBUSY: there is, or may; -EAGAIN: that was as much as may be done without letting others have
	 * the GIL in between, or other threads are in decisions. `inside`: called from one of our own callbacks: all at once, and
	 * never 0. Does not touch the page. The agent is inert by then.
	 */
	int (*leave)(bool inside);
	/* An interpreter has been made, and the calling thread runs it. */
	void (*begun)(void *interp);
};
extern const struct mechanism mechanism_monitoring, mechanism_evalframe;
extern const struct mechanism mechanism_none; /* walk.c: wire_walk.only */

/* --- interps.c: the interpreters of the process ---------------------------------------------------------------- */

/* Call `fn` for each of them until it returns other than 0; that, or 0. */
int interps_each(int (*fn)(void *interp));
/* From here on mechanism.begun() is called for those that are made. 0, or -ENOTSUP with a message. */
int interps_init(void);
/* No more. False: code of ours may still be called for one. */
bool interps_leave(void);

/* --- inside.c: what is there of us in each interpreter, from 3.12 on -------------------------------------------- */

#define INTERP_NCALLBACKS 6
struct interp {
	void *state;      /* its PyInterpreterState; NULL: this place is free */
	agent_eval *eval; /* who was its evaluator before ours; NULL: the interpreter itself */
	bool put;         /* ours is there, and has not been called yet */
	bool inside;      /* it has our events */
	bool turning;     /* a thread of it is in interp_come() or interp_go() */
	bool held;        /* the program has got hold of a function of ours */
	bool seen;        /* it is in the list of interpreters */
	int tool;         /* of sys.monitoring; -1: none */
	int levels;       /* room.c */
	void *deciding;   /* thread state that is inside a decision */
	/* Its own objects. */
	struct pyobj *monitoring, *death, *room, *function[INTERP_NCALLBACKS];
};
struct interp *interp_of(const void *state); /* NULL: none */
struct interp *interp_here(void);            /* of the interpreter that the thread runs */
struct interp *interp_add(void *state);      /* NULL: there is no place */
void interp_free(struct interp *in);
void turn_put(struct interp *in); /* when it runs next it comes in, or goes out if the agent is inert */
int turns_put(void);              /* all but the one that the thread runs */
bool interps_left(void);          /* is there any that has anything of ours? */
bool interps_inside(void);        /* any that has our events? */
/* monitoring.c, in the interpreter: in, out, and after its end. */
void interp_come(struct interp *in);
void interp_go(struct interp *in);
void interp_drop(struct interp *in);

/* --- agent.c: the state --------------------------------------------------------------------------------------- */

struct agent {
	struct wire_page *page; /* not there in a forked child, unless that is followed: look at *mine first */
	/*
	 * What the tracer has written into the page, up to the functions: the page itself; or a copy, where children share the page,
	 * because what they do to it must not bend what was proved.
	 */
	struct wire_page *plan;
	uint32_t *mine;      /* 1; a forked child reads 0 (MADV_WIPEONFORK) */
	struct locks *locks; /* behind it */
	uint32_t changes;    /* odd while something is being changed */
	bool free_threaded;  /* no GIL */
	bool parallel;       /* threads run at the same time: no GIL, or an interpreter may have its own */
	bool leaving;        /* some thread is at it; parallel */
	bool follow, child;  /* children are traced, too; this is one, and knows it */
	uint32_t version;    /* major << 8 | minor */
	uint32_t version_hex;
	const struct mechanism *mechanism;
	uint64_t at[WIRE_NEVENTS][WIRE_NKINDS]; /* filters that want events of a kind */
	bool field_used[NFIELDS];               /* some term looks at it */
	struct table table;                     /* code objects */
	struct table refs;                      /* weak references to those that match */
	struct matched *matched;                /* the first of those in use */
	struct pyobj *dunder_name;              /* "__name__" */
	struct calls *calls;                    /* of the thread that had some last */
	struct pyframe *deciding_frame; /* 3.9, 3.10: the frame that is about to run the code object; else NULL */
	uint16_t frame_locals;          /* and the offset of its first local variable */
	void *deciding;                 /* thread state that is inside a decision */
	bool inert, postponed;          /* postponed: inert, with all that it had before */
	struct wire_mail *mail;         /* events go there; NULL: to the sites */
	bool mail_over;                 /* nobody answers any more */
	int mail_luck;                  /* with looking for an answer before sleeping */
	uint32_t tid_at;                /* of a thread's ID, from the thread pointer; 0: not known */
	void *const *stack_end;         /* __libc_stack_end; NULL: there is none */
};
extern struct agent agent;

/* lock.c */
struct locks {
	uint32_t mine; /* what agent.mine points to */
	uint32_t state;
	uint32_t mail;
};
void lock_take(uint32_t *word);
void lock_leave(uint32_t *word);
/* Around all that changes what the agent knows. No call into the interpreter in between. */
void agent_change_begin(void);
void agent_change_end(void);

/* Add one to a counter of the page's that every thread counts in. */
static inline void agent_count(uint64_t *n)
{
	if (unlikely(agent.parallel))
		__atomic_fetch_add(n, 1, __ATOMIC_RELAXED);
	else
		++*n;
}

/* To be called before and after a call of ours during which others may run; it returns what the other is called with. */
static inline struct calls *active_enter(const void *thread)
{
	if (unlikely(agent.parallel))
		return active_enter_shared(active_thread(thread));
	if (unlikely(agent.calls->thread != active_thread(thread)))
		agent.calls = active_find(active_thread(thread));
	agent.calls->n++;
	return agent.calls;
}
static inline void active_leave(struct calls *calls)
{
	if (unlikely(agent.parallel))
		__atomic_fetch_sub(&calls->n, 1, __ATOMIC_RELEASE);
	else
		calls->n--;
}

/* --- mail.c ------------------------------------------------------------------------------------------------ */

void agent_mail_init(bool glibc); /* is that the C library of the process? */
/* In a forked child that is followed: from now on its mail is its own. */
void agent_mail_adopt(void);
/* Hand an event to the tracer and wait until it is done with it. Leaves errno and Python's error state alone. */
void agent_mail(const struct matched *m, enum wire_event event, uint32_t kind, int64_t line, uint64_t call);

/* --- decide.c ---------------------------------------------------------------------------------------------- */

/*
 * Decide on a code object: NULL if it does not match. Leaves no exception and disturbs none. May run anything, so look
 * whether the agent is inert after it: then the answer is NULL.
 */
struct matched *agent_decide(struct pyobj *code, struct pyobj *globals);

/* --- walk.c: the functions that are loaded --------------------------------------------------------------------- */

/* One slice of it, 1 ms at the most, as WIRE_WALK says. Runs no Python, keeps no reference. Leaves no exception. */
int walk_slice(void);
void walk_free(void); /* a walk that is not over: the memory that it has */

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
/* One thread at a time takes events off. False: another one is at it. */
bool agent_leave_begin(void);
void agent_leave_end(void);
/*
 * This process is a child that has inherited us. Where children are followed it goes on from here as one of them: false. Else
 * the events are taken off: true.
 */
bool agent_orphan(void);
/* From here on what we know is of this process, and no more of its parent. */
void agent_adopt(void);

#endif
