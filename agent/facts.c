// SPDX-License-Identifier: Apache-2.0
/* The texts of a code object, as the filters compare them and the page records them. */
#include "agent_impl.h"

static const char *const attribute[NFIELDS] = {
    [WIRE_FILE] = "co_filename", [WIRE_NAME] = "co_name", [WIRE_QUALNAME] = "co_qualname", /* from 3.11 */
};

void facts_init(struct facts *f, struct pyobj *code, struct pyobj *globals)
{
	struct pyobj *line = py.PyObject_GetAttrString(code, "co_firstlineno");

	memset(f, 0, sizeof(*f));
	f->code = code;
	f->globals = globals;
	f->firstline = line ? py.PyLong_AsLong(line) : 0;
	py.Py_DecRef(line);
	py.PyErr_Clear();
}

void facts_done(struct facts *f)
{
	for (int i = 0; i < NFIELDS; i++)
		py.Py_DecRef(f->text[i].owner);
	py.PyErr_Clear();
}

/* The string object for a field, a new reference; NULL: there is none. */
static struct pyobj *facts_object(struct facts *f, enum wire_field field)
{
	struct pyobj *o = NULL;

	if (field == WIRE_MODULE) {
		o = f->globals ? py.PyDict_GetItemWithError(f->globals, agent.dunder_name) : NULL;
		if (o)
			py.Py_IncRef(o);
	} else if (field == WIRE_QUALNAME && agent.version < 0x030b) {
		o = qualname_find(f->code, f->globals);
	} else {
		o = py.PyObject_GetAttrString(f->code, attribute[field]);
	}
	if (!o)
		py.PyErr_Clear();
	return o;
}

const struct fact_text *facts_text(struct facts *f, enum wire_field field)
{
	struct fact_text *t = &f->text[field];

	if (t->s)
		return t;

	struct pyobj *o = facts_object(f, field);
	const char *s = o ? py.PyUnicode_AsUTF8AndSize(o, NULL) : NULL;

	/* Half of a surrogate pair has no UTF-8: bytes of a file's name as they are on disk, others as \udc80. */
	static const char *const ways[] = {"surrogateescape", "backslashreplace"};

	for (size_t i = 0; o && !s && i < ARRAY_SIZE(ways); i++) {
		struct pyobj *bytes;

		py.PyErr_Clear();
		bytes = py.PyUnicode_AsEncodedString(o, "utf-8", ways[i]); /* NULL as well when it is no string */
		if (!bytes)
			continue;
		py.Py_DecRef(o);
		o = bytes;
		s = py.PyBytes_AsString(o);
	}
	py.PyErr_Clear();
	if (!s && field == WIRE_QUALNAME) {
		/* Not found, or a name that is no text. */
		py.Py_DecRef(o);
		*t = *facts_text(f, WIRE_NAME);
		t->owner = NULL; /* the name's entry keeps it */
		return t;
	}
	t->owner = o;
	t->s = s ? s : "";
	t->len = strlen(t->s); /* up to a NUL in it, as a C string is seen by copyinstr() */
	return t;
}
