// SPDX-License-Identifier: Apache-2.0
/*
 * Each golden/NAME.d compiles to the tree in golden/NAME.tree. After a wanted change write them anew and read the
 * difference:  UPDATE_GOLDEN=1 meson test d-golden
 */
#include <glob.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "compile.h"

static struct strbuf read_file(const char *path)
{
	struct strbuf b = {0};
	char buf[4096];
	size_t n;
	FILE *f = fopen(path, "r");

	if (!f)
		return b;
	while ((n = fread(buf, 1, sizeof(buf), f)) > 0)
		strbuf_add(&b, buf, n);
	fclose(f);
	return b;
}

static void write_file(const char *path, const char *text)
{
	FILE *f = fopen(path, "w");

	assert_non_null(f);
	assert_true(fputs(text, f) >= 0);
	assert_int_equal(fclose(f), 0);
}

static void compare(const char *path)
{
	static const struct compile_options opt = {.target = 99, .destructive = true};
	struct strbuf text = read_file(path), want;
	struct compiled c = compile(text.s, &opt);
	char tree[4096];

	snprintf(tree, sizeof(tree), "%.*s.tree", (int)strlen(path) - 2, path);
	assert_string_equal(c.messages.s ? c.messages.s : "", "");
	if (getenv("UPDATE_GOLDEN"))
		write_file(tree, c.dump.s);
	want = read_file(tree);
	print_message("%s\n", path);
	assert_string_equal(c.dump.s, want.s ? want.s : "(there is no such file)");
	strbuf_free(&want);
	strbuf_free(&text);
	compiled_free(&c);
}

static void trees_are_as_they_were(void **state)
{
	glob_t g;

	assert_int_equal(glob(GOLDEN_DIR "/*.d", 0, NULL, &g), 0);
	assert_true(g.gl_pathc >= 8);
	for (size_t i = 0; i < g.gl_pathc; i++)
		compare(g.gl_pathv[i]);
	globfree(&g);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(trees_are_as_they_were),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
