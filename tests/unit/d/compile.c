// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "compile.h"

static void collect(void *arg, enum diag_level level, const char *text)
{
	strbuf_puts(arg, text);
}

/* Every probe has args[0] .. args[2]: an integer, a string, and a pointer. */
static const char *arg_type(void *arg, const struct d_clause *c, u32 n)
{
	static const char *const types[] = {"int32_t", "string", "char *"};

	return n < ARRAY_SIZE(types) ? types[n] : NULL;
}

struct compiled compile_bytes(const char *text, size_t len, const struct compile_options *opt)
{
	static const char *const args[NARGS] = {"test.d", "123", "get_link_actions", "-7"};
	static const struct compile_options none;
	struct compiled c = {.prog.arena = arena_new()};

	opt = opt ? opt : &none;
	c.src = (struct source){"test.d", arena_strndup(c.prog.arena, text, len), len};

	struct diag diag = {collect, &c.messages};
	struct d_macros macros = {.args = args,
				  .nargs = NARGS,
				  .used = c.used,
				  .default_args = opt->default_args,
				  .target = opt->target,
				  .pid = 4711,
				  .uid = 1000};
	struct d_parse_config cfg = {opt->bare ? opt->bare - 1 : D_DESC_NAME, opt->by_id, &macros};
	struct d_resolver resolver = {NULL, arg_type, opt->destructive, 256};
	struct source *src = arena_new_array(c.prog.arena, struct source, 1);

	*src = c.src;
	c.err = d_parse(&c.prog, src, &cfg, &diag);
	if (!c.err)
		c.err = d_check(&c.prog, &resolver, &diag);
	if (!c.err)
		d_dump(&c.dump, &c.prog);
	assert_int_equal(c.err, c.err ? -EINVAL : 0);
	assert_int_equal(diag.errors, c.err ? 1 : 0);
	return c;
}

struct compiled compile(const char *text, const struct compile_options *opt)
{
	return compile_bytes(text, strlen(text), opt);
}

void compiled_free(struct compiled *c)
{
	strbuf_free(&c->messages);
	strbuf_free(&c->dump);
	arena_free(c->prog.arena);
}

void expect_error_with(const char *text, const struct compile_options *opt, const char *expected)
{
	struct compiled c = compile(text, opt);

	assert_string_equal(c.messages.s ? c.messages.s : "", expected);
	compiled_free(&c);
}

void expect_error(const char *text, const char *expected)
{
	expect_error_with(text, NULL, expected);
}

void expect_line(const char *text, const char *line)
{
	struct compiled c = compile(text, NULL);

	assert_string_equal(c.messages.s ? c.messages.s : "", "");
	if (!strstr(c.dump.s, line))
		assert_string_equal(c.dump.s, line); /* fails, and shows both */
	compiled_free(&c);
}
