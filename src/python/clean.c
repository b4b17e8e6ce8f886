// SPDX-License-Identifier: Apache-2.0
/*
 * A process that was forked with an agent in it, which nobody holds any more. Only code in the process can take that out, so a new
 * agent goes in, which looks for nothing, buries the old one as any attach does (dead.c), and leaves.
 */
#include <errno.h>
#include <string.h>

#include "python/python_impl.h"

static void silent(void *arg, enum diag_level level, const char *text)
{
}

int python_clean(struct target *t, u32 timeout_ms, int cancel_fd)
{
	const struct python_attach_options opt = {.timeout_ms = timeout_ms, .cancel_fd = cancel_fd};
	struct python_plan *plan = python_plan_new(8);
	struct diag quiet = {.sink = silent};
	struct python_info info;
	struct python *p = NULL;
	int ret = plan ? python_find(t, &info, &quiet) : -ENOMEM;

	if (!ret)
		ret = python_attach(&p, t, &info, plan, &opt, &quiet);
	if (!ret)
		ret = python_detach(p, timeout_ms, true, &quiet);
	python_close(p);
	python_plan_free(plan);
	return ret;
}
