// SPDX-License-Identifier: Apache-2.0
/* Qualified names for 3.9 and 3.10. */
#include "agent_impl.h"

struct pyobj *qualname_find(struct pyobj *code, struct pyobj *globals)
{
	return NULL;
}
