// SPDX-License-Identifier: Apache-2.0
/* Types, folding, and what the later stages read from the tree. */
#include <string.h>

#include "compile.h"

static const struct d_type *var_type(const char *text, const char *name)
{
	static char dump[4096];
	struct compiled c = compile(text, NULL);
	const struct d_type *t = NULL;

	assert_string_equal(c.messages.s ? c.messages.s : "", "");
	snprintf(dump, sizeof(dump), "%s", c.dump.s);
	for (size_t i = 0; i < c.prog.vars.n; i++)
		if (!strcmp(c.prog.vars.v[i]->name, name))
			t = d_type_by_name(c.prog.vars.v[i]->type->name);
	compiled_free(&c);
	assert_non_null(t);
	return t;
}

static void first_assignment_gives_the_type(void **state)
{
	static const struct {
		const char *text, *name, *type;
	} cases[] = {
	    {"BEGIN { x = 1; x = timestamp; }", "x", "int"},
	    {"BEGIN { x = y; x = 1; } END { y = timestamp; }", "x", "uint64_t"},
	    {"BEGIN { x++; }", "x", "int64_t"},
	    {"BEGIN { x += 1; x = 1; }", "x", "int64_t"},
	    {"BEGIN { x = 1; x++; }", "x", "int"},
	    {"BEGIN { x = x + 1; }", "x", "int64_t"},
	    {"BEGIN { x = y; y = x; }", "x", "int64_t"},
	    {"BEGIN { self->x = 0; self->x = timestamp; }", "x", "uint64_t"},
	    {"BEGIN { self->x = 0; self->x = execname; }", "x", "string"},
	    {"BEGIN { self->x = 0; }", "x", "int"},
	    {"BEGIN { x = NULL; x = execname; }", "x", "string"},
	    {"BEGIN { x[1] = 0; x[2] = execname; }", "x", "string"},
	    {"BEGIN { x = a[1]; a[1] = strlen(execname); }", "x", "size_t"},
	    {"BEGIN { x = (y = 5); }", "y", "int"},
	    {"BEGIN { x = args[1]; }", "x", "string"},
	    {"BEGIN { x = cond ? x : execname; cond = 1; }", "x", "string"},
	    {"BEGIN { x = (this->c = (uint8_t)arg0); }", "x", "uint8_t"},
	    {"BEGIN { x = *(uint16_t *)arg0; }", "x", "uint16_t"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++)
		assert_string_equal(var_type(cases[i].text, cases[i].name)->name, cases[i].type);
}

/* C's usual arithmetic conversions, by the type that their result gives a variable. */
static void integers_convert_as_in_c(void **state)
{
	static const char *const cases[][2] = {
	    {"(char)1 + (char)2", "int"},
	    {"(uint8_t)arg0 + (uint16_t)arg1", "int"},
	    {"(int)arg0 + 1u", "unsigned int"},
	    {"(uint32_t)arg0 + (int64_t)arg1", "int64_t"},
	    {"arg0 + timestamp", "uint64_t"},
	    {"(int)arg0 + 1L", "long"},
	    {"-(uint8_t)arg0", "int"},
	    {"~(uint32_t)arg0", "uint32_t"},
	    {"(uint8_t)arg0 << timestamp", "int"},
	    {"timestamp >> 1", "uint64_t"},
	    {"timestamp < 1", "int"},
	    {"!timestamp", "int"},
	    {"arg0 ? 1 : timestamp", "uint64_t"},
	    {"(1, timestamp)", "uint64_t"},
	    {"(char *)arg0 - (char *)arg1", "int64_t"},
	    {"sizeof(arg0)", "size_t"},
	    {"0x7fffffff", "int"},
	    {"0xffffffff", "unsigned int"},
	    {"4294967295", "long"},
	    {"0xffffffffffffffff", "unsigned long"},
	    {"1ull", "unsigned long"},
	    {"pid + 1", "int"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		char text[200];

		snprintf(text, sizeof(text), "BEGIN { x = %s; }", cases[i][0]);
		print_message("%s\n", text);
		assert_string_equal(var_type(text, "x")->name, cases[i][1]);
	}
}

static void ten_seconds_fit(void **state)
{
	expect_line("BEGIN { trace(10 * 1000000000); }", "    10000000000 : long\n");
	expect_line("BEGIN { trace(1 << 40); }", "    1099511627776 : long\n");
	expect_line("BEGIN { trace(-2147483647 - 2); }", "    -2147483649 : long\n");
	expect_line("BEGIN { trace(4000000000u + 4000000000u); }", "    3705032704 : unsigned int\n");
}

static void type_names_have_their_sizes(void **state)
{
	static const struct {
		const char *name;
		u8 size;
		bool is_signed;
	} cases[] = {
	    {"char", 1, true},    {"unsigned char", 1, false}, {"short", 2, true},    {"int", 4, true},
	    {"long", 8, true},    {"long long", 8, true},      {"pid_t", 4, true},    {"uid_t", 4, false},
	    {"size_t", 8, false}, {"ssize_t", 8, true},        {"uint8_t", 1, false}, {"int64_t", 8, true},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		const struct d_type *t = d_type_by_name(cases[i].name);

		assert_non_null(t);
		assert_int_equal(t->kind, D_INT);
		assert_int_equal(t->size, cases[i].size);
		assert_int_equal(t->is_signed, cases[i].is_signed);
	}
	assert_int_equal(d_type_by_name("string")->kind, D_STRING);
	assert_null(d_type_by_name("nonsense"));
}

static void words_make_types(void **state)
{
	expect_line("unsigned long long int x; BEGIN { x = 1; }", "variable x #0 : unsigned long long\n");
	expect_line("long int unsigned x; BEGIN { x = 1; }", "variable x #0 : unsigned long\n");
	expect_line("const unsigned x; BEGIN { x = 1; }", "variable x #0 : unsigned int\n");
	expect_line("char const *x; BEGIN { x = 0; }", "variable x #0 : char *\n");
	expect_line("signed char x[unsigned short]; BEGIN { x[1] = 1; }",
		    "variable x #0[unsigned short] : signed char\n");
	expect_line("BEGIN { x = (unsigned int **)arg0; }", "variable x #0 : unsigned int **\n");
}

static void keys_travel_as_numbers_only_when_all_do(void **state)
{
	struct compiled c = compile("BEGIN { @a[probefunc, \"x\", pid] = count(); @b[probemod] = count(); }"
				    "END { @a[probename, execname, 1] = count(); @b[\"none\"] = count(); }",
				    NULL);

	assert_int_equal(c.err, 0);
	assert_int_equal(c.prog.aggs.n, 2);
	assert_true(c.prog.aggs.v[0]->key_is_identity[0]);
	assert_false(c.prog.aggs.v[0]->key_is_identity[1]);
	assert_false(c.prog.aggs.v[0]->key_is_identity[2]);
	assert_true(c.prog.aggs.v[1]->key_is_identity[0]);
	compiled_free(&c);
}

static void parameters_of_quantize_are_kept(void **state)
{
	struct compiled c =
	    compile("BEGIN { @a = lquantize(arg0, -5, 10); @b = llquantize(arg0, 10, 0, 6, 20); }", NULL);
	static const s64 l[4] = {-5, 10, 1, 0}, ll[4] = {10, 0, 6, 20};

	assert_int_equal(c.err, 0);
	assert_memory_equal(c.prog.aggs.v[0]->param, l, sizeof(l));
	assert_memory_equal(c.prog.aggs.v[1]->param, ll, sizeof(ll));
	assert_int_equal(c.prog.clauses.v[0]->stmts[0]->narg, 1);
	compiled_free(&c);
}

static void predicate_splits_into_conjuncts(void **state)
{
	struct compiled c = compile("BEGIN /pid == 1 && (tid && (uid || gid)) && cpu/ { } END { }", NULL);
	struct d_node **conj;

	assert_int_equal(c.err, 0);
	assert_int_equal(d_conjuncts(c.prog.arena, c.prog.clauses.v[0]->pred, &conj), 4);
	assert_int_equal(conj[0]->op, D_EQ);
	assert_int_equal(conj[1]->builtin, D_BUILTIN_TID);
	assert_int_equal(conj[2]->op, D_LOR);
	assert_int_equal(conj[3]->builtin, D_BUILTIN_CPU);
	assert_int_equal(d_conjuncts(c.prog.arena, c.prog.clauses.v[1]->pred, &conj), 0);
	compiled_free(&c);
}

static void format_is_parsed(void **state)
{
	struct compiled c = compile("BEGIN { printf(\"a%%b%-#'*.3llx%@\", 1, 2); }", NULL);

	assert_int_equal(c.err, -22); /* the last conversion has no character */
	compiled_free(&c);

	c = compile("BEGIN { printf(\"a%%b%-#'*.3llx|\", 1, 2); }", NULL);
	assert_int_equal(c.err, 0);

	const struct d_format *f = c.prog.clauses.v[0]->stmts[0]->format;
	const struct d_conv *v = &f->conv[2];

	assert_int_equal(f->n, 4);
	assert_int_equal(f->conv[0].conv, 0);
	assert_memory_equal(f->conv[0].text, "a", 1);
	assert_int_equal(f->conv[1].ntext, 2);
	assert_memory_equal(f->conv[1].text, "%b", 2);
	assert_int_equal(v->conv, 'x');
	assert_true(v->minus && v->alt && v->group && v->width_star);
	assert_false(v->plus || v->space || v->zero || v->prec_star || v->agg);
	assert_int_equal(v->width, -1);
	assert_int_equal(v->prec, 3);
	assert_int_equal(v->size, 8);
	compiled_free(&c);
}

static void macros_note_their_use(void **state)
{
	struct compiled c = compile("python$1:::x /$3 < 0/ { }", NULL);

	assert_int_equal(c.err, 0);
	assert_false(c.used[0] || c.used[2]);
	assert_true(c.used[1] && c.used[3]);
	assert_string_equal(c.prog.clauses.v[0]->descs[0].prov, "python123");
	compiled_free(&c);
}

static void missing_macros_may_have_defaults(void **state)
{
	struct compile_options opt = {.default_args = true};
	struct compiled c = compile("a$9:::x { trace($9); trace($$9); }", &opt);

	assert_int_equal(c.err, 0);
	assert_string_equal(c.prog.clauses.v[0]->descs[0].prov, "a0");
	assert_non_null(strstr(c.dump.s, "    0 : int\n"));
	assert_non_null(strstr(c.dump.s, "    \"\" : string\n"));
	compiled_free(&c);
}

/* What -P, -m, -f, -n and -i make of the head of a clause. */
static void flags_say_what_a_bare_name_is(void **state)
{
	static const struct {
		enum d_desc_part bare;
		const char *text, *expected;
	} cases[] = {
	    {D_DESC_PROV, "syscall", "clause 0 syscall::: (default action)\n"},
	    {D_DESC_MOD, "a:b", "clause 0 a:b:: (default action)\n"},
	    {D_DESC_FUNC, "b:c", "clause 0 :b:c: (default action)\n"},
	    {D_DESC_FUNC, "int { }", "clause 0 ::int: (default action)\n"},
	    {D_DESC_NAME, "c:d", "clause 0 ::c:d (default action)\n"},
	};

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		struct compile_options opt = {.bare = cases[i].bare + 1};
		struct compiled c = compile(cases[i].text, &opt);

		assert_int_equal(c.err, 0);
		assert_string_equal(c.dump.s, cases[i].expected);
		compiled_free(&c);
	}

	struct compile_options opt = {.by_id = true};
	struct compiled c = compile("12 /pid/ { trace(1); }", &opt);

	assert_int_equal(c.err, 0);
	assert_int_equal(c.prog.clauses.v[0]->descs[0].id, 12);
	compiled_free(&c);
}

static void several_texts_make_one_program(void **state)
{
	struct compiled c = compile("BEGIN { x = 1; }", NULL);
	struct source more = {"-n", "END { trace(2); }", 17};
	struct diag diag = {0};
	struct d_parse_config cfg = {D_DESC_NAME};

	assert_int_equal(d_parse(&c.prog, &more, &cfg, &diag), 0);
	assert_int_equal(c.prog.clauses.n, 2);
	assert_int_equal(c.prog.clauses.v[1]->id, 1);
	assert_string_equal(c.prog.clauses.v[1]->pos.src->name, "-n");
	compiled_free(&c);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(first_assignment_gives_the_type),
	    cmocka_unit_test(integers_convert_as_in_c),
	    cmocka_unit_test(ten_seconds_fit),
	    cmocka_unit_test(type_names_have_their_sizes),
	    cmocka_unit_test(words_make_types),
	    cmocka_unit_test(keys_travel_as_numbers_only_when_all_do),
	    cmocka_unit_test(parameters_of_quantize_are_kept),
	    cmocka_unit_test(predicate_splits_into_conjuncts),
	    cmocka_unit_test(format_is_parsed),
	    cmocka_unit_test(macros_note_their_use),
	    cmocka_unit_test(missing_macros_may_have_defaults),
	    cmocka_unit_test(flags_say_what_a_bare_name_is),
	    cmocka_unit_test(several_texts_make_one_program),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
