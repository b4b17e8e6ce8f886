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

void d_node_walk(struct d_node *n, void (*fn)(void *arg, struct d_node *n), void *arg)
{
	fn(arg, n);
	for (u32 i = 0; i < n->narg; i++)
		d_node_walk(n->arg[i], fn, arg);
}

void d_clause_walk(struct d_clause *cl, void (*fn)(void *arg, struct d_node *n), void *arg)
{
	if (cl->pred)
		d_node_walk(cl->pred, fn, arg);
	for (u32 i = 0; i < cl->nstmts; i++)
		d_node_walk(cl->stmts[i]->expr, fn, arg);
}

void d_program_walk(struct d_program *prog, void (*fn)(void *arg, struct d_node *n), void *arg)
{
	for (size_t i = 0; i < prog->clauses.n; i++)
		d_clause_walk(prog->clauses.v[i], fn, arg);
}

bool d_has_effect(const struct d_node *n)
{
	if (n->op == D_ASSIGN || (n->op >= D_PREINC && n->op <= D_POSTDEC))
		return true;
	for (u32 i = 0; i < n->narg; i++)
		if (d_has_effect(n->arg[i]))
			return true;
	return false;
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
