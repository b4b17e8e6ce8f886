// SPDX-License-Identifier: Apache-2.0
/*
 * Another pydtrace that lives in the same process: both work, but they must not attach or detach at the same moment (lock.c),
 * since they share the place of the stub.
 */
#include <string.h>

#include "python/python_impl.h"

bool python_others_there(const struct python *p)
{
	struct stub_ctl c;

	for (size_t i = 0; i < p->maps.n; i++)
		if (p->maps.v[i].end != p->target_page + p->map_size && python_ctl_read(p->t, &p->maps.v[i], &c))
			return true;
	return false;
}
