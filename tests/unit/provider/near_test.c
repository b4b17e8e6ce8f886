// SPDX-License-Identifier: Apache-2.0
/* Which functions are nearly what was asked for. */
#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>

#include <cmocka.h>

#include "provider/python_impl.h"

static const struct {
	const char *mod, *func;
} exist[] = {
    {"flapp", "query"},
    {"flapp", "quit"},
    {"flapp", "App.query"},
    {"flapp", "App.__init__"},
    {"flapp", "<lambda>"},
    {"shop.cart", "total"},
    {"shop.cart", "Cart.total"},
    {"shop.cart", "Cart.add"},
    {"flapp", "query"},
    {"json", "dumps"},
    {"", "x"},
};

/* What is near to a description, with a comparison of the name as its predicate unless that is NULL; "": nothing. */
static void near_is(const char *mod, const char *func, const char *name, enum wire_field field, const char *want)
{
	struct arena *a = arena_new();
	struct provider_env env = {.arena = a};
	struct provider_run run = {.env = &env};
	struct python_event event = {0};
	struct d_clause clause = {0}, other = {0}, *clauses[] = {&clause}, *others[] = {&other};
	struct d_desc desc = {.mod = mod, .func = func};
	const char *got;

	assert_null(python_near(&run, clauses, 1)); /* nothing was found */
	for (size_t i = 0; i < ARRAY_SIZE(exist); i++)
		python_found_add(&run, exist[i].mod, exist[i].func);
	*vec_push(a, &run.wishes) = (struct python_wish){&event, &clause, &desc, 3, 0};
	*vec_push(a, &run.name_wishes) = (struct python_name_wish){&event, 4, WIRE_NAME, "of another filter"};
	if (name)
		*vec_push(a, &run.name_wishes) = (struct python_name_wish){&event, 3, field, name};
	got = python_near(&run, clauses, 1);
	if (strcmp(got ? got : "", want))
		fail_msg("%s:%s %s: %s, not %s", mod, func, name ? name : "", got ? got : "nothing", want);
	assert_null(python_near(&run, others, 1));
	python_found_free(&run);
	arena_free(a);
}

static void descriptions(void **state)
{
	near_is("flapp", "querry", NULL, 0, "flapp:query, flapp:App.query");
	near_is("flapp", "qurey", NULL, 0, "flapp:query, flapp:App.query");
	near_is("flap", "q*", NULL, 0, "flapp:query, flapp:quit");
	near_is("flap?", "quitt", NULL, 0, "flapp:quit");
	near_is("flapp", "App.querx", NULL, 0, "flapp:App.query");
	near_is("flapp", "__init__", NULL, 0, "flapp:App.__init__");    /* the class was left out */
	near_is("cart", "Cart.total", NULL, 0, "shop.cart:Cart.total"); /* the package was */
	near_is("", "total", NULL, 0, "shop.cart:Cart.total");          /* the other one matches as it is */
	near_is("json", "dump", NULL, 0, "json:dumps");
	near_is("json", "zzzzz", NULL, 0, "");
	near_is("other", "query", NULL, 0, "");
	near_is("*", "*", NULL, 0, "");
	near_is("json", "a very long name that nobody would give to any function in any program, really", NULL, 0,
		"");
}

static void predicates(void **state)
{
	near_is("", "", "querry", WIRE_NAME, "flapp:App.query, flapp:query");
	near_is("flapp", "", "App.quer", WIRE_QUALNAME, "flapp:App.query");
	near_is("", "dumps", "jsn", WIRE_MODULE, "json:dumps");
	near_is("", "", "zzzzz", WIRE_NAME, "");
}

/* However many there are: what is kept is bounded. */
static void many(void **state)
{
	struct arena *a = arena_new();
	struct provider_env env = {.arena = a};
	struct provider_run run = {.env = &env};
	char name[128];

	memset(name, 'n', sizeof(name));
	name[100] = '\0';
	python_found_add(&run, name, "f");
	for (int i = 0; i < 300000; i++) {
		snprintf(name, sizeof(name), "function_number_%d_of_a_great_many_others", i);
		python_found_add(&run, "module", name);
	}
	struct python_event event = {0};
	struct d_clause clause = {0}, *clauses[] = {&clause};
	struct d_desc desc = {.mod = "modul", .func = "function_number_7_of_a_great_many_others"};

	*vec_push(a, &run.wishes) = (struct python_wish){&event, &clause, &desc, 0, 0};
	assert_string_equal(python_near(&run, clauses, 1), "module:function_number_7_of_a_great_many_others, "
							   "module:function_number_0_of_a_great_many_others, "
							   "module:function_number_17_of_a_great_many_others");
	python_found_free(&run);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(descriptions),
	    cmocka_unit_test(predicates),
	    cmocka_unit_test(many),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
