// SPDX-License-Identifier: Apache-2.0
/*
 * D's printf: a checked format and decoded values to text. The checker has matched conversions and types; what does
 * not match here nevertheless (a record is input from outside) prints something harmless.
 *
 * What the script says, in the format or as a constant, is printed as it is, and all other text as value_form() says.
 * Widths and precisions count the characters that are printed.
 *
 * As in DTrace, a width or precision of 0 is as good as none, and the sign of %d is that of its argument's type.
 */
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "consumer/consumer_impl.h"

#define MAX_WIDTH 65536 /* columns: a bound on what "%*d" of a stray value can ask for */

struct printing {
	struct strbuf *out;
	const struct format_args *args;
	u32 next_value, next_agg;
	/* of the conversion at hand */
	const struct d_conv *conv;
	int width, prec; /* width < 0: to the left; prec <= 0: none */
};

static const struct value *next_value(struct printing *p)
{
	static const struct value none = {.kind = VALUE_STRING, .str = ""};

	return p->next_value < p->args->nv ? &p->args->v[p->next_value++] : &none;
}

/* Width or precision that an argument gives. */
static int next_star(struct printing *p)
{
	s64 n = (s64)next_value(p)->num;

	return n > MAX_WIDTH ? MAX_WIDTH : n < -MAX_WIDTH ? -MAX_WIDTH : (int)n;
}

static int bounded(int n)
{
	return n > MAX_WIDTH ? MAX_WIDTH : n;
}

/* --- text --------------------------------------------------------------------------------------------- */

static void put(struct printing *p, const char *s, size_t len, enum text_form form)
{
	strbuf_add_text(
	    p->out, s, len,
	    (struct text_style){.form = form, .width = p->width, .max = p->prec > 0 ? (u32)p->prec : 0});
}

/* Text of our own. */
static void put_text(struct printing *p, const char *s, size_t len)
{
	put(p, s, len, TEXT_RAW);
}

/* Nanoseconds since 1970 as strftime says, in local time. */
static void put_time(struct printing *p, const struct value *v, const char *how)
{
	time_t sec = (time_t)((s64)v->num / 1000000000);
	struct tm tm;
	char s[64] = "";

	if (localtime_r(&sec, &tm))
		put_text(p, s, strftime(s, sizeof(s), how, &tm));
}

/* --- numbers ---------------------------------------------------------------------------------------------- */

/* C's own conversion with our flags: "%-+8.3lld". */
static const char *c_format(const struct printing *p, char *buf, size_t size, const char *length, char conv)
{
	const struct d_conv *c = p->conv;
	char prec[16] = "", width[16] = "";

	if (p->width)
		snprintf(width, sizeof(width), "%d", abs(p->width));
	if (p->prec > 0)
		snprintf(prec, sizeof(prec), ".%d", p->prec);
	snprintf(buf, size, "%%%s%s%s%s%s%s%s%s%s%c", c->alt ? "#" : "", c->zero ? "0" : "",
		 p->width < 0 ? "-" : "", c->plus ? "+" : "", c->group ? "'" : "", c->space ? " " : "", width, prec,
		 length, conv);
	return buf;
}

static void put_number(struct printing *p, u64 n, char conv)
{
	char f[64];

	strbuf_printf(p->out, c_format(p, f, sizeof(f), "ll", conv), (unsigned long long)n);
}

/* The number cut to the size that the conversion or the argument's type has. */
static u64 cut(const struct printing *p, const struct value *v)
{
	unsigned size = p->conv->size && p->conv->size < v->size ? p->conv->size : v->size;

	return size && size < 8 ? v->num & ((1ull << 8 * size) - 1) : v->num;
}

static void conv_signed(struct printing *p, const struct value *v)
{
	u64 n = v->num;

	if (v->kind == VALUE_INT && !v->is_signed) {
		put_number(p, n, 'u');
		return;
	}
	if (p->conv->size == 1)
		n = (u64)(s64)(int8_t)n;
	else if (p->conv->size == 2)
		n = (u64)(s64)(s16)n;
	put_number(p, n, 'd');
}

static void conv_unsigned(struct printing *p, const struct value *v)
{
	put_number(p, cut(p, v), p->conv->conv);
}

static void conv_pointer(struct printing *p, const struct value *v)
{
	char s[24];

	put_text(p, s, (size_t)snprintf(s, sizeof(s), "0x%llx", (unsigned long long)v->num));
}

static void conv_char(struct printing *p, const struct value *v)
{
	char ch = (char)v->num;

	p->prec = 0;
	put(p, &ch, 1, value_form(v, p->args->raw));
}

static void conv_escaped_char(struct printing *p, const struct value *v)
{
	char ch = (char)v->num;

	p->prec = 0;
	put(p, &ch, 1, TEXT_QUOTED);
}

static void conv_float(struct printing *p, const struct value *v)
{
	double x = v->is_signed ? (double)(s64)v->num : (double)v->num;
	char f[64];

	strbuf_printf(p->out, c_format(p, f, sizeof(f), "", p->conv->conv), x);
}

static void conv_string(struct printing *p, const struct value *v)
{
	if (v->kind == VALUE_INT)
		conv_signed(p, v);
	else
		put(p, value_text(v), strnlen(value_text(v), v->len), value_form(v, p->args->raw));
}

static void conv_escaped(struct printing *p, const struct value *v)
{
	if (v->kind == VALUE_INT)
		conv_signed(p, v);
	else
		put(p, value_text(v), strnlen(value_text(v), v->len), TEXT_QUOTED);
}

static void conv_date(struct printing *p, const struct value *v)
{
	put_time(p, v, "%Y %b %e %H:%M:%S");
}

static void conv_rfc822(struct printing *p, const struct value *v)
{
	put_time(p, v, "%a, %d %b %G %T %Z");
}

static void conv_stack(struct printing *p, const struct value *v)
{
	for (u32 i = 0; v->kind == VALUE_BYTES && i + 8 <= v->len; i += 8) {
		u64 pc;

		memcpy(&pc, v->str + i, sizeof(pc));
		if (!pc)
			break;
		strbuf_printf(p->out, "\n%*s0x%llx", 14, "", (unsigned long long)pc);
	}
	strbuf_puts(p->out, "\n");
}

/* --- the table -------------------------------------------------------------------------------------------- */

static const struct {
	void (*put)(struct printing *p, const struct value *v);
} convs[128] = {
    ['d'] = {conv_signed},       ['i'] = {conv_signed},   ['u'] = {conv_unsigned}, ['o'] = {conv_unsigned},
    ['x'] = {conv_unsigned},     ['X'] = {conv_unsigned}, ['p'] = {conv_pointer},  ['c'] = {conv_char},
    ['C'] = {conv_escaped_char}, ['s'] = {conv_string},   ['S'] = {conv_escaped},  ['a'] = {conv_pointer},
    ['A'] = {conv_pointer},      ['e'] = {conv_float},    ['E'] = {conv_float},    ['f'] = {conv_float},
    ['g'] = {conv_float},        ['G'] = {conv_float},    ['Y'] = {conv_date},     ['T'] = {conv_rfc822},
    ['k'] = {conv_stack},
};

/* %@d: each takes the next aggregation of the printa(); beyond the last, the last again. */
static void conv_aggregation(struct printing *p)
{
	const struct agg_row *r = p->args->row;
	struct value v = {.kind = VALUE_INT, .size = 8, .is_signed = true};

	if (!r || !r->nv)
		return;
	if (p->next_agg >= r->nv)
		p->next_agg = r->nv - 1;

	const struct agg_entry *e = r->v[p->next_agg++];

	if (agg_is_distribution(e)) {
		quantize_print(p->out, e);
		return;
	}
	v.num = (u64)agg_number(e, e->normal);
	convs[(u8)p->conv->conv].put(p, &v);
}

static void convert(struct printing *p, const struct d_conv *c)
{
	p->conv = c;
	p->width = c->width_star ? next_star(p) : bounded(c->width > 0 ? c->width : 0);
	p->prec = c->prec_star ? next_star(p) : bounded(c->prec);
	if (c->minus && p->width > 0)
		p->width = -p->width;

	if ((u8)c->conv >= ARRAY_SIZE(convs) || !convs[(u8)c->conv].put)
		return;
	if (c->agg)
		conv_aggregation(p);
	else
		convs[(u8)c->conv].put(p, next_value(p));
}

void format_print(struct strbuf *out, const struct d_format *f, const struct format_args *args)
{
	struct printing p = {.out = out, .args = args};

	for (u32 i = 0; i < f->n; i++) {
		if (f->conv[i].conv)
			convert(&p, &f->conv[i]);
		else
			strbuf_add(out, f->conv[i].text, f->conv[i].ntext);
	}
}
