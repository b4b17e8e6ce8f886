// SPDX-License-Identifier: Apache-2.0
/* The reader of dynamic symbols: on our own C library, on a hand-made image, and on that image cut and damaged. */
#include <dlfcn.h>
#include <elf.h>
#include <errno.h>
#include <link.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include <cmocka.h>

#include "target/target_impl.h"

/* --- our own C library --- */

static int read_self(void *arg, u64 addr, void *dst, size_t n)
{
	struct iovec to = {dst, n}, from = {(void *)addr, n};

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

static void finds_what_dlsym_finds(void **state)
{
	const struct elf_source src = {read_self, NULL};
	struct elf_dynamic dyn;
	Dl_info info;
	u64 addr, size;

	assert_true(dladdr(dlsym(RTLD_DEFAULT, "fopen"), &info));
	assert_int_equal(elf_dynamic_read(&src, (u64)info.dli_fbase, &dyn), 0);
	assert_int_equal(elf_symbol_find(&src, &dyn, "qsort", &addr, &size), 0);
	assert_int_equal(addr, (u64)dlsym(RTLD_DEFAULT, "qsort"));
	assert_true(size > 0);
	assert_int_equal(elf_symbol_find(&src, &dyn, "no_such_function_here", &addr, &size), -ENOENT);
}

/* --- a hand-made image --- */

enum { BASE = 0x7f0000000000, IMAGE = 1024 };

struct image {
	Elf64_Ehdr eh;
	Elf64_Phdr ph[2];
	Elf64_Dyn dyn[6];
	Elf64_Sym sym[3]; /* none, undefined "abc", "def" */
	char str[16];
	u32 sysv[2 + 1 + 3];
	u32 gnu[4 + 2 + 1 + 2];
};
struct bytes {
	u8 v[IMAGE];
	size_t n;
	unsigned reads;
};

static int read_bytes(void *arg, u64 addr, void *dst, size_t n)
{
	struct bytes *b = arg;

	b->reads++;
	if (addr < BASE || addr - BASE > b->n || n > b->n - (addr - BASE))
		return -EFAULT;
	memcpy(dst, b->v + (addr - BASE), n);
	return 0;
}

static u32 gnu_hash(const char *s)
{
	u32 h = 5381;

	while (*s)
		h = h * 33 + (u8)*s++;
	return h;
}

static void image_make(struct bytes *b, bool gnu)
{
	struct image im = {.eh = {.e_ident = {0x7f, 'E', 'L', 'F', ELFCLASS64, ELFDATA2LSB},
				  .e_machine = EM_X86_64,
				  .e_phoff = offsetof(struct image, ph),
				  .e_phentsize = sizeof(Elf64_Phdr),
				  .e_phnum = 2}};

	im.ph[0] = (Elf64_Phdr){.p_type = PT_LOAD, .p_memsz = sizeof(im)};
	im.ph[1] =
	    (Elf64_Phdr){.p_type = PT_DYNAMIC, .p_vaddr = offsetof(struct image, dyn), .p_memsz = sizeof(im.dyn)};
	im.dyn[0] = (Elf64_Dyn){DT_SYMTAB, {offsetof(struct image, sym)}};
	im.dyn[1] = (Elf64_Dyn){DT_STRTAB, {BASE + offsetof(struct image, str)}}; /* relocated, as glibc does */
	im.dyn[2] = (Elf64_Dyn){DT_STRSZ, {sizeof(im.str)}};
	im.dyn[3] = gnu ? (Elf64_Dyn){DT_GNU_HASH, {offsetof(struct image, gnu)}}
			: (Elf64_Dyn){DT_HASH, {offsetof(struct image, sysv)}};
	memcpy(im.str, "\0abc\0def", 9);
	im.sym[1] = (Elf64_Sym){.st_name = 1};
	im.sym[2] = (Elf64_Sym){.st_name = 5, .st_shndx = 1, .st_value = 0x100, .st_size = 7, .st_info = STT_FUNC};
	/* one bucket, chain 2 -> 1 -> end */
	memcpy(im.sysv, (u32[]){1, 3, 2, 0, 0, 1}, sizeof(im.sysv));
	/* one bucket from symbol 1 on, a Bloom word of all ones */
	memcpy(im.gnu, (u32[]){1, 1, 1, 0, ~0u, ~0u, 1, gnu_hash("abc") & ~1u, gnu_hash("def") | 1},
	       sizeof(im.gnu));
	memset(b, 0, sizeof(*b));
	memcpy(b->v, &im, sizeof(im));
	b->n = sizeof(im);
}

static int find(struct bytes *b, const char *name, u64 *addr)
{
	const struct elf_source src = {read_bytes, b};
	struct elf_dynamic dyn;
	u64 size;
	int ret = elf_dynamic_read(&src, BASE, &dyn);

	return ret ? ret : elf_symbol_find(&src, &dyn, name, addr, &size);
}

static void both_hash_tables(void **state)
{
	for (int gnu = 0; gnu < 2; gnu++) {
		struct bytes b;
		u64 addr;

		image_make(&b, gnu);
		assert_int_equal(find(&b, "def", &addr), 0);
		assert_int_equal(addr, BASE + 0x100);
		assert_int_equal(find(&b, "abc", &addr), -ENOENT); /* undefined here */
		assert_int_equal(find(&b, "de", &addr), -ENOENT);
		assert_int_equal(find(&b, "", &addr), -ENOENT);
	}
}

static void cut_images_are_refused(void **state)
{
	for (int gnu = 0; gnu < 2; gnu++) {
		struct bytes b;
		u64 addr;

		image_make(&b, gnu);
		for (size_t full = b.n, n = 0; n < full; n++) {
			b.n = n;
			if (find(&b, "def", &addr) == 0)
				assert_int_equal(addr, BASE + 0x100);
			else
				assert_true(n < full);
		}
		b.n = sizeof(Elf64_Ehdr) - 1;
		assert_int_equal(find(&b, "def", &addr), -EFAULT);
	}
}

static void other_machines_are_refused(void **state)
{
	struct bytes b;
	u64 addr;

	image_make(&b, true);
	b.v[EI_CLASS] = ELFCLASS32;
	assert_int_equal(find(&b, "def", &addr), -ENOEXEC);
	image_make(&b, true);
	((Elf64_Ehdr *)b.v)->e_machine = EM_AARCH64;
	assert_int_equal(find(&b, "def", &addr), -ENOEXEC);
	image_make(&b, true);
	((Elf64_Ehdr *)b.v)->e_phnum = 60000;
	assert_int_equal(find(&b, "def", &addr), -ENOEXEC);
}

/* A chain that never ends must not hang the reader. */
static void endless_chains_end(void **state)
{
	struct bytes b;
	struct image *im = (struct image *)b.v;
	u64 addr;

	image_make(&b, false);
	im->sysv[3 + 2] = 2; /* chain of 2: 2 again */
	assert_int_equal(find(&b, "xyz", &addr), -ENOEXEC);
	image_make(&b, false);
	im->sysv[2] = 0x7fffffff;
	assert_int_equal(find(&b, "def", &addr), -ENOEXEC);
	image_make(&b, true);
	im->gnu[0] = 0;
	assert_int_equal(find(&b, "def", &addr), -ENOENT);
}

/* Any damage: an answer or a refusal, within a bounded number of reads. */
static void damaged_images(void **state)
{
	u64 rnd = 88172645463325252ull;

	for (int round = 0; round < 20000; round++) {
		struct bytes b;
		u64 addr;

		image_make(&b, round & 1);
		for (int i = 0; i < 1 + round % 4; i++) {
			rnd ^= rnd << 13;
			rnd ^= rnd >> 7;
			rnd ^= rnd << 17;
			b.v[rnd % b.n] = (u8)(rnd >> 32);
		}
		find(&b, "def", &addr);
		assert_true(b.reads < 400000);
	}
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(finds_what_dlsym_finds), cmocka_unit_test(both_hash_tables),
	    cmocka_unit_test(cut_images_are_refused), cmocka_unit_test(other_machines_are_refused),
	    cmocka_unit_test(endless_chains_end),     cmocka_unit_test(damaged_images),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
