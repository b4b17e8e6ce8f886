// SPDX-License-Identifier: Apache-2.0
/*
 * The walk over the functions that are loaded: from object to object (walk.c), what is put down of each function
 * (walk_put.c), and which objects it has been to (walk_set.c).
 */
#ifndef PYDTRACE_AGENT_WALK_IMPL_H
#define PYDTRACE_AGENT_WALK_IMPL_H

#include "agent_impl.h"
#include "layout_impl.h"

enum walk_kind {
	WALK_NOTHING,  /* holds no function */
	WALK_ROOT,     /* sys.modules */
	WALK_MODULE,   /* one of its values */
	WALK_FUNCTION, /* a function object */
	WALK_CODE,     /* its code, or a constant of that */
	WALK_TYPE,     /* a class */
	WALK_WRAPPER,  /* what Python itself wraps a function in: a cell, a method, a property ... */
	WALK_DICT,
	WALK_TUPLE,
	WALK_LIST,
	WALK_OBJECT, /* any other that the garbage collector knows */
};

/* An object that the walk is in. It is borrowed: at the beginning of a slice it is looked for again where it was found. */
struct walk_step {
	struct pyobj *o;
	struct pyobj *items; /* WALK_CODE: its constants */
	intptr_t at;         /* what of it is next: an index, or PyDict_Next()'s position */
	struct pyobj *last;  /* what was looked at last; NULL: nothing yet */
	intptr_t last_at;    /* and where that was */
	uint32_t count;      /* looked at so far */
	uint8_t kind;        /* enum walk_kind */
	uint8_t level;       /* 0: code has made it for functions; else it is data, so many objects deep */
};

/* --- walk_set.c: sets of numbers ------------------------------------------------------------------------- */

struct walk_set {
	uint64_t *v; /* 0: free */
	uint32_t mask, used;
};
/* 0 or -ENOMEM. */
int walk_set_init(struct walk_set *s);
void walk_set_free(struct walk_set *s);
/*
 * The place of a number that is `key` in all but its low bits `low`, or the free one where it would be. NULL: there is no
 * room for one more. What is entered there must be counted in s->used.
 */
uint64_t *walk_set_find(struct walk_set *s, uint64_t key, uint64_t low);

/* --- walk_put.c ------------------------------------------------------------------------------------------ */

int walk_put_init(void); /* 0 or -ENOMEM */
void walk_put_free(void);
void walk_put_begin(void); /* a slice */
bool walk_put_room(void);  /* Is there room for one more, whatever its names are? */
/*
 * Put down the function of the code object path[n - 1]; path[0] is the function object whose code, path[1], leads to it.
 * Returns how long that took, as walk.c counts it.
 */
uint32_t walk_put(const struct walk_step *path, uint32_t n);

#endif
