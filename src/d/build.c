// SPDX-License-Identifier: Apache-2.0
/* What the rules of the grammar build: nodes over nodes, statements, clauses, declarations. */
#include "d/parser_impl.h"

/* Hang the arguments under the node. All later stages recurse over the tree, so its height is bounded here. */
static struct d_node *adopt(struct d_parser *p, struct d_node *n, struct d_node **arg, u32 narg)
{
	n->arg = arg;
	n->narg = narg;
	for (u32 i = 0; i < narg; i++)
		if (arg[i]->depth >= n->depth)
			n->depth = arg[i]->depth + 1;
	if (n->depth > D_MAX_DEPTH) {
		d_parser_error(p, n->pos, "the expression is nested too deeply (at most %d levels)", D_MAX_DEPTH);
		return NULL;
	}
	return n;
}

struct d_node *d_node_op(struct d_parser *p, enum d_op op, struct srcpos pos, u32 narg, ...)
{
	struct d_node **arg = arena_new_array(p->prog->arena, struct d_node *, narg);
	va_list ap;

	va_start(ap, narg);
	for (u32 i = 0; i < narg; i++)
		arg[i] = va_arg(ap, struct d_node *);
	va_end(ap);
	return adopt(p, d_node_new(p->prog, op, pos), arg, narg);
}

struct d_node *d_node_assign(struct d_parser *p, enum d_op op, struct srcpos pos, struct d_node *l,
			     struct d_node *r)
{
	struct d_node *n = d_node_op(p, D_ASSIGN, pos, 2, l, r);

	if (n)
		n->assign_op = op;
	return n;
}

struct d_node *d_node_cast(struct d_parser *p, struct srcpos pos, const struct d_type *type, struct d_node *of)
{
	struct d_node *n = d_node_op(p, D_CAST, pos, 1, of);

	if (n)
		n->type = type;
	return n;
}

struct d_node *d_node_name(struct d_parser *p, enum d_op op, struct srcpos pos, const char *name,
			   enum d_scope scope)
{
	struct d_node *n = d_node_new(p->prog, op, pos);

	n->name = name;
	n->scope = scope;
	return n;
}

struct d_node *d_node_call(struct d_parser *p, struct srcpos pos, const char *name, const struct d_list *args)
{
	struct d_node *n = d_node_name(p, D_CALL, pos, name, D_GLOBAL);

	return args ? adopt(p, n, args->v.v, (u32)args->v.n) : n;
}

/*
 * base[args]: keys, when the base is a name that has none yet (whether it is an array or a pointer, the checker
 * knows), and otherwise *(base + index), as in C.
 */
struct d_node *d_node_index(struct d_parser *p, struct srcpos pos, struct d_node *base, const struct d_list *args)
{
	struct d_node *sum;

	if ((base->op == D_VAR || base->op == D_AGGREF) && !base->narg)
		return adopt(p, base, args->v.v, (u32)args->v.n);
	if (args->v.n > 1) {
		d_parser_error(p, pos, "only an associative array or an aggregation takes several keys");
		return NULL;
	}
	sum = d_node_op(p, D_ADD, pos, 2, base, args->v.v[0]);
	return sum ? d_node_op(p, D_DEREF, pos, 1, sum) : NULL;
}

struct d_node *d_node_member(struct d_parser *p, struct srcpos pos, struct d_node *base, const char *name)
{
	struct d_node *n = d_node_op(p, D_MEMBER, pos, 1, base);

	if (n)
		n->name = name;
	return n;
}

/* sizeof(type): the type stands in the node until the checker folds it. */
struct d_node *d_node_sizeof(struct d_parser *p, struct srcpos pos, const struct d_type *type)
{
	struct d_node *n = d_node_new(p->prog, D_SIZEOF, pos);

	n->type = type;
	return n;
}

void d_stmt_add(struct d_parser *p, struct d_stmts *to, struct srcpos pos, struct d_node *expr)
{
	struct d_stmt *s = arena_new_array(p->prog->arena, struct d_stmt, 1);

	s->kind = D_STMT_EXPR;
	s->pos = pos;
	s->expr = expr;
	*vec_push(p->prog->arena, &to->v) = s;
}

void d_clause_add(struct d_parser *p, struct d_descs *descs, struct d_node *pred, struct d_stmts *stmts)
{
	struct d_clause *cl = arena_new_array(p->prog->arena, struct d_clause, 1);

	cl->id = (u32)p->prog->clauses.n;
	cl->pos = descs->v.v[0].pos;
	cl->descs = descs->v.v;
	cl->ndescs = (u32)descs->v.n;
	cl->pred = pred;
	if (stmts) {
		cl->stmts = stmts->v.v;
		cl->nstmts = (u32)stmts->v.n;
	}
	cl->has_body = cl->nstmts;
	*vec_push(p->prog->arena, &p->prog->clauses) = cl;
}

const struct d_type *d_type_add_stars(struct d_parser *p, const struct d_type *t, u32 stars)
{
	while (stars--)
		t = d_type_pointer_to(p->prog->arena, t);
	return t;
}

struct d_decl *d_decl_add(struct d_parser *p, struct srcpos pos, u32 stars, const char *name, struct d_types *keys)
{
	struct d_decl *d = vec_push(p->prog->arena, &p->prog->decls);

	d->name = name;
	d->scope = p->decl_scope;
	d->type = d_type_add_stars(p, p->decl_type, stars);
	d->pos = pos;
	if (keys) {
		d->keys = keys->v.v;
		d->nkeys = (u32)keys->v.n;
	}
	return d;
}
