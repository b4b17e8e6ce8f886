// SPDX-License-Identifier: Apache-2.0
/* Statements: an expression for its effect, an action, or an aggregation. */
#include "d/checker_impl.h"

static bool takes_aggs(enum d_action a)
{
	return a == D_ACTION_PRINTA || a == D_ACTION_CLEAR || a == D_ACTION_TRUNC || a == D_ACTION_NORMALIZE ||
	       a == D_ACTION_DENORMALIZE;
}

static bool takes_format(enum d_action a)
{
	return a == D_ACTION_PRINTF || a == D_ACTION_SYSTEM;
}

/* The format is kept as text and leaves the arguments. */
static int split_format(struct d_checker *c, struct d_stmt *s)
{
	s->fmt_text = s->arg[0]->str;
	s->fmt_pos = s->arg[0]->pos;
	s->arg++;
	s->narg--;
	return d_format_parse(c, s, &s->format);
}

static bool same_keys(const struct d_aggregation *a, const struct d_aggregation *b)
{
	bool same = a->nkeys == b->nkeys;

	for (u32 i = 0; same && i < a->nkeys; i++)
		same = a->keys[i]->kind == b->keys[i]->kind;
	return same;
}

/* printa(@a, ...) or printa("format", @a, ...) */
static int check_printa(struct d_checker *c, struct d_stmt *s)
{
	bool format = s->narg && s->arg[0]->op == D_CONST && d_is_string(s->arg[0]->type);

	if (s->narg == format)
		return d_check_error(c, s->pos, "printa() takes an aggregation, as @name");
	for (u32 i = format; i < s->narg; i++) {
		if (s->arg[i]->op != D_AGGREF)
			return d_check_error(c, s->arg[i]->pos,
					     "printa() argument #%u must be an aggregation, as @name", i + 1);
		if (d_check_aggref(c, s->arg[i]))
			return -EINVAL;
		if (!same_keys(s->arg[i]->agg, s->arg[format]->agg))
			return d_check_error(c, s->arg[i]->pos, "@%s and @%s do not have the same keys",
					     s->arg[format]->agg->name, s->arg[i]->agg->name);
	}
	if (format && split_format(c, s))
		return -EINVAL;
	return format ? d_format_check(c, s) : 0;
}

static int check_action(struct d_checker *c, struct d_stmt *s)
{
	const struct d_action_info *info = &d_actions[s->action];

	if (info->destructive && !c->r->destructive)
		return d_check_error(
		    c, s->pos, "%s() is a destructive action: allow it with -w or #pragma D option destructive",
		    info->name);
	if (s->action == D_ACTION_PRINTA)
		return check_printa(c, s);
	if (d_check_args(c, s->pos, info->name, info->proto, s->arg, s->narg))
		return -EINVAL;
	if (!takes_format(s->action))
		return 0;
	return split_format(c, s) ? -EINVAL : d_format_check(c, s);
}

int d_check_stmt(struct d_checker *c, struct d_stmt *s)
{
	struct d_node *n = s->expr;
	int action = n->op == D_CALL ? d_action_find(n->name) : -1;

	if (n->op == D_ASSIGN && n->assign_op == D_CONST && n->arg[0]->op == D_AGGREF)
		return d_check_aggregate(c, s);
	if (action < 0)
		return d_check_expr(c, n);
	s->kind = D_STMT_ACTION;
	s->action = (enum d_action)action;
	s->arg = n->arg;
	s->narg = n->narg;
	s->expr = NULL;
	return takes_aggs(s->action) ? 0 : check_action(c, s);
}

int d_check_stmt_late(struct d_checker *c, struct d_stmt *s)
{
	return s->kind == D_STMT_ACTION && takes_aggs(s->action) ? check_action(c, s) : 0;
}
