// SPDX-License-Identifier: Apache-2.0
/* The types of D: the integers of the LP64 model, strings, pointers. */
#include <string.h>

#include "d/d_impl.h"

#define INT_TYPE(bytes, sign, text)                                                                                \
	{                                                                                                          \
		.kind = D_INT, .size = (bytes), .is_signed = (sign), .name = (text)                                \
	}

const struct d_type d_type_untyped = {.kind = D_UNTYPED, .name = "<untyped>"};
const struct d_type d_type_string = {.kind = D_STRING, .name = "string"};
const struct d_type d_type_bytes = {.kind = D_BYTES, .name = "<bytes>"};
const struct d_type d_type_agg = {.kind = D_AGG, .name = "<aggregation>"};
const struct d_type d_type_void_ptr = {.kind = D_POINTER, .name = "void *"};
const struct d_type d_type_int = INT_TYPE(4, true, "int");
const struct d_type d_type_uint = INT_TYPE(4, false, "unsigned int");
const struct d_type d_type_long = INT_TYPE(8, true, "long");
const struct d_type d_type_ulong = INT_TYPE(8, false, "unsigned long");
const struct d_type d_type_s64 = INT_TYPE(8, true, "int64_t");
const struct d_type d_type_size = INT_TYPE(8, false, "size_t");

/* Names that stand for a type by themselves; "unsigned char" and the like come from d_type_from_words(). */
static const struct d_type named[] = {
    INT_TYPE(1, true, "int8_t"),
    INT_TYPE(2, true, "int16_t"),
    INT_TYPE(4, true, "int32_t"),
    INT_TYPE(8, true, "int64_t"),
    INT_TYPE(1, false, "uint8_t"),
    INT_TYPE(2, false, "uint16_t"),
    INT_TYPE(4, false, "uint32_t"),
    INT_TYPE(8, false, "uint64_t"),
    INT_TYPE(8, true, "intptr_t"),
    INT_TYPE(8, false, "uintptr_t"),
    INT_TYPE(8, false, "size_t"),
    INT_TYPE(8, true, "ssize_t"),
    INT_TYPE(8, true, "ptrdiff_t"),
    INT_TYPE(8, true, "off_t"),
    INT_TYPE(8, true, "loff_t"),
    INT_TYPE(8, true, "time_t"),
    INT_TYPE(8, true, "hrtime_t"),
    INT_TYPE(4, true, "pid_t"),
    INT_TYPE(4, true, "id_t"),
    INT_TYPE(4, false, "uid_t"),
    INT_TYPE(4, false, "gid_t"),
    INT_TYPE(4, false, "mode_t"),
    INT_TYPE(8, false, "dev_t"),
    INT_TYPE(8, false, "ino_t"),
    INT_TYPE(4, true, "processorid_t"),
    INT_TYPE(8, true, "intmax_t"),
    INT_TYPE(8, false, "uintmax_t"),
    INT_TYPE(8, true, "clock_t"),
    INT_TYPE(4, true, "key_t"),
    INT_TYPE(8, false, "nlink_t"),
    INT_TYPE(4, false, "useconds_t"),
    INT_TYPE(8, true, "suseconds_t"),
    INT_TYPE(1, false, "bool"),
    INT_TYPE(2, false, "ushort"),
    INT_TYPE(4, false, "uint"),
    INT_TYPE(8, false, "ulong"),
    INT_TYPE(1, false, "u_char"),
    INT_TYPE(2, false, "u_short"),
    INT_TYPE(4, false, "u_int"),
    INT_TYPE(8, false, "u_long"),
    INT_TYPE(1, false, "uchar_t"),
    INT_TYPE(2, false, "ushort_t"),
    INT_TYPE(4, false, "uint_t"),
    INT_TYPE(8, false, "ulong_t"),
    INT_TYPE(8, true, "longlong_t"),
    INT_TYPE(8, false, "u_longlong_t"),
    INT_TYPE(4, true, "int"),
    INT_TYPE(1, true, "char"),
    INT_TYPE(2, true, "short"),
    INT_TYPE(8, true, "long"),
    INT_TYPE(1, true, "signed char"),
    INT_TYPE(1, false, "unsigned char"),
    INT_TYPE(2, false, "unsigned short"),
    INT_TYPE(4, false, "unsigned int"),
    INT_TYPE(8, false, "unsigned long"),
    INT_TYPE(8, true, "long long"),
    INT_TYPE(8, false, "unsigned long long"),
    {.kind = D_STRING, .name = "string"},
    {.kind = D_VOID, .name = "void"},
};

const struct d_type *d_type_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(named); i++)
		if (!strcmp(named[i].name, name))
			return &named[i];
	return NULL;
}

/* Counts stop at 3, which no type has. */
void d_typewords_join(struct d_typewords *to, const struct d_typewords *w)
{
	u8 *counts[] = {&to->nlong, &to->nshort, &to->nsigned, &to->nunsigned, &to->nint, &to->nchar};
	const u8 add[] = {w->nlong, w->nshort, w->nsigned, w->nunsigned, w->nint, w->nchar};

	for (size_t i = 0; i < ARRAY_SIZE(add); i++)
		if (*counts[i] < 3)
			*counts[i] = (u8)(*counts[i] + add[i]);
	if (w->named && to->named)
		to->nint = 3;
	if (w->named)
		to->named = w->named;
}

const struct d_type *d_type_from_words(const struct d_typewords *w)
{
	u32 signs = w->nsigned + w->nunsigned;

	if (w->named)
		return signs + w->nlong + w->nshort + w->nint + w->nchar ? NULL : w->named;
	if (signs > 1 || w->nlong > 2 || w->nshort > 1 || w->nint > 1 || w->nchar > 1)
		return NULL;
	if ((w->nlong && w->nshort) || (w->nchar && (w->nlong || w->nshort || w->nint)))
		return NULL;
	if (w->nchar)
		return d_type_by_name(w->nunsigned ? "unsigned char" : w->nsigned ? "signed char" : "char");
	if (w->nshort)
		return d_type_by_name(w->nunsigned ? "unsigned short" : "short");
	if (w->nlong == 2)
		return d_type_by_name(w->nunsigned ? "unsigned long long" : "long long");
	if (w->nlong)
		return w->nunsigned ? &d_type_ulong : &d_type_long;
	return w->nunsigned ? &d_type_uint : &d_type_int;
}

const struct d_type *d_type_pointer_to(struct arena *a, const struct d_type *to)
{
	struct d_type *t;

	if (to->kind == D_VOID)
		return &d_type_void_ptr;
	t = arena_new_array(a, struct d_type, 1);
	t->kind = D_POINTER;
	t->to = to;
	t->name = arena_printf(a, to->kind == D_POINTER ? "%s*" : "%s *", to->name);
	return t;
}

const struct d_type *d_type_promote(const struct d_type *t)
{
	return t->size < 4 ? &d_type_int : t;
}

const struct d_type *d_type_arith(const struct d_type *a, const struct d_type *b)
{
	a = d_type_promote(a);
	b = d_type_promote(b);
	if (a->size != b->size)
		return a->size > b->size ? a : b;
	return !a->is_signed ? a : b;
}

const struct d_type *d_type_literal(u64 value, bool decimal, bool is_unsigned, bool is_long)
{
	if (!is_long && !is_unsigned && value <= INT32_MAX)
		return &d_type_int;
	if (!is_long && (is_unsigned || !decimal) && value <= UINT32_MAX)
		return &d_type_uint;
	if (!is_unsigned && value <= INT64_MAX)
		return &d_type_long;
	return &d_type_ulong;
}

s64 d_type_wrap(const struct d_type *t, s64 value)
{
	if (t->kind != D_INT || t->size >= 8)
		return value;

	u32 shift = 64 - 8 * t->size;
	u64 up = (u64)value << shift;

	return t->is_signed ? (s64)up >> shift : (s64)(up >> shift);
}

bool d_is_zero(const struct d_node *n)
{
	return n->op == D_CONST && (d_is_int(n->type) || d_is_pointer(n->type)) && !n->value;
}

bool d_type_fits(const struct d_type *to, const struct d_node *n)
{
	if (to->kind != n->type->kind)
		return d_is_scalar(to) && d_is_zero(n);
	return d_is_int(to) || d_is_string(to) || d_is_pointer(to);
}

const struct d_type *d_type_binary(enum d_op op, const struct d_type *a, const struct d_type *b)
{
	if (d_is_int(a) && d_is_int(b))
		return d_type_arith(a, b);
	if (op != D_ADD && op != D_SUB)
		return NULL;
	if (d_is_pointer(a) && a->to && d_is_int(b))
		return a;
	if (op == D_ADD && d_is_int(a) && d_is_pointer(b) && b->to)
		return b;
	return op == D_SUB && d_is_pointer(a) && d_is_pointer(b) ? &d_type_s64 : NULL;
}

const struct d_type *d_type_parse(struct arena *a, const char *name)
{
	size_t len = strcspn(name, "*");
	const struct d_type *t;

	while (len && name[len - 1] == ' ')
		len--;
	t = d_type_by_name(arena_strndup(a, name, len));
	for (const char *s = name + len; t && *s; s++)
		if (*s == '*')
			t = d_type_pointer_to(a, t);
	return t;
}
