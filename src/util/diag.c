// SPDX-License-Identifier: Apache-2.0
#include <string.h>

#include "util/util.h"

#define MAX_QUOTE 160 /* bytes of a script's line that a message shows */

static const char *const prefix[] = {
    [DIAG_NOTE] = "",
    [DIAG_WARNING] = "warning: ",
    [DIAG_ERROR] = "",
};

/* A line of a script, with its tabs. */
static void add_line(struct strbuf *b, const char *s, size_t n)
{
	while (n) {
		const char *tab = memchr(s, '\t', n);
		size_t len = tab ? (size_t)(tab - s) : n;

		strbuf_add_text(b, s, len, (struct text_style){0});
		strbuf_add(b, "\t", tab != NULL);
		len += tab != NULL;
		s += len;
		n -= len;
	}
}

/* As wide as that line, and empty. */
static void add_blank(struct strbuf *b, const char *s, size_t n)
{
	struct strbuf line = {0};

	add_line(&line, s, n);
	for (size_t i = 0; i < line.len; i++)
		strbuf_add(b, line.s[i] == '\t' ? "\t" : " ", text_columns(&line.s[i], 1));
	strbuf_free(&line);
}

/* The script's line and a caret under the column; a long line is shown around the column. */
static void quote(struct strbuf *b, struct srcpos pos)
{
	const char *s = pos.src->text, *end = s + pos.src->len;
	u32 from = 0, caret = pos.col ? pos.col - 1 : 0;

	for (u32 line = pos.src->first_line ? pos.src->first_line : 1; line < pos.line; line++) {
		s = memchr(s, '\n', (size_t)(end - s));
		if (!s)
			return;
		s++;
	}

	const char *nl = memchr(s, '\n', (size_t)(end - s));
	size_t len = (size_t)((nl ? nl : end) - s);

	if (len > MAX_QUOTE && caret > MAX_QUOTE / 2)
		from = caret - MAX_QUOTE / 2;
	if (from > len)
		return;
	len = len - from > MAX_QUOTE ? MAX_QUOTE : len - from;

	size_t before = caret - from < len ? caret - from : len;

	strbuf_puts(b, "    ");
	add_line(b, s + from, len);
	strbuf_puts(b, "\n    ");
	add_blank(b, s + from, before);
	strbuf_printf(b, "%*s^\n", (int)(caret - from - before), "");
}

static void report(struct diag *d, enum diag_level level, struct srcpos pos, const char *fmt, va_list ap)
{
	struct strbuf b = {0}, line = {0};

	strbuf_puts(&line, "pydtrace: ");
	if (pos.src && pos.line)
		strbuf_printf(&line, "%s:%u:%u: ", pos.src->name, pos.line, pos.col);
	else if (pos.src)
		strbuf_printf(&line, "%s: ", pos.src->name);
	strbuf_puts(&line, prefix[level]);
	strbuf_vprintf(&line, fmt, ap);
	strbuf_add_printable(&b, line.s ? line.s : "pydtrace: out of memory");
	strbuf_free(&line);
	strbuf_puts(&b, "\n");
	if (pos.src && pos.line)
		quote(&b, pos);

	if (level == DIAG_ERROR)
		d->errors++;
	if (d->sink)
		d->sink(d->arg, level, b.s ? b.s : "pydtrace: out of memory\n");
	else
		fputs(b.s ? b.s : "pydtrace: out of memory\n", stderr);
	strbuf_free(&b);
}

void diag_report(struct diag *d, enum diag_level level, struct srcpos pos, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(d, level, pos, fmt, ap);
	va_end(ap);
}

int diag_fail(struct diag *d, int err, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	report(d, DIAG_ERROR, NOWHERE, fmt, ap);
	va_end(ap);
	return -err;
}
