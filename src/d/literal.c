// SPDX-License-Identifier: Apache-2.0
/* Integer, character and string literals. */
#include <stdlib.h>
#include <string.h>

#include "d/parser_impl.h"

#define HEX "0123456789abcdefABCDEF"

/* Is all of `s` a suffix as C has them: u, l, ll, ul, lu ...? */
static bool parse_suffix(const char *s, bool *is_unsigned, bool *is_long)
{
	u32 nu = 0, nl = 0;

	for (; *s; s++) {
		if (*s == 'u' || *s == 'U')
			nu++;
		else if (*s == 'l' || *s == 'L')
			nl++;
		else
			return false;
	}
	*is_unsigned = nu;
	*is_long = nl;
	return nu <= 1 && nl <= 2;
}

struct d_node *d_literal_int(struct d_parser *p, const char *text)
{
	bool is_unsigned = false, is_long = false;
	char *end;

	errno = 0;
	u64 v = strtoull(text, &end, 0);

	if (errno == ERANGE) {
		d_parser_error(p, p->pos, "constant %s results in integer overflow", text);
		return NULL;
	}
	if (!parse_suffix(end, &is_unsigned, &is_long)) {
		d_parser_error(p, p->pos, "constant %s contains invalid digit %c", text, *end);
		return NULL;
	}
	return d_node_const(p->prog, p->pos, d_type_literal(v, text[0] != '0', is_unsigned, is_long), (s64)v);
}

static u32 hex_digit(char c)
{
	return c <= '9' ? (u32)(c - '0') : (u32)((c | 0x20) - 'a' + 10);
}

/*
 * One escape, s is behind its backslash; what it stands for goes to *out, the answer is what follows. As in DTrace a
 * backslash that escapes nothing stands for itself.
 */
static const char *unescape(const char *s, const char *end, char **out)
{
	static const char from[] = "abfnrtv\\\"'?", to[] = "\a\b\f\n\r\t\v\\\"'?";
	const char *known = strchr(from, *s);
	u32 v = 0;

	if (known && *s) {
		*(*out)++ = to[known - from];
		return s + 1;
	}
	if (*s >= '0' && *s <= '7') {
		for (int i = 0; i < 3 && s < end && *s >= '0' && *s <= '7'; i++)
			v = v * 8 + (u32)(*s++ - '0');
		*(*out)++ = (char)v;
		return s;
	}
	if (*s == 'x' && strspn(s + 1, HEX)) {
		for (s++; strspn(s, HEX) && s < end; s++)
			v = v * 16 + hex_digit(*s);
		*(*out)++ = (char)v;
		return s;
	}
	*(*out)++ = '\\';
	*(*out)++ = *s;
	return s + 1;
}

/* The text between the quotes with its escapes replaced; *n is its length. */
static char *unquote(struct d_parser *p, const char *text, size_t len, size_t *n)
{
	const char *s = text + 1, *end = text + len - 1;
	char *out = arena_alloc(p->prog->arena, len), *q = out;

	while (s < end) {
		if (*s == '\\' && s + 1 < end)
			s = unescape(s + 1, end, &q);
		else
			*q++ = *s++;
	}
	*q = '\0';
	*n = (size_t)(q - out);
	return out;
}

/* A NUL ends the string, as in C. */
struct d_node *d_literal_string(struct d_parser *p, const char *text, size_t len)
{
	size_t n;

	return d_node_string(p->prog, p->pos, unquote(p, text, len, &n));
}

/* As DTrace: up to eight characters, the first is the most significant. */
struct d_node *d_literal_char(struct d_parser *p, const char *text, size_t len)
{
	size_t n;
	const char *s = unquote(p, text, len, &n);
	u64 v = 0;

	if (!n || n > 8) {
		d_parser_error(p, p->pos, n ? "character constant is too long" : "empty character constant");
		return NULL;
	}
	if (n == 1)
		return d_node_const(p->prog, p->pos, &d_type_int, (signed char)s[0]);
	for (size_t i = 0; i < n; i++)
		v = v << 8 | (unsigned char)s[i];
	return d_node_const(p->prog, p->pos, n <= 4 ? &d_type_int : &d_type_long,
			    d_type_wrap(n <= 4 ? &d_type_int : &d_type_long, (s64)v));
}
