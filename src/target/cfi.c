// SPDX-License-Identifier: Apache-2.0
/* Find and run call frame information (cfi_impl.h). Every length is bounded, and every byte may be anything. */
#include <elf.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "target/cfi_impl.h"

enum {
	MAX_PHDRS = 128,
	MAX_ENTRY = 1 << 17,   /* bytes of one entry; the interpreter's main loop has some thousand */
	MAX_TABLE = 1 << 22,   /* entries of an image */
	MAX_REMEMBERED = 8,    /* nested DW_CFA_remember_state */
	MAX_AUGMENTATION = 16, /* letters */
};

/* Pointer encodings (LSB Core, 10.5.1): how the value is stored, and what it is relative to. */
enum { PE_ABSPTR = 0x00, PE_UDATA4 = 0x03, PE_SDATA4 = 0x0b, PE_PCREL = 0x10, PE_DATAREL = 0x30 };

/* Instructions (DWARF 5, 7.24; the last two are GNU's). The first three have an operand in their low six bits. */
enum {
	CFA_ADVANCE_LOC = 0x40,
	CFA_OFFSET = 0x80,
	CFA_RESTORE = 0xc0,
	CFA_NOP = 0x00,
	CFA_ADVANCE_LOC1 = 0x02,
	CFA_ADVANCE_LOC2 = 0x03,
	CFA_ADVANCE_LOC4 = 0x04,
	CFA_OFFSET_EXTENDED = 0x05,
	CFA_RESTORE_EXTENDED = 0x06,
	CFA_UNDEFINED = 0x07,
	CFA_SAME_VALUE = 0x08,
	CFA_REMEMBER_STATE = 0x0a,
	CFA_RESTORE_STATE = 0x0b,
	CFA_DEF_CFA = 0x0c,
	CFA_DEF_CFA_REGISTER = 0x0d,
	CFA_DEF_CFA_OFFSET = 0x0e,
	CFA_OFFSET_EXTENDED_SF = 0x11,
	CFA_DEF_CFA_SF = 0x12,
	CFA_DEF_CFA_OFFSET_SF = 0x13,
	CFA_GNU_ARGS_SIZE = 0x2e,
};

/* --- bytes ------------------------------------------------------------------------------------------------------------ */

/* Bytes that are read from front to back; `bad` once one was asked for that is not there. */
struct bytes {
	const u8 *p, *end;
	bool bad;
};

static u64 take(struct bytes *b, size_t n)
{
	u64 v = 0;

	if ((size_t)(b->end - b->p) < n) {
		b->bad = true;
		b->p = b->end;
		return 0;
	}
	memcpy(&v, b->p, n);
	b->p += n;
	return v;
}

static void skip(struct bytes *b, u64 n)
{
	if ((u64)(b->end - b->p) < n)
		b->bad = true;
	b->p = b->bad ? b->end : b->p + n;
}

static u64 take_uleb(struct bytes *b)
{
	u64 v = 0;

	for (unsigned shift = 0; shift < 64; shift += 7) {
		u64 byte = take(b, 1);

		v |= (byte & 0x7f) << shift;
		if (!(byte & 0x80))
			return v;
	}
	b->bad = true;
	return 0;
}

static s64 take_sleb(struct bytes *b)
{
	u64 v = 0;

	for (unsigned shift = 0; shift < 64;) {
		u64 byte = take(b, 1);

		v |= (byte & 0x7f) << shift;
		shift += 7;
		if (!(byte & 0x80))
			return (s64)(byte & 0x40 && shift < 64 ? v | ~0ull << shift : v);
	}
	b->bad = true;
	return 0;
}

/* --- entries ------------------------------------------------------------------------------------------------------- */

/* A common information entry (CIE), or a frame description entry (FDE) with the one that it belongs to. */
struct entry {
	u64 addr; /* of its first byte in the image */
	u8 *data; /* from its first byte on */
	size_t size;
};

struct common {
	u64 code_align;
	s64 data_align;
	u8 encoding; /* of addresses in the FDEs */
	bool augmented, signal;
	struct bytes program;
};

static int entry_read(const struct elf_source *src, u64 addr, struct entry *e)
{
	u32 length;
	int ret = src->read(src->arg, addr, &length, sizeof(length));

	if (ret)
		return ret;
	if (length < 4 ||
	    length > MAX_ENTRY) /* 0 ends the section; 0xffffffff: a 64-bit length, which nobody writes */
		return -ENOEXEC;
	e->addr = addr;
	e->size = sizeof(length) + length;
	e->data = malloc(e->size);
	if (!e->data)
		return -ENOMEM;
	ret = src->read(src->arg, addr, e->data, e->size);
	if (ret) {
		free(e->data);
		e->data = NULL;
	}
	return ret;
}

static struct bytes entry_bytes(const struct entry *e)
{
	return (struct bytes){e->data + 4, e->data + e->size, false};
}

/* The letters of an augmentation say what its data holds, in their order. */
static int common_augmentation(struct common *c, const char *letters, struct bytes *data)
{
	for (; *letters; letters++) {
		u8 encoding;

		switch (*letters) {
		case 'R': c->encoding = (u8)take(data, 1); break;
		case 'S': c->signal = true; break;
		case 'L': take(data, 1); break;
		case 'P': /* a personality routine: a pointer of four or eight bytes */
			encoding = (u8)take(data, 1) & 0x0f;
			skip(data, encoding == PE_ABSPTR || encoding == 0x04 || encoding == 0x0c ? 8 : 4);
			break;
		default: return -ENOTSUP;
		}
	}
	return data->bad ? -ENOEXEC : 0;
}

static int common_parse(const struct entry *e, struct common *c)
{
	struct bytes b = entry_bytes(e), data;
	char letters[MAX_AUGMENTATION] = "";
	u64 version;
	size_t n = 0;

	memset(c, 0, sizeof(*c));
	if (take(&b, 4)) /* the ID of a CIE */
		return -ENOEXEC;
	version = take(&b, 1);
	while (n < sizeof(letters) - 1 && (letters[n] = (char)take(&b, 1)))
		n++;
	if (letters[n] || (version != 1 && version != 3))
		return -ENOTSUP;
	c->code_align = take_uleb(&b);
	c->data_align = take_sleb(&b);
	if ((version == 1 ? take(&b, 1) : take_uleb(&b)) != CFI_RA)
		return -ENOTSUP;
	if (letters[0] == 'z') {
		u64 size = take_uleb(&b);

		data = b;
		skip(&b, size);
		data.end = b.p;
		c->augmented = true;
		int ret = common_augmentation(c, letters + 1, &data);

		if (ret)
			return ret;
	} else if (letters[0]) {
		return -ENOTSUP;
	}
	c->program = b;
	return b.bad ? -ENOEXEC : 0;
}

/* The code that an FDE describes; leaves `b` at its instructions. */
static int fde_range(const struct entry *e, const struct common *c, struct bytes *b, struct cfi_row *row)
{
	u64 at;

	*b = entry_bytes(e);
	take(b, 4); /* where its CIE is */
	at = e->addr + (u64)(b->p - e->data);
	if (c->encoding == (PE_PCREL | PE_SDATA4)) {
		row->start = at + (u64)(s64)(s32)take(b, 4);
		row->end = row->start + take(b, 4);
	} else if (c->encoding == PE_ABSPTR) {
		row->start = take(b, 8);
		row->end = row->start + take(b, 8);
	} else {
		return -ENOTSUP;
	}
	if (c->augmented)
		skip(b, take_uleb(b));
	return b->bad ? -ENOEXEC : 0;
}

/* --- instructions -------------------------------------------------------------------------------------------------- */

struct machine {
	const struct common *c;
	struct cfi_row *row;
	struct cfi_row initial; /* after the CIE's own instructions: what DW_CFA_restore goes back to */
	struct cfi_row remembered[MAX_REMEMBERED];
	size_t nremembered;
	u64 loc, pc;
};

/* How a register is found again. Those that we do not follow (vector registers) do not matter. */
static void rule_saved(struct cfi_row *row, u64 reg, s64 off)
{
	if (reg >= CFI_REGS)
		return;
	row->saved |= 1u << reg;
	row->undefined &= ~(1u << reg);
	row->off[reg] = off;
}

static void rule_clear(struct cfi_row *row, u64 reg, bool undefined)
{
	if (reg >= CFI_REGS)
		return;
	row->saved &= ~(1u << reg);
	row->undefined &= ~(1u << reg);
	row->undefined |= (u32)undefined << reg;
}

static void rule_restore(struct cfi_row *row, const struct cfi_row *initial, u64 reg)
{
	if (reg >= CFI_REGS)
		return;
	rule_clear(row, reg, initial->undefined >> reg & 1);
	if (initial->saved >> reg & 1)
		rule_saved(row, reg, initial->off[reg]);
}

static void def_cfa(struct cfi_row *row, u64 reg, s64 off)
{
	row->cfa_reg = reg < CFI_REGS ? (u32)reg : CFI_REGS;
	row->cfa_off = off;
}

/* Go back to a remembered row; the code that the entry describes stays the same. */
static int state_restore(struct machine *m)
{
	if (!m->nremembered)
		return -ENOEXEC;
	*m->row = m->remembered[--m->nremembered];
	return 0;
}

static int state_remember(struct machine *m)
{
	if (m->nremembered == MAX_REMEMBERED)
		return -ENOTSUP;
	m->remembered[m->nremembered++] = *m->row;
	return 0;
}

/* The instructions without an operand in their first byte. */
static int run_plain(struct machine *m, u8 op, struct bytes *b)
{
	s64 align = m->c->data_align;
	struct cfi_row *row = m->row;
	u64 reg;

	switch (op) {
	case CFA_NOP: return 0;
	case CFA_ADVANCE_LOC1: m->loc += take(b, 1) * m->c->code_align; return 0;
	case CFA_ADVANCE_LOC2: m->loc += take(b, 2) * m->c->code_align; return 0;
	case CFA_ADVANCE_LOC4: m->loc += take(b, 4) * m->c->code_align; return 0;
	case CFA_OFFSET_EXTENDED:
		reg = take_uleb(b);
		rule_saved(row, reg, (s64)take_uleb(b) * align);
		return 0;
	case CFA_OFFSET_EXTENDED_SF:
		reg = take_uleb(b);
		rule_saved(row, reg, take_sleb(b) * align);
		return 0;
	case CFA_RESTORE_EXTENDED: rule_restore(row, &m->initial, take_uleb(b)); return 0;
	case CFA_UNDEFINED: rule_clear(row, take_uleb(b), true); return 0;
	case CFA_SAME_VALUE: rule_clear(row, take_uleb(b), false); return 0;
	case CFA_REMEMBER_STATE: return state_remember(m);
	case CFA_RESTORE_STATE: return state_restore(m);
	case CFA_DEF_CFA:
		reg = take_uleb(b);
		def_cfa(row, reg, (s64)take_uleb(b));
		return 0;
	case CFA_DEF_CFA_SF:
		reg = take_uleb(b);
		def_cfa(row, reg, take_sleb(b) * align);
		return 0;
	case CFA_DEF_CFA_REGISTER: def_cfa(row, take_uleb(b), row->cfa_off); return 0;
	case CFA_DEF_CFA_OFFSET: def_cfa(row, row->cfa_reg, (s64)take_uleb(b)); return 0;
	case CFA_DEF_CFA_OFFSET_SF: def_cfa(row, row->cfa_reg, take_sleb(b) * align); return 0;
	case CFA_GNU_ARGS_SIZE: take_uleb(b); return 0;
	default: return -ENOTSUP; /* expressions, and what only other processors have */
	}
}

/* Run instructions up to the row for m->pc. */
static int run(struct machine *m, struct bytes b)
{
	int ret = 0;

	while (!ret && !b.bad && b.p < b.end && m->loc <= m->pc) {
		u8 op = (u8)take(&b, 1), low = op & 0x3f;
		u64 loc = m->loc;

		switch (op & 0xc0) {
		case CFA_ADVANCE_LOC: m->loc += low * m->c->code_align; break;
		case CFA_OFFSET: rule_saved(m->row, low, (s64)take_uleb(&b) * m->c->data_align); break;
		case CFA_RESTORE: rule_restore(m->row, &m->initial, low); break;
		default: ret = run_plain(m, op, &b);
		}
		if (m->loc < loc)
			ret = -ENOEXEC;
	}
	return b.bad ? -ENOEXEC : ret;
}

/* The row for pc, out of the FDE at `addr`. */
static int fde_run(const struct elf_source *src, u64 addr, u64 pc, struct cfi_row *out)
{
	struct entry fde = {0}, cie = {0};
	struct machine m = {.row = out, .pc = pc};
	struct common c;
	struct bytes b;
	u32 back;
	int ret = entry_read(src, addr, &fde);

	if (ret)
		return ret;
	memset(out, 0, sizeof(*out));
	memcpy(&back, fde.data + 4, sizeof(back));
	ret = back ? entry_read(src, addr + 4 - back, &cie) : -ENOEXEC;
	if (!ret)
		ret = common_parse(&cie, &c);
	if (!ret)
		ret = fde_range(&fde, &c, &b, out);
	if (!ret && (pc < out->start || pc >= out->end))
		ret = -ENOENT;
	if (!ret) {
		m.c = &c;
		out->signal = c.signal;
		m.loc = out->start;
		ret = run(&m, c.program);
		m.initial = *out;
		m.loc = out->start;
	}
	if (!ret)
		ret = run(&m, b);
	if (!ret && out->cfa_reg >= CFI_REGS)
		ret = -ENOTSUP;
	free(fde.data);
	free(cie.data);
	return ret;
}

/* --- the image ------------------------------------------------------------------------------------------------------ */

/* Where .eh_frame_hdr is: PT_GNU_EH_FRAME. */
static int header_find(const struct elf_source *src, u64 base, u64 *header)
{
	Elf64_Phdr ph[MAX_PHDRS];
	const Elf64_Phdr *load = NULL, *frame = NULL;
	Elf64_Ehdr eh;
	int ret = src->read(src->arg, base, &eh, sizeof(eh));

	if (ret)
		return ret;
	if (memcmp(eh.e_ident, ELFMAG, SELFMAG) || eh.e_ident[EI_CLASS] != ELFCLASS64 ||
	    eh.e_machine != EM_X86_64 || eh.e_phentsize != sizeof(*ph) || eh.e_phnum > MAX_PHDRS)
		return -ENOEXEC;
	ret = src->read(src->arg, base + eh.e_phoff, ph, eh.e_phnum * sizeof(*ph));
	if (ret)
		return ret;
	for (unsigned i = 0; i < eh.e_phnum; i++) {
		if (ph[i].p_type == PT_LOAD && !load)
			load = &ph[i];
		if (ph[i].p_type == PT_GNU_EH_FRAME)
			frame = &ph[i];
	}
	if (!load || !frame)
		return -ENOENT;
	*header = base - (load->p_vaddr & ~4095ull) + frame->p_vaddr;
	return 0;
}

/* A row of the sorted table: both relative to the header. */
struct pair {
	s32 start, fde;
};

/* The last row that starts at or before pc. */
static int table_find(const struct elf_source *src, u64 header, u64 pc, u64 *fde)
{
	struct {
		u8 version, frame_enc, count_enc, table_enc;
		s32 frame;
		u32 count;
	} h;
	s64 want = (s64)(pc - header);
	struct pair row = {0};
	u32 low = 0, high;
	int ret = src->read(src->arg, header, &h, sizeof(h));

	if (ret)
		return ret;
	if (h.version != 1 || h.frame_enc != (PE_PCREL | PE_SDATA4) || h.count_enc != PE_UDATA4 ||
	    h.table_enc != (PE_DATAREL | PE_SDATA4))
		return -ENOTSUP;
	if (!h.count || h.count > MAX_TABLE)
		return -ENOENT;
	for (high = h.count; high - low > 1;) {
		u32 middle = low + (high - low) / 2;

		ret = src->read(src->arg, header + sizeof(h) + middle * sizeof(row), &row, sizeof(row));
		if (ret)
			return ret;
		*(row.start <= want ? &low : &high) = middle;
	}
	ret = src->read(src->arg, header + sizeof(h) + low * sizeof(row), &row, sizeof(row));
	if (ret)
		return ret;
	*fde = header + (u64)(s64)row.fde;
	return row.start <= want ? 0 : -ENOENT;
}

int cfi_find(const struct elf_source *src, u64 base, u64 pc, struct cfi_row *out)
{
	u64 header, fde;
	int ret = header_find(src, base, &header);

	if (!ret)
		ret = table_find(src, header, pc, &fde);
	return ret ? ret : fde_run(src, fde, pc, out);
}
