// SPDX-License-Identifier: Apache-2.0
/*
 * One generation, the whole of it (generate.c): layout.c gives everything its place (variables, records, aggregations)
 * before any code is made; then program.c makes one program for each group (gen_impl.h); maps.c gathers the maps and
 * the constants that they ask for.
 */
#ifndef PYDTRACE_CG_IMPL_H
#define PYDTRACE_CG_IMPL_H

#include "codegen/codegen.h"

#define NO_MAP UINT32_MAX

/* Maps that are made when first asked for. */
enum cg_mapid {
	CG_MAP_STATE,
	CG_MAP_RING,
	CG_MAP_RODATA,
	CG_MAP_THREADS,
	CG_MAP_SLOTS,
	CG_MAP_SCRATCH,
	CG_MAP_SCRATCH_CPU,
	CG_NMAPS
};

/* Where a variable lives. */
struct var_place {
	u32 off; /* scalars: global: in the state; thread: in the slot; clause: of a string, in the scratch memory */
	u32 map; /* arrays; NO_MAP: not made yet */
	u32 key_size, value_size;
};

struct cg {
	const struct cg_input *in;
	struct cg_output *out;
	struct arena *arena;
	struct diag *diag;
	int err;
	u32 strsize;
	VEC(struct asm_map) maps;
	u32 mapid[CG_NMAPS];
	VEC(char) rodata;
	VEC(const char *) literals;
	struct var_place *vars; /* by place in prog->vars */
	u32 scratch_fixed;      /* bytes of scratch memory that hold the clause-local strings */
	u32 scratch_size;       /* bytes of it that are needed at all, over all programs */
	struct strbuf *ir_text; /* where a dump goes, NULL: nowhere */
};

/* --- report.c: the first message is given, and the generation fails in the end ------------------------ */

/* With -EINVAL, at a place of the script; with err, at none. */
void cg_error(struct cg *cg, struct srcpos pos, const char *fmt, ...) PRINTF_LIKE(3, 4);
void cg_fail(struct cg *cg, int err, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* --- maps.c: maps by their place in the image ---------------------------------------------------------- */

u32 cg_map(struct cg *cg, enum cg_mapid id);            /* makes it when it is first asked for */
u32 cg_map_add(struct cg *cg, const struct asm_map *m); /* the script's own: arrays, aggregations */
/* Constant bytes: their place in the map "rodata". Aligned to 8; cg_rodata_text() pads with zeros to strsize. */
u32 cg_rodata(struct cg *cg, const void *p, size_t n);
u32 cg_rodata_text(struct cg *cg, const char *s);
u32 cg_rodata_zeros(struct cg *cg, size_t n);
u32 cg_literal(struct cg *cg, const char *s); /* its number in out->literals */
/* The sizes that are known only when all programs stand; fills in the maps of the output. */
void cg_maps_finish(struct cg *cg);

/* --- layout.c ------------------------------------------------------------------------------------- */

void cg_layout_state(struct cg *cg);
void cg_layout_records(struct cg *cg);
void cg_layout_aggs(struct cg *cg);
struct var_place *cg_var(struct cg *cg, const struct d_var *v); /* never NULL */
/* Mark the variables that stand in a tree (NULL: none), in a clause's statements; used[]: by place in prog->vars. */
void cg_mark_vars(struct cg *cg, const struct d_node *n, bool *used);
void cg_mark_body_vars(struct cg *cg, const struct d_clause *c, bool *used);
/* Is argument n of an action recorded? (An aggregation's name is not.) */
static inline bool cg_is_recorded(const struct d_node *n)
{
	return n->type->kind != D_AGG;
}
bool cg_action_records(enum d_action a); /* does it have fields in the record? */

/* --- program.c: code ---------------------------------------------------------------------------------- */

/* The program of the group; and the one that frees the slot of a thread that ends. Failure is in cg->err. */
void gen_program(struct cg *cg, u32 group, struct asm_prog *out);
void gen_thread_exit(struct cg *cg, struct asm_prog *out);
/* The one that tells whether a thread matters, cg_output.prog_gate. False: the script has none. */
bool gen_gate(struct cg *cg, struct asm_prog *out);

/* --- why.c -------------------------------------------------------------------------------------------- */

const char *cg_why(struct cg *cg, const struct cg_enabling *e); /* a line for -v */

#endif
