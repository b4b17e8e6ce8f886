// SPDX-License-Identifier: Apache-2.0
/* The variables of a program, and the types that their assignments give them. */
#include <string.h>

#include "d/d_impl.h"

#define MAX_ROUNDS  20 /* of finding types from types; real scripts need two or three */
#define MAX_GUESSES 3  /* of variables without a type, that others are then found from */

static const char *const scope_prefix[] = {[D_GLOBAL] = "", [D_THREAD] = "self->", [D_CLAUSE] = "this->"};

const char *d_scope_prefix(enum d_scope scope)
{
	return scope_prefix[scope];
}

static struct d_symbol **bucket(struct d_checker *c, enum d_scope scope, const char *name)
{
	return &c->symbols[(hash_bytes(name, strlen(name)) + scope) % ARRAY_SIZE(c->symbols)];
}

struct d_symbol *d_symbol_find(struct d_checker *c, enum d_scope scope, const char *name)
{
	for (struct d_symbol *s = *bucket(c, scope, name); s; s = s->next)
		if (s->var->scope == scope && !strcmp(s->var->name, name))
			return s;
	return NULL;
}

static struct d_symbol *symbol_add(struct d_checker *c, enum d_scope scope, const char *name, struct srcpos pos)
{
	struct d_symbol *s = arena_new_array(c->arena, struct d_symbol, 1), **b = bucket(c, scope, name);

	s->var = arena_new_array(c->arena, struct d_var, 1);
	s->var->name = name;
	s->var->scope = scope;
	s->var->pos = pos;
	s->next = *b;
	*b = s;
	return s;
}

static struct d_symbol *variable_add(struct d_checker *c, enum d_scope scope, const char *name, struct srcpos pos)
{
	struct d_symbol *s = symbol_add(c, scope, name, pos);

	s->var->id = c->nvars[scope]++;
	*vec_push(c->arena, &c->prog->vars) = s->var;
	return s;
}

/* Names that are not variables of the script. */
bool d_is_reserved(const char *name)
{
	s64 value;

	return d_constant_find(name, &value) || !strcmp(name, "args") || !strcmp(name, "NULL") ||
	       d_builtin_find(name) >= 0 || d_subr_find(name) >= 0 || d_action_find(name) >= 0 ||
	       d_aggfunc_find(name) >= 0 || d_is_known_absent(name);
}

/* There is no place for it that lives as long as one firing of a clause. */
static int no_local_array(struct d_checker *c, struct srcpos pos, const char *name)
{
	return d_check_error(c, pos, "this->%s cannot be an array: arrays are global, or of a thread (self->%s)",
			     name, name);
}

/* inline type name = constant; It may name the inline names before it. */
static int declare_inline(struct d_checker *c, const struct d_decl *d)
{
	struct d_node *value = d->value;
	struct d_symbol *s;

	if (d_check_expr(c, value))
		return -EINVAL;
	if (value->op != D_CONST)
		return d_check_error(c, d->pos,
				     "inline %s is not a constant: other inline definitions are not supported yet",
				     d->name);
	if (!d_type_fits(d->type, value))
		return d_check_error(c, d->pos, "inline %s is \"%s\", and its value is \"%s\"", d->name,
				     d->type->name, value->type->name);
	value->type = d->type;
	value->value = d_type_wrap(d->type, value->value);
	s = symbol_add(c, d->scope, d->name, d->pos);
	s->declared = true;
	s->value = value;
	s->var->type = d->type;
	return 0;
}

static int declare(struct d_checker *c, const struct d_decl *d)
{
	struct d_symbol *s = d_symbol_find(c, d->scope, d->name);

	if (s)
		return d_check_error(c, d->pos, "%s%s is already declared at %s", d_scope_prefix(d->scope), d->name,
				     d_place(c, s->var->pos));
	if (d->scope == D_GLOBAL && d_is_reserved(d->name))
		return d_check_error(c, d->pos, "'%s' is a name of D's own", d->name);
	if (d->type->kind == D_VOID)
		return d_check_error(c, d->pos, "a variable cannot have the type \"void\"");
	for (u32 i = 0; i < d->nkeys; i++)
		if (d->keys[i]->kind == D_VOID)
			return d_check_error(c, d->pos, "a key cannot have the type \"void\"");
	if (d->scope == D_CLAUSE && d->nkeys)
		return no_local_array(c, d->pos, d->name);
	if (d->value)
		return declare_inline(c, d);
	s = variable_add(c, d->scope, d->name, d->pos);
	s->declared = true;
	s->var->type = d->type;
	s->var->nkeys = d->nkeys;
	s->var->keys = d->keys;
	return 0;
}

static bool is_modification(enum d_op op)
{
	return op == D_ASSIGN || (op >= D_PREINC && op <= D_POSTDEC);
}

static void note_use(void *arg, struct d_node *n)
{
	struct d_checker *c = arg;
	struct d_symbol *s;

	if (is_modification(n->op) && n->arg[0]->op == D_VAR && n->arg[0]->narg) {
		note_use(c, n->arg[0]);
		s = d_symbol_find(c, n->arg[0]->scope, n->arg[0]->name);
		if (s)
			s->keyed_assigned = true;
		return;
	}
	if (n->op != D_VAR || (n->scope == D_GLOBAL && d_is_reserved(n->name)))
		return;
	s = d_symbol_find(c, n->scope, n->name);
	if (!s)
		s = variable_add(c, n->scope, n->name, n->pos);
	if (s->value)
		return;
	n->var = s->var;
	if (!n->narg)
		s->scalar = true;
	else if (!s->keyed)
		s->keyed = n;
}

/*
 * A variable is an array when it is written with keys, or never used without. Otherwise v[i] can only index a pointer.
 */
int d_symbols_collect(struct d_checker *c)
{
	for (size_t i = 0; i < c->prog->decls.n; i++)
		if (declare(c, &c->prog->decls.v[i]))
			return -EINVAL;
	d_program_walk(c->prog, note_use, c);
	for (size_t i = 0; i < c->prog->vars.n; i++) {
		struct d_var *v = c->prog->vars.v[i];
		struct d_symbol *s = d_symbol_find(c, v->scope, v->name);

		if (s->declared || !s->keyed || (s->scalar && !s->keyed_assigned))
			continue;
		if (v->scope == D_CLAUSE)
			return no_local_array(c, s->keyed->pos, v->name);
		v->nkeys = s->keyed->narg;
		v->keys = arena_new_array(c->arena, const struct d_type *, v->nkeys);
	}
	return 0;
}

/* --- types ------------------------------------------------------------------------------------------ */

/*
 * Writing a literal 0 to a thread's variable or to an element of an array frees it, whatever its type is: it says
 * nothing of the type, as long as something else does. Neither does NULL.
 */
static bool only_frees(const struct d_node *n, const struct d_var *v)
{
	const struct d_node *value = n->arg[1];

	if (value->op == D_VAR && value->scope == D_GLOBAL && !strcmp(value->name, "NULL"))
		return true;
	return d_is_zero(value) && (v->scope == D_THREAD || v->nkeys);
}

/* Keys take the widest integer type that they are used with, so that none is cut. */
static void infer_keys(struct d_checker *c, struct d_node *n)
{
	struct d_symbol *s = d_symbol_find(c, n->scope, n->name);

	if (!s || s->declared || s->var->nkeys != n->narg)
		return;
	for (u32 i = 0; i < n->narg; i++) {
		const struct d_type *t = d_infer(c, n->arg[i]), **key = &s->var->keys[i];

		if (!t || (*key && (!d_is_int(t) || !d_is_int(*key) || t->size <= (*key)->size)))
			continue;
		*key = t;
		c->progress = true;
	}
}

/*
 * The first assignment in the text gives a variable its type. ++ and += count in int64_t, as in DTrace, unless an
 * assignment says that the variable is a pointer.
 */
static void infer_modified(struct d_checker *c, const struct d_node *n, struct d_symbol *s)
{
	bool plain = n->op == D_ASSIGN && n->assign_op == D_CONST;
	const struct d_type *t = &d_type_s64;

	s->assigned = true;
	if (s->var->type && !(plain && s->counted))
		return;
	if (!plain && s->first && c->stage == INFER_FIRST)
		return;
	if (plain) {
		if (c->stage < INFER_ZERO && only_frees(n, s->var))
			return;
		if (!s->first)
			s->first = n;
		if (c->stage == INFER_FIRST && s->first != n && !s->counted)
			return;
		t = d_infer(c, n->arg[1]);
		if (!t || (s->counted && !d_is_pointer(t)))
			return;
	}
	s->counted = !plain;
	s->var->type = t;
	c->progress = true;
}

static void infer_node(void *arg, struct d_node *n)
{
	struct d_checker *c = arg;
	struct d_symbol *s;

	if (n->op == D_VAR && n->narg)
		infer_keys(c, n);
	if (!is_modification(n->op) || n->arg[0]->op != D_VAR)
		return;
	s = d_symbol_find(c, n->arg[0]->scope, n->arg[0]->name);
	if (s && !s->declared)
		infer_modified(c, n, s);
}

static void infer_until_stable(struct d_checker *c)
{
	for (u32 round = 0; round < MAX_ROUNDS; round++) {
		c->progress = false;
		for (size_t i = 0; i < c->prog->clauses.n; i++) {
			c->clause = c->prog->clauses.v[i];
			d_clause_walk(c->prog->clauses.v[i], infer_node, c);
		}
		if (!c->progress)
			return;
	}
}

void d_symbols_infer(struct d_checker *c)
{
	u32 again = 0;

	infer_until_stable(c);
	c->stage = INFER_ANY;
	infer_until_stable(c);
	c->stage = INFER_ZERO;
	infer_until_stable(c);
	/* Variables that are only computed from each other: x = x + 1. One may be enough to give others their type. */
	for (size_t i = 0; i < c->prog->vars.n; i++) {
		struct d_var *v = c->prog->vars.v[i];

		if (v->type || !d_symbol_find(c, v->scope, v->name)->assigned)
			continue;
		v->type = &d_type_s64;
		if (again++ < MAX_GUESSES)
			infer_until_stable(c);
	}
}
