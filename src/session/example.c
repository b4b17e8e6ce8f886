// SPDX-License-Identifier: Apache-2.0
/* What works on the process that the user has named, for who has not said what is to be traced in it. */
#include <string.h>

#include "python/python.h"
#include "session/session_impl.h"

static void silent(void *arg, enum diag_level level, const char *text)
{
}

static bool is_python(pid_t pid)
{
	struct diag quiet = {.sink = silent};
	struct python_info info;
	struct target *t;
	bool is;

	if (target_open(&t, pid, &quiet))
		return false;
	is = !python_find(t, &info, &quiet);
	target_close(t);
	return is;
}

const char *session_example(struct session *s)
{
	static const char *const scripts[] = {"syscall:::entry /pid == $target/ { @[probefunc] = count(); }",
					      "python$target:::function-entry { @[copyinstr(arg1)] = count(); }"};
	struct diag quiet = {.sink = silent};
	pid_t pid;

	if (!s->cfg->pids.n || session_pid_parse(s->cfg->pids.v[0], &pid, &quiet))
		return "";
	return arena_printf(s->arena, "; for example: pydtrace -n '%s' -p %d", scripts[is_python(pid)], pid);
}
