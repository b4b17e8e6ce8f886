// SPDX-License-Identifier: Apache-2.0
/* Nodes of the tree, and walks over it. */
#include "d/d_impl.h"

struct d_node *d_node_new(struct d_program *prog, enum d_op op, struct srcpos pos)
{
	struct d_node *n = arena_new_array(prog->arena, struct d_node, 1);

	n->op = op;
	n->pos = pos;
	n->type = &d_type_untyped;
	n->depth = 1;
	return n;
}

struct d_node *d_node_const(struct d_program *prog, struct srcpos pos, const struct d_type *type, s64 value)
{
	struct d_node *n = d_node_new(prog, D_CONST, pos);

	n->type = type;
	n->value = value;
	return n;
}

struct d_node *d_node_string(struct d_program *prog, struct srcpos pos, const char *s)
{
	struct d_node *n = d_node_new(prog, D_CONST, pos);

	n->type = &d_type_string;
	n->str = s;
	return n;
}

static bool walk_each(struct d_node **v, u32 n, d_visit *fn, void *arg)
{
	for (u32 i = 0; i < n; i++)
		if (d_node_walk(v[i], fn, arg))
			return true;
	return false;
}

bool d_node_walk(struct d_node *n, d_visit *fn, void *arg)
{
	return n && (fn(arg, n) || walk_each(n->arg, n->narg, fn, arg));
}

static bool stmt_walk(const struct d_stmt *s, d_visit *fn, void *arg)
{
	return d_node_walk(s->expr, fn, arg) || d_node_walk(s->agg, fn, arg) || walk_each(s->arg, s->narg, fn, arg);
}

bool d_clause_walk(const struct d_clause *c, d_visit *fn, void *arg)
{
	if (d_node_walk(c->pred, fn, arg))
		return true;
	for (u32 i = 0; i < c->nstmts; i++)
		if (stmt_walk(c->stmts[i], fn, arg))
			return true;
	return false;
}

bool d_program_walk(const struct d_program *prog, d_visit *fn, void *arg)
{
	for (size_t i = 0; i < prog->clauses.n; i++)
		if (d_clause_walk(prog->clauses.v[i], fn, arg))
			return true;
	return false;
}

static bool is_effect(void *arg, struct d_node *n)
{
	return n->op == D_ASSIGN || (n->op >= D_PREINC && n->op <= D_POSTDEC);
}

bool d_has_effect(struct d_node *n)
{
	return d_node_walk(n, is_effect, NULL);
}

/* The user's memory is read, or something is divided by what may be 0. */
static bool is_risk(void *arg, struct d_node *n)
{
	enum d_op op = n->op == D_ASSIGN ? n->assign_op : n->op;

	switch (op) {
	case D_DEREF: return true;
	case D_DIV:
	case D_MOD: return n->arg[1]->op != D_CONST || !n->arg[1]->value;
	case D_CALL: return n->subr == D_SUBR_COPYINSTR || n->subr == D_SUBR_COPYIN;
	case D_ARGS: return n->type->kind == D_STRING;
	case D_CAST: return n->type->kind == D_STRING && n->arg[0]->type->kind != D_STRING;
	default: return false;
	}
}

bool d_can_fault(struct d_node *n)
{
	return d_node_walk(n, is_risk, NULL);
}

static void split(struct d_node *n, struct d_node **out, u32 *count)
{
	if (n->op == D_LAND) {
		split(n->arg[0], out, count);
		split(n->arg[1], out, count);
		return;
	}
	if (out)
		out[*count] = n;
	++*count;
}

u32 d_conjuncts(struct arena *a, struct d_node *pred, struct d_node ***out)
{
	u32 n = 0, again = 0;

	*out = NULL;
	if (!pred)
		return 0;
	split(pred, NULL, &n);
	*out = arena_new_array(a, struct d_node *, n);
	split(pred, *out, &again);
	return n;
}
