// SPDX-License-Identifier: Apache-2.0
/* Compile a text the way the session does, and keep what comes out: messages, tree, program. */
#ifndef TEST_D_COMPILE_H
#define TEST_D_COMPILE_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>

#include <cmocka.h>

#include "d/d.h"

#define NARGS                                                                                                      \
	4 /* macro arguments of every compilation: $0 = "test.d", $1 = 123, $2 = "get_link_actions", $3 = "-7" */

struct compiled {
	struct d_program prog;
	struct source src;
	bool used[NARGS];
	struct strbuf messages; /* all, one after the other */
	struct strbuf dump;
	int err;
};

/* Options of a compilation; zero: as for -s. */
struct compile_options {
	enum d_desc_part bare; /* + 1; 0: D_DESC_NAME */
	bool by_id, default_args, destructive;
	s64 target;
};

struct compiled compile(const char *text, const struct compile_options *opt);
struct compiled compile_bytes(const char *text, size_t len, const struct compile_options *opt);
void compiled_free(struct compiled *c);

/* The whole of the messages is `expected`. */
void expect_error(const char *text, const char *expected);
void expect_error_with(const char *text, const struct compile_options *opt, const char *expected);
/* It compiles, and its dump holds `line`. */
void expect_line(const char *text, const char *line);

#endif
