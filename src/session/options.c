// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "session/session.h"

static const struct option_row {
	const char *name;
	enum session_option_kind kind;
	s64 initial, min, max;
	const char *help;
} options[] = {
#define X(id, name, kind, initial, min, max, help) [SESSION_##id] = {name, kind, initial, min, max, help},
    SESSION_OPTIONS(X)
#undef X
};

struct word {
	const char *word;
	s64 value;
};

/* What DTrace takes for yes and no. */
static const struct word flags[] = {
    {"yes", 1},   {"no", 0}, {"enable", 1}, {"disable", 0}, {"enabled", 1}, {"disabled", 0}, {"true", 1},
    {"false", 0}, {"on", 1}, {"off", 0},    {"set", 1},     {"unset", 0},   {"1", 1},        {"0", 0},
};

static const struct word sizes[] = {
    {"", 1}, {"k", 1ll << 10}, {"m", 1ll << 20}, {"g", 1ll << 30}, {"t", 1ll << 40},
};

#define HZ 0 /* per second: the number divides */
static const struct word rates[] = {
    {"", 1},
    {"ns", 1},
    {"nsec", 1},
    {"us", 1000},
    {"usec", 1000},
    {"ms", 1000000},
    {"msec", 1000000},
    {"s", 1000000000},
    {"sec", 1000000000},
    {"m", 60000000000},
    {"min", 60000000000},
    {"h", 3600000000000},
    {"hour", 3600000000000},
    {"d", 86400000000000},
    {"day", 86400000000000},
    {"hz", HZ},
};

static bool word_find(const struct word *words, size_t n, const char *s, s64 *value)
{
	for (size_t i = 0; i < n; i++) {
		if (!strcasecmp(words[i].word, s)) {
			*value = words[i].value;
			return true;
		}
	}
	return false;
}

/* A number and a unit of the table. 0, -EINVAL, or -ERANGE when it does not fit. */
static int scaled_parse(const struct word *units, size_t n, const char *s, s64 *out)
{
	char *end;
	s64 unit;

	if (*s < '0' || *s > '9')
		return -EINVAL;
	errno = 0;
	*out = strtoll(s, &end, 0);
	if (!word_find(units, n, end, &unit))
		return -EINVAL;
	if (errno)
		return -ERANGE;
	if (unit == HZ)
		*out = *out ? 1000000000 / *out : 0;
	else if (__builtin_mul_overflow(*out, unit, out))
		return -ERANGE;
	return 0;
}

static const struct option_row *option_find(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (!strcmp(options[i].name, name))
			return &options[i];
	return NULL;
}

static int bad_value(const struct option_row *o, const char *value, struct srcpos pos, struct diag *diag,
		     const char *want)
{
	diag_report(diag, DIAG_ERROR, pos, "option %s: '%s' is not %s", o->name, value ? value : "", want);
	return -EINVAL;
}

/* 4194304 as "4m". */
static void size_text(char *buf, size_t n, s64 v, enum session_option_kind kind)
{
	static const char units[] = "kmgt";
	int u = -1;

	while (kind == OPTION_SIZE && v >= 1024 && !(v & 1023) && u < 3) {
		v >>= 10;
		u++;
	}
	snprintf(buf, n, "%lld%.*s%s", (long long)v, u >= 0, u >= 0 ? units + u : "",
		 kind == OPTION_RATE ? "ns" : "");
}

static int number_set(const struct option_row *o, const char *value, s64 *n, struct srcpos pos, struct diag *diag)
{
	static const struct {
		const struct word *units;
		size_t n;
		const char *want;
	} kinds[] = {
	    [OPTION_FLAG] = {flags, ARRAY_SIZE(flags), "yes or no"},
	    [OPTION_SIZE] = {sizes, ARRAY_SIZE(sizes), "a size (a number, with k, m, g or t)"},
	    [OPTION_RATE] = {rates, ARRAY_SIZE(rates), "a rate (10hz) or a time (100ms, 1s)"},
	    [OPTION_NUMBER] = {sizes, 1, "a number"},
	};
	char min[32], max[32];
	s64 v;
	int err;

	if (!value || (o->kind == OPTION_FLAG && !*value)) {
		if (o->kind != OPTION_FLAG)
			return bad_value(o, value, pos, diag, kinds[o->kind].want);
		*n = !value;
		return 0;
	}
	if (o->kind == OPTION_FLAG)
		err = word_find(flags, ARRAY_SIZE(flags), value, &v) ? 0 : -EINVAL;
	else
		err = scaled_parse(kinds[o->kind].units, kinds[o->kind].n, value, &v);
	if (err == -EINVAL)
		return bad_value(o, value, pos, diag, kinds[o->kind].want);
	if (err || v < o->min || v > o->max) {
		size_text(min, sizeof(min), o->min, o->kind);
		size_text(max, sizeof(max), o->max, o->kind);
		diag_report(diag, DIAG_ERROR, pos, "option %s: %s is out of range (%s to %s)", o->name, value, min,
			    max);
		return -EINVAL;
	}
	*n = v;
	return 0;
}

/* `help` begins with the words: "kernel vm: where clauses run". */
static int choice_set(const struct option_row *o, const char *value, const char **out, struct srcpos pos,
		      struct diag *diag)
{
	size_t len = value ? strlen(value) : 0, nwords = strcspn(o->help, ":");

	for (const char *w = o->help; len && w < o->help + nwords; w += strcspn(w, " :") + 1) {
		if (strcspn(w, " :") == len && !strncmp(w, value, len)) {
			*out = value;
			return 0;
		}
	}
	diag_report(diag, DIAG_ERROR, pos, "option %s: '%s' is not one of: %.*s", o->name, value ? value : "",
		    (int)nwords, o->help);
	return -EINVAL;
}

static int cpp_add(struct session_config *cfg, const struct option_row *o, const char *value, struct srcpos pos,
		   struct diag *diag)
{
	if (!value || !*value)
		return bad_value(o, value, pos, diag, "an argument for the C preprocessor");
	*vec_push(cfg->arena, &cfg->opt.cpp) = arena_printf(cfg->arena, "%s%s", o->help, value);
	return 0;
}

int session_option_set(struct session_config *cfg, const char *name, const char *value, struct srcpos pos,
		       struct diag *diag)
{
	const struct option_row *o = option_find(name);
	size_t id = (size_t)(o - options);

	if (!o) {
		diag_report(diag, DIAG_ERROR, pos, "unknown option '%s' (pydtrace --help lists them)", name);
		return -EINVAL;
	}
	switch (o->kind) {
	case OPTION_UNUSED: return 0;
	case OPTION_CHOICE: return choice_set(o, value, &cfg->opt.text[id], pos, diag);
	case OPTION_CPP: return cpp_add(cfg, o, value, pos, diag);
	default: return number_set(o, value, &cfg->opt.n[id], pos, diag);
	}
}

void session_options_describe(struct strbuf *out)
{
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		if (options[i].kind != OPTION_UNUSED && options[i].kind != OPTION_CPP)
			strbuf_printf(out, "  %-14s %s\n", options[i].name, options[i].help);
}

void session_config_init(struct session_config *cfg, struct arena *a)
{
	*cfg = (struct session_config){.arena = a};
	for (size_t i = 0; i < ARRAY_SIZE(options); i++)
		cfg->opt.n[i] = options[i].initial;
}
