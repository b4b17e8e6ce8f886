// SPDX-License-Identifier: Apache-2.0
/* Functions whose names are nearly those that a clause asks for: for who has made a typing error. */
#include <stdlib.h>
#include <string.h>

#include "provider/python_impl.h"

enum {
	NAME_MAX_LEN = 64, /* longer ones are near to nothing */
	FOUND_MAX = 20000,
	FOUND_TEXT_MAX = 2 << 20,
	NEAREST = 3,
	FAR = 1000,
};

/* Names as they were found: MODULE NUL FUNCTION NUL, one after the other. */
struct python_found {
	struct strbuf text;
	size_t n;
};

void python_found_add(struct provider_run *r, const char *mod, const char *func)
{
	struct python_found *f = r->found;

	if (!f)
		f = r->found = calloc(1, sizeof(*f));
	if (!f || f->n == FOUND_MAX || f->text.len > FOUND_TEXT_MAX || strlen(mod) > NAME_MAX_LEN ||
	    strlen(func) > NAME_MAX_LEN)
		return;
	f->n++;
	strbuf_add(&f->text, mod, strlen(mod) + 1);
	strbuf_add(&f->text, func, strlen(func) + 1);
}

void python_found_free(struct provider_run *r)
{
	if (r->found)
		strbuf_free(&r->found->text);
	free(r->found);
	r->found = NULL;
}

static unsigned least(unsigned a, unsigned b)
{
	return a < b ? a : b;
}

/*
 * How many characters have to be put in, left out, changed, or exchanged with the next one, to make a text match a pattern of * and ?
 * (Damerau and Levenshtein, each pair exchanged once).
 */
static unsigned distance(const char *pattern, const char *s)
{
	unsigned row[3][NAME_MAX_LEN + 1], *before = row[0], *last = row[1], *now = row[2];
	size_t n = strlen(s), m = strlen(pattern);

	if (n > NAME_MAX_LEN || m > NAME_MAX_LEN)
		return FAR;
	for (size_t j = 0; j <= n; j++)
		last[j] = (unsigned)j;
	for (size_t i = 0; i < m; i++) {
		char c = pattern[i];
		unsigned *oldest = before;

		now[0] = last[0] + (c != '*');
		for (size_t j = 0; j < n; j++) {
			if (c == '*') {
				now[j + 1] = least(last[j + 1], now[j]);
				continue;
			}
			now[j + 1] = least(last[j] + (c != '?' && c != s[j]), least(last[j + 1], now[j]) + 1);
			if (i && j && c == s[j - 1] && pattern[i - 1] == s[j])
				now[j + 1] = least(now[j + 1], before[j - 1] + 1);
		}
		before = last;
		last = now;
		now = oldest;
	}
	return last[n];
}

/* What stands behind the last dot: "query" of "App.query". Whoever leaves out the rest is one mistake away. */
static const char *last_part(const char *name)
{
	const char *dot = strrchr(name, '.');

	return dot ? dot + 1 : name;
}

static unsigned field_distance(const char *pattern, const char *name)
{
	const char *last = last_part(name);

	if (glob_match(pattern, name))
		return 0;
	return least(distance(pattern, name), last == name ? FAR : distance(pattern, last) + 1);
}

static unsigned letters(const char *pattern)
{
	unsigned n = 0;

	for (; *pattern; pattern++)
		n += *pattern != '*' && *pattern != '?';
	return n;
}

/* How far a field is from what is asked for; FAR: more than a mistake or two away. */
static unsigned field_near(const char *pattern, const char *name)
{
	unsigned n = field_distance(pattern, name);

	return n <= (letters(pattern) + 1) / 3 ? n : FAR;
}

/* The same for a function. One that is not away at all is not what was meant: something else keeps it from matching. */
static unsigned wish_distance(const struct provider_run *r, const struct python_wish *w, const char *mod,
			      const char *func)
{
	unsigned n = field_near(w->desc->mod, mod) + field_near(w->desc->func, func);

	for (size_t i = 0; i < r->name_wishes.n && n < FAR; i++) {
		const struct python_name_wish *name = &r->name_wishes.v[i];

		if (name->event == w->event && name->filter == w->filter)
			n += field_near(name->text, name->field == WIRE_MODULE     ? mod
						    : name->field == WIRE_QUALNAME ? func
										   : last_part(func));
	}
	return n ? least(n, FAR) : FAR;
}

struct nearest {
	struct near {
		const char *mod, *func;
		unsigned distance;
	} v[NEAREST];
	size_t n;
};

static bool before(const struct near *a, const struct near *b)
{
	int c = strcmp(a->mod, b->mod);

	if (a->distance != b->distance)
		return a->distance < b->distance;
	return c ? c < 0 : strcmp(a->func, b->func) < 0;
}

static void nearest_add(struct nearest *nearest, struct near near)
{
	size_t at = nearest->n;

	for (size_t i = 0; i < nearest->n; i++)
		if (!strcmp(nearest->v[i].mod, near.mod) && !strcmp(nearest->v[i].func, near.func))
			return;
	while (at && before(&near, &nearest->v[at - 1]))
		at--;
	if (at == NEAREST)
		return;
	nearest->n += nearest->n < NEAREST;
	memmove(&nearest->v[at + 1], &nearest->v[at], (nearest->n - at - 1) * sizeof(near));
	nearest->v[at] = near;
}

static bool is_of(const struct python_wish *w, struct d_clause *const *clauses, size_t n)
{
	for (size_t i = 0; i < n; i++)
		if (w->clause == clauses[i])
			return !w->desc->by_id;
	return false;
}

const char *python_near(struct provider_run *r, struct d_clause *const *clauses, size_t n)
{
	struct python_found *f = r->found;
	struct nearest nearest = {0};
	struct strbuf b = {0};
	const char *s, *text;

	if (!f || f->text.failed)
		return NULL;
	for (s = f->text.s; f->n && s < f->text.s + f->text.len;) {
		struct near near = {.mod = s, .func = s + strlen(s) + 1};

		for (size_t i = 0; i < r->wishes.n; i++) {
			if (!is_of(&r->wishes.v[i], clauses, n))
				continue;
			near.distance = wish_distance(r, &r->wishes.v[i], near.mod, near.func);
			if (near.distance < FAR)
				nearest_add(&nearest, near);
		}
		s = near.func + strlen(near.func) + 1;
	}
	for (size_t i = 0; i < nearest.n; i++)
		strbuf_printf(&b, "%s%s:%s", i ? ", " : "", nearest.v[i].mod, nearest.v[i].func);
	text = nearest.n && !b.failed ? arena_strdup(r->env->arena, b.s) : NULL;
	strbuf_free(&b);
	return text;
}
