// SPDX-License-Identifier: Apache-2.0
/*
 * What of a clause is decided once for each Python function, by the agent, and not at each call: the module and function
 * fields of its descriptions, and each conjunct of its predicate that compares the file, the name, the first line, the
 * module or the qualified name with a constant, or is made of such comparisons by ||. The agent traces a function only when
 * some filter matches it.
 */
#include <string.h>

#include "provider/python_impl.h"

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
	for (u32 i = 0; i < c->ndescs; i++) {
		const struct d_desc *d = &c->descs[i];
		int err = 0;

		if (d->by_id)
			err = d->id == g->probes.v[0]->id ? python_plan_any(plan, filter, "", "") : 0;
		else if (glob_match(d->prov, e->proc->prov) && glob_match(d->name, g->probes.v[0]->name))
			err = python_plan_any(plan, filter, d->mod, d->func);
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

static bool take(struct python_event *e, int filter, const struct d_node *left, enum wire_op op,
		 const struct d_node *constant)
{
	struct python_plan *plan = e->proc->plan;
	enum wire_field field;

	if (constant->type->kind == D_STRING)
		return (op == WIRE_EQ || op == WIRE_NE) && text_field(left, &field) &&
		       !python_plan_text(plan, filter, field, op, constant->str);
	/* arg2 of a return is the line that it leaves from. A line is never negative, so signs decide nothing. */
	return constant->type->kind == D_INT && constant->value >= 0 && e->event == WIRE_ENTRY &&
	       arg_number(left) == 2 && !python_plan_number(plan, filter, WIRE_LINE, op, constant->value);
}

static bool take_compare(struct python_event *e, int filter, const struct d_node *n)
{
	for (size_t i = 0; i < ARRAY_SIZE(compares); i++) {
		if (n->op != compares[i].op)
			continue;
		if (n->arg[1]->op == D_CONST)
			return take(e, filter, n->arg[0], compares[i].wire, n->arg[1]);
		return n->arg[0]->op == D_CONST && take(e, filter, n->arg[1], compares[i].swapped, n->arg[0]);
	}
	return false;
}

/* All alternatives, or as many as could be taken before one that cannot: *taken. */
static bool take_either(struct python_event *e, int filter, const struct d_node *n, u32 *taken)
{
	if (n->op == D_LOR)
		return take_either(e, filter, n->arg[0], taken) && take_either(e, filter, n->arg[1], taken);
	if (!take_compare(e, filter, n))
		return false;
	++*taken;
	return true;
}

bool python_filter_take(struct provider_run *r, struct provider_group *g, int filter, const struct d_node *n)
{
	struct python_event *e = g->data;
	u32 taken = 0;
	bool all = take_either(e, filter, n, &taken);

	if (all)
		python_plan_alternatives(e->proc->plan, taken);
	else
		python_plan_withdraw(e->proc->plan, taken);
	return all;
}
