// SPDX-License-Identifier: Apache-2.0
/* Descriptions to probes, groups and enablings, with the real providers; nothing is attached. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include <cmocka.h>

#include "world.h"

static void descriptions_match(void **state)
{
	static const struct {
		const char *text;
		u64 matches;
		u32 groups; /* of the first clause */
	} cases[] = {
	    {"BEGIN", 1, 1},
	    {"dtrace:::", 3, 3},
	    {"BEGIN,END", 2, 2},
	    {"END{} END{}", 2, 1},
	    {"tick-1s", 1, 1},
	    {"profile:::tick-333ms", 1, 1},
	    {"syscall::read:entry", 1, 1},
	    {"::read:entry", 1, 1},
	    {":vmlinux:read:", 2, 2},
	    {"syscall::read:entry,syscall::write:entry", 2, 1},
	    {"syscall::*statx:", 2, 2},
	    {"syscall::[rw]*v:return", 2, 1}, /* readv writev */
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world_new(cases[i].text);

		assert_int_equal(world_expand(w), 0);
		assert_int_equal(w->s.texts.v[0].matches, cases[i].matches);
		assert_int_equal(w->s.clauses.v[0].matches.n, cases[i].groups);
		world_free(w);
	}
}

static void nothing_matches(void **state)
{
	static const struct {
		const char *text, *message;
	} cases[] = {
	    {"syscall::nosuch:entry",
	     "pydtrace: -n:1:1: probe description syscall::nosuch:entry does not match any probes\n"},
	    {"tick-9000hz", "pydtrace: -n:1:1: probe description :::tick-9000hz does not match any probes\n"},
	    {"tick-1y", "pydtrace: -n:1:1: probe description :::tick-1y does not match any probes\n"},
	    {"BEGIN, begin", "pydtrace: -n:1:8: probe description :::begin does not match any probes\n"},
	    {"io:::start", "pydtrace: -n:1:1: probe description io:::start does not match any probes: "
			   "there is no provider 'io'\n"},
	    {"pythonx:::function-entry", "pydtrace: -n:1:1: 'x' is not a process ID\n"},
	    {"python99999999999:::function-entry", "pydtrace: -n:1:1: '99999999999' is not a process ID\n"},
	    {"python:::function-entry", "pydtrace: -n:1:1: python needs a process ID: python1234, "
					"python$target, python$1, or python* for all\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct world *w = world_new(cases[i].text);

		assert_true(world_expand(w) < 0);
		assert_int_equal(strncmp(w->last, cases[i].message, strlen(cases[i].message)), 0);
		world_free(w);
	}
}

/* A rate or a time that can be kept, in any of DTrace's units. */
static void rates(void **state)
{
	static const struct {
		const char *name;
		u64 matches;
	} cases[] = {
	    {"tick-5000", 1}, {"tick-5001", 0},  {"tick-200us", 1},   {"tick-199us", 0},        {"tick-0", 0},
	    {"tick-1day", 1}, {"tick-10Hz", 1},  {"tick-10sec", 1},   {"tick-99999999999d", 0}, {"tick--1", 0},
	    {"tick-1.5s", 0}, {"profile-97", 1}, {"profile-10ms", 1}, {"profile-hz", 0},        {"tick-3min", 1},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[64];

		snprintf(text, sizeof(text), "profile:::%s", cases[i].name);

		struct world *w = world_new(text);

		assert_int_equal(session_option_set(&w->cfg, "zdefs", NULL, NOWHERE, &w->diag), 0);
		assert_int_equal(world_expand(w), 0);
		assert_int_equal(w->s.texts.v[0].matches, cases[i].matches);
		world_free(w);
	}
}

static void by_number(void **state)
{
	struct world *w = world_new("2");

	w->cfg.programs.v[0].by_id = true;
	assert_int_equal(world_expand(w), 0);
	assert_int_equal(w->s.texts.v[0].matches, 1);
	assert_string_equal(w->s.clauses.v[0].matches.v[0].group->name, "END");
	world_free(w);
	w = world_new("999999");
	w->cfg.programs.v[0].by_id = true;
	assert_true(world_expand(w) < 0);
	assert_non_null(strstr(w->last, "probe description 999999 does not match any probes"));
	world_free(w);
}

static void zdefs_permits_nothing(void **state)
{
	struct world *w = world_new("syscall::nosuch:entry");

	assert_int_equal(session_option_set(&w->cfg, "zdefs", NULL, NOWHERE, &w->diag), 0);
	assert_int_equal(world_expand(w), 0);
	assert_int_equal(w->s.texts.v[0].matches, 0);
	world_free(w);
}

/* BEGIN, END and ERROR have had these numbers in every DTrace. */
static void numbers_of_probes(void **state)
{
	struct world *w = world_new("BEGIN");

	assert_int_equal(world_expand(w), 0);
	assert_string_equal(w->s.probes.v[0]->name, "BEGIN");
	assert_string_equal(w->s.probes.v[1]->name, "END");
	assert_string_equal(w->s.probes.v[2]->name, "ERROR");
	for (size_t i = 0; i < w->s.probes.n; i++) {
		const struct probe *p = w->s.probes.v[i];

		assert_int_equal(p->id, i + 1);
		assert_int_equal(p->id, p->group->probes.v[0]->id + p->index);
	}
	world_free(w);
}

static void enablings_are_in_script_order(void **state)
{
	struct world *w =
	    world_new("syscall::read: /pid == 1 && execname != \"x\"/ { @ = count(); } BEGIN { x = 1; } "
		      "syscall:::entry { @ = count(); }");
	struct session *s = &w->s;

	assert_int_equal(world_expand(w), 0);
	assert_int_equal(session_plan_resolve(s), 0);
	assert_int_equal(session_enable(s), 0);
	assert_int_equal(s->in.nenablings, 4);
	assert_int_equal(s->in.ngroups, 3);
	assert_int_equal(s->enablings.v[0].nconj, 2);
	assert_int_equal(s->enablings.v[0].filter, -1);
	assert_non_null(s->enablings.v[0].set);
	assert_string_equal(s->in.groups[s->enablings.v[0].group].name, "syscall:::entry");
	assert_string_equal(s->in.groups[s->enablings.v[1].group].name, "syscall:::return");
	assert_string_equal(s->in.groups[s->enablings.v[2].group].name, "BEGIN");
	assert_null(s->enablings.v[2].set);
	assert_int_equal(s->enablings.v[3].group, s->enablings.v[0].group);
	assert_non_null(session_group(s, "BEGIN"));
	assert_null(session_group(s, "END"));
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(rates),
	    cmocka_unit_test(by_number),
	    cmocka_unit_test(descriptions_match),
	    cmocka_unit_test(nothing_matches),
	    cmocka_unit_test(zdefs_permits_nothing),
	    cmocka_unit_test(numbers_of_probes),
	    cmocka_unit_test(enablings_are_in_script_order),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
