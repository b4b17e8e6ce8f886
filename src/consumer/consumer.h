// SPDX-License-Identifier: Apache-2.0
/*
 * From records and aggregation maps to what the user reads. Drains and decodes; a *sink* writes. Sinks see
 * decoded values only, never a buffer: another output (JSON, pictures) is one more sink.
 */
#ifndef PYDTRACE_CONSUMER_H
#define PYDTRACE_CONSUMER_H

#include "codegen/codegen.h"
#include "exec/exec.h"

struct consumer;

struct consumer_options {
	bool quiet;      /* -q: no header, no line of CPU, ID and FUNCTION:NAME */
	bool flowindent; /* -F */
	u32 strsize;
	bool aggsortkey, aggsortrev; /* -x aggsortkey, aggsortrev, aggsortpos, aggsortkeypos */
	u32 aggsortpos, aggsortkeypos;
	bool rawbytes; /* text as it is: nothing is escaped; copyin() always as a dump */
};

/* The names behind an identity word; the strings stay valid until the consumer is freed. */
struct consumer_names {
	const char *prov, *mod, *func, *name;
};

struct consumer_config {
	const struct cg_input *in;
	const struct cg_output *cg;
	struct exec *exec;
	FILE *out;
	struct consumer_options opt;
	struct diag *diag;
	void *arg;
	/* Resolve an identity. 0, or -ENOENT (then it is shown as its number). */
	int (*names)(void *arg, u64 ident, struct consumer_names *out);
	/*
	 * A clause was aborted: fire the ERROR probe with arg1 = epid, arg2 = action, arg3 = 0, arg4 = fault, arg5 = value.
	 * What went wrong has been told on diag by then, also when the script has an ERROR clause, as in dtrace.
	 */
	void (*error)(void *arg, u32 epid, u32 action, u32 fault, u64 value);
};

int consumer_new(struct consumer **out, const struct consumer_config *cfg);
void consumer_free(struct consumer *c);

/* Tracing begins. As in dtrace, the column header comes with the first record, so that aggregations stand alone. */
void consumer_begin(struct consumer *c);
/* Take all records that are there and print what they say. 0, or -errno (-EIO, -ENOSPC ...: the output failed). */
int consumer_drain(struct consumer *c);
/* Did a record ask to exit? Then *status is its argument. */
bool consumer_exited(const struct consumer *c, int *status);
/* An empty line, and the aggregations that no printa() has printed; report drops on diag. After END. 0 or -errno. */
int consumer_end(struct consumer *c);
/* Report the drops since the last call, in dtrace's words ("3 aggregation drops ..."). */
void consumer_report_drops(struct consumer *c);

#endif
