// SPDX-License-Identifier: Apache-2.0
/* Fuzz the reader of dynamic symbols with a process's memory that is anything. */
#include <errno.h>
#include <stdlib.h>

#include "elf_image.h"
#include "target/target_impl.h"

enum { BASE = 0x10000000, MAX_READS = 1 << 18 };

const struct fuzz_hints fuzz_hints = {.max = 256};

static const char *const names[IMAGE_SYMS] = {"Py_AddPendingCall", "abc", "def", "dlopen", ""};
static const u64 values[IMAGE_SYMS] = {0x1000, 0x2000, 0x3000, 0x4000, 0x5000};

struct memory {
	struct elf_image *image;
	bool everywhere; /* there is something at every address */
	unsigned reads;
};

static int read_memory(void *arg, u64 addr, void *dst, size_t n)
{
	struct memory *m = arg;
	u64 off = addr - BASE;

	/* How long it may take: some reads for each step of a chain, and chains have a bound. */
	if (m->reads++ > MAX_READS)
		abort();
	if (off <= sizeof(*m->image) && n <= sizeof(*m->image) - off)
		memcpy(dst, (u8 *)m->image + off, n);
	else if (m->everywhere)
		memset(dst, (int)(addr * 0x9e3779b97f4a7c15ull >> 61) - 1, n);
	else
		return -EFAULT;
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct memory m = {malloc(sizeof(*m.image))};
	struct elf_source src = {read_memory, &m};
	struct fuzz_in in = {data, size};
	u8 mode = (u8)fuzz_take(&in, 1);
	struct elf_dynamic dyn;
	bool whole = !in.n;

	m.everywhere = mode & 2;
	elf_image_make(m.image, BASE, mode & 1, names, values);
	fuzz_damage_all(&in, m.image, sizeof(*m.image));
	if (!elf_dynamic_read(&src, BASE, &dyn)) {
		for (size_t i = 0; i < IMAGE_SYMS; i++) {
			u64 addr, sym_size;
			int ret;

			m.reads = 0;
			ret = elf_symbol_find(&src, &dyn, names[i], &addr, &sym_size);
			if (ret > 0 || (whole && (ret || addr != BASE + values[i])))
				abort();
		}
	} else if (whole) {
		abort();
	}
	free(m.image);
	return 0;
}
