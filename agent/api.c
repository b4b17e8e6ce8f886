// SPDX-License-Identifier: Apache-2.0
/* The interpreter's API, resolved by name: the agent is built without Python.h and for all versions at once. */
#include "agent_impl.h"

struct agent_api py;

struct api_row {
	const char *name;
	uint32_t offset; /* in struct agent_api; all members are pointers */
	uint16_t since, until;
};

static const struct api_row rows[] = {
/* `span` is two columns. */
#define X(name, result, args, span) {#name, offsetof(struct agent_api, name), span},
    AGENT_API(X)
#undef X
#define X(name, span) {#name, offsetof(struct agent_api, name), span},
	AGENT_DATA(X)
#undef X
};

_Static_assert(sizeof(struct agent_api) == ARRAY_SIZE(rows) * sizeof(void *), "a row for each member");

int agent_api_resolve(void *(*dlsym)(void *, const char *), void *handle, uint32_t version, const char **missing)
{
	for (size_t i = 0; i < ARRAY_SIZE(rows); i++) {
		const struct api_row *r = &rows[i];
		void *p = dlsym(handle, r->name);

		if (!p && r->since <= version && version <= r->until) {
			*missing = r->name;
			return -ENOENT;
		}
		*(void **)((char *)&py + r->offset) = p;
	}
	return 0;
}
