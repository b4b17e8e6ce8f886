// SPDX-License-Identifier: Apache-2.0
/*
 * What the tests of codegen share: groups of probes that stand for those of providers, and a script compiled for them.
 *
 * BEGIN, END; `test` has 70 probes test:m:f0:hit ... f69, by thread, context: number, arg0 ...; `dyn` has one probe whose function is
 * dynamic: fid, filters, address of the text of probefunc, arg0 ...; `one` has one probe, context: arg0 ... A module
 * field "d*" at dyn stands for what a filter decides: bit 3.
 */
#ifndef CODEGEN_HARNESS_H
#define CODEGEN_HARNESS_H

#include "codegen/codegen.h"
#include "exec/exec.h"

#define NTEST   70
#define MAX_CTX 12

enum { BEGIN, END, TEST, DYN, ONE, NGROUPS };

struct run {
	struct arena *arena;
	struct d_program *prog;
	struct cg_input in;
	struct cg_output out;
	struct diag diag;
	struct strbuf messages, got, want, error;
	struct exec *exec;
	char *text;
};

/* Open an executor (NULL: none), and read the script at `path`. */
void run_open(struct run *r, const char *path, const struct exec_ops *ops);
void run_text(struct run *r, const char *text);
/* Parse, check and generate. 0 or -errno; r->messages says why. */
int run_compile(struct run *r, const char *name);
void run_close(struct run *r);
const struct cg_probe *probe_of(u32 id);
u32 group_by_name(const char *name);

#endif
