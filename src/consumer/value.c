// SPDX-License-Identifier: Apache-2.0
/* From the bytes of a field to a value. Trusts no length and no identity: the bytes come from outside. */
#include <errno.h>
#include <string.h>

#include "consumer/consumer_impl.h"

/* The part of the names that a built-in variable stands for. */
static const char *name_of(const struct consumer_names *n, enum d_builtin b)
{
	switch (b) {
	case D_BUILTIN_PROBEPROV: return n->prov;
	case D_BUILTIN_PROBEMOD: return n->mod;
	case D_BUILTIN_PROBEFUNC: return n->func;
	case D_BUILTIN_PROBENAME: return n->name;
	default: return NULL;
	}
}

/* Strings are cut to strsize - 1 bytes, or to the character before, wherever they come from, so that equal keys print equal text. */
static void set_text(const struct consumer *c, struct value *v, const char *s, size_t max)
{
	u32 strsize = c->cfg.opt.strsize;

	v->kind = VALUE_STRING;
	v->str = s;
	v->len = (u32)strnlen(s, max);
	if (strsize && v->len >= strsize)
		v->len = strsize - 1;
	/* It may have been cut here, or when it was read, and within a character. */
	if (strsize && v->len == strsize - 1 && !c->cfg.opt.rawbytes)
		v->len = (u32)text_whole(s, v->len);
}

static void set_identity(struct consumer *c, struct value *v, u64 word, enum d_builtin builtin)
{
	const struct cg_output *cg = c->cfg.cg;
	struct consumer_names names = {0};
	const char *s = NULL;

	if (word & CG_LITERAL) {
		v->is_literal = true;
		if ((u32)word < cg->nliterals)
			s = cg->literals[(u32)word];
	} else if (!word) {
		s = "";
	} else if (!c->cfg.names(c->cfg.arg, word, &names)) {
		s = name_of(&names, builtin);
	}
	if (s) {
		set_text(c, v, s, UINT32_MAX);
		return;
	}
	v->kind = VALUE_STRING;
	v->str = NULL;
	v->len = ident_number(word, v->tmp);
}

static int set_int(struct value *v, const struct cg_field *f, const u8 *p)
{
	u64 n = 0;

	if (f->size != 1 && f->size != 2 && f->size != 4 && f->size != 8)
		return -EINVAL;
	memcpy(&n, p, f->size); /* little endian: the low bytes */
	if (f->is_signed && f->size < 8) {
		unsigned shift = 64 - 8 * f->size;

		n = (u64)((s64)(n << shift) >> shift);
	}
	v->kind = VALUE_INT;
	v->size = (u8)f->size;
	v->is_signed = f->is_signed;
	v->is_literal = f->is_literal;
	v->num = n;
	return 0;
}

int value_decode(struct consumer *c, const struct cg_field *f, const void *base, size_t size, struct value *out)
{
	const u8 *p = (const u8 *)base + f->off;
	u64 word;

	*out = (struct value){0};
	if (f->off > size || f->size > size - f->off)
		return -EINVAL;

	switch (f->kind) {
	case CG_INT: return set_int(out, f, p);
	case CG_STRING: set_text(c, out, (const char *)p, f->size); return 0;
	case CG_IDENTITY:
	case CG_TEXT:
		if (f->size < sizeof(word))
			return -EINVAL;
		memcpy(&word, p, sizeof(word));
		if (f->kind == CG_TEXT && !word)
			set_text(c, out, (const char *)p + sizeof(word), f->size - sizeof(word));
		else
			set_identity(c, out, word, f->builtin);
		return 0;
	case CG_BYTES:
		out->kind = VALUE_BYTES;
		out->str = (const char *)p;
		out->len = f->size;
		return 0;
	}
	return -EINVAL;
}

int value_compare(const struct value *a, const struct value *b)
{
	if (a->kind == VALUE_INT && b->kind == VALUE_INT) {
		if (a->is_signed && b->is_signed)
			return ((s64)a->num > (s64)b->num) - ((s64)a->num < (s64)b->num);
		return (a->num > b->num) - (a->num < b->num);
	}

	u32 len = a->len < b->len ? a->len : b->len;
	int cmp = len ? memcmp(value_text(a), value_text(b), len) : 0;

	return cmp ? (cmp > 0) - (cmp < 0) : (a->len > b->len) - (a->len < b->len);
}
