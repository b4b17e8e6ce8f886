// SPDX-License-Identifier: Apache-2.0
/* Records to lines: columns, actions, flow, faults, and records that are not what they should be. */
#include <errno.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "world.h"

#define HEADER "CPU     ID                    FUNCTION:NAME\n"

static void header_comes_with_the_first_record(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	u64 begin = world_probe(w, 0, 1, "dtrace", "", "", "BEGIN");

	assert_string_equal(world_drain(w), "");
	world_fire(w, e, 0, 1, begin);
	assert_string_equal(world_drain(w), HEADER "  0      1                           :BEGIN \n");
	world_fire(w, e, 1, 1, begin);
	assert_string_equal(world_drain(w), HEADER "  0      1                           :BEGIN \n"
						   "  1      1                           :BEGIN \n");
	world_free(w);
}

static void long_names_push_the_line_out(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	u64 p =
	    world_probe(w, 7, 123456, "python", "pkg", "Image.get_link_actions_of_all_packages", "function-entry");

	world_fire(w, e, 12, 1, p);
	assert_string_equal(world_drain(w),
			    HEADER " 12 123456 Image.get_link_actions_of_all_packages:function-entry \n");
	world_free(w);
}

static void unknown_probes_show_their_number(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);

	world_fire(w, e, 0, 1, CG_IDENT(0xabc, 5));
	world_fire(w, e, 0, 1, 0ull);
	assert_string_equal(world_drain(w), HEADER "  0      5                   0xabc00000005: \n"
						   "  0      0                                : \n");
	world_free(w);
}

/* What DTrace prints for trace() of each type. */
static void trace_has_columns(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	u64 p = world_probe(w, 0, 34, "syscall", "vmlinux", "read", "entry");

	world_action(w, e, D_ACTION_TRACE, "d4", NULL);
	world_action(w, e, D_ACTION_TRACE, "d8", NULL);
	world_action(w, e, D_ACTION_TRACE, "s16", NULL);
	world_action(w, e, D_ACTION_TRACE, "u2", NULL);
	world_action(w, e, D_ACTION_TRACE, "d1", NULL);
	world_action(w, e, D_ACTION_TRACE, "f8", NULL);
	world_fire(w, e, 0, 1, p, -5ll, 123456789012ll, "text", 65535ll, -1ll, (long long)p);
	assert_string_equal(world_drain(w),
			    HEADER "  0     34                       read:entry "
				   "       -5     123456789012  text                              65535  -1"
				   "  read                             \n");
	world_free(w);
}

static void quiet_prints_bare_values(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);

	world_options(w)->quiet = true;
	world_action(w, e, D_ACTION_TRACE, "d8", NULL);
	world_action(w, e, D_ACTION_TRACE, "s16", NULL);
	world_action(w, e, D_ACTION_PRINTF, "d4", "calls: %d\n");
	world_fire(w, e, 0, 1, 0ull, 17ll, " x ", 880ll);
	assert_string_equal(world_drain(w), "17 x calls: 880\n");
	world_free(w);
}

static void the_2007_case(void **state)
{
	struct world *w = world_new();
	u32 end = world_clause(w);
	u64 p = world_probe(w, 0, 2, "dtrace", "", "", "END");
	u64 st = world_probe(w, 0, 10, "syscall", "", "stat64", "entry");
	u64 cl = world_probe(w, 0, 11, "syscall", "", "close", "entry");
	u64 br = world_probe(w, 0, 12, "syscall", "", "brk", "entry");
	u32 a = world_agg(w, D_AGGFUNC_COUNT, "f8", 0, 0, 0, 0);

	world_action(w, end, D_ACTION_PRINTF, "d8", "calls: %d");
	world_add_times(w, a, 0, 0, 775000, cl);
	world_add_times(w, a, 1, 0, 280, cl);
	world_add_times(w, a, 3, 0, 774400, st);
	world_add_times(w, a, 0, 0, 26, br);
	world_fire(w, end, 0, 1, p, 880ll);
	world_drain(w);
	assert_string_equal(world_end(w),
			    HEADER "  0      2                             :END calls: 880\n"
				   "\n"
				   "  brk                                                              26\n"
				   "  stat64                                                       774400\n"
				   "  close                                                        775280\n");
	world_free(w);
}

static void exit_is_remembered(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	int status = -1;

	world_action(w, e, D_ACTION_EXIT, "d4", NULL);
	assert_false(consumer_exited(world_consumer(w), &status));
	world_fire(w, e, 0, 1, 0ull, 3ll);
	world_drain(w);
	assert_true(consumer_exited(world_consumer(w), &status));
	assert_int_equal(status, 3);
	world_free(w);
}

static void bytes_are_text_or_a_dump(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);

	world_options(w)->quiet = true;
	world_action(w, e, D_ACTION_TRACE, "b8", NULL);
	world_fire(w, e, 0, 1, 0ull, "abc\0\0\0\0");
	assert_string_equal(world_drain(w), "abc");
	world_forget(w);
	world_fire(w, e, 0, 1, 0ull, "abc\0\1\0\0");
	assert_string_equal(world_drain(w),
			    "\n             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef\n"
			    "         0: 61 62 63 00 01 00 00 00                          abc.....\n");
	world_forget(w);
	world_fire(w, e, 0, 1, 0ull, "\0\0\0\0\0\0\0"); /* empty text is no text */
	assert_non_null(strstr(world_drain(w), "00 00 00 00 00 00 00 00"));
	world_free(w);
}

static void strings_need_not_be_utf8_or_terminated(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);

	world_options(w)->quiet = true;
	world_action(w, e, D_ACTION_PRINTF, "s8", "[%s]");
	world_fire(w, e, 0, 1, 0ull, "\xff\xfe\x01wwwww");
	assert_string_equal(world_drain(w), "[\\xff\\xfe\\x01wwwww]");
	world_free(w);
}

/* Names of functions in the columns and with -F: padded by what is printed, and on one line. */
static void names_are_made_printable(void **state)
{
	struct world *w = world_new();
	u64 ident = world_probe(w, 1, 7, "python1", "mod", "\x1b]0;x\n\u540d", "entry");
	u32 e = world_clause(w);

	world_action(w, e, D_ACTION_TRACE, "s8", NULL);
	world_fire(w, e, 0, 1, ident, "a\nb");
	assert_string_equal(world_drain(w), "CPU     ID                    FUNCTION:NAME\n"
					    "  0      7              \\x1b]0;x\\x0a\u540d:entry   a\\x0ab"
					    "                           \n");
	world_free(w);

	w = world_new();
	ident = world_probe(w, 1, 7, "python1", "mod", "\x1b]0;x\n\u540d", "entry");
	world_options(w)->flowindent = true;
	e = world_clause(w);
	world_action(w, e, D_ACTION_TRACE, "s8", NULL);
	world_fire(w, e, 0, 1, ident, "c");
	assert_non_null(strstr(world_drain(w), "  0  -> \\x1b]0;x\\x0a\u540d"
					       "                           c"));
	world_free(w);
}

/* -x rawbytes: text is printed as it is, bytes always as a dump. */
static void rawbytes_escapes_nothing(void **state)
{
	struct world *w = world_new();
	u64 ident = world_probe(w, 1, 7, "python1", "mod", "f\x1b", "entry");
	u32 e = world_clause(w);

	world_options(w)->quiet = true;
	world_options(w)->rawbytes = true;
	world_action(w, e, D_ACTION_PRINTF, "s8 f8", "[%s %s]");
	world_action(w, e, D_ACTION_TRACE, "s8", NULL);
	world_action(w, e, D_ACTION_TRACE, "b4", NULL);
	world_fire(w, e, 0, 1, ident, "\xff\n", ident, "\x1b|", "abc");
	assert_string_equal(world_drain(w),
			    "[\xff\n f\x1b]\x1b|"
			    "\n             0  1  2  3  4  5  6  7  8  9  a  b  c  d  e  f  0123456789abcdef\n"
			    "         0: 61 62 63 00                                      abc.\n");
	world_free(w);
}

/* strsize may end a text within a character: that one is not printed. */
static void a_cut_character_is_not_printed(void **state)
{
	struct world *w = world_new();
	u64 ident = world_probe(w, 1, 7, "python1", "mod", "abcde\u540d", "entry");
	u32 e = world_clause(w);

	world_options(w)->quiet = true;
	world_options(w)->strsize = 8;
	world_action(w, e, D_ACTION_PRINTF, "s8 f8 s8", "[%s %s %s]");
	world_fire(w, e, 0, 1, ident, "abcde\xe5\x90", ident, "ab\xe5\x90");
	assert_string_equal(world_drain(w), "[abcde abcde ab\\xe5\\x90]");
	world_free(w);
}

static void identities_print_as_text(void **state)
{
	static const char *literals[] = {"one", "two"};
	struct world *w = world_new();
	u32 e = world_clause(w);
	u64 p = world_probe(w, 5, 9, "python", "m", "f", "function-entry");

	world_options(w)->quiet = true;
	world_output(w)->literals = literals;
	world_output(w)->nliterals = 2;
	world_action(w, e, D_ACTION_PRINTF, "f8 p8 f8 f8 f8 f8", "%s,%s,%s,%s,%s,%s;");
	world_fire(w, e, 0, 1, p, (long long)p, (long long)p, (long long)(CG_LITERAL | 1), 0ll,
		   (long long)(CG_LITERAL | 2), (long long)CG_IDENT(6, 9));
	assert_string_equal(world_drain(w), "f,python,two,,0x8000000000000002,0x600000009;");
	world_free(w);
}

/* Names are cut as strings of the program are, so that they compare and print alike. */
static void identities_are_cut_to_strsize(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	u64 p = world_probe(w, 5, 9, "python", "m", "long_function", "function-entry");

	world_options(w)->quiet = true;
	world_options(w)->strsize = 8;
	world_action(w, e, D_ACTION_PRINTF, "f8", "%s");
	world_fire(w, e, 0, 1, p, (long long)p);
	assert_string_equal(world_drain(w), "long_fu");
	world_free(w);
}

/* --- flow ---------------------------------------------------------------------------------------------- */

static void flow_indents_calls(void **state)
{
	struct world *w = world_new();
	u32 entry = world_clause(w), ret = world_clause(w), sys = world_clause(w), sysret = world_clause(w),
	    tick = world_clause(w);
	u64 f = world_probe(w, 1, 5, "python1", "m", "f", "function-entry");
	u64 g = world_probe(w, 2, 5, "python1", "m", "g", "function-entry");
	u64 fr = world_probe(w, 1, 6, "python1", "m", "f", "function-return");
	u64 gr = world_probe(w, 2, 6, "python1", "m", "g", "function-return");
	u64 se = world_probe(w, 0, 7, "syscall", "", "read", "entry");
	u64 sr = world_probe(w, 0, 8, "syscall", "", "read", "return");
	u64 t = world_probe(w, 0, 9, "profile", "", "", "tick-1s");

	world_options(w)->flowindent = true;
	world_fire(w, entry, 0, 100, f);
	world_fire(w, entry, 1, 100, g); /* the thread moved to another CPU */
	world_fire(w, entry, 0, 200, f); /* another thread */
	world_fire(w, sys, 1, 100, se);
	world_fire(w, tick, 0, 1, t);
	world_fire(w, sysret, 1, 100, sr);
	world_fire(w, ret, 1, 100, gr);
	world_fire(w, ret, 1, 100, fr);
	world_fire(w, ret, 1, 100, fr); /* entered before we looked */
	assert_string_equal(world_drain(w), "CPU FUNCTION                                 \n"
					    "  0  -> f                                     \n"
					    "  1    -> g                                   \n"
					    "  0  -> f                                     \n"
					    "  1      => read                              \n"
					    "  0 | :tick-1s                                \n"
					    "  1      <= read                              \n"
					    "  1    <- g                                   \n"
					    "  1  <- f                                     \n"
					    "  1  <- f                                     \n");
	world_free(w);
}

/* Two clauses at one probe are one call: the first enters, the last returns. */
static void flow_counts_a_call_once(void **state)
{
	struct world *w = world_new();
	u32 e1 = world_clause(w), e2 = world_clause(w), r1 = world_clause(w), r2 = world_clause(w);
	u64 f = world_probe(w, 1, 5, "python1", "m", "f", "function-entry");
	u64 fr = world_probe(w, 1, 6, "python1", "m", "f", "function-return");

	world_options(w)->flowindent = true;
	for (int i = 0; i < 2; i++) { /* recursion: e1 after e2 is a new call */
		world_fire(w, e1, 0, 1, f);
		world_fire(w, e2, 0, 1, f);
	}
	for (int i = 0; i < 2; i++) {
		world_fire(w, r1, 0, 1, fr);
		world_fire(w, e1, 2, 9, f); /* another thread comes in between */
		world_fire(w, r2, 0, 1, fr);
	}
	assert_string_equal(world_drain(w), "CPU FUNCTION                                 \n"
					    "  0  -> f                                     \n"
					    "  0   | f:function-entry                      \n"
					    "  0    -> f                                   \n"
					    "  0     | f:function-entry                    \n"
					    "  0     | f:function-return                   \n"
					    "  2  -> f                                     \n"
					    "  0    <- f                                   \n"
					    "  0   | f:function-return                     \n"
					    "  2    -> f                                   \n"
					    "  0  <- f                                     \n");
	world_free(w);
}

/* A return is a return also when a later clause, of another probe, comes next. */
static void flow_looks_for_the_same_probe(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w), r = world_clause(w), late = world_clause(w);
	u64 f = world_probe(w, 1, 5, "python1", "m", "f", "function-entry");
	u64 fr = world_probe(w, 1, 6, "python1", "m", "f", "function-return");
	u64 gr = world_probe(w, 2, 6, "python1", "m", "g", "function-return");

	world_options(w)->flowindent = true;
	world_fire(w, e, 0, 1, f);
	world_fire(w, r, 0, 1, fr);
	world_fire(w, late, 0, 1, gr);
	assert_string_equal(world_drain(w), "CPU FUNCTION                                 \n"
					    "  0  -> f                                     \n"
					    "  0  <- f                                     \n"
					    "  0  <- g                                     \n");
	world_free(w);
}

/* A later clause that faulted prints nothing: the one before it is the last. */
static void flow_does_not_wait_for_a_fault(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w), r = world_clause(w), bad = world_clause(w);
	u64 f = world_probe(w, 1, 5, "python1", "m", "f", "function-entry");
	u64 fr = world_probe(w, 1, 6, "python1", "m", "f", "function-return");

	world_options(w)->flowindent = true;
	world_fire(w, e, 0, 0, f);
	world_fire(w, r, 0, 0, fr);
	world_fault(w, bad, fr, CG_FAULT_BADADDR, 1, 0);
	assert_string_equal(world_drain(w), "CPU FUNCTION                                 \n"
					    "  0  -> f                                     \n"
					    "  0  <- f                                     \n");
	world_free(w);
}

static void flow_names_must_end_in_the_word(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	u64 gentry = world_probe(w, 1, 5, "p", "m", "f", "gentry");

	world_options(w)->flowindent = world_options(w)->quiet = true;
	world_fire(w, e, 0, 1, gentry);
	world_fire(w, e, 0, 1, gentry);
	assert_string_equal(world_drain(w), "CPU FUNCTION                                 \n"
					    "  0 | f:gentry                                "
					    "  0 | f:gentry                                ");
	world_free(w);
}

/* Entries whose returns are not traced must not push the text ever further to the right. */
static void flow_indentation_is_bounded(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	u64 f = world_probe(w, 1, 5, "python1", "m", "f", "function-entry");

	world_options(w)->flowindent = true;
	for (int i = 0; i < 3000; i++)
		world_fire(w, e, 0, 1, f);

	const char *text = world_drain(w), *last = text;

	for (const char *nl = text; *nl; nl = strchr(nl, '\n') + 1)
		last = nl;
	assert_true(strlen(last) < 600);
	world_free(w);
}

/* Thousands of threads: their depths are forgotten, nothing else. */
static void flow_survives_many_threads(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	u64 f = world_probe(w, 1, 5, "python1", "m", "f", "function-entry");

	world_options(w)->flowindent = true;
	for (int round = 0; round < 4; round++) {
		for (u32 i = 0; i < 1000; i++)
			world_fire(w, e, 0, 1000 * round + i + 1, f);
		world_drain(w);
	}
	assert_non_null(strstr(world_drain(w), "  0  -> f                                     \n"));
	world_free(w);
}

/* --- faults and drops -------------------------------------------------------------------------------------- */

static void faults_are_told(void **state)
{
	static const struct {
		u32 code, action;
		u64 value;
		const char *end;
	} cases[] = {
	    {CG_FAULT_BADADDR, 1, 0, "invalid address (0x0) in action #1\n"},
	    {CG_FAULT_BADADDR, 0, 0xdead, "invalid address (0xdead) in predicate\n"},
	    {CG_FAULT_BADALIGN, 2, 3, "invalid alignment (0x3) in action #2\n"},
	    {CG_FAULT_DIVZERO, 2, 0, "divide-by-zero in action #2\n"},
	    {CG_FAULT_NOSCRATCH, 1, 0, "out of scratch space in action #1\n"},
	    {CG_FAULT_ILLOP, 1, 0, "illegal operation in action #1\n"},
	    {CG_FAULT_TUPOFLOW, 1, 0, "tuple stack overflow in action #1\n"},
	    {4711, 1, 0, "unknown fault in action #1\n"},
	};
	struct world *w = world_new();
	u64 p = world_probe(w, 0, 34, "syscall", "", "read", "entry");
	char line[200];

	world_clause(w);
	for (size_t i = 0; i < ARRAY_SIZE(cases); i++) {
		world_forget(w);
		world_fault(w, 3, p, cases[i].code, cases[i].action, cases[i].value);
		assert_string_equal(world_drain(w), "");
		snprintf(line, sizeof(line),
			 "pydtrace: error on enabled probe ID 3 (ID 34: syscall::read:entry): %s", cases[i].end);
		assert_string_equal(world_said(w), line);
	}
	assert_int_equal(world_errors(w), ARRAY_SIZE(cases));
	world_free(w);
}

static void drops_are_told_once(void **state)
{
	struct world *w = world_new();

	world_clause(w);
	consumer_report_drops(world_consumer(w));
	assert_string_equal(world_said(w), "");
	world_state(w)->drops[CG_DROP_RECORD] = 1;
	world_state(w)->drops[CG_DROP_AGG] = 3;
	consumer_report_drops(world_consumer(w));
	assert_string_equal(world_said(w), "pydtrace: 1 drop (raise bufsize or switchrate)\n"
					   "pydtrace: 3 aggregation drops (raise aggsize)\n");
	world_forget(w);
	consumer_report_drops(world_consumer(w));
	assert_string_equal(world_said(w), "");
	world_state(w)->drops[CG_DROP_DYNVAR] = 2;
	world_state(w)->drops[CG_DROP_AGG] = 4;
	consumer_report_drops(world_consumer(w));
	assert_string_equal(world_said(w), "pydtrace: 1 aggregation drop (raise aggsize)\n"
					   "pydtrace: 2 dynamic variable drops (raise dynvarsize)\n");
	world_free(w);
}

/* --- what should not be ------------------------------------------------------------------------------------ */

/* Every prefix of a good record, and records of clauses that do not exist: counted, told, never read beyond. */
static void hostile_records_are_counted(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w), n = 0;
	struct cg_record r = {.epid = e};
	u8 whole[sizeof(r) + 8 + 16 + 24] = {0};
	static const u32 bad[] = {0, 2, 77, 0x7fffffff};

	world_action(w, e, D_ACTION_PRINTF, "d8 s16 t24", "%d%s%s.");
	memcpy(whole, &r, sizeof(r));
	for (size_t size = 0; size < sizeof(whole); size++, n++)
		world_raw(w, whole, size);
	for (size_t i = 0; i < ARRAY_SIZE(bad); i++, n++) {
		memcpy(whole, &bad[i], sizeof(bad[i]));
		world_raw(w, whole, sizeof(whole));
	}
	r.epid = e | CG_FAULT; /* a fault that ends early */
	for (size_t size = sizeof(r); size < sizeof(r) + sizeof(struct cg_fault); size++, n++) {
		memcpy(whole, &r, sizeof(r));
		world_raw(w, whole, size);
	}
	assert_string_equal(world_drain(w), "");
	consumer_report_drops(world_consumer(w));

	char line[100];

	snprintf(line, sizeof(line), "pydtrace: %u unreadable records (a bug in pydtrace; please report it)\n", n);
	assert_string_equal(world_said(w), line);
	world_free(w);
}

/* The same with the queue of -F between. */
static void hostile_records_with_flow(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	struct cg_record r = {.epid = e};

	world_options(w)->flowindent = true;
	for (size_t size = 0; size < sizeof(r); size++) {
		world_raw(w, &r, size);
		world_fire(w, e, 0, 1, 0ull);
	}
	world_drain(w);
	consumer_report_drops(world_consumer(w));
	assert_string_equal(world_said(w),
			    "pydtrace: 32 unreadable records (a bug in pydtrace; please report it)\n");
	world_free(w);
}

/* A layout that reaches beyond its record. */
static void fields_outside_the_record_are_not_read(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);

	world_options(w)->quiet = true;
	world_action(w, e, D_ACTION_PRINTF, "d8", "%d");
	world_fire(w, e, 0, 1, 0ull, 1ll);
	world_fire(w, e, 0, 1, 0ull, 1ll);
	world_output(w)->layouts[0].actions[0].fields[0].off = 0xfffffff8;
	assert_string_equal(world_drain(w), "");
	world_output(w)->layouts[0].actions[0].fields[0] = (struct cg_field){.off = 32, .size = 5};
	world_fire(w, e, 0, 1, 0ull, 1ll);
	assert_string_equal(world_drain(w), "");
	consumer_report_drops(world_consumer(w));
	assert_string_equal(world_said(w),
			    "pydtrace: 3 unreadable records (a bug in pydtrace; please report it)\n");
	world_free(w);
}

static u32 random_next(u32 *seed) /* xorshift32: the same on every run */
{
	*seed ^= *seed << 13;
	*seed ^= *seed >> 17;
	*seed ^= *seed << 5;
	return *seed;
}

/* Random bytes in records of random size, with each kind of field, with and without -F. */
static void random_records_do_no_harm(void **state)
{
	u32 seed = 20071129;

	for (int flow = 0; flow < 2; flow++) {
		struct world *w = world_new();
		u32 e = world_clause(w), a = world_agg(w, D_AGGFUNC_SUM, "d4", 0, 0, 0, 0);
		struct d_stmt *trunc;

		world_probe(w, 0, 1, "syscall", "", "read", "entry");
		world_options(w)->flowindent = flow;
		world_action(w, e, D_ACTION_TRACE, "b16", NULL);
		world_action(w, e, D_ACTION_PRINTF, "d4 d4 s16 t24 f8 p8 u8 d1", "%*.*s %S %s %s %Y %C");
		trunc = world_action(w, e, D_ACTION_TRUNC, "d8", NULL);
		world_names_aggs(w, trunc, 1, a);
		for (int i = 0; i < 3000; i++) {
			u32 rec[64] = {0}, size = random_next(&seed) % sizeof(rec);

			for (u32 j = 0; j < ARRAY_SIZE(rec); j++)
				rec[j] = random_next(&seed) >> random_next(&seed) % 32;
			if (random_next(&seed) % 4) { /* most get as far as their fields */
				rec[0] = e;
				size = sizeof(rec);
			}
			if (random_next(&seed) % 16) { /* widths: no need for 64 KiB each */
				rec[12] %= 100;
				rec[14] %= 100;
			}
			world_raw(w, rec, size);
		}
		world_drain(w);
		world_end(w);
		world_free(w);
	}
}

static void many_records_are_all_taken(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);

	world_options(w)->quiet = true;
	world_action(w, e, D_ACTION_PRINTF, "s256", "%256s");
	for (int i = 0; i < 4000; i++)
		world_fire(w, e, 0, 1, 0ull, "x");
	assert_int_equal(strlen(world_drain(w)), 4000 * 256);
	world_free(w);
}

/* Records that keep coming do not hold the consumer for longer than a ring's worth. */
static void a_drain_ends(void **state)
{
	static struct asm_map ring = {.max_entries = 4096};
	struct world *w = world_new();
	u32 e = world_clause(w);

	world_options(w)->quiet = true;
	world_output(w)->image.maps = &ring;
	world_output(w)->image.nmaps = 1;
	world_output(w)->map_ring = 0;
	world_action(w, e, D_ACTION_PRINTF, "d8", "%d");
	for (int i = 0; i < 1000; i++)
		world_fire(w, e, 0, 1, 0ull, 7ll);

	size_t n = strlen(world_drain(w)), all = n;

	assert_true(n >= 4096 / (sizeof(struct cg_record) + 16) && n < 1000);
	for (int i = 0; i < 20; i++)
		all = strlen(world_drain(w));
	assert_int_equal(all, 1000);
	world_free(w);
}

static void a_full_disk_is_told(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	FILE *full = fopen("/dev/full", "w");

	if (!full) {
		world_free(w);
		skip();
	}
	world_writes_to(w, full);
	world_action(w, e, D_ACTION_PRINTF, "s256", "%256s");
	world_fire(w, e, 0, 1, 0ull, "x");
	assert_int_equal(consumer_drain(world_consumer(w)), -ENOSPC);
	for (int i = 0; i < 2000; i++) /* more than stdio holds */
		world_fire(w, e, 0, 1, 0ull, "x");
	assert_int_equal(consumer_drain(world_consumer(w)), -ENOSPC);
	assert_int_equal(consumer_end(world_consumer(w)), -ENOSPC);
	fclose(full);
	world_free(w);
}

/* The reader of a pipe has gone. */
static void a_closed_pipe_is_told(void **state)
{
	struct world *w = world_new();
	u32 e = world_clause(w);
	int fds[2];

	signal(SIGPIPE, SIG_IGN);
	assert_int_equal(pipe(fds), 0);
	close(fds[0]);

	FILE *f = fdopen(fds[1], "w");

	assert_non_null(f);
	world_writes_to(w, f);
	world_fire(w, e, 0, 1, 0ull);
	assert_int_equal(consumer_drain(world_consumer(w)), -EPIPE);
	assert_int_equal(consumer_end(world_consumer(w)), -EPIPE);
	fclose(f);
	world_free(w);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(header_comes_with_the_first_record),
	    cmocka_unit_test(long_names_push_the_line_out),
	    cmocka_unit_test(unknown_probes_show_their_number),
	    cmocka_unit_test(trace_has_columns),
	    cmocka_unit_test(quiet_prints_bare_values),
	    cmocka_unit_test(the_2007_case),
	    cmocka_unit_test(exit_is_remembered),
	    cmocka_unit_test(bytes_are_text_or_a_dump),
	    cmocka_unit_test(strings_need_not_be_utf8_or_terminated),
	    cmocka_unit_test(names_are_made_printable),
	    cmocka_unit_test(rawbytes_escapes_nothing),
	    cmocka_unit_test(a_cut_character_is_not_printed),
	    cmocka_unit_test(identities_print_as_text),
	    cmocka_unit_test(identities_are_cut_to_strsize),
	    cmocka_unit_test(flow_indents_calls),
	    cmocka_unit_test(flow_counts_a_call_once),
	    cmocka_unit_test(flow_looks_for_the_same_probe),
	    cmocka_unit_test(flow_does_not_wait_for_a_fault),
	    cmocka_unit_test(flow_names_must_end_in_the_word),
	    cmocka_unit_test(flow_indentation_is_bounded),
	    cmocka_unit_test(flow_survives_many_threads),
	    cmocka_unit_test(faults_are_told),
	    cmocka_unit_test(drops_are_told_once),
	    cmocka_unit_test(hostile_records_are_counted),
	    cmocka_unit_test(hostile_records_with_flow),
	    cmocka_unit_test(fields_outside_the_record_are_not_read),
	    cmocka_unit_test(random_records_do_no_harm),
	    cmocka_unit_test(many_records_are_all_taken),
	    cmocka_unit_test(a_drain_ends),
	    cmocka_unit_test(a_full_disk_is_told),
	    cmocka_unit_test(a_closed_pipe_is_told),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
