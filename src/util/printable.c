// SPDX-License-Identifier: Apache-2.0
/*
 * Text of unknown origin, made harmless for a terminal and for whoever reads the output line by line. A name or a string of
 * a traced process may hold escape sequences, newlines, and characters that reorder or hide what stands around them.
 */
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

/* One character of a text: the bytes that it takes, and how it is printed. */
struct printed {
	u8 in[4];
	u32 used;
	char out[16]; /* four bytes as \xNN */
	u32 len;
};

/*
 * Characters that are not printed as they are, first to last: controls (C0, DEL and C1), and of the format characters
 * (Unicode's category Cf, with U+2028 and U+2029) those that are invisible: they turn the direction of what follows, break
 * the line, or make two names look the same. No Python identifier can hold one (PEP 3131).
 */
static const struct {
	u32 first, last;
} unsafe[] = {
    {0x0000, 0x001f},   {0x007f, 0x009f}, {0x00ad, 0x00ad}, /* soft hyphen */
    {0x061c, 0x061c},                                       /* Arabic letter mark */
    {0x180e, 0x180e},                                       /* Mongolian vowel separator */
    {0x200b, 0x200f},                                       /* zero-width characters, direction marks */
    {0x2028, 0x202e},   /* line and paragraph separator, embeddings, overrides */
    {0x2060, 0x206f},   /* word joiner, invisible operators, isolates */
    {0xfeff, 0xfeff},   /* byte order mark */
    {0xfff9, 0xfffb},   /* interlinear annotation */
    {0x1d173, 0x1d17a}, /* musical format characters */
    {0xe0000, 0xe007f}, /* tags */
};

static bool is_safe(u32 c)
{
	if (c >= ' ' && c <= '~') /* nearly all are */
		return true;
	for (size_t i = 0; i < ARRAY_SIZE(unsafe); i++)
		if (c >= unsafe[i].first && c <= unsafe[i].last)
			return false;
	return true;
}

/* Bytes of the character that begins with this one; 0: none does (RFC 3629, section 4). */
static u32 length_by_first(u8 b)
{
	return b < 0x80 ? 1 : b < 0xc2 ? 0 : b < 0xe0 ? 2 : b < 0xf0 ? 3 : b < 0xf5 ? 4 : 0;
}

/* Decode p[0..n). Bytes of the character, and *c; 0: no valid UTF-8 stands there. */
static u32 decode(const u8 *p, size_t n, u32 *c)
{
	static const u32 least[] = {0, 0, 0x80, 0x800, 0x10000};
	u32 len = length_by_first(p[0]);

	if (!len || len > n)
		return 0;
	*c = len == 1 ? p[0] : p[0] & (0x7fu >> len);
	for (u32 i = 1; i < len; i++) {
		if ((p[i] & 0xc0) != 0x80)
			return 0;
		*c = *c << 6 | (p[i] & 0x3f);
	}
	return *c < least[len] || *c > 0x10ffff || (*c >= 0xd800 && *c < 0xe000) ? 0 : len;
}

static void as_is(struct printed *p)
{
	memcpy(p->out, p->in, p->used);
	p->len = p->used;
}

static void as_hex(struct printed *p)
{
	static const char digits[] = "0123456789abcdef";

	for (u32 i = 0; i < p->used; i++) {
		char *out = &p->out[4 * i];

		out[0] = '\\';
		out[1] = 'x';
		out[2] = digits[p->in[i] >> 4];
		out[3] = digits[p->in[i] & 15];
	}
	p->len = 4 * p->used;
}

/* As %S of DTrace does: C's escapes, and three octal digits for what has none. */
static void as_quoted(struct printed *p)
{
	static const char codes[] = "\aa\bb\ff\nn\rr\tt\vv\\\\\"\"";
	u8 b = p->in[0];

	p->used = 1;
	for (const char *q = codes; *q; q += 2) {
		if ((u8)*q == b) {
			p->out[0] = '\\';
			p->out[1] = q[1];
			p->len = 2;
			return;
		}
	}
	if (b >= ' ' && b <= '~') {
		as_is(p);
		return;
	}
	p->out[0] = '\\';
	for (int i = 0; i < 3; i++)
		p->out[1 + i] = (char)('0' + (b >> (6 - 3 * i) & 7));
	p->len = 4;
}

/* The character at s, n >= 1. Each byte is read once: s may be memory that another process writes meanwhile. */
static void next_printed(const char *s, size_t n, enum text_form form, struct printed *p)
{
	const volatile u8 *from = (const volatile u8 *)s;
	u32 c = 0, valid;

	for (u32 i = 0; i < 4; i++)
		p->in[i] = i < n ? from[i] : 0;
	valid = decode(p->in, n, &c);
	p->used = valid ? valid : 1;
	if (form == TEXT_QUOTED)
		as_quoted(p);
	else if (form == TEXT_RAW || (valid && is_safe(c)))
		as_is(p);
	else
		as_hex(p);
}

size_t text_columns(const char *s, size_t n)
{
	size_t columns = 0;

	for (size_t i = 0; i < n; i++)
		columns += ((u8)s[i] & 0xc0) != 0x80;
	return columns;
}

size_t text_whole(const char *s, size_t n)
{
	for (size_t back = 1; back <= 3 && back <= n; back++) {
		u8 b = (u8)s[n - back];

		if ((b & 0xc0) != 0x80)
			return length_by_first(b) > back ? n - back : n;
	}
	return n;
}

static size_t add_characters(struct strbuf *b, const char *s, size_t n, const struct text_style *style)
{
	size_t columns = 0;

	for (size_t i = 0; i < n;) {
		struct printed p;

		next_printed(s + i, n - i, style->form, &p);

		size_t wide = text_columns(p.out, p.len);

		if (style->max && columns + wide > style->max)
			break;
		strbuf_add(b, p.out, p.len);
		columns += wide;
		i += p.used;
	}
	return columns;
}

void strbuf_add_text(struct strbuf *b, const char *s, size_t n, struct text_style style)
{
	struct strbuf text = {0};
	size_t width = (size_t)abs(style.width), columns;

	/* Padding on the left needs to know first how much there is to print. */
	columns = add_characters(style.width > 0 ? &text : b, s, n, &style);
	if (columns < width)
		strbuf_printf(b, "%*s", (int)(width - columns), "");
	if (text.s)
		strbuf_add(b, text.s, text.len);
	b->failed |= text.failed;
	strbuf_free(&text);
}

void strbuf_add_printable(struct strbuf *b, const char *s)
{
	strbuf_add_text(b, s, strlen(s), (struct text_style){0});
}
