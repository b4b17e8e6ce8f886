// SPDX-License-Identifier: Apache-2.0
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

/* Room for n more bytes and the NUL. */
static bool reserve(struct strbuf *b, size_t n)
{
	if (b->failed)
		return false;
	if (b->cap - b->len > n && b->s)
		return true;

	size_t cap = b->cap ? b->cap : 128;

	while (cap - b->len <= n)
		cap *= 2;

	char *s = realloc(b->s, cap);

	if (!s) {
		b->failed = true;
		return false;
	}
	b->s = s;
	b->cap = cap;
	return true;
}

void strbuf_add(struct strbuf *b, const void *p, size_t n)
{
	if (!reserve(b, n))
		return;
	memcpy(b->s + b->len, p, n);
	b->len += n;
	b->s[b->len] = '\0';
}

void strbuf_puts(struct strbuf *b, const char *s)
{
	strbuf_add(b, s, strlen(s));
}

void strbuf_vprintf(struct strbuf *b, const char *fmt, va_list ap)
{
	va_list again;

	va_copy(again, ap);
	int n = vsnprintf(NULL, 0, fmt, again);
	va_end(again);

	if (n < 0 || !reserve(b, (size_t)n))
		return;
	/* An argument may be memory that another process writes (a name in an agent's page), and be shorter now. */
	int now = vsnprintf(b->s + b->len, (size_t)n + 1, fmt, ap);

	b->len += (size_t)(now < 0 ? 0 : now < n ? now : n);
}

void strbuf_printf(struct strbuf *b, const char *fmt, ...)
{
	va_list ap;

	va_start(ap, fmt);
	strbuf_vprintf(b, fmt, ap);
	va_end(ap);
}

void strbuf_free(struct strbuf *b)
{
	free(b->s);
	*b = (struct strbuf){0};
}
