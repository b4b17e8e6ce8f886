// SPDX-License-Identifier: Apache-2.0
/*
 * What of a clause is decided once for each Python function, by the agent, and not at each call: the module and function
 * fields of its descriptions, and each conjunct of its predicate that compares the file, the name, the first line, the
 * module or the qualified name with a constant, or is made of such comparisons by ||. The agent traces a function only when
 * some filter matches it. A conjunct that depends on arg3 alone decides which events of it are switched on.
 */
#include <string.h>

#include "provider/python_impl.h"

/* $target is each of the processes that the user has named. */
bool python_desc_names(const struct provider_run *r, const struct d_desc *d, const struct python_proc *p)
{
	return (d->of_target && p->is_target) || glob_match(d->prov, p->prov);
}

bool python_desc_at(const struct provider_run *r, const struct d_desc *d, const struct python_event *e)
{
	const struct probe *probe = e->group->probes.v[0];

	if (d->by_id)
		return d->id == probe->id;
	return python_desc_names(r, d, e->proc) && glob_match(d->name, probe->name);
}

int python_filter_open(struct provider_run *r, struct provider_group *g, const struct d_clause *c)
{
	struct python_event *e = g->data;
	struct python_plan *plan = e->proc->plan;
	int filter = python_plan_filter(plan, 1u << e->event);

	if (filter < 0) {
		diag_report(r->env->diag, DIAG_ERROR, c->pos,
			    "more than %d clauses at the Python probes of process %d: join some of them",
			    WIRE_MAX_FILTERS, e->proc->pid);
		return filter;
	}
	e->enabled = true;
	for (u32 i = 0, nth = 0; i < c->ndescs; i++) {
		const struct d_desc *d = &c->descs[i];
		int err;

		if (!python_desc_at(r, d, e))
			continue;
		*vec_push(r->env->arena, &r->wishes) =
		    (struct python_wish){.event = e, .clause = c, .desc = d, .filter = filter, .nth = nth++};
		err = d->by_id ? python_plan_any(plan, filter, "", "")
			       : python_plan_any(plan, filter, d->mod, d->func);
		if (err)
			return diag_fail(r->env->diag, -err, "cannot plan the Python probes: %s", strerror(-err));
	}
	return filter;
}

/* Conversions between integers of 64 bits and pointers change nothing here. */
static const struct d_node *skip_casts(const struct d_node *n)
{
	while (n->op == D_CAST && (n->type->kind == D_POINTER || (n->type->kind == D_INT && n->type->size == 8)))
		n = n->arg[0];
	return n;
}

/* argN, or args[N]: N. -1: it is something else. */
static int arg_number(const struct d_node *n)
{
	n = skip_casts(n);
	if (n->op == D_BUILTIN && n->builtin <= D_BUILTIN_ARG9)
		return n->builtin - D_BUILTIN_ARG0;
	return n->op == D_ARGS ? (int)n->value : -1;
}

/* Is it a text that the function fixes? */
static bool text_field(const struct d_node *n, enum wire_field *f)
{
	static const enum wire_field of_arg[] = {WIRE_FILE, WIRE_NAME};

	if (n->op == D_BUILTIN && n->builtin == D_BUILTIN_PROBEFUNC) {
		*f = WIRE_QUALNAME;
		return true;
	}
	if (n->op == D_BUILTIN && n->builtin == D_BUILTIN_PROBEMOD) {
		*f = WIRE_MODULE;
		return true;
	}
	if (n->op != D_CALL || n->subr != D_SUBR_COPYINSTR || n->narg != 1)
		return false;

	int arg = arg_number(n->arg[0]);

	if (arg < 0 || arg >= (int)ARRAY_SIZE(of_arg))
		return false;
	*f = of_arg[arg];
	return true;
}

/* Comparisons, and what they become when their sides change places. */
static const struct {
	enum d_op op;
	enum wire_op wire, swapped;
} compares[] = {
    {D_EQ, WIRE_EQ, WIRE_EQ}, {D_NE, WIRE_NE, WIRE_NE}, {D_LT, WIRE_LT, WIRE_GT},
    {D_LE, WIRE_LE, WIRE_GE}, {D_GT, WIRE_GT, WIRE_LT}, {D_GE, WIRE_GE, WIRE_LE},
};

static bool take_text(struct provider_run *r, struct python_event *e, int filter, const struct d_node *left,
		      enum wire_op op, const char *text)
{
	enum wire_field field;

	if ((op != WIRE_EQ && op != WIRE_NE) || !text_field(left, &field) ||
	    python_plan_text(e->proc->plan, filter, field, op, text))
		return false;
	if (op == WIRE_EQ && field != WIRE_FILE)
		*vec_push(r->env->arena, &r->name_wishes) =
		    (struct python_name_wish){.event = e, .filter = filter, .field = field, .text = text};
	return true;
}

static bool take(struct provider_run *r, struct python_event *e, int filter, const struct d_node *left,
		 enum wire_op op, const struct d_node *constant)
{
	struct python_plan *plan = e->proc->plan;

	if (constant->type->kind == D_STRING)
		return take_text(r, e, filter, left, op, constant->str);
	/* arg2 of a return is the line that it leaves from. A line is never negative, so signs decide nothing. */
	return constant->type->kind == D_INT && constant->value >= 0 && e->event == WIRE_ENTRY &&
	       arg_number(left) == 2 && !python_plan_number(plan, filter, WIRE_LINE, op, constant->value);
}

static bool take_compare(struct provider_run *r, struct python_event *e, int filter, const struct d_node *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(compares); i++) {
		if (n->op != compares[i].op)
			continue;
		if (n->arg[1]->op == D_CONST)
			return take(r, e, filter, n->arg[0], compares[i].wire, n->arg[1]);
		return n->arg[0]->op == D_CONST && take(r, e, filter, n->arg[1], compares[i].swapped, n->arg[0]);
	}
	return false;
}

/* All alternatives, or as many as could be taken before one that cannot: *taken. */
static bool take_either(struct provider_run *r, struct python_event *e, int filter, const struct d_node *n,
			u32 *taken)
{
	if (n->op == D_LOR)
		return take_either(r, e, filter, n->arg[0], taken) && take_either(r, e, filter, n->arg[1], taken);
	if (!take_compare(r, e, filter, n))
		return false;
	++*taken;
	return true;
}

/* arg3: in which way a function is entered or left. */
static bool kind_known(void *arg, const struct d_node *n, s64 *value)
{
	*value = *(const int *)arg;
	return arg_number(n) == 3;
}

/* Does nothing but arg3 decide? Then the events of which it is not true need not be there at all. */
static bool take_kinds(struct python_event *e, int filter, const struct d_node *n)
{
	u8 kinds = 0;
	s64 holds;

	for (int k = 0; k < WIRE_NKINDS; k++) {
		if (!d_evaluate(n, kind_known, &k, &holds))
			return false;
		kinds |= (u8)(!!holds << k);
	}
	python_plan_kinds(e->proc->plan, filter, kinds);
	return true;
}

bool python_filter_take(struct provider_run *r, struct provider_group *g, int filter, const struct d_node *n)
{
	struct python_event *e = g->data;
	u32 taken = 0;
	bool all;

	if (take_kinds(e, filter, n))
		return true;
	all = take_either(r, e, filter, n, &taken);
	if (all)
		python_plan_alternatives(e->proc->plan, taken);
	else
		python_plan_withdraw(e->proc->plan, taken);
	return all;
}
