// SPDX-License-Identifier: Apache-2.0
/*
 * The stages as text: golden/NAME.ir and NAME.insns for corpus/NAME.d. With UPDATE_GOLDEN=1 in the environment the
 * files are written anew; read the difference before it is committed.
 */
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

static const char *dir; /* tests/unit/codegen */

static void compare(const char *path, const struct strbuf *got)
{
	char want[65536] = "";
	FILE *f;

	if (getenv("UPDATE_GOLDEN")) {
		f = fopen(path, "w");
		assert_non_null(f);
		fputs(got->s, f);
		fclose(f);
		return;
	}
	f = fopen(path, "r");
	if (!f)
		fail_msg("%s is missing", path);
	assert_true(fread(want, 1, sizeof(want) - 1, f) > 0);
	fclose(f);
	assert_string_equal(got->s, want);
}

static void test_stages(void **state)
{
	const char *name = *state;
	struct run r = {0};
	struct strbuf text = {0};
	char path[512];

	snprintf(path, sizeof(path), "%s/corpus/%s.d", dir, name);
	run_open(&r, path, NULL);
	if (run_compile(&r, name))
		fail_msg("%s", r.messages.s);
	cg_dump_ir(&text, &r.in);
	snprintf(path, sizeof(path), "%s/golden/%s.ir", dir, name);
	compare(path, &text);
	strbuf_free(&text);
	text = (struct strbuf){0};
	cg_dump_insns(&text, &r.out);
	snprintf(path, sizeof(path), "%s/golden/%s.insns", dir, name);
	compare(path, &text);
	strbuf_free(&text);
	run_close(&r);
}

int main(int argc, char **argv)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test_prestate(test_stages, (void *)"seed"),
	    cmocka_unit_test_prestate(test_stages, (void *)"thread"),
	    cmocka_unit_test_prestate(test_stages, (void *)"exit"),
	    cmocka_unit_test_prestate(test_stages, (void *)"gate"),
	};

	dir = argc > 1 ? argv[1] : ".";
	return cmocka_run_group_tests_name("golden", tests, NULL, NULL);
}
