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
 * Decisions as numbers, 0 or 1, that are multiplied with. Masks of 0 and -1 would do, but from Linux 6.18 on the verifier
 * takes such a mask apart at each "and" with a constant, as if it were a branch; and where the 8,192 branches that it
 * has room for are used up there, that kernel runs into a null pointer (maybe_fork_scalars).
 */
static inline __u64 bit_nonzero(__u64 x)
{
	x |= -x;
	RT_OPAQUE(x);
	x >>= 63;
	RT_OPAQUE(x);
	return x;
}

/* a < b, both far from the ends of their range. */
static inline __u64 bit_less(__u64 a, __u64 b)
{
	a -= b;
	RT_OPAQUE(a);
	a >>= 63;
	RT_OPAQUE(a);
	return a;
}

/* `bit` ? yes : no */
static inline __u64 choose(__u64 bit, __u64 yes, __u64 no)
{
	__u64 d = (yes - no) * bit;

	RT_OPAQUE(d);
	return no + d;
}

static inline __u64 text_mask(__u64 w)
{
	return (nonzero_bytes(w) >> 7) * 0xff;
}

/*
 * The first i in [first, last] with the text of sub at s + i, or -1. masks[k] has the bytes of sub[k] that count, for k from
 * 1 on. Without a decision, for each one would be made at each place; what of sub is behind the end of s is left to `last`.
 */
static inline __u64 find_first(const char *s, const __u64 *sub, __u64 *masks, __u64 words, __u64 first, __u64 last,
			       __u64 size)
{
	__u64 head = sub[0], mask = text_mask(head), found = ~0ull;

	for (__u64 k = 1; k < words; k++)
		masks[k] = text_mask(sub[k]);
	for (__u64 i = size; i-- > 0;) {
		__u64 diff = (RT_LOAD64(s + i) ^ head) & mask;

		for (__u64 k = 1; k < words && i + 8 * k < size; k++)
			diff |= (RT_LOAD64(s + i + 8 * k) ^ sub[k]) & masks[k];
		found = choose(bit_nonzero(diff) | bit_less(i, first) | bit_less(last, i), found, i);
	}
	return found;
}

/* Most of what is searched for is short: one decision spares it the most of the search. */
#define SHORT_SUB 8

/*
 * Where `sub` (text that ends within its first `words` words) first stands in s at or after `start`; -1: nowhere. As in
 * Perl, the empty text stands everywhere, even when start is behind the end. `wide` is s in a buffer of 2 * size bytes
 * that is zero from s's end on, so that a word can be read at each byte of s; it is written to.
 */
RT_FUNC __s64 rt_str_index(void *wide, const void *sub, __u64 words, __s64 start, __u64 size)
{
	__u64 len = rt_str_len(wide, size), sublen = rt_str_len(sub, words * 8), found, first;
	__u64 *masks = (__u64 *)((char *)wide + size);

	first = choose(bit_less((__u64)start, 0), 0, (__u64)start);
	first = choose(bit_less(len, first), len, first);
	if (sublen < SHORT_SUB)
		words = 1;
	found = find_first(wide, sub, masks, words, first, len - sublen, size);
	if (!sublen)
		found = first;
	/* Each place would be a known number to the verifier, which would walk all that follows once for each. */
	*(volatile __u64 *)wide = found;
	return *(volatile __s64 *)wide;
}

/* The last component of a path: where it begins and ends, and where the part before its slashes ends. */
struct component {
	__u64 start, end, dir_end;
};

static inline void find_component(struct component *c, const void *path, __u64 size)
{
	const __u64 *w = path;
	__u64 start = 0, end = 0, dir_end = 0, was = 1; /* was: the byte before is a slash, or none */

	for (__u64 i = 0; i < size; i++) {
		__u64 ch = (w[i / 8] >> (8 * (i % 8))) & 0xff;
		__u64 other = bit_nonzero(ch ^ '/'), text = other * bit_nonzero(ch), begins = text * was;

		start = choose(begins, i, start);
		dir_end = choose(begins, end, dir_end);
		end = choose(text, i + 1, end);
		was = 1 - other;
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
