// SPDX-License-Identifier: Apache-2.0
/* Formats of printf() and printa(): text to conversions. */
#include <string.h>

#include "d/checker_impl.h"

#define MAX_WIDTH 4096 /* columns of a field; more is a mistake, or an attack on the printer */

struct scan {
	struct d_checker *c;
	const struct d_stmt *stmt;
	const char *s;
	u32 number; /* of the conversion, from 1 */
};

static int fail(struct scan *f, const char *what)
{
	return d_check_error(f->c, f->stmt->fmt_pos, "%s() format conversion #%u %s",
			     d_action_name(f->stmt->action), f->number, what);
}

static bool scan_flag(struct scan *f, struct d_conv *v)
{
	switch (*f->s) {
	case '-': v->minus = true; break;
	case '+': v->plus = true; break;
	case ' ': v->space = true; break;
	case '0': v->zero = true; break;
	case '#': v->alt = true; break;
	case '\'': v->group = true; break;
	case '@': v->agg = true; break;
	case '?': v->width = 16; break; /* the width of a pointer in hexadecimal */
	default: return false;
	}
	f->s++;
	return true;
}

/* Digits, or '*' for the next argument. */
static int scan_number(struct scan *f, int *n, bool *star)
{
	if (*f->s == '*') {
		*star = true;
		f->s++;
		return 0;
	}
	for (; *f->s >= '0' && *f->s <= '9'; f->s++) {
		*n = (*n < 0 ? 0 : *n) * 10 + (*f->s - '0');
		if (*n > MAX_WIDTH)
			return fail(f, "is too wide");
	}
	return 0;
}

static const struct {
	const char *text;
	u8 size;
} sizes[] = {{"hh", 1}, {"h", 2}, {"ll", 8}, {"l", 8}, {"j", 8}, {"z", 8}, {"t", 8}, {"q", 8}};

static void scan_size(struct scan *f, struct d_conv *v)
{
	for (size_t i = 0; i < ARRAY_SIZE(sizes); i++) {
		size_t n = strlen(sizes[i].text);

		if (!strncmp(f->s, sizes[i].text, n)) {
			v->size = sizes[i].size;
			f->s += n;
			return;
		}
	}
}

/* What follows '%'. */
static int scan_conversion(struct scan *f, struct d_conv *v)
{
	int err;

	f->number++;
	v->width = v->prec = -1;
	while (scan_flag(f, v))
		;
	err = scan_number(f, &v->width, &v->width_star);
	if (!err && *f->s == '.') {
		f->s++;
		v->prec = 0;
		err = scan_number(f, &v->prec, &v->prec_star);
	}
	if (err)
		return err;
	if (*f->s == '@') {
		v->agg = true;
		f->s++;
	}
	scan_size(f, v);
	if (!*f->s)
		return fail(f, "has no conversion character before the end of the format");
	if (!strchr("diouxXpcCsSaAkeEfgGYT", *f->s)) {
		if (*f->s > ' ' && *f->s < 0x7f)
			return fail(f, arena_printf(f->c->arena, "is undefined: %%%c", *f->s));
		return fail(f, "is undefined");
	}
	v->conv = *f->s++;
	return 0;
}

int d_format_parse(struct d_checker *c, const struct d_stmt *s, const struct d_format **out)
{
	struct scan f = {.c = c, .stmt = s, .s = s->fmt_text};
	struct d_format *fmt = arena_new_array(c->arena, struct d_format, 1);
	VEC(struct d_conv) v = {0};

	if (!*f.s)
		return d_check_error(c, s->fmt_pos, "%s() format is empty", d_action_name(s->action));
	while (*f.s) {
		struct d_conv *conv = vec_push(c->arena, &v);

		if (*f.s == '%' && f.s[1] != '%') {
			f.s++;
			if (scan_conversion(&f, conv))
				return -EINVAL;
			continue;
		}
		f.s += *f.s == '%'; /* the first of %% */
		conv->text = f.s;
		conv->ntext = 1 + (u32)strcspn(f.s + 1, "%");
		f.s += conv->ntext;
	}
	fmt->conv = v.v;
	fmt->n = (u32)v.n;
	*out = fmt;
	return 0;
}
