// SPDX-License-Identifier: Apache-2.0
/*
 * The text sink: dtrace(1M)'s columns. The widths and separators are those of illumos' cmd/dtrace/dtrace.c and
 * libdtrace/common/dt_consume.c, which scripts all over the world parse.
 */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/consumer_impl.h"

struct sink {
	FILE *f;
	const struct consumer_options *opt;
	struct strbuf b; /* what is not written yet */
	bool headed;
	int err;
};

#define ENOUGH     (64 * 1024) /* bytes that are gathered before they are written */
#define MAX_INDENT 256         /* columns, however deep the calls go */

static int text_open(struct sink **out, FILE *f, const struct consumer_options *opt)
{
	struct sink *s = calloc(1, sizeof(*s));

	if (!s)
		return -ENOMEM;
	s->f = f;
	s->opt = opt;
	*out = s;
	return 0;
}

static void text_close(struct sink *s)
{
	strbuf_free(&s->b);
	free(s);
}

static void write_out(struct sink *s)
{
	if (s->b.failed && !s->err)
		s->err = -ENOMEM;
	if (s->b.len && !s->err) {
		errno = 0;
		if (fwrite(s->b.s, 1, s->b.len, s->f) != s->b.len)
			s->err = errno ? -errno : -EIO;
	}
	s->b.len = 0;
	s->b.failed = false;
}

static int text_flush(struct sink *s)
{
	write_out(s);
	errno = 0;
	if (!s->err && (fflush(s->f) || ferror(s->f)))
		s->err = errno ? -errno : -EIO;
	return s->err;
}

static void header(struct sink *s)
{
	if (s->headed)
		return;
	s->headed = true;
	if (s->opt->flowindent)
		strbuf_printf(&s->b, "%3s %-41s\n", "CPU", "FUNCTION");
	else if (!s->opt->quiet)
		strbuf_printf(&s->b, "%3s %6s %32s\n", "CPU", "ID", "FUNCTION:NAME");
}

/* The arrow of a call and a return: system calls have their own. */
static const char *arrow(const struct firing *f)
{
	static const char *const arrows[][2] = {
	    [FLOW_NONE] = {"| ", "| "},
	    [FLOW_ENTRY] = {" -> ", " => "},
	    [FLOW_RETURN] = {" <- ", " <= "},
	};

	return arrows[f->flow][!strcmp(f->names.prov, "syscall")];
}

/* A name of the probe, which a traced process may have chosen. */
static void put_name(struct sink *s, const char *name, int width)
{
	strbuf_add_text(&s->b, name, strlen(name),
			(struct text_style){.form = s->opt->rawbytes ? TEXT_RAW : TEXT_PRINTABLE, .width = width});
}

static void pad_to(struct sink *s, size_t start, size_t width)
{
	size_t used = s->b.failed ? width : text_columns(s->b.s + start, s->b.len - start);

	if (used < width)
		strbuf_printf(&s->b, "%*s", (int)(width - used), "");
}

static void text_begin(struct sink *s, const struct firing *f)
{
	header(s);
	if (s->opt->flowindent) { /* as in dtrace, stronger than quiet */
		strbuf_printf(&s->b, "%3u ", f->cpu);

		size_t start = s->b.len;

		strbuf_printf(&s->b, "%*s%s", (int)(f->indent < MAX_INDENT ? f->indent : MAX_INDENT), "", arrow(f));
		put_name(s, f->names.func, 0);
		if (f->flow == FLOW_NONE) {
			strbuf_puts(&s->b, ":");
			put_name(s, f->names.name, 0);
		}
		pad_to(s, start, 41);
		strbuf_puts(&s->b, " ");
	} else if (!s->opt->quiet) {
		int room = 32 - 1 - (int)strlen(f->names.name);

		strbuf_printf(&s->b, "%3u %6u ", f->cpu, f->id);
		put_name(s, f->names.func, room > 0 ? room : 0);
		strbuf_puts(&s->b, ":");
		put_name(s, f->names.name, 0);
		strbuf_puts(&s->b, " ");
	}
}

static void text_end(struct sink *s)
{
	if (!s->opt->quiet)
		strbuf_puts(&s->b, "\n");
	if (s->b.len > ENOUGH)
		write_out(s);
}

/* --- one value ------------------------------------------------------------------------------------ */

/* Integers stand in columns as wide as their type can need. */
static int int_width(const struct value *v)
{
	return v->size == 8 ? 16 : v->size == 4 ? 8 : v->size == 2 ? 5 : 3;
}

static void put_int(struct sink *s, const struct value *v, int width)
{
	if (v->is_signed)
		strbuf_printf(&s->b, "%*lld", width, (long long)v->num);
	else
		strbuf_printf(&s->b, "%*llu", width, (unsigned long long)v->num);
}

static void put_dump(struct sink *s, const u8 *p, u32 n)
{
	strbuf_printf(&s->b, "\n%11s", "");
	for (int i = 0; i < 16; i++)
		strbuf_printf(&s->b, "  %x", i);
	strbuf_puts(&s->b, "  0123456789abcdef\n");
	for (u32 i = 0; i < n; i += 16) {
		strbuf_printf(&s->b, "%10x:", i);
		for (u32 j = i; j < i + 16; j++) {
			if (j < n)
				strbuf_printf(&s->b, " %02x", p[j]);
			else
				strbuf_puts(&s->b, "   ");
		}
		strbuf_puts(&s->b, "  ");
		for (u32 j = i; j < i + 16 && j < n; j++)
			strbuf_printf(&s->b, "%c", p[j] < ' ' || p[j] > '~' ? '.' : p[j]);
		strbuf_puts(&s->b, "\n");
	}
}

/* Are these bytes text: printable up to the first NUL, only NULs after it, and not empty? Then its length. */
static bool looks_like_text(const struct value *v, u32 *len)
{
	u32 i = 0;

	while (i < v->len &&
	       (isprint((u8)v->str[i]) || isspace((u8)v->str[i]) || v->str[i] == '\b' || v->str[i] == '\a'))
		i++;
	*len = i;
	if (i == 0)
		return false;
	while (i < v->len && !v->str[i])
		i++;
	return i == v->len;
}

/* Text in a column `width` wide, or bare (width 0); bytes that are no text as a dump. */
static void put_text(struct sink *s, const struct value *v, int width)
{
	u32 len = v->len;

	if (v->kind == VALUE_BYTES && (s->opt->rawbytes || !looks_like_text(v, &len))) {
		put_dump(s, (const u8 *)value_text(v), v->len);
		return;
	}
	if (width)
		strbuf_puts(&s->b, "  ");

	strbuf_add_text(&s->b, value_text(v), len,
			(struct text_style){.form = value_form(v, s->opt->rawbytes), .width = -width});
}

static void text_trace(struct sink *s, const struct value *v)
{
	bool quiet = s->opt->quiet;

	if (v->kind != VALUE_INT) {
		put_text(s, v, quiet ? 0 : 33);
		return;
	}
	if (!quiet)
		strbuf_puts(&s->b, " ");
	put_int(s, v, quiet ? 0 : int_width(v));
}

static void text_printf(struct sink *s, const struct d_format *f, const struct value *v, u32 nv)
{
	format_print(&s->b, f, &(struct format_args){.v = v, .nv = nv, .raw = s->opt->rawbytes});
}

/* --- aggregations ----------------------------------------------------------------------------------- */

static void put_row(struct sink *s, const struct agg_row *r)
{
	const struct agg_entry *k = r->key;

	for (u32 i = 0; i < k->store->cg->nkeys; i++) {
		if (k->keys[i].kind == VALUE_INT) {
			strbuf_puts(&s->b, " ");
			put_int(s, &k->keys[i], int_width(&k->keys[i]));
		} else {
			put_text(s, &k->keys[i], 50);
		}
	}
	for (u32 i = 0; i < r->nv; i++) {
		if (agg_is_distribution(r->v[i]))
			quantize_print(&s->b, r->v[i]);
		else
			strbuf_printf(&s->b, " %16lld", (long long)agg_number(r->v[i], r->v[i]->normal));
	}
	strbuf_puts(&s->b, "\n");
}

static void text_aggregation(struct sink *s, const struct agg_rows *rows)
{
	for (size_t i = 0; i < rows->n; i++) {
		put_row(s, &rows->row[i]);
		if (s->b.len > ENOUGH)
			write_out(s);
	}
}

static void text_printa(struct sink *s, const struct d_format *f, const struct agg_rows *rows)
{
	if (!f) {
		strbuf_puts(&s->b, "\n");
		text_aggregation(s, rows);
		return;
	}
	for (size_t i = 0; i < rows->n; i++) {
		const struct agg_row *r = &rows->row[i];

		format_print(
		    &s->b, f,
		    &(struct format_args){
			.v = r->key->keys, .nv = r->key->store->cg->nkeys, .row = r, .raw = s->opt->rawbytes});
	}
}

static void text_finish(struct sink *s)
{
	strbuf_puts(&s->b, "\n");
}

const struct sink_ops sink_text = {
    .name = "text",
    .open = text_open,
    .close = text_close,
    .begin = text_begin,
    .trace = text_trace,
    .printf = text_printf,
    .printa = text_printa,
    .end = text_end,
    .finish = text_finish,
    .aggregation = text_aggregation,
    .flush = text_flush,
};
