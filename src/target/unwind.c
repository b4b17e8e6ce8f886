// SPDX-License-Identifier: Apache-2.0
/* The calls that a thread of another process is in, from the innermost to the outermost (cfi_impl.h says how). */
#include <errno.h>
#include <string.h>

#include "target/cfi_impl.h"

static int read_target(void *arg, u64 addr, void *dst, size_t n)
{
	return target_read(arg, addr, dst, n);
}

void target_unwind_begin(struct target_unwind *u, struct target *t, const struct target_maps *maps,
			 const struct user_regs_struct *r)
{
	const u64 regs[CFI_REGS] = {r->rax, r->rdx, r->rcx, r->rbx, r->rsi, r->rdi, r->rbp, r->rsp, r->r8,
				    r->r9,  r->r10, r->r11, r->r12, r->r13, r->r14, r->r15, r->rip};

	*u = (struct target_unwind){.t = t, .maps = maps, .known = (1u << CFI_REGS) - 1};
	memcpy(u->reg, regs, sizeof(regs));
	u->pc = r->rip;
	u->sp = r->rsp;
}

void target_unwind_begin_asleep(struct target_unwind *u, struct target *t, const struct target_maps *maps,
				const struct target_call *c)
{
	struct user_regs_struct r = {.rip = c->pc, .rsp = c->sp};

	target_unwind_begin(u, t, maps, &r);
	u->known = 1u << CFI_RSP | 1u << CFI_RA;
}

/* The start of the image that pc is in: the file's first mapping, or the kernel's vDSO. 0: it is in none. */
static u64 image_of(const struct target_maps *maps, u64 pc)
{
	const struct target_map *in = target_map_at(maps, pc), *m;

	if (!in || in->prot[2] != 'x' || (!in->ino && strcmp(in->path, "[vdso]")))
		return 0;
	if (!in->ino)
		return in->start;
	for (m = in; m > maps->v && m->off; m--)
		if (m[-1].ino != in->ino || m[-1].dev != in->dev)
			break;
	return m->off ? 0 : m->start;
}

/* A register of the caller; `cfa` is known. */
static int restore(struct target_unwind *u, const struct cfi_row *row, u64 cfa, unsigned reg, u64 *value)
{
	if (!(row->saved >> reg & 1))
		return -ENOENT; /* as it is, or undefined */
	return target_read(u->t, cfa + (u64)row->off[reg], value, sizeof(*value));
}

/* From the frame that `row` describes to its caller's. */
static int step(struct target_unwind *u, const struct cfi_row *row)
{
	u64 cfa, old[CFI_REGS];
	int ret;

	if (!(u->known >> row->cfa_reg & 1))
		return -EAGAIN;
	cfa = u->reg[row->cfa_reg] + (u64)row->cfa_off;
	if (cfa <= u->sp) /* frames lie one above the other: this ends */
		return -ENOEXEC;
	memcpy(old, u->reg, sizeof(old));
	for (unsigned reg = 0; reg < CFI_REGS; reg++) {
		ret = restore(u, row, cfa, reg, &u->reg[reg]);
		if (!ret)
			u->known |= 1u << reg;
		else if (ret != -ENOENT)
			return ret;
		else if (row->undefined >> reg & 1)
			u->known &= ~(1u << reg);
	}
	if (!(row->saved >> CFI_RA & 1))
		return -ENOEXEC;
	u->reg[CFI_RSP] = u->sp = cfa;
	u->known |= 1u << CFI_RSP;
	u->pc = u->reg[CFI_RA];
	u->called = true;
	return 1;
}

static int look(struct target_unwind *u, struct cfi_row *row)
{
	struct elf_source src = {read_target, u->t};
	u64 at = u->pc - u->called; /* a call may be the last instruction of its function */
	u64 base = image_of(u->maps, at);
	int ret = base ? cfi_find(&src, base, at, row) : -ENOENT;

	u->function = ret ? 0 : row->start;
	u->function_end = ret ? 0 : row->end;
	u->signal = !ret && row->signal;
	return ret;
}

int target_unwind_look(struct target_unwind *u)
{
	struct cfi_row row;

	return look(u, &row);
}

int target_unwind_next(struct target_unwind *u)
{
	struct cfi_row row;
	int ret = look(u, &row);

	if (ret)
		return ret;
	return row.undefined >> CFI_RA & 1 ? 0 : step(u, &row);
}
