// SPDX-License-Identifier: Apache-2.0
/* In which threads are events worth having? The variables that the clauses at the group `test`, which is dear, ask for. */
#include <setjmp.h>
#include <stdarg.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

static void compile(struct run *r, const char *text)
{
	run_open(r, NULL, NULL);
	run_text(r, text);
	if (run_compile(r, "gate"))
		fail_msg("%s: %s", text, r->messages.s);
}

/* The names of the gate's variables; "": there is no gate. */
static const char *gate_of(struct run *r)
{
	const char *names = "";

	assert_int_equal(r->out.prog_gate >= 0, r->out.ngate > 0);
	for (u32 i = 0; i < r->out.ngate; i++)
		names = arena_printf(r->arena, "%s%s%s", names, i ? " " : "", r->out.gate[i]->name);
	return names;
}

static void test_variables(void **state)
{
	static const struct {
		const char *pred, *gate;
	} cases[] = {
	    {"", ""},
	    {"/ self->a /", "a"},
	    {"/ arg1 == 2 && self->a /", "a"},
	    {"/ self->a && self->b /", "a"},
	    {"/ self->a || self->b /", "a b"},
	    {"/ self->a || arg1 /", ""},
	    {"/ (self->a && arg1) || (arg2 && self->b) /", "a b"},
	    {"/ !self->a /", ""},
	    {"/ self->a == 7 /", "a"},
	    {"/ self->a == 0 /", ""},
	    {"/ self->a != 0 /", "a"},
	    {"/ self->a > 0 /", "a"},
	    {"/ self->a > -1 /", ""},
	    {"/ self->a >= 1 /", "a"},
	    {"/ self->a < 0 /", "a"},
	    {"/ self->a < 5 /", ""},
	    {"/ g && self->a /", "a"},
	    {"/ g /", ""},
	    {"/ this->l /", ""},
	    {"/ self->arr[1] /", "arr"},
	    /* A scalar tells more than an element of an array. */
	    {"/ self->arr[1] && self->a /", "a"},
	    {"/ (self->arr[1] && self->a) || self->b /", "a b"},
	    {"/ self->arr[1] || self->a /", "a arr"},
	    /* What has an effect before the thread is asked for is to have it in every thread. */
	    {"/ g++ && self->a /", ""},
	    {"/ self->a && g++ /", "a"},
	    {"/ (g++ && self->a) || self->b /", ""},
	    {"/ (self->a && g++) || self->b /", "a b"},
	    {"/ self->arr[g++] /", ""},
	    {"/ self->arr[g++] > 0 && self->a /", ""},
	    /* So has what can fault. */
	    {"/ copyinstr(8) == \"x\" && self->a /", ""},
	    {"/ self->a && copyinstr(8) == \"x\" /", "a"},
	    {"/ self->arr[1] && copyinstr(8) == \"x\" && self->a /", "arr"},
	    {"/ (copyinstr(8) == \"x\" && self->a) || self->b /", ""},
	    {"/ (self->a && copyinstr(8) == \"x\") || self->b /", "a b"},
	    {"/ strlen(copyinstr(8)) && self->a /", ""},
	    {"/ strlen(args[0]) && self->a /", ""},
	    {"/ stringof(copyin(arg0, 3)) == \"x\" && self->a /", ""},
	    {"/ strlen(execname) && self->a /", "a"},
	    {"/ *(int *)arg0 && self->a /", ""},
	    {"/ ((int *)arg0)[1] && self->a /", ""},
	    {"/ self->arr[*(int *)arg0] /", ""},
	    {"/ arg0 / 2 && self->a /", "a"},
	    {"/ arg0 % -2 && self->a /", "a"},
	    {"/ 2 / arg0 && self->a /", ""},
	    {"/ arg0 % g && self->a /", ""},
	    {"/ self->a && arg0 / g /", "a"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run r = {0};

		run_open(&r, NULL, NULL);
		run_text(&r, arena_printf(
				 r.arena,
				 "/*! opt gate 1 */ BEGIN { g = 1; self->a = 1; self->b = 1; self->arr[1] = 1; } "
				 "test:::hit %s { this->l = 1; }",
				 cases[i].pred));
		if (run_compile(&r, "gate"))
			fail_msg("%s: %s", cases[i].pred, r.messages.s);
		if (strcmp(gate_of(&r), cases[i].gate))
			fail_msg("%s: got '%s', wanted '%s'", cases[i].pred, gate_of(&r), cases[i].gate);
		run_close(&r);
	}
}

/* Every clause at the group counts, and only those there; and somebody must want it. */
static void test_clauses(void **state)
{
	static const struct {
		const char *text, *gate;
	} cases[] = {
	    {"/*! opt gate 1 */ test:::hit / self->a / { self->b = 1; } test:m:f1:hit / self->b / { self->a = 1; }",
	     "a b"},
	    {"/*! opt gate 1 */ test:::hit / self->a / { self->a = 1; } test:m:f1:hit { @ = count(); }", ""},
	    {"/*! opt gate 1 */ one:::hit { self->a = 1; } test:::hit / self->a / { @ = count(); }", "a"},
	    {"/*! opt gate 1 */ one:::hit { self->a = 1; }", ""},
	    {"test:::hit / self->a / { self->a = 1; }", ""},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct run r = {0};

		compile(&r, cases[i].text);
		assert_string_equal(gate_of(&r), cases[i].gate);
		run_close(&r);
	}
}

static void test_who_runs(void **state)
{
	struct run r = {0};

	compile(&r, "one:::hit { @ = count(); }");
	assert_string_equal(r.out.why[0], "clause 0 at one:::hit: kernel");
	r.in.opt.executor = "vm: no CAP_BPF";
	assert_int_equal(cg_generate(&r.in, &r.out, &r.diag), 0);
	assert_string_equal(r.out.why[0], "clause 0 at one:::hit: vm: no CAP_BPF");
	run_close(&r);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(test_variables),
	    cmocka_unit_test(test_clauses),
	    cmocka_unit_test(test_who_runs),
	};

	return cmocka_run_group_tests_name("gate", tests, NULL, NULL);
}
