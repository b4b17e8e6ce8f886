// SPDX-License-Identifier: Apache-2.0
/*
 * Another pydtrace that lives in the same process: both work, but they must not attach or detach at the same moment (lock.c),
 * since they share the place of the stub.
 */
#include <string.h>

#include "python/python_impl.h"

bool python_is_page(const struct target_map *m)
{
	return !m->off && m->prot[3] == 's' &&
	       (!strncmp(m->path, "/memfd:pydtrace-page-", 21) || strstr(m->path, "/.pydtrace-page-"));
}

bool python_others_there(const struct python *p)
{
	for (size_t i = 0; i < p->maps.n; i++)
		if (python_is_page(&p->maps.v[i]) && p->maps.v[i].start != p->target_page)
			return true;
	return false;
}
