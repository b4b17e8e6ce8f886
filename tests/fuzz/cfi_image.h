// SPDX-License-Identifier: Apache-2.0
/* A mapped ELF image with call frame information for three functions, as gcc and the linker would write it. */
#ifndef PYDTRACE_CFI_IMAGE_H
#define PYDTRACE_CFI_IMAGE_H

#include <elf.h>
#include <string.h>

#include "util/util.h"

enum { CFI_IMAGE = 0x1000, CFI_HEADER = 0x200, CFI_ENTRIES = 0x400, CFI_CODE = 0x800, CFI_FUNCTION = 0x40 };

struct cfi_image {
	u8 bytes[CFI_IMAGE];
};

/* An entry of `n` bytes behind its length, padded with DW_CFA_nop. Where the next one goes. */
static inline size_t cfi_image_entry(struct cfi_image *im, size_t at, u32 link, const u8 *body, size_t n)
{
	u32 length = (u32)((4 + n + 7) & ~7ull) + 4;

	memcpy(im->bytes + at, &length, 4);
	memcpy(im->bytes + at + 4, &link, 4);
	memcpy(im->bytes + at + 8, body, n);
	return at + 4 + length;
}

/*
 * The functions are at CFI_CODE + i * CFI_FUNCTION. The first pushes rbx and takes 0x20 bytes; the second has rbp as its
 * frame pointer, with a part at its end that is as its start; the third is the outermost of its thread.
 */
static inline void cfi_image_make(struct cfi_image *im)
{
	static const u8 common[] = {1, 'z', 'R', 0, 1, 0x78, 16, 1, 0x1b, 0x0c, 7, 8, 0x90, 1};
	static const u8 first[] = {0x41, 0x0e, 16, 0x83, 2, 0x44, 0x0e, 0x30};
	static const u8 second[] = {0x41, 0x0e, 16,   0x86, 2, 0x43, 0x0d, 6,
				    0x0a, 0x50, 0x0c, 7,    8, 0xc6, 0x41, 0x0b};
	static const u8 third[] = {0x07, 16};
	static const struct {
		const u8 *program;
		size_t n;
	} fdes[] = {{first, sizeof(first)}, {second, sizeof(second)}, {third, sizeof(third)}};
	Elf64_Ehdr eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB, EV_CURRENT},
			 .e_machine = EM_X86_64,
			 .e_phoff = sizeof(eh),
			 .e_phentsize = sizeof(Elf64_Phdr),
			 .e_phnum = 2};
	Elf64_Phdr ph[] = {{.p_type = PT_LOAD, .p_filesz = CFI_IMAGE, .p_memsz = CFI_IMAGE},
			   {.p_type = PT_GNU_EH_FRAME, .p_vaddr = CFI_HEADER}};
	static const u8 header[] = {1, 0x1b, 3, 0x3b};
	u32 count = ARRAY_SIZE(fdes);
	size_t at = CFI_ENTRIES;

	memset(im, 0, sizeof(*im));
	memcpy(im->bytes, &eh, sizeof(eh));
	memcpy(im->bytes + sizeof(eh), ph, sizeof(ph));
	memcpy(im->bytes + CFI_HEADER, header, sizeof(header));
	memcpy(im->bytes + CFI_HEADER + 8, &count, 4);
	at = cfi_image_entry(im, at, 0, common, sizeof(common));
	for (u32 i = 0; i < count; i++) {
		u32 code = CFI_CODE + i * CFI_FUNCTION, size = CFI_FUNCTION;
		s32 start = (s32)(code - (at + 8)), row[2] = {(s32)code - CFI_HEADER, (s32)at - CFI_HEADER};
		u8 body[64] = {0};

		memcpy(body, &start, 4);
		memcpy(body + 4, &size, 4); /* then a byte: there is no augmentation data */
		memcpy(body + 9, fdes[i].program, fdes[i].n);
		memcpy(im->bytes + CFI_HEADER + 12 + i * sizeof(row), row, sizeof(row));
		at = cfi_image_entry(im, at, (u32)(at + 4 - CFI_ENTRIES), body, 9 + fdes[i].n);
	}
}

#endif
