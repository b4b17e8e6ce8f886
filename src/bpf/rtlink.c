// SPDX-License-Identifier: Apache-2.0
/*
 * A small static linker: a generated program calls run-time functions by name; they stand compiled in an ELF object
 * (src/rt), whose .text we cut into functions. Those that a program reaches are appended to it, each once:
 *
 *   program | rt_a | rt_b | ...       and each call gets  imm = start of callee - (index of the call + 1)
 *
 * Within the object a call is either relocated (R_BPF_64_32 against a function or against the section, llvm's
 * BPFELFObjectWriter) or, to a static function of the section, already resolved.
 */
#include <errno.h>
#include <gelf.h>
#include <libelf.h>
#include <stdlib.h>
#include <string.h>

#include "bpf/bpf_impl.h"
#include "rt/rt.h"

#ifndef R_BPF_64_32
#define R_BPF_64_32 10
#endif

#define MAX_INSNS 1000000u /* BPF_COMPLEXITY_LIMIT_INSNS: more are never accepted */
#define NONE      UINT32_MAX

struct func {
	const char *name;
	u32 first, n; /* instructions of .text */
	u32 placed;   /* where it stands in the output; NONE */
};

/* The object while it is read. */
struct object {
	Elf *elf;
	const struct bpf_insn *text;
	u32 ntext, text_shndx;
	Elf_Data *syms;
	size_t nsyms, strtab;
	u32 *callee; /* by instruction of .text: what a relocated call reaches, NONE: not relocated */
	struct func *funcs;
	u32 nfuncs;
};

struct linker {
	struct object o;
	struct bpf_code *out;
	u32 cap;
	struct diag *diag;
};

static int broken(struct linker *l, const char *why)
{
	return diag_fail(l->diag, EINVAL,
			 "the run-time object that is built in is broken, which is a bug in pydtrace: %s", why);
}

static struct func *func_at(struct object *o, u32 insn)
{
	for (u32 i = 0; i < o->nfuncs; i++) {
		if (o->funcs[i].first == insn)
			return &o->funcs[i];
	}
	return NULL;
}

static int read_sections(struct linker *l)
{
	struct object *o = &l->o;
	size_t names;

	if (elf_getshdrstrndx(o->elf, &names))
		return broken(l, "no section names");
	for (Elf_Scn *s = NULL; (s = elf_nextscn(o->elf, s));) {
		GElf_Shdr sh;
		const char *name;
		Elf_Data *data;

		if (!gelf_getshdr(s, &sh) || !(name = elf_strptr(o->elf, names, sh.sh_name)) || !sh.sh_size)
			continue;
		data = elf_getdata(s, NULL);
		if (!data || !data->d_buf)
			continue;
		if (sh.sh_type == SHT_SYMTAB) {
			o->syms = data;
			o->nsyms = data->d_size / sizeof(Elf64_Sym);
			o->strtab = sh.sh_link;
		} else if (!strcmp(name, ".text")) {
			o->text = data->d_buf;
			o->ntext = (u32)(data->d_size / sizeof(struct bpf_insn));
			o->text_shndx = (u32)elf_ndxscn(s);
		}
	}
	return o->text && (uintptr_t)o->text % _Alignof(struct bpf_insn) == 0 && o->syms ? 0 : broken(l, "no code");
}

static int read_funcs(struct linker *l)
{
	struct object *o = &l->o;

	o->funcs = calloc(o->nsyms, sizeof(*o->funcs));
	if (!o->funcs)
		return -ENOMEM;
	for (size_t i = 0; i < o->nsyms; i++) {
		GElf_Sym sym;

		if (!gelf_getsym(o->syms, (int)i, &sym) || GELF_ST_TYPE(sym.st_info) != STT_FUNC ||
		    sym.st_shndx != o->text_shndx)
			continue;
		o->funcs[o->nfuncs++] = (struct func){
		    .name = elf_strptr(o->elf, o->strtab, sym.st_name),
		    .first = (u32)(sym.st_value / sizeof(struct bpf_insn)),
		    .n = (u32)(sym.st_size / sizeof(struct bpf_insn)),
		    .placed = NONE,
		};
	}
	return 0;
}

static int read_reloc(struct linker *l, const GElf_Rel *rel)
{
	struct object *o = &l->o;
	u64 at = rel->r_offset / sizeof(struct bpf_insn), to;
	GElf_Sym sym;

	if (GELF_R_TYPE(rel->r_info) != R_BPF_64_32 || at >= o->ntext)
		return broken(l, "a relocation that is no call (static data in src/rt?)");
	if (!gelf_getsym(o->syms, (int)GELF_R_SYM(rel->r_info), &sym) || sym.st_shndx != o->text_shndx)
		return broken(l, "a call to a function that is not in it");
	to = sym.st_value / sizeof(struct bpf_insn);
	/* Against the section the place within it stands in imm, as a pc-relative one would that starts at -1. */
	if (GELF_ST_TYPE(sym.st_info) == STT_SECTION)
		to += (u64)(s64)o->text[at].imm + 1;
	if (to >= o->ntext)
		return broken(l, "a call out of the code");
	o->callee[at] = (u32)to;
	return 0;
}

static int read_relocs(struct linker *l)
{
	struct object *o = &l->o;

	o->callee = malloc(o->ntext * sizeof(*o->callee));
	if (!o->callee)
		return -ENOMEM;
	memset(o->callee, 0xff, o->ntext * sizeof(*o->callee));
	for (Elf_Scn *s = NULL; (s = elf_nextscn(o->elf, s));) {
		GElf_Shdr sh;
		GElf_Rel rel;
		Elf_Data *data;
		int err;

		if (!gelf_getshdr(s, &sh) || sh.sh_type != SHT_REL || sh.sh_info != o->text_shndx)
			continue;
		data = elf_getdata(s, NULL);
		for (int i = 0; data && gelf_getrel(data, i, &rel); i++) {
			err = read_reloc(l, &rel);
			if (err)
				return err;
		}
	}
	return 0;
}

static int open_object(struct linker *l, const void *elf, size_t size)
{
	int err;

	if (elf_version(EV_CURRENT) == EV_NONE)
		return broken(l, "libelf is too old");
	/* libelf does not write to memory images unless asked to update them. */
	l->o.elf = elf_memory((char *)(uintptr_t)elf, size);
	if (!l->o.elf)
		return broken(l, elf_errmsg(-1));
	err = read_sections(l);
	if (!err)
		err = read_funcs(l);
	return err ? err : read_relocs(l);
}

static bool is_call(const struct bpf_insn *insn)
{
	return insn->code == (BPF_JMP | BPF_CALL) && insn->src_reg == BPF_PSEUDO_CALL;
}

static int append(struct linker *l, const struct bpf_insn *insns, u32 n)
{
	struct bpf_code *c = l->out;
	u32 cap = l->cap ? l->cap : 256, *funcs;
	struct bpf_insn *v;

	if (n > MAX_INSNS - c->n)
		return diag_fail(l->diag, E2BIG, "the program is too long for BPF");
	while (cap < c->n + n)
		cap *= 2;
	v = realloc(c->insns, cap * sizeof(*v));
	if (!v)
		return -ENOMEM;
	c->insns = v;
	l->cap = cap;
	funcs = realloc(c->funcs, (c->nfuncs + 1) * sizeof(*funcs));
	if (!funcs)
		return -ENOMEM;
	c->funcs = funcs;
	c->funcs[c->nfuncs++] = c->n;
	memcpy(c->insns + c->n, insns, n * sizeof(*insns));
	c->n += n;
	return 0;
}

/* Append `f`, if it is not there yet, and then what it calls. */
static int place(struct linker *l, struct func *f)
{
	u32 at = l->out->n;
	int err;

	if (f->placed != NONE)
		return 0;
	if (!f->n || f->first > l->o.ntext || f->n > l->o.ntext - f->first)
		return broken(l, "a function of no size");
	f->placed = at;
	err = append(l, l->o.text + f->first, f->n);
	for (u32 i = 0; i < f->n && !err; i++) {
		const struct bpf_insn *insn = &l->o.text[f->first + i];
		u32 to = l->o.callee[f->first + i];
		struct func *callee;

		if (!is_call(insn))
			continue;
		if (to == NONE)
			to = (u32)((s64)f->first + i + 1 + insn->imm);
		callee = func_at(&l->o, to);
		if (!callee)
			return broken(l, "a call into the middle of a function");
		err = place(l, callee);
		l->out->insns[at + i].imm = (s32)(callee->placed - (at + i + 1));
	}
	return err;
}

static struct func *func_named(struct object *o, const char *name)
{
	for (u32 i = 0; i < o->nfuncs; i++) {
		if (o->funcs[i].name && !strcmp(o->funcs[i].name, name))
			return &o->funcs[i];
	}
	return NULL;
}

static int link_calls(struct linker *l, const struct asm_prog *p)
{
	for (u32 i = 0; i < p->nrelocs; i++) {
		const struct asm_reloc *r = &p->relocs[i];
		struct bpf_insn *insn;
		struct func *f;
		int err;

		if (r->kind != ASM_RELOC_RT)
			continue;
		f = func_named(&l->o, r->symbol);
		if (!f)
			return diag_fail(l->diag, ENOENT, "no run-time function %s: a bug in pydtrace", r->symbol);
		err = place(l, f);
		if (err)
			return err;
		insn = &l->out->insns[r->insn];
		insn->code = BPF_JMP | BPF_CALL;
		insn->src_reg = BPF_PSEUDO_CALL;
		insn->imm = (s32)(f->placed - (r->insn + 1));
	}
	return 0;
}

static bool calls_rt(const struct asm_prog *p)
{
	for (u32 i = 0; i < p->nrelocs; i++) {
		if (p->relocs[i].kind == ASM_RELOC_RT)
			return true;
	}
	return false;
}

int bpf_code_link(struct bpf_code *out, const struct asm_prog *p, const void *rt_elf, size_t rt_size,
		  struct diag *diag)
{
	struct linker l = {.out = out, .diag = diag};
	int err;

	*out = (struct bpf_code){0};
	if (!rt_elf) {
		rt_elf = rt_bpf_o;
		rt_size = (size_t)(rt_bpf_o_end - rt_bpf_o);
	}
	err = append(&l, p->insns, p->ninsns);
	if (!err && calls_rt(p)) {
		err = open_object(&l, rt_elf, rt_size);
		if (!err)
			err = link_calls(&l, p);
	}
	if (err == -ENOMEM)
		diag_fail(diag, ENOMEM, "out of memory");
	elf_end(l.o.elf);
	free(l.o.funcs);
	free(l.o.callee);
	if (err)
		bpf_code_free(out);
	return err;
}

void bpf_code_free(struct bpf_code *c)
{
	free(c->insns);
	free(c->funcs);
	*c = (struct bpf_code){0};
}
