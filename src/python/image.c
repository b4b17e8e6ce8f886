// SPDX-License-Identifier: Apache-2.0
/*
 * The agent as an image that the stub itself can map, for a C library whose loader must not do it: musl's dlclose() leaves
 * everything loaded for good (src/ldso/dlclose.c). The agent needs no library and has relocations of one kind only, "add
 * where you are" (tests/agent/test_agent.py sees to that), so no loader is needed:
 *
 *      0          data_at            size
 *      | R-X code | RW- data, zeros |          the file has all of it, also the zeros that an ELF file leaves out
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/python_impl.h"

enum { PAGE = 4096, SEGMENTS = 2 };

static const Elf64_Phdr *segments(const u8 *elf)
{
	return (const Elf64_Phdr *)(elf + ((const Elf64_Ehdr *)elf)->e_phoff);
}

static const Elf64_Phdr *segment(const u8 *elf, u32 type, unsigned n)
{
	for (unsigned i = 0; i < ((const Elf64_Ehdr *)elf)->e_phnum; i++)
		if (segments(elf)[i].p_type == type && !n--)
			return &segments(elf)[i];
	return NULL;
}

/* The value of an entry of the dynamic section; 0: there is none. */
static u64 dynamic(const u8 *image, s64 tag)
{
	const Elf64_Phdr *s = segment(image, PT_DYNAMIC, 0);
	const Elf64_Dyn *d = s ? (const Elf64_Dyn *)(image + s->p_vaddr) : NULL;

	for (; d && d->d_tag != DT_NULL; d++)
		if (d->d_tag == tag)
			return d->d_un.d_val;
	return 0;
}

/* Our own file, as our own linker made it: what it is not, it never is. */
static int layout(const u8 *elf, struct wire_image *out)
{
	const Elf64_Phdr *code = segment(elf, PT_LOAD, 0), *data = segment(elf, PT_LOAD, 1);

	if (!code || !data || segment(elf, PT_LOAD, SEGMENTS) || code->p_vaddr || code->p_offset ||
	    !(code->p_flags & PF_X) || data->p_flags & PF_X)
		return -ENOEXEC;
	out->data_at = (u32)(data->p_vaddr & ~(u64)(PAGE - 1));
	out->size = (u32)ALIGN_UP(data->p_vaddr + data->p_memsz, (u64)PAGE);
	return ALIGN_UP(code->p_memsz, (u64)PAGE) > out->data_at ? -ENOEXEC : 0;
}

int python_image_make(struct python *p)
{
	const u8 *elf = p->agent;
	int ret = layout(elf, &p->image);
	u8 *v;

	if (ret)
		return ret;
	v = calloc(1, p->image.size);
	if (!v)
		return -ENOMEM;
	for (unsigned i = 0; i < SEGMENTS; i++) {
		const Elf64_Phdr *s = segment(elf, PT_LOAD, i);

		memcpy(v + s->p_vaddr, elf + s->p_offset, s->p_filesz);
	}
	p->image.rela = (u32)dynamic(v, DT_RELA);
	p->image.nrela = (u32)(dynamic(v, DT_RELASZ) / sizeof(Elf64_Rela));
	p->agent = p->own_agent = v;
	p->agent_size = p->image.size;
	return 0;
}

u32 python_image_symbol(const struct python *p, const char *name)
{
	const u8 *v = p->own_agent;
	const u32 *hash = (const u32 *)(v + dynamic(v, DT_HASH)); /* buckets, chains: as many as symbols */
	const Elf64_Sym *sym = (const Elf64_Sym *)(v + dynamic(v, DT_SYMTAB));
	const char *names = (const char *)(v + dynamic(v, DT_STRTAB));

	for (u32 i = 1; i < hash[1]; i++)
		if (!strcmp(names + sym[i].st_name, name))
			return (u32)sym[i].st_value;
	return 0;
}
