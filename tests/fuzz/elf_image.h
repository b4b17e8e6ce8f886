// SPDX-License-Identifier: Apache-2.0
/* A mapped ELF image with a few dynamic symbols in both kinds of hash table, to be damaged. */
#ifndef PYDTRACE_FUZZ_ELF_IMAGE_H
#define PYDTRACE_FUZZ_ELF_IMAGE_H

#include <elf.h>

#include "fuzz.h"

enum { IMAGE_SYMS = 5 };

struct elf_image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	Elf64_Dyn dyn[6];
	Elf64_Sym sym[1 + IMAGE_SYMS];
	u32 sysv[2 + 1 + 1 + IMAGE_SYMS]; /* one bucket, and so one chain */
	u32 gnu[4 + 2 + 1 + IMAGE_SYMS];
	char str[160];
};

static inline u32 elf_image_gnu_hash(const char *s)
{
	u32 h = 5381;

	while (*s)
		h = h * 33 + (u8)*s++;
	return h;
}

static inline void elf_image_make(struct elf_image *im, u64 base, bool gnu, const char *const names[IMAGE_SYMS],
				  const u64 values[IMAGE_SYMS])
{
	size_t end = 1;

	*im = (struct elf_image){
	    .eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB},
		   .e_machine = EM_X86_64,
		   .e_phoff = offsetof(struct elf_image, ph),
		   .e_phentsize = sizeof(Elf64_Phdr),
		   .e_phnum = 2},
	    .ph = {{.p_type = PT_LOAD},
		   {.p_type = PT_DYNAMIC, .p_vaddr = offsetof(struct elf_image, dyn), .p_memsz = sizeof(im->dyn)}},
	    .dyn = {{DT_SYMTAB, {base + offsetof(struct elf_image, sym)}},
		    {DT_STRTAB, {base + offsetof(struct elf_image, str)}},
		    {DT_STRSZ, {sizeof(im->str)}},
		    {gnu ? DT_GNU_HASH : DT_HASH,
		     {base + (gnu ? offsetof(struct elf_image, gnu) : offsetof(struct elf_image, sysv))}}},
	    .sysv = {1, 1 + IMAGE_SYMS, 1},
	    .gnu = {1, 1, 1, 0, ~0u, ~0u, 1}};
	for (u32 i = 0; i < IMAGE_SYMS; i++) {
		size_t n = strlen(names[i]) + 1;

		im->sym[1 + i] = (Elf64_Sym){.st_name = (u32)end,
					     .st_info = ELF64_ST_INFO(STB_GLOBAL, STT_FUNC),
					     .st_shndx = 1,
					     .st_value = values[i],
					     .st_size = 16};
		memcpy(im->str + end, names[i], n);
		end += n;
		im->sysv[3 + 1 + i] = i + 1 < IMAGE_SYMS ? i + 2 : 0;
		im->gnu[7 + i] = (elf_image_gnu_hash(names[i]) & ~1u) | (i + 1 == IMAGE_SYMS);
	}
}

#endif
