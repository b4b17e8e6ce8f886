// SPDX-License-Identifier: Apache-2.0
/*
 * Dynamic symbols of a mapped ELF image, read from memory. The image is somebody else's and may be anything: every
 * table is bounded, every loop counted, every address read through a source that may say no.
 */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/target_impl.h"

enum { MAX_PHDRS = 128, MAX_DYNAMIC = 512, MAX_CHAIN = 1 << 16, MAX_NAME = 128 };

struct target_elf {
	struct elf_source src;
	struct elf_dynamic dyn;
};

/* The load bias, and where PT_DYNAMIC is. */
static int phdrs_read(const struct elf_source *src, u64 base, u64 *bias, u64 *dynamic, u64 *size)
{
	Elf64_Phdr ph[MAX_PHDRS];
	bool have_load = false;
	Elf64_Ehdr eh;
	int ret = src->read(src->arg, base, &eh, sizeof(eh));

	if (ret)
		return ret;
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_ident[EI_DATA] != ELFDATA2LSB || eh.e_machine != EM_X86_64)
		return -ENOEXEC;
	if (eh.e_phentsize != sizeof(*ph) || !eh.e_phnum || eh.e_phnum > MAX_PHDRS)
		return -ENOEXEC;
	ret = src->read(src->arg, base + eh.e_phoff, ph, eh.e_phnum * sizeof(*ph));
	if (ret)
		return ret;
	*dynamic = *size = 0;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && !have_load) {
			*bias = base - (ph[i].p_vaddr & ~4095ull);
			have_load = true;
		} else if (ph[i].p_type == PT_DYNAMIC) {
			*dynamic = ph[i].p_vaddr;
			*size = ph[i].p_memsz;
		}
	}
	if (!have_load || !*dynamic)
		return -ENOENT;
	*dynamic += *bias;
	return 0;
}

int elf_dynamic_read(const struct elf_source *src, u64 base, struct elf_dynamic *out)
{
	u64 dynamic, size;
	struct {
		s64 tag;
		u64 *to;
	} const wanted[] = {
	    {DT_SYMTAB, &out->symtab},     {DT_STRTAB, &out->strtab}, {DT_HASH, &out->hash},
	    {DT_GNU_HASH, &out->gnu_hash}, {DT_STRSZ, &out->strsz},
	};
	int ret;

	memset(out, 0, sizeof(*out));
	ret = phdrs_read(src, base, &out->bias, &dynamic, &size);
	if (ret)
		return ret;
	for (u64 i = 0; i < size / sizeof(Elf64_Dyn) && i < MAX_DYNAMIC; i++) {
		Elf64_Dyn d;

		ret = src->read(src->arg, dynamic + i * sizeof(d), &d, sizeof(d));
		if (ret)
			return ret;
		if (d.d_tag == DT_NULL)
			break;
		for (size_t w = 0; w < ARRAY_SIZE(wanted); w++)
			if (d.d_tag == wanted[w].tag)
				*wanted[w].to = d.d_un.d_val;
	}
	/* glibc has turned these into addresses, musl and the kernel's vdso have not. */
	for (size_t w = 0; w < ARRAY_SIZE(wanted) - 1; w++)
		if (*wanted[w].to && *wanted[w].to < out->bias)
			*wanted[w].to += out->bias;
	return out->symtab && out->strtab && (out->hash || out->gnu_hash) ? 0 : -ENOENT;
}

/* Is symbol `index` a defined one of this name? 1, 0 or -errno. */
static int symbol_is(const struct elf_source *src, const struct elf_dynamic *dyn, u32 index, const char *name,
		     u64 *addr, u64 *size)
{
	size_t len = strlen(name) + 1;
	char text[MAX_NAME];
	Elf64_Sym sym;
	int ret = src->read(src->arg, dyn->symtab + (u64)index * sizeof(sym), &sym, sizeof(sym));

	if (ret)
		return ret;
	if (sym.st_shndx == SHN_UNDEF || !sym.st_value || ELF64_ST_TYPE(sym.st_info) == STT_GNU_IFUNC ||
	    ELF64_ST_TYPE(sym.st_info) == STT_TLS)
		return 0;
	if (len > sizeof(text) || (dyn->strsz && (sym.st_name >= dyn->strsz || len > dyn->strsz - sym.st_name)))
		return 0;
	ret = src->read(src->arg, dyn->strtab + sym.st_name, text, len);
	if (ret)
		return ret;
	if (memcmp(text, name, len))
		return 0;
	*addr = sym.st_shndx == SHN_ABS ? sym.st_value : sym.st_value + dyn->bias;
	*size = sym.st_size;
	return 1;
}

/* DT_GNU_HASH: header, Bloom filter, buckets, chains whose last member has bit 0 set. */
static int gnu_find(const struct elf_source *src, const struct elf_dynamic *dyn, const char *name, u64 *addr,
		    u64 *size)
{
	u32 h[4], hash = 5381, index, link;
	u64 buckets, chains;
	int ret = src->read(src->arg, dyn->gnu_hash, h, sizeof(h));

	if (ret)
		return ret;
	if (!h[0])
		return -ENOENT;
	for (const u8 *p = (const u8 *)name; *p; p++)
		hash = hash * 33 + *p;
	buckets = dyn->gnu_hash + sizeof(h) + (u64)h[2] * 8;
	chains = buckets + (u64)h[0] * 4;
	ret = src->read(src->arg, buckets + (u64)(hash % h[0]) * 4, &index, sizeof(index));
	if (ret)
		return ret;
	if (index < h[1])
		return -ENOENT;
	for (unsigned n = 0; n < MAX_CHAIN; n++, index++) {
		ret = src->read(src->arg, chains + (u64)(index - h[1]) * 4, &link, sizeof(link));
		if (ret)
			return ret;
		if ((link | 1) == (hash | 1)) {
			ret = symbol_is(src, dyn, index, name, addr, size);
			if (ret)
				return ret > 0 ? 0 : ret;
		}
		if (link & 1)
			return -ENOENT;
	}
	return -ENOEXEC;
}

/* DT_HASH, the old table of System V. */
static int sysv_find(const struct elf_source *src, const struct elf_dynamic *dyn, const char *name, u64 *addr,
		     u64 *size)
{
	u32 h[2], hash = 0, index;
	int ret = src->read(src->arg, dyn->hash, h, sizeof(h));

	if (ret)
		return ret;
	if (!h[0])
		return -ENOENT;
	for (const u8 *p = (const u8 *)name; *p; p++) {
		hash = (hash << 4) + *p;
		hash ^= hash >> 24 & 0xf0;
		hash &= 0x0fffffff;
	}
	ret = src->read(src->arg, dyn->hash + 8 + (u64)(hash % h[0]) * 4, &index, sizeof(index));
	for (unsigned n = 0; !ret && index && n < MAX_CHAIN; n++) {
		if (index >= h[1])
			return -ENOEXEC;
		ret = symbol_is(src, dyn, index, name, addr, size);
		if (ret)
			return ret > 0 ? 0 : ret;
		ret = src->read(src->arg, dyn->hash + 8 + (u64)h[0] * 4 + (u64)index * 4, &index, sizeof(index));
	}
	return ret ? ret : index ? -ENOEXEC : -ENOENT;
}

int elf_symbol_find(const struct elf_source *src, const struct elf_dynamic *dyn, const char *name, u64 *addr,
		    u64 *size)
{
	return dyn->gnu_hash ? gnu_find(src, dyn, name, addr, size) : sysv_find(src, dyn, name, addr, size);
}

void target_elf_begin(struct target *t)
{
	t->elf_reads = 0;
}

bool target_elf_exhausted(const struct target *t)
{
	return t->elf_reads >= TARGET_ELF_READS;
}

static int read_target(void *arg, u64 addr, void *dst, size_t n)
{
	struct target *t = arg;

	if (target_elf_exhausted(t))
		return -E2BIG;
	t->elf_reads++;
	return target_read(t, addr, dst, n);
}

int target_elf_open(struct target_elf **out, struct target *t, u64 first_map_start)
{
	struct target_elf *e = calloc(1, sizeof(*e));
	int ret;

	if (!e)
		return -ENOMEM;
	e->src = (struct elf_source){read_target, t};
	ret = elf_dynamic_read(&e->src, first_map_start, &e->dyn);
	if (ret)
		free(e);
	else
		*out = e;
	return ret;
}

int target_elf_symbol(struct target_elf *e, const char *name, u64 *addr)
{
	u64 size;

	return elf_symbol_find(&e->src, &e->dyn, name, addr, &size);
}

void target_elf_close(struct target_elf *e)
{
	free(e);
}
