// SPDX-License-Identifier: Apache-2.0
/* The maps of the image, and the constants in one of them. */
#include <string.h>

#include "cg_impl.h"

static const struct asm_map fixed_maps[CG_NMAPS] = {
    [CG_MAP_STATE] = {"state", BPF_MAP_TYPE_ARRAY, 4, 0, 1, BPF_F_MMAPABLE, NULL},
    [CG_MAP_RING] = {"records", BPF_MAP_TYPE_RINGBUF, 0, 0, 0, 0, NULL},
    [CG_MAP_RODATA] = {"rodata", BPF_MAP_TYPE_ARRAY, 4, 0, 1, 0, NULL},
    [CG_MAP_THREADS] = {"threads", BPF_MAP_TYPE_TASK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC, NULL},
    [CG_MAP_SLOTS] = {"slots", BPF_MAP_TYPE_QUEUE, 0, 4, 0, 0, NULL},
    [CG_MAP_SCRATCH] = {"scratch", BPF_MAP_TYPE_TASK_STORAGE, 4, 0, 0, BPF_F_NO_PREALLOC, NULL},
    [CG_MAP_SCRATCH_CPU] = {"scratch_cpu", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 0, 1, 0, NULL},
};

u32 cg_map_add(struct cg *cg, const struct asm_map *m)
{
	*vec_push(cg->arena, &cg->maps) = *m;
	return (u32)cg->maps.n - 1;
}

u32 cg_map(struct cg *cg, enum cg_mapid id)
{
	if (cg->mapid[id] == NO_MAP)
		cg->mapid[id] = cg_map_add(cg, &fixed_maps[id]);
	return cg->mapid[id];
}

static struct asm_map *made(struct cg *cg, enum cg_mapid id)
{
	return cg->mapid[id] == NO_MAP ? NULL : &cg->maps.v[cg->mapid[id]];
}

/* --- constants ---------------------------------------------------------------------------------- */

u32 cg_rodata_zeros(struct cg *cg, size_t n)
{
	u32 off = (u32)cg->rodata.n;

	for (size_t i = 0; i < ALIGN_UP(n, 8u); i++)
		*vec_push(cg->arena, &cg->rodata) = 0;
	cg_map(cg, CG_MAP_RODATA);
	return off;
}

u32 cg_rodata(struct cg *cg, const void *p, size_t n)
{
	u32 off = cg_rodata_zeros(cg, n);

	memcpy(cg->rodata.v + off, p, n);
	return off;
}

u32 cg_rodata_text(struct cg *cg, const char *s)
{
	char *buf = arena_alloc(cg->arena, cg->strsize);
	size_t len = strnlen(s, cg->strsize - 1);

	memcpy(buf, s, len);
	for (size_t off = 0; off + cg->strsize <= cg->rodata.n; off += 8) {
		if (!memcmp(cg->rodata.v + off, buf, cg->strsize))
			return (u32)off;
	}
	return cg_rodata(cg, buf, cg->strsize);
}

u32 cg_literal(struct cg *cg, const char *s)
{
	s = arena_strndup(cg->arena, s, strnlen(s, cg->strsize - 1));
	for (size_t i = 0; i < cg->literals.n; i++) {
		if (!strcmp(cg->literals.v[i], s))
			return (u32)i;
	}
	*vec_push(cg->arena, &cg->literals) = s;
	return (u32)cg->literals.n - 1;
}

/* What is known only when all programs stand. */
void cg_maps_finish(struct cg *cg)
{
	struct cg_output *out = cg->out;
	struct asm_map *m;

	m = made(cg, CG_MAP_STATE);
	m->value_size =
	    out->slots_off ? out->slots_off + out->nslots * out->slot_size : out->globals_off + out->globals_size;
	made(cg, CG_MAP_RING)->max_entries = cg->in->opt.bufsize;
	if ((m = made(cg, CG_MAP_RODATA))) {
		m->value_size = (u32)cg->rodata.n;
		m->init = cg->rodata.v;
	}
	if ((m = made(cg, CG_MAP_SLOTS)))
		m->max_entries = out->nslots;
	if ((m = made(cg, CG_MAP_SCRATCH)))
		m->value_size = cg->scratch_size;
	if ((m = made(cg, CG_MAP_SCRATCH_CPU)))
		m->value_size = cg->scratch_size;
	out->image.maps = cg->maps.v;
	out->image.nmaps = (u32)cg->maps.n;
	out->literals = cg->literals.v;
	out->nliterals = (u32)cg->literals.n;
}
