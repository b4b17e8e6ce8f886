// SPDX-License-Identifier: Apache-2.0
/* dtrace(1)'s flags to a session. */
#include <errno.h>
#include <fcntl.h>
#include <getopt.h>
#include <string.h>
#include <unistd.h>

#include "session/session.h"

#define EXIT_USAGE 2

enum mode { MODE_RUN, MODE_VERSION, MODE_HELP };

struct cli {
	struct session_config cfg;
	struct diag diag;
	enum mode mode;
};

struct flag {
	char c;
	const char *arg; /* what the argument is called; NULL: the flag takes none */
	int (*take)(struct cli *cli, const struct flag *f, const char *arg);
	const char *param; /* an option's name, a reason */
	const char *help;  /* NULL: not in --help */
};

/* --- what flags do ------------------------------------------------------------------------------------ */

/* A flag that is short for an option; `param` is the option. */
static int take_option(struct cli *cli, const struct flag *f, const char *arg)
{
	return session_option_set(&cli->cfg, f->param, arg, NOWHERE, &cli->diag) ? 1 : 0;
}

static int take_x(struct cli *cli, const struct flag *f, const char *arg)
{
	const char *eq = strchr(arg, '=');
	const char *name = eq ? arena_strndup(cli->cfg.arena, arg, (size_t)(eq - arg)) : arg;

	return session_option_set(&cli->cfg, name, eq ? eq + 1 : NULL, NOWHERE, &cli->diag) ? 1 : 0;
}

static int take_script(struct cli *cli, const struct flag *f, const char *arg)
{
	*vec_push(cli->cfg.arena, &cli->cfg.programs) =
	    (struct session_program){.script = true, .text = arg, .bare = D_DESC_NAME};
	return 0;
}

static int take_description(struct cli *cli, const struct flag *f, const char *arg)
{
	static const enum d_desc_part bare[] = {
	    ['P'] = D_DESC_PROV, ['m'] = D_DESC_MOD, ['f'] = D_DESC_FUNC, ['n'] = D_DESC_NAME, ['i'] = D_DESC_NAME};

	*vec_push(cli->cfg.arena, &cli->cfg.programs) =
	    (struct session_program){.text = arg, .bare = bare[(int)f->c], .by_id = f->c == 'i'};
	return 0;
}

static int take_pid(struct cli *cli, const struct flag *f, const char *arg)
{
	*vec_push(cli->cfg.arena, &cli->cfg.pids) = arg;
	return 0;
}

static int take_command(struct cli *cli, const struct flag *f, const char *arg)
{
	if (cli->cfg.command) {
		diag_fail(&cli->diag, EINVAL, "only one -c can be given");
		return EXIT_USAGE;
	}
	cli->cfg.command = arg;
	return 0;
}

static int take_output(struct cli *cli, const struct flag *f, const char *arg)
{
	cli->cfg.output = arg;
	return 0;
}

static int take_mode(struct cli *cli, const struct flag *f, const char *arg)
{
	if (f->c == 'V')
		cli->mode = MODE_VERSION;
	else
		cli->cfg.mode = f->c == 'l' ? SESSION_LIST : SESSION_COMPILE;
	return 0;
}

static int take_dump(struct cli *cli, const struct flag *f, const char *arg)
{
	cli->cfg.dump_insns = true;
	return 0;
}

static int take_nothing(struct cli *cli, const struct flag *f, const char *arg)
{
	return 0;
}

static int take_refused(struct cli *cli, const struct flag *f, const char *arg)
{
	diag_fail(&cli->diag, EINVAL, "-%c%s is not supported: %s", f->c, f->c == '3' || f->c == '6' ? arg : "",
		  f->param);
	return EXIT_USAGE;
}

#define DESCRIPTION "[[ predicate ] action ]"

static const struct flag flags[] = {
    {'b', "SIZE", take_option, "bufsize", "size of the buffer of records, as -x bufsize=SIZE"},
    {'c', "CMD", take_command, NULL,
     "start CMD, trace it from its first line, end when it ends ($target is its ID)"},
    {'C', NULL, take_option, "cpp", "run scripts through the C preprocessor"},
    {'D', "NAME[=DEF]", take_option, "define", "define a symbol for the C preprocessor"},
    {'e', NULL, take_mode, NULL, "compile, and exit without tracing"},
    {'f', "FUNC", take_description, NULL, "probes of this function: [[provider:]module:]func " DESCRIPTION},
    {'F', NULL, take_option, "flowindent", "indent the output by entries and returns"},
    {'H', NULL, take_option, "cpphdrs", "print the files that the C preprocessor includes"},
    {'i', "ID", take_description, NULL, "the probe with this number: id " DESCRIPTION},
    {'I', "DIR", take_option, "incdir", "search DIR for include files"},
    {'l', NULL, take_mode, NULL, "list probes instead of enabling them"},
    {'L', "DIR", take_nothing, NULL, "accepted: there are no D libraries yet"},
    {'m', "MODULE", take_description, NULL, "probes of this module: [provider:]module " DESCRIPTION},
    {'n', "NAME", take_description, NULL, "probes of this name: [[[provider:]module:]func:]name " DESCRIPTION},
    {'o', "FILE", take_output, NULL, "append the output to FILE"},
    {'p', "PID", take_pid, NULL, "end when this process ends ($target is its ID); may be given more than once"},
    {'P', "PROVIDER", take_description, NULL, "probes of this provider: provider " DESCRIPTION},
    {'q', NULL, take_option, "quiet", "print only what the script prints"},
    {'s', "FILE", take_script, NULL, "the script; - is standard input"},
    {'S', NULL, take_dump, NULL, "print the generated instructions"},
    {'U', "NAME", take_option, "undef", "undefine a symbol for the C preprocessor"},
    {'v', NULL, take_option, "verbose", "say where each clause runs, and why; with -l: arguments of probes"},
    {'V', NULL, take_mode, NULL, "print the version"},
    {'w', NULL, take_option, "destructive", "permit destructive actions"},
    {'x', "OPT[=VALUE]", take_x, NULL, "set an option (below)"},
    {'Z', NULL, take_option, "zdefs", "permit descriptions that match no probe"},
    {'3', "2", take_refused, "pydtrace makes neither 32-bit programs nor ELF files", NULL},
    {'6', "4", take_refused, "programs are always of 64 bits, there is nothing to choose", NULL},
    {'a', NULL, take_refused, "there is no anonymous tracing (at boot) on Linux", NULL},
    {'A', NULL, take_refused, "there is no anonymous tracing (at boot) on Linux", NULL},
    {'B', NULL, take_refused, "it is a test of libdtrace's, which is not used here", NULL},
    {'G', NULL, take_refused,
     "static probes are not built by pydtrace; use the dtrace command of systemtap-sdt-dev", NULL},
    {'h', NULL, take_refused, "headers of static probes are not built by pydtrace; for help use --help", NULL},
    {'X', "MODE", take_refused, "the C preprocessor has one mode here", NULL},
};

static const struct flag *flag_find(int c)
{
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++)
		if (flags[i].c == c)
			return &flags[i];
	return NULL;
}

/* --- the command line ----------------------------------------------------------------------------------- */

static void help(void)
{
	struct strbuf b = {0};

	strbuf_puts(&b,
		    "usage: pydtrace [FLAG ...] -s FILE | -n NAME ... [MACRO-ARGUMENT ...]\n\n"
		    "DTrace for Python on Linux: run D scripts against live Python processes and the kernel.\n\n");
	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		char head[32];

		if (!flags[i].help)
			continue;
		snprintf(head, sizeof(head), "-%c %s", flags[i].c, flags[i].arg ? flags[i].arg : "");
		strbuf_printf(&b, "  %-15s %s\n", head, flags[i].help);
	}
	strbuf_puts(&b, "  --help          print this\n  --version       print the version\n\noptions of -x:\n");
	session_options_describe(&b);
	strbuf_puts(&b,
		    "\nThe manual page pydtrace(1) has the rest. Example, for a running Python program:\n\n"
		    "  pydtrace -n 'python$target:::function-entry { @[copyinstr(arg1)] = count(); }' -p PID\n");
	if (b.s)
		fputs(b.s, stdout);
	strbuf_free(&b);
}

static int usage_error(struct cli *cli, const char *what, const char *arg)
{
	diag_fail(&cli->diag, EINVAL, "%s%s (pydtrace --help lists what there is)", what, arg);
	return EXIT_USAGE;
}

static int unknown_flag(struct cli *cli, int kind, char *const *argv)
{
	char c[2] = {(char)optopt, 0};

	if (kind == ':')
		return usage_error(cli, "an argument is missing after -", c);
	if (!optopt)
		return usage_error(cli, "unknown flag ", argv[optind - 1]);
	return usage_error(cli, "unknown flag -", c);
}

/* Flags may stand among the macro arguments, as GNU getopt has it and dtrace with it. 0, or the status to exit with. */
static int parse(struct cli *cli, int argc, char **argv)
{
	static const struct option longs[] = {
	    {"help", no_argument, NULL, 1}, {"version", no_argument, NULL, 2}, {0}};
	char shorts[2 * ARRAY_SIZE(flags) + 2] = ":";
	int c, n = 1, modes = 0;

	for (size_t i = 0; i < ARRAY_SIZE(flags); i++) {
		shorts[n++] = flags[i].c;
		if (flags[i].arg)
			shorts[n++] = ':';
	}
	*vec_push(cli->cfg.arena, &cli->cfg.args) = argv[0];
	while ((c = getopt_long(argc, argv, shorts, longs, NULL)) != -1) {
		const struct flag *f = flag_find(c);
		int status = 0;

		if (c == 1 || c == 2)
			cli->mode = c == 1 ? MODE_HELP : MODE_VERSION;
		else if (!f)
			status = unknown_flag(cli, c, argv);
		else
			status = f->take(cli, f, optarg);
		if (status)
			return status;
		modes += c == 'l' || c == 'V';
	}
	if (modes > 1)
		return usage_error(cli, "only one of -l and -V can be given", "");
	for (; optind < argc; optind++)
		*vec_push(cli->cfg.arena, &cli->cfg.args) = argv[optind];
	return 0;
}

/* The first argument of "pydtrace top PID" is the name of a tool: kept free for them. */
static int refuse_command(struct cli *cli, const char *name)
{
	diag_fail(&cli->diag, EINVAL,
		  "'%s' is not a flag: commands of the form 'pydtrace COMMAND ...' (like 'pydtrace top PID') do "
		  "not exist yet; "
		  "a script is given with -s, a probe with -n",
		  name);
	return EXIT_USAGE;
}

/* A descriptor of ours must not become the standard output that somebody has closed. */
static void standard_fds_reserve(void)
{
	int fd;

	do
		fd = open("/dev/null", O_RDONLY);
	while (fd >= 0 && fd <= STDERR_FILENO);
	if (fd >= 0)
		close(fd);
}

int main(int argc, char **argv)
{
	struct cli cli = {0};
	struct arena *a = arena_new();
	int status;

	standard_fds_reserve();
	session_config_init(&cli.cfg, a);
	if (argc > 1 && argv[1][0] != '-')
		status = refuse_command(&cli, argv[1]);
	else if (argc == 1)
		status = usage_error(&cli, "no flags given: a script is given with -s, a probe with -n", "");
	else
		status = parse(&cli, argc, argv);

	if (!status && cli.mode == MODE_HELP)
		help();
	else if (!status && cli.mode == MODE_VERSION)
		printf("pydtrace " PYDTRACE_VERSION "\n");
	else if (!status)
		status = session_run(&cli.cfg, &cli.diag);
	arena_free(a);
	return fflush(stdout) && !status ? 1 : status;
}
