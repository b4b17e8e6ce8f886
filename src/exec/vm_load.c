// SPDX-License-Identifier: Apache-2.0
/* The image of a script in the vm: its maps, and its programs with the run-time functions behind them. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "exec/vm_impl.h"

static void put_address(struct bpf_insn *insn, u64 addr)
{
	insn[0].src_reg = 0;
	insn[0].imm = (s32)(u32)addr;
	insn[1].imm = (s32)(u32)(addr >> 32);
}

static int relocate(struct vm *vm, const struct asm_prog *p, struct bpf_code *c)
{
	for (u32 i = 0; i < p->nrelocs; i++) {
		const struct asm_reloc *r = &p->relocs[i];
		struct vm_map *m;

		if (r->kind == ASM_RELOC_RT)
			continue;
		if (r->target >= vm->exec.image->nmaps || (u64)r->insn + 1 >= p->ninsns)
			return -EINVAL;
		m = &vm->maps[r->target];
		if (r->kind == ASM_RELOC_MAP)
			put_address(&c->insns[r->insn], (u64)(uintptr_t)m);
		else if (m->type == &vm_array_type && r->addend < m->def->value_size)
			put_address(&c->insns[r->insn], (u64)(uintptr_t)(m->data + r->addend));
		else
			return -EINVAL;
	}
	return 0;
}

/* Name what the vm lacks before anything runs. */
static int check_code(const struct asm_prog *p, const struct bpf_code *c, struct diag *diag)
{
	for (u32 i = 0; i < c->n; i++) {
		const struct bpf_insn *insn = &c->insns[i];

		if (insn->code == (BPF_JMP | BPF_CALL) && !insn->src_reg && !vm_helper_known(insn->imm))
			return diag_fail(diag, EOPNOTSUPP,
					 "the program of %s calls helper %d, which the vm has not", p->name,
					 insn->imm);
		if (insn->code == (BPF_LD | BPF_IMM | BPF_DW))
			i++;
	}
	return 0;
}

static int load_prog(struct vm *vm, u32 prog, struct diag *diag)
{
	const struct asm_prog *p = &vm->exec.image->progs[prog];
	struct bpf_code *c = &vm->progs[prog];
	int err = bpf_code_link(c, p, NULL, 0, diag);

	if (err)
		return err;
	if (relocate(vm, p, c))
		return diag_fail(diag, EINVAL,
				 "the program of %s refers to a map that it cannot: a bug in pydtrace", p->name);
	return check_code(p, c, diag);
}

void vm_unload(struct vm *vm)
{
	const struct asm_image *img = vm->exec.image;

	for (u32 i = 0; img && i < img->nprogs && vm->progs; i++)
		bpf_code_free(&vm->progs[i]);
	for (u32 i = 0; img && i < img->nmaps && vm->maps; i++)
		vm_map_close(&vm->maps[i]);
	free(vm->progs);
	free(vm->maps);
	free(vm->stats);
	vm->progs = NULL;
	vm->maps = NULL;
	vm->stats = NULL;
}

int vm_load_image(struct exec *e, struct diag *diag)
{
	struct vm *vm = vm_of(e);
	const struct asm_image *img = e->image;
	int err = 0;

	vm->maps = calloc(img->nmaps + 1, sizeof(*vm->maps));
	vm->progs = calloc(img->nprogs + 1, sizeof(*vm->progs));
	vm->stats = calloc(img->nprogs + 1, sizeof(*vm->stats));
	if (!vm->maps || !vm->progs || !vm->stats)
		err = diag_fail(diag, ENOMEM, "out of memory");
	for (u32 i = 0; i < img->nmaps && !err; i++) {
		err = vm_map_open(&vm->maps[i], &img->maps[i], e->ncpus);
		if (err)
			diag_fail(diag, -err, "cannot make the map '%s': %s", img->maps[i].name, strerror(-err));
	}
	for (u32 i = 0; i < img->nprogs && !err; i++)
		err = load_prog(vm, i, diag);
	if (err)
		vm_unload(vm);
	return err;
}
