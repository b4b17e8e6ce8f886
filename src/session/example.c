// SPDX-License-Identifier: Apache-2.0
/* What works on the process that the user has named, for who has not said what is to be traced in it. */
#include <string.h>

#include "python/python.h"
#include "session/session_impl.h"

static void silent(void *arg, enum diag_level level, const char *text)
{
}

/* What to run on the process; NULL: there is none. */
static const char *script_for(pid_t pid)
{
	struct diag quiet = {.sink = silent};
	struct python_info info;
	struct target *t;
	bool python;

	if (target_open(&t, pid, &quiet))
		return NULL;
	python = !python_find(t, &info, &quiet);
	target_close(t);
	return python ? "python$target:::function-entry { @[copyinstr(arg1)] = count(); }"
		      : "syscall:::entry /pid == $target/ { @[probefunc] = count(); }";
}

const char *session_example(struct session *s)
{
	struct diag quiet = {.sink = silent};
	const char *script;
	pid_t pid;

	if (!s->cfg->pids.n || session_pid_parse(s->cfg->pids.v[0], &pid, &quiet))
		return "";
	script = script_for(pid);
	return script ? arena_printf(s->arena, "; for example: pydtrace -n '%s' -p %d", script, pid) : "";
}
