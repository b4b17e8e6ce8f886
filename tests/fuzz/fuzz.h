// SPDX-License-Identifier: Apache-2.0
/*
 * What fuzz targets share. Each is a LLVMFuzzerTestOneInput() and a struct fuzz_hints, which fuzz_main.c reads and
 * libFuzzer does not need. Binary targets start from something valid and take the input as damage to it: bytes alone
 * would hardly ever come past the first check.
 */
#ifndef PYDTRACE_FUZZ_H
#define PYDTRACE_FUZZ_H

#include <string.h>

#include "util/util.h"

int LLVMFuzzerTestOneInput(const u8 *data, size_t size);

struct fuzz_hints {
	const char *const *words; /* that random bytes would not find */
	size_t nwords;
	bool mode; /* the first byte of an input is no text; the corpus's files are without it */
	size_t max;
};
extern const struct fuzz_hints fuzz_hints;

/* For messages that do not matter. */
static inline void fuzz_hush(void *arg, enum diag_level level, const char *text)
{
}

/* An input that is read from its start; at its end all is 0. */
struct fuzz_in {
	const u8 *p;
	size_t n;
};

static inline u64 fuzz_take(struct fuzz_in *in, size_t n)
{
	u64 v = 0;

	n = n < in->n ? n : in->n;
	memcpy(&v, in->p, n);
	in->p += n;
	in->n -= n;
	return v;
}

/* One piece of damage to `size` bytes at `image`: where, how wide, and what. */
static inline void fuzz_damage(struct fuzz_in *in, void *image, size_t size)
{
	static const u64 some[] = {0,
				   1,
				   ~0ull,
				   0x7f,
				   0xff,
				   0x7fff,
				   0xffff,
				   0x10000,
				   0x7fffffff,
				   0x80000000,
				   0xffffffff,
				   0xfffffff8,
				   0x7fffffffffffffff,
				   0x8000000000000000,
				   0xfffffffffffffff8,
				   0xfffffffffffff000};
	size_t at = fuzz_take(in, 2) % size;
	u8 how = (u8)fuzz_take(in, 1);
	size_t width = 1u << (how & 3), from;
	u64 v = 0;

	if (how & 16)
		at -= at % width;
	if (at + width > size)
		at = size - width;
	memcpy(&v, (u8 *)image + at, width);
	switch (how >> 2 & 3) {
	case 0: v = fuzz_take(in, width); break;
	case 1: v = some[fuzz_take(in, 1) % ARRAY_SIZE(some)]; break;
	case 2: v += (u64)(s64)(int8_t)fuzz_take(in, 1); break;
	default:
		from = fuzz_take(in, 2) % size;
		memcpy(&v, (u8 *)image + (from + width > size ? size - width : from), width);
	}
	memcpy((u8 *)image + at, &v, width);
}

static inline void fuzz_damage_all(struct fuzz_in *in, void *image, size_t size)
{
	while (in->n)
		fuzz_damage(in, image, size);
}

#endif
