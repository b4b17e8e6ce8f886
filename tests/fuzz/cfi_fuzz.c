// SPDX-License-Identifier: Apache-2.0
/* Fuzz the reader of call frame information with an image that is anything. */
#include <errno.h>
#include <stdlib.h>

#include "cfi_image.h"
#include "fuzz.h"
#include "target/cfi_impl.h"

enum { BASE = 0x10000000, MAX_READS = 200 };

const struct fuzz_hints fuzz_hints = {.max = 256};

struct memory {
	struct cfi_image image;
	unsigned reads;
};

static int read_memory(void *arg, u64 addr, void *dst, size_t n)
{
	struct memory *m = arg;
	u64 off = addr - BASE;

	/* How long it may take: the header, a binary search, two entries. */
	if (m->reads++ > MAX_READS)
		abort();
	if (off > CFI_IMAGE || n > CFI_IMAGE - off)
		return -EFAULT;
	memcpy(dst, m->image.bytes + off, n);
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct memory *m = malloc(sizeof(*m)); /* on the heap, so that a sanitizer sees its bounds */
	struct elf_source src = {read_memory, m};
	struct fuzz_in in = {data, size};
	u64 pc = BASE + CFI_CODE + fuzz_take(&in, 1);
	bool whole = !in.n;
	struct cfi_row row;
	int ret;

	cfi_image_make(&m->image);
	fuzz_damage_all(&in, m->image.bytes, CFI_IMAGE);
	m->reads = 0;
	ret = cfi_find(&src, BASE, pc, &row);
	if (ret > 0 || (!ret && (pc < row.start || pc >= row.end || row.cfa_reg >= CFI_REGS)))
		abort();
	if (whole && ret != (pc < BASE + CFI_CODE + 3 * CFI_FUNCTION ? 0 : -ENOENT))
		abort();
	free(m);
	return 0;
}
