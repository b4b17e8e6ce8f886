// SPDX-License-Identifier: Apache-2.0
/* Calls: the function's name, and its arguments against its prototype. */
#include <string.h>

#include "d/checker_impl.h"

/* What a letter of a prototype asks for. */
static const struct kind {
	char letter;
	bool (*takes)(const struct d_node *n);
	const char *wants;
} kinds[];

static bool takes_int(const struct d_node *n)
{
	return d_is_int(n->type);
}
static bool takes_address(const struct d_node *n)
{
	return d_is_scalar(n->type);
}
static bool takes_string(const struct d_node *n)
{
	return d_is_string(n->type);
}
static bool takes_value(const struct d_node *n)
{
	return d_is_scalar(n->type) || d_is_string(n->type) || n->type->kind == D_BYTES;
}
static bool takes_agg(const struct d_node *n)
{
	return n->op == D_AGGREF;
}
static bool takes_format(const struct d_node *n)
{
	return n->op == D_CONST && d_is_string(n->type);
}

static const struct kind kinds[] = {
    {'i', takes_int, "an integer"},
    {'p', takes_address, "an integer or a pointer"},
    {'s', takes_string, "a string"},
    {'v', takes_value, "a value"},
    {'a', takes_agg, "an aggregation, as @name"},
    {'f', takes_format, "a string constant"},
};

static int check_arg(struct d_checker *c, const char *name, u32 i, char letter, struct d_node *n)
{
	const struct kind *k = kinds;

	while (k->letter != letter)
		k++;
	if (letter == 'a' && n->op == D_AGGREF)
		return d_check_aggref(c, n);
	if (d_check_expr(c, n))
		return -EINVAL;
	if (k->takes(n))
		return 0;
	return d_check_error(c, n->pos, "%s() argument #%u must be %s, not \"%s\"", name, i + 1, k->wants,
			     n->type->name);
}

/* How many arguments the prototype takes, at least and at most. */
static void proto_count(const char *proto, u32 *min, u32 *max)
{
	*min = (u32)strcspn(proto, "|*");
	*max = *min;
	for (const char *s = proto + *min; *s; s++) {
		if (*s == '*')
			*max = UINT32_MAX;
		else if (*s != '|')
			++*max;
	}
}

int d_check_count(struct d_checker *c, struct srcpos pos, const char *name, u32 min, u32 max, u32 narg)
{
	if (narg >= min && narg <= max)
		return 0;
	if (max == UINT32_MAX)
		return d_check_error(c, pos, "%s() takes at least %u argument%s, not %u", name, min,
				     min == 1 ? "" : "s", narg);
	if (min != max)
		return d_check_error(c, pos, "%s() takes %u or %u arguments, not %u", name, min, max, narg);
	return d_check_error(c, pos, "%s() takes %u argument%s, not %u", name, min, min == 1 ? "" : "s", narg);
}

int d_check_args(struct d_checker *c, struct srcpos pos, const char *name, const char *proto, struct d_node **arg,
		 u32 narg)
{
	const char *letter = proto;
	u32 min, max;

	proto_count(proto, &min, &max);
	if (d_check_count(c, pos, name, min, max, narg))
		return -EINVAL;
	for (u32 i = 0; i < narg; i++) {
		if (*letter == '|')
			letter++;
		if (check_arg(c, name, i, *letter == '*' ? 'v' : *letter, arg[i]))
			return -EINVAL;
		letter += *letter != '*';
	}
	return 0;
}

int d_check_call(struct d_checker *c, struct d_node *n)
{
	int subr = d_subr_find(n->name);

	if (subr < 0) {
		if (d_action_find(n->name) >= 0)
			return d_check_error(c, n->pos, "%s() is an action: it must be a statement of its own",
					     n->name);
		if (d_aggfunc_find(n->name) >= 0)
			return d_check_error(c, n->pos,
					     "%s() can only be assigned to an aggregation: @name[keys] = %s(...)",
					     n->name, n->name);
		if (d_is_known_absent(n->name))
			return d_check_error(c, n->pos, "%s() is not supported yet", n->name);
		return d_check_error(c, n->pos, "unknown function '%s'", n->name);
	}
	n->subr = (enum d_subr)subr;
	n->type = d_subrs[subr].type;
	return d_check_args(c, n->pos, n->name, d_subrs[subr].proto, n->arg, n->narg);
}
