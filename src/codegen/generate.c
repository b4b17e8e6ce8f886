// SPDX-License-Identifier: Apache-2.0
/* The stages of code generation. */
#include <errno.h>

#include "cg_impl.h"
#include "rt/rt.h"

_Static_assert(offsetof(struct cg_state, next_slot) == offsetof(struct rt_state, next_slot), "rt_state");
_Static_assert(offsetof(struct cg_state, drops) == offsetof(struct rt_state, drops), "rt_state");
_Static_assert(offsetof(struct cg_state, next_serial) == offsetof(struct rt_state, next_serial), "rt_state");
_Static_assert((int)CG_DROP_SLOT == RT_DROP_SLOT, "rt_state");

#define MAX_SCRATCH     60000u /* an element of task storage: 64 KB (BPF_LOCAL_STORAGE_MAX_VALUE_SIZE) */
#define MAX_SCRATCH_CPU 32768u /* of a per-CPU array (PCPU_MIN_UNIT_SIZE) */

static bool has_threads(struct cg *cg)
{
	return cg->mapid[CG_MAP_THREADS] != NO_MAP && cg->mapid[CG_MAP_SLOTS] != NO_MAP;
}

static void check_scratch(struct cg *cg)
{
	u32 max = cg->mapid[CG_MAP_SCRATCH_CPU] == NO_MAP ? MAX_SCRATCH : MAX_SCRATCH_CPU;

	if (cg->scratch_size > max)
		cg_fail(cg, -E2BIG, "the script's strings need %u bytes at a time, and there are %u: lower strsize",
			cg->scratch_size, max);
}

static void make_programs(struct cg *cg)
{
	const struct cg_input *in = cg->in;
	struct asm_image *image = &cg->out->image;

	image->progs = arena_new_array(cg->arena, struct asm_prog, in->ngroups + 2);
	for (u32 i = 0; i < in->ngroups && !cg->err; i++)
		gen_program(cg, i, &image->progs[image->nprogs++]);
	if (!cg->err && has_threads(cg)) {
		cg->out->prog_thread_exit = (s32)image->nprogs;
		gen_thread_exit(cg, &image->progs[image->nprogs++]);
	}
	if (!cg->err && in->opt.gate && gen_gate(cg, &image->progs[image->nprogs]))
		cg->out->prog_gate = (s32)image->nprogs++;
}

static int generate(const struct cg_input *in, struct cg_output *out, struct diag *diag, struct strbuf *ir_text)
{
	struct cg cg = {.in = in, .out = out, .arena = in->arena, .diag = diag, .strsize = in->opt.strsize};

	*out = (struct cg_output){.prog_thread_exit = -1, .prog_gate = -1};
	cg.ir_text = ir_text;
	for (int i = 0; i < CG_NMAPS; i++)
		cg.mapid[i] = NO_MAP;
	out->map_state = cg_map(&cg, CG_MAP_STATE);
	out->map_ring = cg_map(&cg, CG_MAP_RING);
	cg_layout_state(&cg);
	cg_layout_records(&cg);
	cg_layout_aggs(&cg);
	cg.scratch_size = cg.scratch_fixed;
	make_programs(&cg);
	check_scratch(&cg);
	if (cg.err)
		return cg.err;
	cg_maps_finish(&cg);
	out->why = arena_new_array(in->arena, const char *, in->nenablings);
	for (u32 i = 0; i < in->nenablings; i++)
		out->why[i] = cg_why(&cg, &in->enablings[i]);
	return 0;
}

int cg_generate(const struct cg_input *in, struct cg_output *out, struct diag *diag)
{
	return generate(in, out, diag, NULL);
}

static void swallow(void *arg, enum diag_level level, const char *text)
{
}

void cg_dump_ir(struct strbuf *out, const struct cg_input *in)
{
	struct cg_output unused;
	struct diag silent = {.sink = swallow};

	generate(in, &unused, &silent, out);
}

void cg_dump_insns(struct strbuf *out, const struct cg_output *o)
{
	for (u32 i = 0; i < o->image.nprogs; i++) {
		strbuf_printf(out, "%s:\n", o->image.progs[i].name);
		asm_dump(out, &o->image.progs[i], &o->image);
	}
}
