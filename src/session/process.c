// SPDX-License-Identifier: Apache-2.0
/* The processes that the user names: -c starts one, -p takes one that runs. */
#include <errno.h>
#include <limits.h>
#include <string.h>

#include "session/session_impl.h"

int session_pid_parse(const char *text, pid_t *out, struct diag *diag)
{
	s64 n;
	int err = parse_s64(text, &n);

	if (err == -EINVAL || *text == '-')
		return diag_fail(diag, EINVAL, "'%s' is not a process ID", text);
	if (err || n < 1 || n > INT_MAX)
		return diag_fail(diag, EINVAL, "process ID %s is out of range", text);
	*out = (pid_t)n;
	return 0;
}

int session_words_split(struct arena *a, const char *text, char ***out, struct diag *diag)
{
	static const char blank[] = " \t\n\v\f\r";
	VEC(char *) words = {0};
	const char *p = text + strspn(text, blank);

	while (*p) {
		char *word = arena_alloc(a, strlen(p) + 1), *to = word;

		for (char quote = 0; *p && (quote || !strchr(blank, *p)); p++) {
			if (*p == quote)
				quote = 0;
			else if (!quote && (*p == '\'' || *p == '"'))
				quote = *p;
			else if (*p == '\\' && quote != '\'' && p[1])
				*to++ = *++p;
			else
				*to++ = *p;
			if (quote && !p[1])
				return diag_fail(diag, EINVAL, "-c '%s': a quote is not closed", text);
		}
		*vec_push(a, &words) = word;
		p += strspn(p, blank);
	}
	if (!words.n)
		return diag_fail(diag, EINVAL, "-c needs a command");
	*vec_push(a, &words) = NULL;
	*out = words.v;
	return 0;
}

static int child_start(struct session *s)
{
	char **argv;
	int err = session_words_split(s->arena, s->cfg->command, &argv, s->diag);

	if (err)
		return err;
	return python_start(&s->child, argv, &s->child_target, s->diag);
}

static bool needs_python(const struct d_desc *d)
{
	for (size_t i = 0; provider_table[i]; i++)
		if (provider_table[i]->needs_python && provider_table[i]->claims(d->prov))
			return true;
	return false;
}

static bool any_needs_python(const struct d_program *prog)
{
	for (size_t i = 0; i < prog->clauses.n; i++)
		for (u32 d = 0; d < prog->clauses.v[i]->ndescs; d++)
			if (needs_python(&prog->clauses.v[i]->descs[d]))
				return true;
	return false;
}

/*
 * Where the script has Python probes, the child goes on to where its Python is ready; else it is traced from its entry
 * point on, whatever it is.
 */
int session_child_follow(struct session *s)
{
	int err;

	if (!s->child || !any_needs_python(&s->prog))
		return 0;
	err = python_follow(s->child, &s->child_python, s->diag);
	s->child_is_python = !err;
	return err == -ENOENT ? 0 : err; /* the python provider says so */
}

int session_processes_open(struct session *s)
{
	for (size_t i = 0; i < s->cfg->pids.n; i++) {
		struct target *t;
		pid_t pid;
		int err = session_pid_parse(s->cfg->pids.v[i], &pid, s->diag);

		if (!err)
			err = target_open(&t, pid, s->diag);
		if (err)
			return err;
		*vec_push(s->arena, &s->grabbed) = t;
		if (!s->macros.target)
			s->macros.target = pid;
	}
	if (s->cfg->command) {
		int err = child_start(s);

		if (err)
			return err;
		s->macros.target = target_pid(s->child_target);
	}
	return 0;
}

void session_processes_close(struct session *s)
{
	int status;

	for (size_t i = 0; i < s->grabbed.n; i++)
		target_close(s->grabbed.v[i]);
	s->grabbed.n = 0;
	if (!s->child)
		return;
	/* As dtrace does: what -c has started ends with the run. */
	python_child_wait(s->child, true, &status);
	s->child = NULL;
	target_close(s->child_target);
	s->child_target = NULL;
}
