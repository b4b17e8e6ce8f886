// SPDX-License-Identifier: Apache-2.0
/* A session for tests: one script, the real providers, no process; what it says is kept. */
#ifndef SESSION_WORLD_H
#define SESSION_WORLD_H

#include "session/session_impl.h"

struct world {
	struct session_config cfg;
	struct session s;
	struct diag diag;
	char last[1024]; /* what was said last */
	char said[4096]; /* all of it */
};

struct world *world_new(const char *text); /* the kernel is chosen */
void world_free(struct world *w);
/* The stages, up to the probes of each clause, and up to programs: 0 or -errno. */
int world_expand(struct world *w);
int world_compile(struct world *w);

#endif
