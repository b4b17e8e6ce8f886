// SPDX-License-Identifier: Apache-2.0
/* The texts of the script: read, through the C preprocessor if asked for, and parsed, with the options that they set. */
#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "session/session_impl.h"

#define MAX_SOURCE (64 << 20)

/* Everything that comes from `fd`, a terminal perhaps. 0 or -errno; -EINTR: the user wants no more. */
static int read_all(struct session *s, struct strbuf *b, int fd)
{
	struct pollfd fds[] = {{.fd = fd, .events = POLLIN}, {.fd = s->signals, .events = POLLIN}};
	char buf[16384];

	for (;;) {
		if (poll(fds, ARRAY_SIZE(fds), -1) > 0 && fds[1].revents)
			return -EINTR;

		ssize_t n = read(fd, buf, sizeof(buf));

		if (n < 0 && errno == EINTR)
			continue;
		if (n < 0)
			return -errno;
		if (!n)
			return b->failed ? -ENOMEM : 0;
		strbuf_add(b, buf, (size_t)n);
		if (b->len > MAX_SOURCE)
			return -EFBIG;
	}
}

/* In the child: stdin is the script, stdout the pipe. The preprocessor gets the signals that we hold back. */
static void cpp_exec(struct session *s, int in, int out)
{
	VEC(const char *) argv = {0};

	*vec_push(s->arena, &argv) = "cpp";
	if (s->cfg->opt.n[SESSION_CPPHDRS])
		*vec_push(s->arena, &argv) = "-H";
	*vec_push(s->arena, &argv) = "-D__SUNW_D=1"; /* as dtrace defines, so that headers can tell */
	*vec_push(s->arena, &argv) = "-D__SUNW_D_VERSION=0x02000000";
	for (size_t i = 0; i < s->cfg->opt.cpp.n; i++)
		*vec_push(s->arena, &argv) = s->cfg->opt.cpp.v[i];
	*vec_push(s->arena, &argv) = "-";
	*vec_push(s->arena, &argv) = NULL;
	sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
	dup2(in, STDIN_FILENO);
	dup2(out, STDOUT_FILENO);
	execvp("cpp", (char *const *)argv.v);
	_exit(127);
}

/* The script as a file without a name, so that cpp can read while we read what it writes. */
static int cpp_input(const struct strbuf *b, const char *name)
{
	int fd = memfd_create("pydtrace-script", MFD_CLOEXEC);

	if (fd >= 0 && (dprintf(fd, "#line 1 \"%s\"\n", name) < 0 || write(fd, b->s, b->len) != (ssize_t)b->len ||
			lseek(fd, 0, SEEK_SET))) {
		close(fd);
		errno = ENOSPC;
		return -1;
	}
	return fd;
}

static int cpp_run(struct session *s, const char *name, struct strbuf *b)
{
	struct strbuf result = {0};
	int in = cpp_input(b, name), out[2] = {-1, -1}, status = -1, err = 0;
	pid_t pid;

	if (in < 0 || pipe2(out, O_CLOEXEC) || (pid = fork()) < 0) {
		err = diag_fail(s->diag, errno, "cannot run the C preprocessor: %s", strerror(errno));
		goto out;
	}
	if (!pid)
		cpp_exec(s, in, out[1]);
	close(out[1]);
	out[1] = -1;
	err = read_all(s, &result, out[0]);
	if (err == -EINTR)
		kill(pid, SIGTERM);
	waitpid(pid, &status, 0);
	if (WIFEXITED(status) && WEXITSTATUS(status) == 127)
		err = diag_fail(s->diag, ENOENT, "cannot run cpp, the C preprocessor: is it installed?");
	else if (err || status)
		err = diag_fail(s->diag, EINVAL, "%s: the C preprocessor failed", name);
	if (!err) {
		strbuf_free(b);
		*b = result;
		result = (struct strbuf){0};
	}
out:
	strbuf_free(&result);
	for (int i = 0; i < 2; i++)
		if (out[i] >= 0)
			close(out[i]);
	if (in >= 0)
		close(in);
	return err;
}

/* The line "#!..." becomes blank: positions stay as they are, and cpp does not trip over it. */
static void blank_interpreter(char *text)
{
	if (text[0] == '#' && text[1] == '!')
		memset(text, ' ', strcspn(text, "\n"));
}

static int script_read(struct session *s, const char *path, struct source *src)
{
	bool is_stdin = !strcmp(path, "-");
	int fd = is_stdin ? STDIN_FILENO : open(path, O_RDONLY | O_CLOEXEC), err;
	struct strbuf b = {0};
	const char *nul;

	if (fd < 0)
		return diag_fail(s->diag, errno, "failed to open %s: %s", path, strerror(errno));
	src->name = is_stdin ? "<stdin>" : path;
	err = read_all(s, &b, fd);
	if (!is_stdin)
		close(fd);
	if (err) {
		diag_fail(s->diag, -err, "failed to read %s: %s", src->name, strerror(-err));
		goto out;
	}
	nul = b.s ? memchr(b.s, 0, b.len) : NULL;
	if (nul) {
		err = diag_fail(s->diag, EINVAL, "%s is no script: byte %zu is a NUL", src->name,
				(size_t)(nul - b.s) + 1);
		goto out;
	}
	strbuf_puts(&b, "");
	blank_interpreter(b.s);
	if (s->cfg->opt.n[SESSION_CPP])
		err = cpp_run(s, src->name, &b);
	if (err)
		goto out;
	src->text = arena_strndup(s->arena, b.s ? b.s : "", b.len);
	src->len = b.len;
out:
	strbuf_free(&b);
	return err;
}

static void description_read(struct session *s, const struct session_program *p, struct source *src)
{
	static const char *const flag[] = {
	    [D_DESC_PROV] = "-P", [D_DESC_MOD] = "-m", [D_DESC_FUNC] = "-f", [D_DESC_NAME] = "-n"};

	src->name = p->by_id ? "-i" : flag[p->bare];
	src->text = p->text;
	src->len = strlen(p->text);
}

/* What is needed before a script is read cannot be set in it. */
static int pragma_apply(struct session *s, const struct d_option *o)
{
	static const char *const early[] = {"exec", "cpp", "cpphdrs", "cppargs", "define", "incdir", "undef"};

	for (size_t i = 0; i < ARRAY_SIZE(early); i++) {
		if (strcmp(o->name, early[i]))
			continue;
		diag_report(s->diag, DIAG_ERROR, o->pos, "option %s can only be set with -x", o->name);
		return -EINVAL;
	}
	return session_option_set(s->cfg, o->name, o->value, o->pos, s->diag);
}

/* The descriptions that the argument of -n begins with, on one line. */
static const char *descriptions_line(struct session *s, const char *text)
{
	char *line;

	text += strspn(text, " \t\n");
	line = arena_strndup(s->arena, text, strcspn(text, "{/;"));
	for (char *p = line; (p = strpbrk(p, "\t\n")); p++)
		*p = ' ';
	return line;
}

static int program_parse(struct session *s, const struct session_program *p)
{
	struct source *src = arena_alloc(s->arena, sizeof(*src));
	struct session_text *t = vec_push(s->arena, &s->texts);
	size_t noptions = s->prog.options.n;
	struct d_parse_config cfg = {.bare = p->bare, .by_id = p->by_id, .macros = &s->macros};
	const char **args = arena_new_array(s->arena, const char *, s->macros.nargs);
	int err = 0;

	t->desc = p->script ? "script" : "description";
	t->name = p->script ? p->text : descriptions_line(s, p->text);
	t->first = s->prog.clauses.n;
	if (p->script)
		err = script_read(s, p->text, src);
	else
		description_read(s, p, src);
	if (err)
		return err;

	/* $0 is the script. */
	memcpy(args, s->cfg->args.v, sizeof(*args) * s->macros.nargs);
	if (p->script)
		args[0] = p->text;
	s->macros.args = args;
	s->macros.default_args = s->cfg->opt.n[SESSION_DEFAULTARGS];

	err = d_parse(&s->prog, src, &cfg, s->diag);
	if (err)
		return err;
	t->n = s->prog.clauses.n - t->first;
	for (size_t i = noptions; i < s->prog.options.n; i++) {
		const struct d_option *o = &s->prog.options.v[i];

		err = pragma_apply(s, o);
		if (err)
			return err;
	}
	return 0;
}

/* An argument that no macro takes is a mistake more often than not: dtrace looks at the last one. */
static int macros_check(struct session *s)
{
	u32 last = s->macros.nargs - 1, used = last;

	if (!last || s->macros.used[last] || s->cfg->opt.n[SESSION_ARGREF] || !s->cfg->programs.n)
		return 0;
	while (used && !s->macros.used[used])
		used--;
	if (used)
		return diag_fail(s->diag, EINVAL, "extraneous argument '%s' ($%u is the last that is used)",
				 s->cfg->args.v[used + 1], used);
	return diag_fail(s->diag, EINVAL, "extraneous argument '%s': the script uses none ($1 ...)",
			 s->cfg->args.v[1]);
}

static void macros_init(struct session *s)
{
	struct d_macros *m = &s->macros;

	m->nargs = (u32)s->cfg->args.n;
	m->used = arena_new_array(s->arena, bool, m->nargs);
	m->pid = getpid();
	m->ppid = getppid();
	m->uid = getuid();
	m->euid = geteuid();
	m->gid = getgid();
	m->egid = getegid();
	m->pgid = getpgid(0);
	m->sid = getsid(0);
}

int session_sources_parse(struct session *s)
{
	macros_init(s);
	for (size_t i = 0; i < s->cfg->programs.n; i++) {
		int err = program_parse(s, &s->cfg->programs.v[i]);

		if (err)
			return err;
	}
	return macros_check(s);
}
