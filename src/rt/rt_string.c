// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * Strings in fixed buffers: `size` bytes, a multiple of 8 and a constant for the verifier, zero after the text.
 * Words are read instead of bytes, and what depends on the text is computed without branches where it can be:
 * the verifier walks every path of a loop, so that a loop with a decision in each turn costs it twofold each turn.
 */
#include "rt_impl.h"

#define ONES 0x0101010101010101ull
#define LOW7 0x7f7f7f7f7f7f7f7full

/* Bit 7 of each byte that is not 0. */
static inline __u64 nonzero_bytes(__u64 w)
{
	return (((w & LOW7) + LOW7) | w) & ~LOW7;
}

RT_FUNC void rt_str_zero(void *dst, __u64 size)
{
	__u64 *d = dst;

	for (__u64 i = 0; i < size / 8; i++)
		d[i] = 0;
}

RT_FUNC void rt_str_copy(void *dst, const void *src, __u64 size)
{
	const __u64 *s = src;
	__u64 *d = dst;

	for (__u64 i = 0; i < size / 8; i++)
		d[i] = s[i];
}

RT_FUNC __u64 rt_str_len(const void *s, __u64 size)
{
	const __u64 *w = s;
	__u64 n = 0;

	for (__u64 i = 0; i < size / 8; i++)
		n += ((nonzero_bytes(w[i]) >> 7) * ONES) >> 56;
	return n < size ? n : size - 1;
}

/*
 * Most text differs, or ends, in the first word. What is left is compared in runs of words, with one decision each: the
 * verifier keeps every decision of a program in mind, and there is room for 8,192.
 */
#define RUN 32

RT_FUNC __u64 rt_str_eq(const void *a, const void *b, __u64 size)
{
	const __u64 *x = a, *y = b;

	if (x[0] != y[0])
		return 0;
	if (!(x[0] >> 56))
		return 1;
	for (__u64 i = 1; i < size / 8; i += RUN) {
		__u64 diff = 0;

		for (__u64 k = i; k < i + RUN && k < size / 8; k++)
			diff |= x[k] ^ y[k];
		if (diff)
			return 0;
	}
	return 1;
}

RT_FUNC __s64 rt_str_cmp(const void *a, const void *b, __u64 size)
{
	const __u64 *x = a, *y = b;

	for (__u64 i = 0; i < size / 8; i++) {
		__u64 v = __builtin_bswap64(x[i]), w = __builtin_bswap64(y[i]);

		if (v != w)
			return v < w ? -1 : 1;
		if (!(v & 0xff))
			return 0;
	}
	return 0;
}

/*
 * dst must be neither a nor b, and have 2 * size bytes: the verifier bounds where b goes and how long it is each for
 * itself, and not their sum.
 */
RT_FUNC void rt_str_join(void *dst, const void *a, const void *b, __u64 size)
{
	__u64 n = rt_str_len(a, size), m = rt_str_len(b, size);

	rt_str_zero(dst, size);
	if (n >= size)
		return;
	RT_COPY(dst, n, a);
	if (m > size - 1 - n)
		m = size - 1 - n;
	if (m >= size)
		return;
	RT_COPY((char *)dst + n, m, b);
}

/* Bytes from ... from + n of src, both in its bounds. */
static inline void copy_part(void *dst, const void *src, __u64 from, __u64 n, __u64 size)
{
	rt_str_zero(dst, size);
	RT_OPAQUE(from);
	RT_OPAQUE(n);
	if (from >= size || n >= size)
		return;
	RT_COPY(dst, n, (const char *)src + from);
}

/* As Perl's substr: a negative index counts from the end, a negative length leaves that much off. */
RT_FUNC void rt_str_substr(void *dst, const void *src, __s64 index, __s64 n, __u64 size)
{
	__s64 len = (__s64)rt_str_len(src, size);

	if (n > (__s64)size)
		n = (__s64)size;
	if (index < 0) {
		index += len;
		if (index < 0 && n > 0 && index + n > 0) {
			n += index;
			index = 0;
		}
	}
	if (index < 0 || index >= len) {
		index = 0;
		n = 0;
	}
	if (n < 0)
		n += len - index;
	if (n > len - index)
		n = len - index;
	if (n < 0)
		n = 0;
	copy_part(dst, src, (__u64)index, (__u64)n, size);
}

/*
 * Is the text of `sub` at p? All words, without a decision; 0: it is. `words` holds its end.
 */
static inline __u64 differs(const char *p, const __u64 *sub, __u64 words)
{
	__u64 diff = 0;

	for (__u64 k = 0; k < words; k++)
		diff |= (RT_LOAD64(p + 8 * k) ^ sub[k]) & ((nonzero_bytes(sub[k]) >> 7) * 0xff);
	return diff;
}

/* Each place would be a known number to the verifier, which would walk what follows for each: hide it in memory. */
static inline __s64 hide(void *memory, __u64 n)
{
	*(volatile __u64 *)memory = n;
	return *(volatile __s64 *)memory;
}

/*
 * Where `sub` (text that ends within its first `words` words) first stands in s at or after `start`; -1: nowhere. `wide`
 * is s in a buffer of 2 * size bytes that is zero from s's end on, so that a word can be read at each byte of s; it is
 * written to.
 */
RT_FUNC __s64 rt_str_index(void *wide, const void *sub, __u64 words, __s64 start, __u64 size)
{
	const char *s = wide;
	const __u64 *p = sub;
	__u64 len = rt_str_len(wide, size), first = start < 0 ? 0 : (__u64)start, head, mask;

	RT_OPAQUE(first);
	RT_OPAQUE(len);
	head = p[0];
	mask = (nonzero_bytes(head) >> 7) * 0xff;
	if (head == 0 && len == 0)
		return 0;
	for (__u64 i = 0; i < size; i++) {
		__u64 early = (__u64)((__s64)(i - first) >> 63); /* -1 before start */

		RT_OPAQUE(early);
		if (i >= len)
			return -1;
		if (((RT_LOAD64(s + i) ^ head) & mask) | early)
			continue;
		if (!differs(s + i, p, words))
			return hide(wide, i);
	}
	return -1;
}

/* The last component of a path: where it begins and ends, and where the part before its slashes ends. */
struct component {
	__u64 start, end, dir_end;
};

/* -1 when x, a byte, is 0, else 0. */
static inline __u64 mask_zero(__u64 x)
{
	__u64 m;

	RT_OPAQUE(x);
	m = (__u64)((__s64)(x - 1) >> 63);
	RT_OPAQUE(m);
	return m;
}

static inline void find_component(struct component *c, const void *path, __u64 size)
{
	const __u64 *w = path;
	__u64 start = 0, end = 0, dir_end = 0, was = ~0ull; /* was: -1 when the byte before is a slash, or none */

	for (__u64 i = 0; i < size; i++) {
		__u64 ch = (w[i / 8] >> (8 * (i % 8))) & 0xff;
		__u64 slash = mask_zero(ch ^ '/'), text = ~(slash | mask_zero(ch)), begins = text & was;

		start = (start & ~begins) | (i & begins);
		dir_end = (dir_end & ~begins) | (end & begins);
		end = (end & ~text) | ((i + 1) & text);
		was = slash;
	}
	c->start = start;
	c->end = end;
	c->dir_end = dir_end;
}

/* "/" for a path of slashes only, "." for an empty one. */
static inline void no_component(void *dst, const void *path, __u64 size)
{
	__u64 first = *(const __u64 *)path & 0xff;

	rt_str_zero(dst, size);
	*(__u64 *)dst = first ? '/' : '.';
}

RT_FUNC void rt_str_basename(void *dst, const void *path, __u64 size)
{
	struct component c;

	find_component(&c, path, size);
	if (c.end == 0)
		no_component(dst, path, size);
	else
		copy_part(dst, path, c.start, c.end - c.start, size);
}

RT_FUNC void rt_str_dirname(void *dst, const void *path, __u64 size)
{
	struct component c;

	find_component(&c, path, size);
	if (c.end == 0) {
		no_component(dst, path, size);
	} else if (c.dir_end == 0) {
		rt_str_zero(dst, size);
		*(__u64 *)dst = c.start ? '/' : '.';
	} else {
		copy_part(dst, path, 0, c.dir_end, size);
	}
}
