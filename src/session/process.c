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
	err = python_start(&s->child, argv, &s->child_target, &s->child_python, s->diag);
	s->child_is_python = !err;
	/* Any other program can be traced as well, only not by the python provider. */
	return err == -ENOENT && s->child ? 0 : err;
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
