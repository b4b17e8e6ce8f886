// SPDX-License-Identifier: Apache-2.0
/* Where things stand: variables in the state array, fields in records, keys and values of aggregations. */
#include "cg_impl.h"
#include "rt/rt.h"

/*
 * For each element of an aggregation the kernel makes one piece of memory a CPU when the map is made, about 1 us each:
 * count it as if it took so much, lest a run begin with a tenth of a second of waiting.
 */
#define AGG_COST  240u
#define MIN_SLOTS 64u
#define MAX_SLOTS 65536u
#define ELEM_COST 64u /* what the kernel needs for an element of a hash besides key and value, about */

/* --- variables ---------------------------------------------------------------------------------- */

static u32 type_size(struct cg *cg, const struct d_type *t)
{
	return t->kind == D_STRING ? cg->strsize : 8;
}

struct var_place *cg_var(struct cg *cg, const struct d_var *v)
{
	const struct d_program *p = cg->in->prog;

	for (size_t i = 0; i < p->vars.n; i++) {
		if (p->vars.v[i] == v)
			return &cg->vars[i];
	}
	cg_error(cg, v->pos, "variable '%s' is not in the program's list", v->name);
	return &cg->vars[p->vars.n]; /* a spare one */
}

void cg_mark_vars(struct cg *cg, const struct d_node *n, bool *used)
{
	if (!n)
		return;
	if (n->op == D_VAR)
		used[cg_var(cg, n->var) - cg->vars] = true;
	for (u32 i = 0; i < n->narg; i++)
		cg_mark_vars(cg, n->arg[i], used);
}

void cg_mark_body_vars(struct cg *cg, const struct d_clause *c, bool *used)
{
	for (u32 n = 0; n < c->nstmts; n++) {
		const struct d_stmt *s = c->stmts[n];

		cg_mark_vars(cg, s->expr, used);
		cg_mark_vars(cg, s->agg, used);
		for (u32 i = 0; i < s->narg; i++)
			cg_mark_vars(cg, s->arg[i], used);
	}
}

static u32 entries(u32 bytes, u32 each)
{
	u32 n = bytes / each;

	return n < 1 ? 1 : n > 1u << 20 ? 1u << 20 : n;
}

/* The key of a thread's array begins with the number of the thread (word 0 of its slot). */
static void place_array(struct cg *cg, const struct d_var *v, struct var_place *p)
{
	p->key_size = v->scope == D_THREAD ? 8 : 0;
	for (u32 k = 0; k < v->nkeys; k++)
		p->key_size += type_size(cg, v->keys[k]);
	p->value_size = type_size(cg, v->type);
	if (v->scope == D_CLAUSE)
		cg_error(cg, v->pos, "'this->%s': a clause-local variable cannot be an array", v->name);
	p->map = cg_map_add(
	    cg, &(struct asm_map){
		    .name = arena_printf(cg->arena, "%.15s", v->name),
		    .type = BPF_MAP_TYPE_HASH,
		    .key_size = p->key_size,
		    .value_size = p->value_size,
		    .max_entries = entries(cg->in->opt.dynvarsize, p->key_size + p->value_size + ELEM_COST),
		});
}

void cg_layout_state(struct cg *cg)
{
	const struct d_program *prog = cg->in->prog;
	struct cg_output *out = cg->out;
	u32 globals = 0, slot = 0;
	bool threads = false;

	cg->vars = arena_new_array(cg->arena, struct var_place, prog->vars.n + 1);
	out->globals_off = ALIGN_UP(sizeof(struct cg_state), 64u);
	for (size_t i = 0; i < prog->vars.n; i++) {
		const struct d_var *v = prog->vars.v[i];
		struct var_place *p = &cg->vars[i];
		u32 *size = v->scope == D_GLOBAL ? &globals : v->scope == D_THREAD ? &slot : &cg->scratch_fixed;

		threads |= v->scope == D_THREAD;
		p->map = NO_MAP;
		if (v->nkeys) {
			place_array(cg, v, p);
		} else if (v->scope != D_CLAUSE || v->type->kind == D_STRING) {
			p->off = (v->scope == D_GLOBAL ? out->globals_off : v->scope == D_THREAD ? 8 : 0) + *size;
			*size += type_size(cg, v->type);
		}
	}
	out->globals_size = globals;
	if (!threads)
		return;
	out->slots_off = ALIGN_UP(out->globals_off + globals, 64u);
	out->slot_size = 8 + slot;
	out->nslots = cg->in->opt.dynvarsize / out->slot_size;
	if (out->nslots < MIN_SLOTS)
		out->nslots = MIN_SLOTS;
	if (out->nslots > MAX_SLOTS)
		out->nslots = MAX_SLOTS;
}

/* --- records ------------------------------------------------------------------------------------ */

static const struct {
	bool records, implemented;
} actions[D_NACTIONS] = {
    [D_ACTION_TRACE] = {true, true},        [D_ACTION_PRINTF] = {true, true},
    [D_ACTION_PRINTA] = {true, true},       [D_ACTION_EXIT] = {true, true},
    [D_ACTION_CLEAR] = {true, true},        [D_ACTION_TRUNC] = {true, true},
    [D_ACTION_NORMALIZE] = {true, true},    [D_ACTION_DENORMALIZE] = {true, true},
    [D_ACTION_STOP] = {false, true},        [D_ACTION_RAISE] = {false, true},
    [D_ACTION_COPYOUTSTR] = {false, false}, [D_ACTION_COPYOUT] = {false, false},
};

bool cg_action_records(enum d_action a)
{
	return actions[a].records;
}

static void field_of(struct cg *cg, const struct d_node *n, struct cg_field *f)
{
	f->type = n->type;
	f->size = 8;
	f->is_literal = n->op == D_CONST;
	switch (n->type->kind) {
	case D_INT:
		f->kind = CG_INT;
		f->size = n->type->size;
		f->is_signed = n->type->is_signed;
		break;
	case D_POINTER: f->kind = CG_INT; break;
	case D_STRING:
		f->kind = d_node_is_identity(n) ? CG_IDENTITY : CG_STRING;
		f->size = f->kind == CG_STRING ? cg->strsize : 8;
		f->builtin = n->op == D_BUILTIN ? n->builtin : D_BUILTIN_PROBEFUNC;
		break;
	case D_BYTES:
		f->kind = CG_BYTES;
		f->size = n->op == D_CALL && n->narg == 2 && n->arg[1]->op == D_CONST ? (u32)n->arg[1]->value : 0;
		if (f->size < 1 || f->size > cg->strsize)
			cg_error(cg, n->pos,
				 "copyin() needs a constant size of at most strsize (%u) to be recorded",
				 cg->strsize);
		break;
	case D_STACK: cg_error(cg, n->pos, "stacks are not implemented yet"); break;
	default: cg_error(cg, n->pos, "a value of type %s cannot be recorded", n->type->name); break;
	}
}

static void layout_action(struct cg *cg, struct cg_layout *l, const struct d_stmt *s)
{
	struct cg_action *a = &l->actions[l->nactions++];

	a->stmt = s;
	a->fields = arena_new_array(cg->arena, struct cg_field, s->narg);
	for (u32 i = 0; i < s->narg; i++) {
		struct cg_field *f = &a->fields[a->nfields];

		if (!cg_is_recorded(s->arg[i]))
			continue;
		field_of(cg, s->arg[i], f);
		f->off = l->size;
		l->size += ALIGN_UP(f->size, 8u);
		a->nfields++;
	}
}

void cg_layout_records(struct cg *cg)
{
	cg->out->layouts = arena_new_array(cg->arena, struct cg_layout, cg->in->nenablings);
	for (u32 i = 0; i < cg->in->nenablings; i++) {
		const struct cg_enabling *e = &cg->in->enablings[i];
		const struct d_clause *c = e->clause;
		struct cg_layout *l = &cg->out->layouts[i];

		l->enabling = e;
		l->size = sizeof(struct cg_record);
		l->actions = arena_new_array(cg->arena, struct cg_action, c->nstmts);
		l->prints_line = !c->has_body || !c->nstmts;
		for (u32 n = 0; n < c->nstmts; n++) {
			const struct d_stmt *s = c->stmts[n];

			if (s->kind != D_STMT_ACTION)
				continue;
			if (!actions[s->action].implemented)
				cg_error(cg, s->pos, "%s() is not implemented yet", d_action_name(s->action));
			else if (actions[s->action].records)
				layout_action(cg, l, s);
		}
		l->prints_line |= l->nactions > 0;
	}
}

/* --- aggregations ------------------------------------------------------------------------------- */

static u32 value_words(const struct d_aggregation *a)
{
	const s64 *p = a->param;

	switch (a->func) {
	case D_AGGFUNC_COUNT: return 1;
	case D_AGGFUNC_STDDEV: return 4;
	case D_AGGFUNC_QUANTIZE: return 1 + RT_QUANTIZE_BUCKETS;
	case D_AGGFUNC_LQUANTIZE: return (u32)(1 + ((u64)p[1] - (u64)p[0]) / (u64)p[2] + 2);
	case D_AGGFUNC_LLQUANTIZE:
		return 1 + (u32)rt_llquantize_buckets((u64)p[0], (u64)p[1], (u64)p[2], (u64)p[3]);
	default: return 2;
	}
}

/*
 * Which built-in identity is key k of the aggregation, in all its uses? D_NBUILTINS: none, or now this, now that.
 */
static enum d_builtin key_builtin(struct cg *cg, const struct d_aggregation *a, u32 k)
{
	const struct d_program *prog = cg->in->prog;
	enum d_builtin found = D_NBUILTINS;

	for (size_t c = 0; c < prog->clauses.n; c++) {
		for (u32 n = 0; n < prog->clauses.v[c]->nstmts; n++) {
			const struct d_stmt *s = prog->clauses.v[c]->stmts[n];
			const struct d_node *key;

			if (s->kind != D_STMT_AGG || s->agg->agg != a)
				continue;
			key = s->agg->arg[k];
			if (key->op != D_BUILTIN || !d_builtin_is_identity(key->builtin))
				continue;
			if (found != D_NBUILTINS && found != key->builtin)
				return D_NBUILTINS;
			found = key->builtin;
		}
	}
	return found;
}

static void string_key(struct cg *cg, struct cg_field *f, const struct d_aggregation *a, u32 k)
{
	f->builtin = key_builtin(cg, a, k);
	f->kind = a->key_is_identity[k] && f->builtin != D_NBUILTINS ? CG_IDENTITY : CG_TEXT;
	f->size = f->kind == CG_TEXT ? 8 + cg->strsize : 8;
}

static void layout_keys(struct cg *cg, struct cg_agg *out, const struct d_aggregation *a)
{
	out->keys = arena_new_array(cg->arena, struct cg_field, a->nkeys);
	out->nkeys = a->nkeys;
	for (u32 k = 0; k < a->nkeys; k++) {
		const struct d_type *t = a->keys[k];
		struct cg_field *f = &out->keys[k];

		*f = (struct cg_field){.kind = CG_INT, .off = out->key_size, .size = 8, .type = t};
		if (t->kind == D_STRING) {
			string_key(cg, f, a, k);
		} else if (t->kind == D_INT) {
			f->size = t->size;
			f->is_signed = t->is_signed;
		}
		out->key_size += ALIGN_UP(f->size, 8u);
	}
	if (!a->nkeys)
		out->key_size = 8; /* a hash cannot be without: one element, of key 0 */
}

void cg_layout_aggs(struct cg *cg)
{
	const struct d_program *prog = cg->in->prog;

	cg->out->naggs = (u32)prog->aggs.n;
	cg->out->aggs = arena_new_array(cg->arena, struct cg_agg, prog->aggs.n);
	for (size_t i = 0; i < prog->aggs.n; i++) {
		const struct d_aggregation *a = prog->aggs.v[i];
		struct cg_agg *out = &cg->out->aggs[a->id];
		u32 max;

		out->agg = a;
		layout_keys(cg, out, a);
		out->value_words = value_words(a);
		max = entries(cg->in->opt.aggsize, out->key_size + 8 * out->value_words + AGG_COST);
		out->map = cg_map_add(cg, &(struct asm_map){
					      .name = arena_printf(cg->arena, "agg_%.11s", a->name),
					      .type = BPF_MAP_TYPE_PERCPU_HASH,
					      .key_size = out->key_size,
					      .value_size = 8 * out->value_words,
					      .max_entries = a->nkeys ? max : 1,
					  });
	}
}
