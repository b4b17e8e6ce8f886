// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "util/util.h"

u64 hash_bytes(const void *p, size_t n)
{
	const unsigned char *s = p;
	u64 h = 0xcbf29ce484222325ull;

	for (size_t i = 0; i < n; i++)
		h = (h ^ s[i]) * 0x100000001b3ull;
	return h;
}

/* Match c against the set after '['; *end is behind its ']'. A set that is not closed is a plain '['. */
static bool set_match(const char *set, char c, const char **end)
{
	const char *p = set;
	bool negate = *p == '!', hit = false;

	p += negate;
	for (const char *first = p; *p && (*p != ']' || p == first); p++) {
		if (p[1] == '-' && p[2] && p[2] != ']') {
			hit |= (unsigned char)p[0] <= (unsigned char)c && (unsigned char)c <= (unsigned char)p[2];
			p += 2;
		} else {
			hit |= *p == c;
		}
	}
	if (*p != ']') {
		*end = set;
		return c == '[';
	}
	*end = p + 1;
	return hit != negate;
}

/* Match one character of s against the head of the pattern (not '*'); *next is behind that head. */
static bool one_match(const char *pat, char c, const char **next)
{
	if (*pat == '?') {
		*next = pat + 1;
		return true;
	}
	if (*pat == '[')
		return set_match(pat + 1, c, next);
	if (*pat == '\\' && pat[1])
		pat++;
	*next = pat + 1;
	return *pat == c;
}

/* Only the last '*' can need to take more, so there is one place to go back to and no recursion. */
bool glob_match(const char *pat, const char *s)
{
	const char *star = NULL, *retry = NULL, *next;

	if (!*pat)
		return true;
	while (*s) {
		if (*pat == '*') {
			star = ++pat;
			retry = s;
		} else if (*pat && one_match(pat, *s, &next)) {
			pat = next;
			s++;
		} else if (star) {
			pat = star;
			s = ++retry;
		} else {
			return false;
		}
	}
	while (*pat == '*')
		pat++;
	return !*pat;
}

bool glob_has_magic(const char *pat)
{
	return strpbrk(pat, "*?[\\") != NULL;
}

int parse_s64(const char *s, s64 *out)
{
	const char *digits = s + (*s == '-');
	char *end;

	if (*digits < '0' || *digits > '9')
		return -EINVAL;
	errno = 0;

	s64 v = *s == '-' ? strtoll(s, &end, 0) : (s64)strtoull(s, &end, 0);

	if (*end)
		return -EINVAL;
	if (errno)
		return -ERANGE;
	*out = v;
	return 0;
}
