// SPDX-License-Identifier: Apache-2.0
/*
 * Inside codegen. Before any code is made, layout.c gives everything its place (variables, records, aggregations);
 * then program.c makes one program for each group, clause by clause (clause.c); expr.c, string.c, var.c, builtin.c,
 * agg.c and record.c make the code of what stands in a clause.
 */
#ifndef PYDTRACE_CODEGEN_IMPL_H
#define PYDTRACE_CODEGEN_IMPL_H

#include "ir_impl.h"

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
	bool used;
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

/* Report where the script stands; the generation fails in the end. */
void cg_error(struct cg *cg, struct srcpos pos, const char *fmt, ...) PRINTF_LIKE(3, 4);
u32 cg_map(struct cg *cg, enum cg_mapid id);
u32 cg_map_add(struct cg *cg, const struct asm_map *m);
/* Constant bytes: their place in the map "rodata". Aligned to 8; cg_rodata_text() pads with zeros to strsize. */
u32 cg_rodata(struct cg *cg, const void *p, size_t n);
u32 cg_rodata_text(struct cg *cg, const char *s);
u32 cg_rodata_zeros(struct cg *cg, size_t n);
u32 cg_literal(struct cg *cg, const char *s); /* its number in out->literals */
void cg_maps_finish(struct cg *cg);

/* --- layout.c ------------------------------------------------------------------------------------- */

void cg_layout_state(struct cg *cg);
void cg_layout_records(struct cg *cg);
void cg_layout_aggs(struct cg *cg);
struct var_place *cg_var(struct cg *cg, const struct d_var *v);
bool cg_is_identity(const struct d_node *n); /* a built-in identity, or a string constant */
/* Is argument n of an action recorded? (An aggregation's name is not.) */
static inline bool cg_is_recorded(const struct d_node *n)
{
	return n->type->kind != D_AGG;
}
bool cg_action_records(enum d_action a);

/* Is the conjunct false in a thread that has no slot, whatever else holds? (program.c) */
bool cg_needs_thread(const struct d_node *n);

/* --- a program in the making ------------------------------------------------------------------------ */

#define ARG_ERRNO 10
#define NARGS     11

/*
 * Values that are computed once, where they are first needed. What is made behind a predicate is not there for the next
 * clause; what is made in an arm of ?: is not there behind it. So a part of a clause (its predicate, its body) is made
 * twice: a trial that tells what it wants, then, behind code that computes just that, again (lazy.c, gen_part()).
 */
enum lazy_id { LAZY_INDEX, LAZY_FID, LAZY_FILTERS, LAZY_SLOT, LAZY_SCRATCH, LAZY_TIME, LAZY_NIDS };
struct lazy {
	bool have[LAZY_NIDS];
	struct ir_val v[LAZY_NIDS];
	u32 args; /* bits of the arguments that are loaded */
};

struct gen {
	struct cg *cg;
	struct ir ir;
	const struct cg_group *g;
	u32 group;
	const struct cg_enabling *en;
	const struct cg_layout *layout;
	u32 epid;
	struct lazy lazy;
	bool scratch_found;   /* lazy.v[LAZY_SCRATCH] was looked up, but may be NULL */
	bool want[LAZY_NIDS]; /* asked for in the trial */
	u32 want_args;
	s32 args_at;           /* place of arg0 on the stack */
	struct ir_val *locals; /* this-> scalars of this group, by place in prog->vars */
	/* of the clause */
	s32 end;        /* label: the program is over */
	s32 next;       /* label: the clause is over */
	s32 fault;      /* label: the clause is aborted; fault_code and fault_value say why */
	s32 fault_args; /* label: the arguments cannot be read */
	struct ir_val fault_code, fault_value;
	struct ir_val record; /* IR_NONE: none is being made */
	u32 action;           /* the statement, from 1; 0: the predicate */
	u32 field;            /* recorded actions so far */
	u32 scratch_used;     /* bytes, in this statement */
	u32 names[4];         /* 1 + the place in rodata of the table of probeprov, probemod ...; 0: not made */
};

struct ir_val gen_lazy(struct gen *g, enum lazy_id id);
void gen_make(struct gen *g, enum lazy_id id);
void gen_slot_or_leave(struct gen *g);
void gen_part(struct gen *g, void (*part)(struct gen *g));
void gen_clause(struct gen *g);
struct ir_val gen_state(struct gen *g, u32 off);
void gen_drop(struct gen *g, enum cg_drop what);
/* Abort the clause: jump to the fault label with these. */
void gen_fault(struct gen *g, enum cg_fault_code code, struct ir_val value);
struct ir_val gen_scratch(struct gen *g, u32 size); /* a pointer to so many bytes, until the statement ends */
struct ir_val gen_ident(struct gen *g);             /* the identity word */
struct ir_val gen_id(struct gen *g);
/* Jump to `to` if the probe's bit in `set` (nprobes bits) is `sense`. */
void gen_set_branch(struct gen *g, const u64 *set, bool sense, s32 to);
void gen_program(struct cg *cg, u32 group, struct asm_prog *out);
void gen_thread_exit(struct cg *cg, struct asm_prog *out);

/* --- expressions ------------------------------------------------------------------------------------ */

/* Integers and pointers: 64 bits, extended as the type says. */
struct ir_val gen_int(struct gen *g, const struct d_node *n);
void gen_effect(struct gen *g, const struct d_node *n);
/* Jump to `to` if n is true and sense is, or neither is. */
void gen_branch(struct gen *g, const struct d_node *n, bool sense, s32 to);
struct ir_val gen_convert(struct gen *g, struct ir_val v, const struct d_type *from, const struct d_type *to);
struct ir_val gen_arith(struct gen *g, const struct d_node *n, enum d_op op, struct ir_val a,
			const struct d_type *ta, struct ir_val b, const struct d_type *tb,
			const struct d_type *result);
struct ir_val gen_builtin(struct gen *g, const struct d_node *n);
struct ir_val gen_arg(struct gen *g, u32 n);

/* Text: a pointer to strsize bytes that nobody writes to until the statement ends. */
struct ir_val gen_str(struct gen *g, const struct d_node *n);
/* Write the text to strsize bytes at dst. */
void gen_str_to(struct gen *g, const struct d_node *n, struct ir_val dst);
struct ir_val gen_str_call_int(struct gen *g, const struct d_node *n); /* strlen, index */
void gen_str_compare(struct gen *g, const struct d_node *n, bool sense, s32 to);
/* The word of an expression for which cg_is_identity() holds. */
struct ir_val gen_identity(struct gen *g, const struct d_node *n);

/* --- variables -------------------------------------------------------------------------------------- */

struct ir_val gen_var_int(struct gen *g, const struct d_node *n);
struct ir_val gen_var_str(struct gen *g, const struct d_node *n);
void gen_var_assign_int(struct gen *g, const struct d_node *var, struct ir_val v);
void gen_var_assign_str(struct gen *g, const struct d_node *var, const struct d_node *value);
/* var += by; the old value, or the new one. */
struct ir_val gen_var_add(struct gen *g, const struct d_node *var, struct ir_val by, bool want_new);
/* Is an add to it all that an operator needs, and must it be atomic? (globals, elements of arrays) */
bool gen_var_is_shared(const struct d_node *var);

/* --- statements ------------------------------------------------------------------------------------- */

void gen_stmt(struct gen *g, const struct d_stmt *s);
void gen_agg(struct gen *g, const struct d_stmt *s);
void gen_record_begin(struct gen *g);
void gen_record_head(struct gen *g, struct ir_val rec, struct ir_val epid);
void gen_action(struct gen *g, const struct d_stmt *s);
/* Memory for the key of an array or an aggregation. */
struct ir_val gen_key_memory(struct gen *g, u32 size);

const char *cg_why(struct cg *cg, const struct cg_enabling *e);

#endif
