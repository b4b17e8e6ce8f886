// SPDX-License-Identifier: Apache-2.0
/*
 * Where things lie in the structures of the interpreters that have no sys.monitoring, 3.9 to 3.11; others are never
 * looked into this way.
 */
#ifndef PYDTRACE_AGENT_LAYOUT_IMPL_H
#define PYDTRACE_AGENT_LAYOUT_IMPL_H

#include "agent_impl.h"

/* A member of one of the interpreter's objects. */
#define field(type, object, offset) (*(type *)((char *)(object) + (offset)))

#define TP_DICT      264 /* PyTypeObject.tp_dict: the same in all three (Include/cpython/object.h) */
#define CO_OPTIMIZED 1   /* co_flags: a function's body, not a class's nor a module's */

struct layout {
	uint16_t version;
	uint16_t frame_code, frame_globals, frame_last;
	uint16_t frame_state;                    /* 3.9: f_stacktop; 3.10: f_state; 3.11: owner */
	uint16_t tstate_limit, tstate_remaining; /* 3.11: of recursion; else both 0, so no difference */
	uint16_t code_flags, code_firstline, code_file, code_name;
	uint16_t code_consts;   /* 3.9, 3.10 */
	uint16_t code_qualname; /* 3.11 */
	uint16_t code_bytes;    /* 3.11: co_code_adaptive */
	bool (*began)(const struct pyframe *f);
	bool (*yielded)(const struct pyframe *f);
	int (*offset)(const struct pyframe *f); /* of the last instruction, in bytes */
};

/* This interpreter's. Hidden, so that the way of an unmatched call needs no look into a table of addresses. */
extern struct layout layout __attribute__((visibility("hidden")));
/* Find it, and prove it on a live code object. 0, or -ENOTSUP with a message. */
int layout_init(void);

#endif
