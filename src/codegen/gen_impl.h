// SPDX-License-Identifier: Apache-2.0
/*
 * A program in the making. From the ground up: what all use (gen.c) and the slots of threads (slot.c, gate.c); what is
 * computed once (lazy.c); which probe it is (probe.c), numbers (arith.c), built-in variables (builtin.c); expressions (expr.c,
 * string.c, var.c); what statements do (record.c, agg.c, stmt.c); clauses (clause.c); and the program (program.c).
 *
 * A function that gives an ir_val makes the code that computes it; the order of the calls is that of the code.
 */
#ifndef PYDTRACE_GEN_IMPL_H
#define PYDTRACE_GEN_IMPL_H

#include "cg_impl.h"
#include "ir_impl.h"

#define ARG_ERRNO 10 /* arg0..arg9, and errno */
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
	const struct cg_group *group;
	u32 group_index; /* in cg_input.groups */
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

/* --- gen.c ---------------------------------------------------------------------------------------- */

struct ir_val gen_state(struct gen *g, u32 off);            /* the address of byte `off` of the state array */
struct ir_val gen_rodata(struct gen *g, u32 off);           /* the same of the constants, see cg_rodata() */
struct ir_val gen_text_const(struct gen *g, const char *s); /* the address of a constant text of strsize bytes */
/* The address of the element of this thread in a map of task storage, or NULL; flags: 0, BPF_LOCAL_STORAGE_GET_F_CREATE. */
struct ir_val gen_task_storage(struct gen *g, enum cg_mapid map, s64 flags);
void gen_drop(struct gen *g, enum cg_drop what); /* count it */
/* Abort the clause: jump to the fault label with these. */
void gen_fault(struct gen *g, enum cg_fault_code code, struct ir_val value);
/* The same, unless v `op` 0 holds (BPF_JEQ, BPF_JNE ...). */
void gen_fault_unless(struct gen *g, int op, struct ir_val v, enum cg_fault_code code, struct ir_val value);

static inline struct ir_val gen_strsize(const struct gen *g)
{
	return ir_const(g->cg->strsize);
}

/* --- slot.c --------------------------------------------------------------------------------------- */

struct ir_val gen_slot_find(struct gen *g);     /* the address of the thread's slot, or of slot 0 */
struct ir_val gen_slot_or_leave(struct gen *g); /* the same, but the program is over where there is none */
/*
 * Give the thread a slot if it has none, as something that is not 0 is about to be written; `slot` holds its address
 * then. Jump to `skip` when there is no room (rt_slot_make() has counted it).
 */
void gen_slot_ensure(struct gen *g, struct ir_val slot, s32 skip);
void gen_slot_free(struct gen *g);

/* --- gate.c --------------------------------------------------------------------------------------- */

/* Is every clause of the group false in a thread that has no slot, whatever else holds, and neither does anything nor faults? */
bool gen_slot_is_needed(struct gen *g);
/*
 * The program of cg_output.prog_gate, all but its way out, which is 0 when it comes to its end. False: there is no such
 * program for this script, and nothing was made.
 */
bool gen_gate_body(struct gen *g);

/* --- lazy.c --------------------------------------------------------------------------------------- */

struct ir_val gen_lazy(struct gen *g, enum lazy_id id); /* the value; in a trial, a note that it is wanted */
struct ir_val gen_arg(struct gen *g, u32 n);            /* argn, or ARG_ERRNO: the same */
void gen_make(struct gen *g, enum lazy_id id);          /* compute it here, if it is not there */
void gen_give(struct gen *g, enum lazy_id id, struct ir_val v); /* it is this, found by other means */
void gen_part(struct gen *g, void (*part)(struct gen *g));      /* make a part of the clause, see struct lazy */
struct ir_val gen_scratch(struct gen *g, u32 size);    /* the address of so many bytes, until the statement ends */
struct ir_val gen_key_memory(struct gen *g, u32 size); /* the same, for the key of an array or an aggregation */

/* --- probe.c -------------------------------------------------------------------------------------- */

struct ir_val gen_id(struct gen *g);    /* the D variable `id` */
struct ir_val gen_ident(struct gen *g); /* the identity word */
/* The word of an expression for which d_node_is_identity() holds. */
struct ir_val gen_identity(struct gen *g, const struct d_node *n);
/* Jump to `to` if the probe's bit in `set` (nprobes bits) is `sense`. */
void gen_set_branch(struct gen *g, const u64 *set, bool sense, s32 to);
/* The text of probeprov, probemod, probefunc or probename. */
struct ir_val gen_name(struct gen *g, enum d_builtin b);
/* Is it such a name, and one that the static probe fixes? */
bool gen_name_is_static(struct gen *g, const struct d_node *n);
/* Branch on the comparison n of such a name with a constant text, which stands first when `swapped`. */
void gen_name_compare(struct gen *g, const struct d_node *n, bool swapped, bool sense, s32 to);

/* --- arith.c: values of a type ---------------------------------------------------------------------- */

/* The integer as which one of type t is computed: a pointer is an unsigned number. */
const struct d_type *gen_int_type(const struct d_type *t);
u32 gen_pointed_size(const struct d_type *t); /* what ++ adds to a pointer */
/* Make a value of type `from`, extended as that says, one of type `to`. */
struct ir_val gen_convert(struct gen *g, struct ir_val v, const struct d_type *from, const struct d_type *to);
struct ir_val gen_truncate(struct gen *g, struct ir_val v, const struct d_type *t); /* cut to t, and extend again */
/* What an operator of type t computed, which may outgrow it. */
struct ir_val gen_computed(struct gen *g, struct ir_val v, const struct d_type *t);
/* a `op` b; `result` is the type of the whole. n: where it stands. */
struct ir_val gen_arith(struct gen *g, const struct d_node *n, enum d_op op, struct ir_val a,
			const struct d_type *ta, struct ir_val b, const struct d_type *tb,
			const struct d_type *result);

/* --- expressions ------------------------------------------------------------------------------------ */

struct ir_val gen_builtin(struct gen *g, const struct d_node *n); /* builtin.c: those that are numbers */

/*
 * The walk over the tree of an expression. Its three files call each other, as the tree mixes what they know: text is
 * compared in a number's expression, numbers index text, both are keys of variables. expr.c and string.c have a table
 * each of the nodes that give what they make; the interface between the three is just what follows.
 */

/* expr.c: integers and pointers: 64 bits, extended as the type says. */
struct ir_val gen_int(struct gen *g, const struct d_node *n);
struct ir_val gen_int_as(struct gen *g, const struct d_node *n, const struct d_type *to); /* converted */
/* c ? x : y of any kind; `arm` makes the value of x and y, as one of the type of the whole. */
struct ir_val gen_cond(struct gen *g, const struct d_node *n,
		       struct ir_val (*arm)(struct gen *g, const struct d_node *n, const struct d_type *to));
void gen_effect(struct gen *g, const struct d_node *n); /* for what it does only */
/* Jump to `to` if n is true and sense is, or neither is. */
void gen_branch(struct gen *g, const struct d_node *n, bool sense, s32 to);

/* string.c: text: a pointer to strsize bytes that nobody writes to until the statement ends. */
struct ir_val gen_str(struct gen *g, const struct d_node *n);
/* Write the text to strsize bytes at dst. */
void gen_str_to(struct gen *g, const struct d_node *n, struct ir_val dst);
struct ir_val gen_str_call_int(struct gen *g, const struct d_node *n); /* strlen, index */
void gen_str_compare(struct gen *g, const struct d_node *n, bool sense, s32 to);

/* var.c: variables, n and var being D_VAR nodes with their keys. */
struct ir_val gen_var_int(struct gen *g, const struct d_node *n);
struct ir_val gen_scalar_int(struct gen *g,
			     const struct d_var *v); /* the same of a scalar that is no local number */
struct ir_val gen_var_str(struct gen *g, const struct d_node *n);
void gen_var_assign_int(struct gen *g, const struct d_node *var, struct ir_val v);
void gen_var_assign_str(struct gen *g, const struct d_node *var, const struct d_node *value);
/* var += by; the old value, or the new one. */
struct ir_val gen_var_add(struct gen *g, const struct d_node *var, struct ir_val by, bool want_new);
/* Is an add to it all that an operator needs, and must it be atomic? (globals, elements of arrays) */
bool gen_var_is_shared(const struct d_node *var);

/* --- statements ------------------------------------------------------------------------------------- */

void gen_record_begin(struct gen *g); /* leaves the clause when the ring has no room */
void gen_record_fields(struct gen *g, const struct d_stmt *s);
void gen_record_fault(struct gen *g); /* the record of fault_code and fault_value; and on to the next clause */
void gen_agg(struct gen *g, const struct d_stmt *s);
void gen_stmt(struct gen *g, const struct d_stmt *s);
void gen_clause(struct gen *g); /* of g->en */

#endif
