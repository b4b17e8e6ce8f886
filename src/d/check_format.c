// SPDX-License-Identifier: Apache-2.0
/* Do the arguments of printf() fit its format, and the keys of an aggregation that of printa()? */
#include <string.h>

#include "d/checker_impl.h"

static const struct conversion {
	const char *chars;
	bool ints, pointers, strings;
	const char *wants;
} conversions[] = {
    {"diouc", true, false, false, "an integer"},
    {"CYT", true, false, false, "an integer"},
    {"xXpaA", true, true, false, "an integer or a pointer"},
    {"sS", false, false, true, "a string"},
    {"eEfgG", false, false, false, "floating-point numbers"},
    {"k", false, false, false, "stacks"},
};

/* The values that a format takes one after the other. */
struct values {
	struct d_checker *c;
	const struct d_stmt *stmt;
	const struct d_aggregation *agg; /* printa: its keys are the values */
	u32 next;                        /* value */
	u32 number;                      /* of the conversion, from 1 */
	u32 naggs;                       /* %@ conversions so far */
};

static const char *func(const struct values *v)
{
	return d_action_name(v->stmt->action);
}

/* The next value's type and place; NULL: there is none left. */
static const struct d_type *next_value(struct values *v, struct srcpos *pos)
{
	*pos = v->stmt->fmt_pos;
	if (v->agg)
		return v->next < v->agg->nkeys ? v->agg->keys[v->next++] : NULL;
	if (v->next >= v->stmt->narg)
		return NULL;
	*pos = v->stmt->arg[v->next]->pos;
	return v->stmt->arg[v->next++]->type;
}

static bool accepts(const struct conversion *k, const struct d_type *t)
{
	return d_is_int(t) ? k->ints : d_is_pointer(t) ? k->pointers : d_is_string(t) ? k->strings : false;
}

static int check_star(struct values *v, const char *what)
{
	struct srcpos pos;
	const struct d_type *t = next_value(v, &pos);

	if (!t)
		return d_check_error(v->c, pos, "%s() format conversion #%u has no argument for its %s '*'",
				     func(v), v->number, what);
	if (!d_is_int(t))
		return d_check_error(v->c, pos, "%s() format conversion #%u takes an integer as %s, not \"%s\"",
				     func(v), v->number, what, t->name);
	return 0;
}

/* %@d: the value of an aggregation. */
static int check_agg_value(struct values *v, const struct d_conv *conv, const struct conversion *k)
{
	if (!v->agg)
		return d_check_error(v->c, v->stmt->fmt_pos, "%s() format conversion #%u: %%@ is for printa()",
				     func(v), v->number);
	if (!k->ints)
		return d_check_error(v->c, v->stmt->fmt_pos,
				     "printa() format conversion #%u (%%@%c) cannot print an aggregation's value",
				     v->number, conv->conv);
	if (++v->naggs > v->stmt->narg && v->stmt->narg > 1)
		return d_check_error(v->c, v->stmt->fmt_pos, "printa() format conversion #%u has no aggregation",
				     v->number);
	return 0;
}

static int check_conversion(struct values *v, const struct d_conv *conv)
{
	const struct conversion *k = conversions;
	const struct d_type *t;
	struct srcpos pos;

	while (!strchr(k->chars, conv->conv))
		k++;
	v->number++;
	if ((conv->width_star && check_star(v, "width")) || (conv->prec_star && check_star(v, "precision")))
		return -EINVAL;
	if (conv->agg)
		return check_agg_value(v, conv, k);
	t = next_value(v, &pos);
	if (!t)
		return d_check_error(v->c, pos, "%s() format conversion #%u (%%%c) has no %s", func(v), v->number,
				     conv->conv, v->agg ? "key" : "argument");
	if (!k->ints && !k->strings)
		return d_check_error(v->c, v->stmt->fmt_pos,
				     "%s() format conversion #%u (%%%c) prints %s, which D does not have%s",
				     func(v), v->number, conv->conv, k->wants, conv->conv == 'k' ? " yet" : "");
	if (!accepts(k, t))
		return d_check_error(v->c, pos, "%s() format conversion #%u (%%%c) takes %s, not \"%s\"", func(v),
				     v->number, conv->conv, k->wants, t->name);
	return 0;
}

int d_format_check(struct d_checker *c, const struct d_stmt *s)
{
	bool printa = s->action == D_ACTION_PRINTA;
	struct values v = {.c = c, .stmt = s, .agg = printa ? s->arg[0]->agg : NULL};

	for (u32 i = 0; i < s->format->n; i++)
		if (s->format->conv[i].conv && check_conversion(&v, &s->format->conv[i]))
			return -EINVAL;
	if (!printa && v.next < s->narg)
		return d_check_error(c, s->arg[v.next]->pos, "%s() format takes %u argument%s, not %u", func(&v),
				     v.next, v.next == 1 ? "" : "s", s->narg);
	return 0;
}
