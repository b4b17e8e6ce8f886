// SPDX-License-Identifier: Apache-2.0
/* Records: a clause that prints reserves one at its start, each action fills its fields, and the end submits it. */
#include "gen_impl.h"

static void gen_record_head(struct gen *g, struct ir_val rec, struct ir_val epid)
{
	struct ir *ir = &g->ir;

	ir_store(ir, 4, rec, offsetof(struct cg_record, epid), epid);
	ir_store(ir, 4, rec, offsetof(struct cg_record, cpu),
		 ir_helper(ir, BPF_FUNC_get_smp_processor_id, NULL, 0));
	ir_store(ir, 8, rec, offsetof(struct cg_record, timestamp), gen_lazy(g, LAZY_TIME));
	ir_store(ir, 8, rec, offsetof(struct cg_record, ident), gen_ident(g));
	/* tid in the low half, pid in the high one: as the two fields stand. */
	ir_store(ir, 8, rec, offsetof(struct cg_record, tid),
		 ir_helper(ir, BPF_FUNC_get_current_pid_tgid, NULL, 0));
}
_Static_assert(offsetof(struct cg_record, pid) == offsetof(struct cg_record, tid) + 4, "tid, pid");

/* No room: counted, and the whole clause is left out, as in DTrace. */
void gen_record_begin(struct gen *g)
{
	struct ir *ir = &g->ir;
	s32 have = ir_label_new(ir);
	struct ir_val rec =
	    ir_helper(ir, BPF_FUNC_ringbuf_reserve,
		      IR_ARGS(ir_map(cg_map(g->cg, CG_MAP_RING)), ir_const(g->layout->size), ir_const(0)));

	ir_branch(ir, BPF_JNE, rec, ir_const(0), have);
	gen_drop(g, CG_DROP_RECORD);
	ir_jump(ir, g->next);
	ir_label(ir, have);
	g->record = rec;
	g->fault = ir_label_new(ir);
	gen_record_head(g, rec, ir_const(g->epid));
}

/* struct cg_record and struct cg_fault, and on to the next clause. */
void gen_record_fault(struct gen *g)
{
	struct ir *ir = &g->ir;
	u32 size = sizeof(struct cg_record);
	s32 dropped = ir_label_new(ir);
	struct ir_val rec;

	gen_make(g, LAZY_FID);
	gen_make(g, LAZY_TIME);
	rec = ir_helper(ir, BPF_FUNC_ringbuf_reserve,
			IR_ARGS(ir_map(cg_map(g->cg, CG_MAP_RING)), ir_const((s64)(size + sizeof(struct cg_fault))),
				ir_const(0)));

	ir_branch(ir, BPF_JEQ, rec, ir_const(0), dropped);
	gen_record_head(g, rec, ir_const((s64)(s32)(g->epid | CG_FAULT)));
	ir_store(ir, 8, rec, (s32)size, g->fault_code); /* code in the low word, action in the high one */
	ir_store(ir, 8, rec, (s32)(size + offsetof(struct cg_fault, value)), g->fault_value);
	ir_helper(ir, BPF_FUNC_ringbuf_submit, IR_ARGS(rec, ir_const(0)));
	ir_jump(ir, g->next);
	ir_label(ir, dropped);
	gen_drop(g, CG_DROP_RECORD);
}

/* --- fields ------------------------------------------------------------------------------------- */

static void gen_bytes(struct gen *g, const struct cg_field *f, const struct d_node *n, struct ir_val dst)
{
	struct ir *ir = &g->ir;
	struct ir_val addr = gen_int(g, n->arg[0]), err;

	if (f->size % 8)
		ir_store(ir, 8, dst, (s32)(f->size / 8 * 8), ir_const(0));
	err = ir_helper(ir, BPF_FUNC_probe_read_user, IR_ARGS(dst, ir_const(f->size), addr));
	gen_fault_unless(g, BPF_JEQ, err, CG_FAULT_BADADDR, addr);
}

static void gen_field(struct gen *g, const struct cg_field *f, const struct d_node *n)
{
	struct ir *ir = &g->ir;
	struct ir_val dst;

	if (f->kind == CG_INT) {
		ir_store(ir, 8, g->record, (s32)f->off, gen_int(g, n));
		return;
	}
	if (f->kind == CG_IDENTITY) {
		ir_store(ir, 8, g->record, (s32)f->off, gen_identity(g, n));
		return;
	}
	dst = ir_at(ir, g->record, f->off);
	if (f->kind == CG_BYTES)
		gen_bytes(g, f, n, dst);
	else
		gen_str_to(g, n, dst);
}

void gen_record_fields(struct gen *g, const struct d_stmt *s)
{
	const struct cg_action *a = &g->layout->actions[g->field++];
	u32 field = 0;

	for (u32 i = 0; i < s->narg; i++) {
		if (cg_is_recorded(s->arg[i]))
			gen_field(g, &a->fields[field++], s->arg[i]);
	}
}
