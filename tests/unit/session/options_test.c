// SPDX-License-Identifier: Apache-2.0
/* Options by name and value, process IDs, and the words of -c. */
#include <setjmp.h>
#include <stdarg.h>
#include <errno.h>
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "session/session_impl.h"

struct world {
	struct arena *a;
	struct session_config cfg;
	struct diag diag;
	char last[1024]; /* message */
};

static void keep(void *arg, enum diag_level level, const char *text)
{
	struct world *w = arg;

	snprintf(w->last, sizeof(w->last), "%s", text);
}

static int setup(void **state)
{
	struct world *w = calloc(1, sizeof(*w));

	w->a = arena_new();
	w->diag = (struct diag){.sink = keep, .arg = w};
	session_config_init(&w->cfg, w->a);
	*state = w;
	return 0;
}

static int teardown(void **state)
{
	struct world *w = *state;

	arena_free(w->a);
	free(w);
	return 0;
}

static int set(struct world *w, const char *name, const char *value)
{
	w->last[0] = '\0';
	return session_option_set(&w->cfg, name, value, NOWHERE, &w->diag);
}

static void defaults(void **state)
{
	struct world *w = *state;

	assert_int_equal(w->cfg.opt.n[SESSION_BUFSIZE], 4 << 20);
	assert_int_equal(w->cfg.opt.n[SESSION_STRSIZE], 256);
	assert_int_equal(w->cfg.opt.n[SESSION_QUIET], 0);
	assert_null(w->cfg.opt.text[SESSION_EXEC]);
}

static void values_are_read(void **state)
{
	static const struct {
		const char *name, *value;
		enum session_option id;
		s64 want;
	} cases[] = {
	    {"quiet", NULL, SESSION_QUIET, 1},
	    {"quiet", "no", SESSION_QUIET, 0},
	    {"quiet", "Enabled", SESSION_QUIET, 1},
	    {"quiet", "", SESSION_QUIET, 0},
	    {"bufsize", "4096", SESSION_BUFSIZE, 4096},
	    {"bufsize", "16k", SESSION_BUFSIZE, 16 << 10},
	    {"bufsize", "2M", SESSION_BUFSIZE, 2 << 20},
	    {"bufsize", "1g", SESSION_BUFSIZE, 1 << 30},
	    {"bufsize", "0x2000", SESSION_BUFSIZE, 0x2000},
	    {"switchrate", "10hz", SESSION_SWITCHRATE, 100000000},
	    {"switchrate", "100ms", SESSION_SWITCHRATE, 100000000},
	    {"switchrate", "1s", SESSION_SWITCHRATE, 1000000000},
	    {"switchrate", "1min", SESSION_SWITCHRATE, 60000000000},
	    {"switchrate", "500", SESSION_SWITCHRATE, 500},
	    {"switchrate", "0hz", SESSION_SWITCHRATE, 0},
	    {"aggsortpos", "3", SESSION_AGGSORTPOS, 3},
	    {"strsize", "8192", SESSION_STRSIZE, 8192},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(set(w, cases[i].name, cases[i].value), 0);
		assert_int_equal(w->cfg.opt.n[cases[i].id], cases[i].want);
		assert_string_equal(w->last, "");
	}
}

static void bad_values_are_refused(void **state)
{
	static const struct {
		const char *name, *value, *message;
	} cases[] = {
	    {"nosuch", NULL, "pydtrace: unknown option 'nosuch' (pydtrace --help lists them)\n"},
	    {"quiet", "maybe", "pydtrace: option quiet: 'maybe' is not yes or no\n"},
	    {"bufsize", NULL, "pydtrace: option bufsize: '' is not a size (a number, with k, m, g or t)\n"},
	    {"bufsize", "big", "pydtrace: option bufsize: 'big' is not a size (a number, with k, m, g or t)\n"},
	    {"bufsize", "-1", "pydtrace: option bufsize: '-1' is not a size (a number, with k, m, g or t)\n"},
	    {"bufsize", "4kk", "pydtrace: option bufsize: '4kk' is not a size (a number, with k, m, g or t)\n"},
	    {"bufsize", "0", "pydtrace: option bufsize: 0 is out of range (4k to 1g)\n"},
	    {"bufsize", "999t", "pydtrace: option bufsize: 999t is out of range (4k to 1g)\n"},
	    {"bufsize", "99999999999999999999",
	     "pydtrace: option bufsize: 99999999999999999999 is out of range (4k to 1g)\n"},
	    {"bufsize", "9999999999t", "pydtrace: option bufsize: 9999999999t is out of range (4k to 1g)\n"},
	    {"strsize", "4", "pydtrace: option strsize: 4 is out of range (8 to 8k)\n"},
	    {"switchrate", "fast",
	     "pydtrace: option switchrate: 'fast' is not a rate (10hz) or a time (100ms, 1s)\n"},
	    {"switchrate", "1y", "pydtrace: option switchrate: '1y' is not a rate (10hz) or a time (100ms, 1s)\n"},
	    {"exec", "moon", "pydtrace: option exec: 'moon' is not one of: kernel vm\n"},
	    {"exec", "kernel vm", "pydtrace: option exec: 'kernel vm' is not one of: kernel vm\n"},
	    {"exec", NULL, "pydtrace: option exec: '' is not one of: kernel vm\n"},
	    {"define", "", "pydtrace: option define: '' is not an argument for the C preprocessor\n"},
	    {"aggsortpos", "3k", "pydtrace: option aggsortpos: '3k' is not a number\n"},
	};
	struct world *w = *state;
	struct session_options before = w->cfg.opt;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		assert_int_equal(set(w, cases[i].name, cases[i].value), -EINVAL);
		assert_string_equal(w->last, cases[i].message);
	}
	assert_memory_equal(&before, &w->cfg.opt, sizeof(before));
}

static void choices_and_cpp(void **state)
{
	struct world *w = *state;

	assert_int_equal(set(w, "exec", "vm"), 0);
	assert_string_equal(w->cfg.opt.text[SESSION_EXEC], "vm");
	assert_int_equal(set(w, "dump", "insns"), 0);
	assert_string_equal(w->cfg.opt.text[SESSION_DUMP], "insns");
	assert_int_equal(set(w, "define", "A=1"), 0);
	assert_int_equal(set(w, "incdir", "/x"), 0);
	assert_int_equal(w->cfg.opt.cpp.n, 2);
	assert_string_equal(w->cfg.opt.cpp.v[0], "-DA=1");
	assert_string_equal(w->cfg.opt.cpp.v[1], "-I/x");
	assert_int_equal(set(w, "nolibs", NULL), 0); /* accepted, without effect */
}

static void process_ids(void **state)
{
	static const struct {
		const char *text;
		int err;
		pid_t pid;
		const char *message;
	} cases[] = {
	    {"1", 0, 1, ""},
	    {"4194304", 0, 4194304, ""},
	    {"", -EINVAL, 0, "pydtrace: '' is not a process ID\n"},
	    {"12x", -EINVAL, 0, "pydtrace: '12x' is not a process ID\n"},
	    {"-1", -EINVAL, 0, "pydtrace: '-1' is not a process ID\n"},
	    {"0", -EINVAL, 0, "pydtrace: process ID 0 is out of range\n"},
	    {"99999999999", -EINVAL, 0, "pydtrace: process ID 99999999999 is out of range\n"},
	    {"99999999999999999999", -EINVAL, 0, "pydtrace: process ID 99999999999999999999 is out of range\n"},
	};
	struct world *w = *state;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		pid_t pid = 0;

		w->last[0] = '\0';
		assert_int_equal(session_pid_parse(cases[i].text, &pid, &w->diag), cases[i].err);
		assert_int_equal(pid, cases[i].pid);
		assert_string_equal(w->last, cases[i].message);
	}
}

static void words_of_a_command(void **state)
{
	static const struct {
		const char *text;
		const char *words[4];
	} cases[] = {
	    {"ls", {"ls"}},
	    {"  ls \t -l\n", {"ls", "-l"}},
	    {"python3 -c 'print(\"a b\")'", {"python3", "-c", "print(\"a b\")"}},
	    {"a\\ b \"c\\\"d\" ''", {"a b", "c\"d", ""}},
	    {"x'y'\"z\"", {"xyz"}},
	};
	struct world *w = *state;
	char **words;

	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		size_t n = 0;

		assert_int_equal(session_words_split(w->a, cases[i].text, &words, &w->diag), 0);
		for (; cases[i].words[n]; n++)
			assert_string_equal(words[n], cases[i].words[n]);
		assert_null(words[n]);
	}
	assert_int_equal(session_words_split(w->a, "a 'b", &words, &w->diag), -EINVAL);
	assert_string_equal(w->last, "pydtrace: -c 'a 'b': a quote is not closed\n");
	assert_int_equal(session_words_split(w->a, "  ", &words, &w->diag), -EINVAL);
	assert_string_equal(w->last, "pydtrace: -c needs a command\n");
}

int main(void)
{
#define TEST(f) cmocka_unit_test_setup_teardown(f, setup, teardown)
	const struct CMUnitTest tests[] = {
	    TEST(defaults),        TEST(values_are_read), TEST(bad_values_are_refused),
	    TEST(choices_and_cpp), TEST(process_ids),     TEST(words_of_a_command),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
