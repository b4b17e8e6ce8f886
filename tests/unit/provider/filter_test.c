// SPDX-License-Identifier: Apache-2.0
/*
 * What the python provider leaves to the agent: predicates in, terms of the plan out. The plan is a stand-in that writes
 * down what it is told.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "provider/python_impl.h"

static struct strbuf plan;

int python_plan_filter(struct python_plan *p, u32 events)
{
	strbuf_printf(&plan, "filter %x\n", events);
	return 0;
}

int python_plan_any(struct python_plan *p, int filter, const char *mod, const char *func)
{
	strbuf_printf(&plan, "any %s:%s\n", mod, func);
	return 0;
}

static const char *const fields[] = {"file", "name", "line", "module", "qualname"};
static const char *const ops[] = {"==", "!=", "<", "<=", ">", ">=", "glob"};

int python_plan_text(struct python_plan *p, int filter, enum wire_field f, enum wire_op op, const char *s)
{
	strbuf_printf(&plan, "%s %s \"%s\"\n", fields[f], ops[op], s);
	return 0;
}

int python_plan_number(struct python_plan *p, int filter, enum wire_field f, enum wire_op op, s64 n)
{
	strbuf_printf(&plan, "%s %s %lld\n", fields[f], ops[op], (long long)n);
	return 0;
}

void python_plan_alternatives(struct python_plan *p, u32 n)
{
	if (n > 1)
		strbuf_printf(&plan, "one of %u\n", n);
}

void python_plan_withdraw(struct python_plan *p, u32 n)
{
	if (n)
		strbuf_printf(&plan, "not the last %u\n", n);
}

static const char *arg_type(void *arg, const struct d_clause *c, u32 n)
{
	return n < 3 ? "int64_t" : NULL;
}

static void show(void *arg, enum diag_level level, const char *text)
{
	fputs(text, stderr);
}

/* The plan for one clause at process 7's events, and on its last line how many conjuncts are left to the program. */
static char *plan_of(const char *text, enum wire_event ev)
{
	struct arena *a = arena_new();
	struct diag diag = {.sink = show};
	struct d_program prog = {.arena = a};
	struct d_macros macros = {0};
	struct source src = {.name = "t", .text = text, .len = strlen(text)};
	struct d_parse_config cfg = {.bare = D_DESC_NAME, .macros = &macros};
	struct d_resolver resolver = {.arg_type = arg_type, .strsize = 256};
	struct python_proc proc = {.pid = 7, .prov = "python7"};
	struct python_event event = {.proc = &proc, .event = ev};
	struct probe probe = {.id = 42, .name = ev == WIRE_ENTRY ? "function-entry" : "function-return"};
	struct probe *probes[] = {&probe};
	struct provider_group group = {.data = &event, .probes = {probes, 1, 1}};
	struct provider_env env = {.diag = &diag};
	struct provider_run run = {.env = &env};
	struct d_node **conj;
	u32 n, left = 0;

	strbuf_free(&plan);
	assert_int_equal(d_parse(&prog, &src, &cfg, &diag), 0);
	assert_int_equal(d_check(&prog, &resolver, &diag), 0);

	int filter = python_filter_open(&run, &group, prog.clauses.v[0]);

	assert_int_equal(filter, 0);
	n = d_conjuncts(a, prog.clauses.v[0]->pred, &conj);
	for (u32 i = 0; i < n; i++)
		left += !python_filter_take(&run, &group, filter, conj[i]);
	strbuf_printf(&plan, "left %u\n", left);
	arena_free(a);
	return plan.s;
}

#define ENTRY(pred) "python7:::function-entry" pred " { x = 1; }"

static void predicates(void **state)
{
	static const struct {
		const char *text;
		enum wire_event ev;
		const char *want;
	} cases[] = {
	    {ENTRY(""), WIRE_ENTRY, "filter 1\nany :\nleft 0\n"},
	    {ENTRY("/copyinstr(arg1) == \"f\"/"), WIRE_ENTRY, "filter 1\nany :\nname == \"f\"\nleft 0\n"},
	    {ENTRY("/\"f\" == copyinstr(arg1)/"), WIRE_ENTRY, "filter 1\nany :\nname == \"f\"\nleft 0\n"},
	    {ENTRY("/copyinstr(arg0) != \"a.py\"/"), WIRE_ENTRY, "filter 1\nany :\nfile != \"a.py\"\nleft 0\n"},
	    {ENTRY("/copyinstr((uintptr_t)arg1) == \"f\"/"), WIRE_ENTRY,
	     "filter 1\nany :\nname == \"f\"\nleft 0\n"},
	    {ENTRY("/copyinstr(arg1) == \"f\" && tid && arg2 >= 10/"), WIRE_ENTRY,
	     "filter 1\nany :\nname == \"f\"\nline >= 10\nleft 1\n"},
	    {ENTRY("/10 < arg2/"), WIRE_ENTRY, "filter 1\nany :\nline > 10\nleft 0\n"},
	    {ENTRY("/probefunc == \"C.f\" && probemod != \"m\"/"), WIRE_ENTRY,
	     "filter 1\nany :\nqualname == \"C.f\"\nmodule != \"m\"\nleft 0\n"},
	    /* decided at each call: */
	    {ENTRY("/copyinstr(arg1, 3) == \"f\"/"), WIRE_ENTRY, "filter 1\nany :\nleft 1\n"},
	    {ENTRY("/copyinstr(arg2) == \"f\"/"), WIRE_ENTRY, "filter 1\nany :\nleft 1\n"},
	    {ENTRY("/copyinstr(arg1) == \"f\" || pid == 1/"), WIRE_ENTRY,
	     "filter 1\nany :\nname == \"f\"\nnot the last 1\nleft 1\n"},
	    {ENTRY("/copyinstr(arg1) < \"f\"/"), WIRE_ENTRY, "filter 1\nany :\nleft 1\n"},
	    {ENTRY("/copyinstr(arg1) == execname/"), WIRE_ENTRY, "filter 1\nany :\nleft 1\n"},
	    {ENTRY("/arg2 > -1/"), WIRE_ENTRY, "filter 1\nany :\nleft 1\n"},
	    {ENTRY("/(char)arg2 == 1/"), WIRE_ENTRY, "filter 1\nany :\nleft 1\n"},
	    {ENTRY("/pid == 1/"), WIRE_ENTRY, "filter 1\nany :\nleft 1\n"},
	    /* the line of a return is not the function's: */
	    {"python7:::function-return /arg2 == 3/ { x = 1; }", WIRE_RETURN, "filter 2\nany :\nleft 1\n"},
	    /* descriptions: */
	    /* Alternatives, if all of them can be taken. */
	    {"python7:::function-return /copyinstr(arg1) == \"a\" || probemod == \"b\" || copyinstr(arg1) == "
	     "\"c\"/ { x = 1; }",
	     WIRE_RETURN, "filter 2\nany :\nname == \"a\"\nmodule == \"b\"\nname == \"c\"\none of 3\nleft 0\n"},
	    {"python7:::function-entry /arg2 > 3 && (arg2 < 5 || 1 == arg2)/ { x = 1; }", WIRE_ENTRY,
	     "filter 1\nany :\nline > 3\nline < 5\nline == 1\none of 2\nleft 0\n"},
	    {"python7:::function-entry /copyinstr(arg1) == \"a\" || x == 1/ { x = 1; }", WIRE_ENTRY,
	     "filter 1\nany :\nname == \"a\"\nnot the last 1\nleft 1\n"},
	    {"python7:::function-entry /x == 1 || copyinstr(arg1) == \"a\"/ { x = 1; }", WIRE_ENTRY,
	     "filter 1\nany :\nleft 1\n"},
	    {"python7:::function-entry /copyinstr(arg1) == \"a\" || (arg2 == 1 && arg2 == 2)/ { x = 1; }",
	     WIRE_ENTRY, "filter 1\nany :\nname == \"a\"\nnot the last 1\nleft 1\n"},
	    {"python7:::function-entry /copyinstr(arg1) == \"a\" ^^ arg2 == 1/ { x = 1; }", WIRE_ENTRY,
	     "filter 1\nany :\nleft 1\n"},
	    {"python7:pkg.m:Im*.f:function-entry { x = 1; }", WIRE_ENTRY, "filter 1\nany pkg.m:Im*.f\nleft 0\n"},
	    {"python*::f:function-entry, python7::g:function-*, python7::h:function-return, python8::i: { x = 1; }",
	     WIRE_ENTRY, "filter 1\nany :f\nany :g\nleft 0\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(plan_of(cases[i].text, cases[i].ev), cases[i].want);
	strbuf_free(&plan);
}

int main(void)
{
	const struct CMUnitTest tests[] = {cmocka_unit_test(predicates)};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
