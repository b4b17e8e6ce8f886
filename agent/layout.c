// SPDX-License-Identifier: Apache-2.0
/* How the three interpreters without sys.monitoring lay out code objects and frames. */
#include "layout_impl.h"

struct layout layout;

#define OP_RETURN_GENERATOR 75 /* 3.11 */
#define OP_YIELD_VALUE      86

static bool began_lasti(const struct pyframe *f)
{
	return field(int, f, layout.frame_last) != -1;
}

static bool began_311(const struct pyframe *f)
{
	return *field(const uint8_t *, f, layout.frame_last) != OP_RETURN_GENERATOR;
}

/* f_stacktop "remains NULL unless yield suspends frame" (Python/ceval.c). */
static bool yielded_39(const struct pyframe *f)
{
	return field(void *, f, layout.frame_state);
}

static bool yielded_310(const struct pyframe *f)
{
	return field(int8_t, f, layout.frame_state) == -1; /* FRAME_SUSPENDED */
}

static bool yielded_311(const struct pyframe *f)
{
	return *field(const uint8_t *, f, layout.frame_last) == OP_YIELD_VALUE;
}

static int offset_39(const struct pyframe *f)
{
	return field(int, f, layout.frame_last);
}

static int offset_310(const struct pyframe *f)
{
	return field(int, f, layout.frame_last) * 2;
}

static int offset_311(const struct pyframe *f)
{
	return field(const char *, f, layout.frame_last) -
	       ((const char *)field(void *, f, layout.frame_code) + layout.code_bytes);
}

/*
 * Where things are, in bytes. Include/cpython/code.h and frameobject.h of 3.9 and 3.10; Include/cpython/code.h and
 * Include/internal/pycore_frame.h of 3.11. The code object's part is checked against a live one before it is used.
 */
static const struct layout layouts[] = {
    {
	.version = 0x0309,
	.frame_code = 32,
	.frame_globals = 48,
	.frame_last = 104,
	.frame_state = 72,
	.code_flags = 36,
	.code_firstline = 40,
	.code_consts = 56,
	.code_file = 104,
	.code_name = 112,
	.began = began_lasti,
	.yielded = yielded_39,
	.offset = offset_39,
    },
    {
	.version = 0x030a,
	.frame_code = 32,
	.frame_globals = 48,
	.frame_last = 96,
	.frame_state = 108,
	.code_flags = 36,
	.code_firstline = 40,
	.code_consts = 56,
	.code_file = 104,
	.code_name = 112,
	.began = began_lasti,
	.yielded = yielded_310,
	.offset = offset_310,
    },
    {
	.version = 0x030b,
	.frame_code = 32,
	.frame_globals = 8,
	.frame_last = 56,
	.frame_state = 69,
	.code_flags = 48,
	.code_firstline = 72,
	.code_file = 112,
	.code_name = 120,
	.code_qualname = 128,
	.code_bytes = 184,
	.began = began_311,
	.yielded = yielded_311,
	.offset = offset_311,
	.tstate_limit = 36,
	.tstate_remaining = 32,
    },
};

/* The offsets of the code object, proved on one that every interpreter has. */
static bool code_layout_right(void)
{
	struct pyobj *modules = py.PySys_GetObject("modules"), *o = NULL, *code = NULL;
	struct pyobj *name = NULL, *file = NULL, *line = NULL, *consts = NULL;
	bool right = false;

	if (modules)
		o = py.PyMapping_GetItemString(modules, "_frozen_importlib");
	if (o) {
		struct pyobj *f = py.PyObject_GetAttrString(o, "_call_with_frames_removed");

		code = f ? py.PyFunction_GetCode(f) : NULL; /* borrowed, and audits nothing as __code__ does */
		if (code)
			py.Py_IncRef(code);
		py.Py_DecRef(f);
	}
	if (code) {
		name = py.PyObject_GetAttrString(code, "co_name");
		file = py.PyObject_GetAttrString(code, "co_filename");
		line = py.PyObject_GetAttrString(code, "co_firstlineno");
		consts = py.PyObject_GetAttrString(code, "co_consts");
		right = name && file && line && field(struct pyobj *, code, layout.code_name) == name &&
			field(struct pyobj *, code, layout.code_file) == file &&
			field(int, code, layout.code_firstline) == py.PyLong_AsLong(line) &&
			(!layout.code_consts || field(struct pyobj *, code, layout.code_consts) == consts);
	}
	struct pyobj *drop[] = {o, code, name, file, line, consts};

	for (size_t i = 0; i < ARRAY_SIZE(drop); i++)
		py.Py_DecRef(drop[i]);
	py.PyErr_Clear();
	return right;
}

int layout_init(void)
{
	for (size_t i = 0; i < ARRAY_SIZE(layouts); i++)
		if (layouts[i].version == agent.version)
			layout = layouts[i];
	if (layout.version && code_layout_right() &&
	    (!layout.tstate_limit ||
	     field(int, py.PyThreadState_Get(), layout.tstate_limit) == py.Py_GetRecursionLimit()))
		return 0;
	agent_message("the structures of this interpreter are not laid out as in any known Python", NULL);
	return -ENOTSUP;
}
