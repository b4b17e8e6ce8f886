// SPDX-License-Identifier: Apache-2.0
/*
 * Messages of the two stages. They quote the script, and a script can hold anything: a message stays one short line.
 * After the first error all others are consequences: each stage reports one.
 */
#include "d/checker_impl.h"
#include "d/parser_impl.h"

#define MAX_MESSAGE 300 /* bytes */

static int report_once(struct diag *diag, bool *failed, struct srcpos pos, const char *fmt, va_list ap)
{
	struct strbuf b = {0};

	if (*failed)
		return -EINVAL;
	*failed = true;
	strbuf_vprintf(&b, fmt, ap);
	for (size_t i = 0; i < b.len; i++)
		if ((unsigned char)b.s[i] < ' ' || b.s[i] == 0x7f)
			b.s[i] = '?';
	if (b.len > MAX_MESSAGE)
		diag_report(diag, DIAG_ERROR, pos, "%.*s...", MAX_MESSAGE, b.s);
	else
		diag_report(diag, DIAG_ERROR, pos, "%s", b.s ? b.s : "out of memory");
	strbuf_free(&b);
	return -EINVAL;
}

int d_parser_error(struct d_parser *p, struct srcpos pos, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = report_once(p->diag, &p->failed, pos, fmt, ap);
	va_end(ap);
	return err;
}

int d_check_error(struct d_checker *c, struct srcpos pos, const char *fmt, ...)
{
	va_list ap;
	int err;

	va_start(ap, fmt);
	err = report_once(c->diag, &c->failed, pos, fmt, ap);
	va_end(ap);
	return err;
}

const char *d_place(struct d_checker *c, struct srcpos pos)
{
	const struct source *here = c->clause ? c->clause->pos.src : pos.src;

	if (pos.src == here)
		return arena_printf(c->arena, "line %u", pos.line);
	return arena_printf(c->arena, "%s:%u", pos.src->name, pos.line);
}
