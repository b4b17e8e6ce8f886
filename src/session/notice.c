// SPDX-License-Identifier: Apache-2.0
/*
 * What the user is told where the kernel does not run the programs: which part of the system calls is seen, what that costs,
 * and why it is so. Where none is seen, that is an error.
 */
#include <errno.h>
#include <string.h>

#include "session/session_impl.h"

#define REMEDY "With root or setcap cap_bpf,cap_perfmon,cap_sys_ptrace=ep: by eBPF"

bool session_traces_threads(const struct session *s)
{
	for (size_t i = 0; i < s->used.n; i++)
		if (s->used.v[i]->by_thread)
			return true;
	return false;
}

static bool has_process(const struct session *s)
{
	bool python = false;

	for (size_t i = 0; i < s->used.n; i++)
		python |= s->used.v[i]->provider->needs_python;
	return python || s->child || s->grabbed.n;
}

int session_scope_check(struct session *s)
{
	static const char remedy[] = "name a process with -p or -c";

	if (!s->exec_why || !session_traces_threads(s) || has_process(s))
		return 0;
	if (s->exec_caps)
		return diag_fail(s->diag, EPERM,
				 "system calls of the whole system need %s: run as root (sudo), or %s",
				 s->exec_caps, remedy);
	return diag_fail(s->diag, EPERM, "system calls of the whole system need eBPF (%s): %s", s->exec_why,
			 remedy);
}

/* --- where threads are traced ------------------------------------------------------------------------- */

/* Is it the variable *arg? */
static bool is_var(const void *arg, const struct d_node *n)
{
	return n->op == D_VAR && n->var == *(const struct d_var *const *)arg;
}

/* Does it make the variable *arg 0? */
static bool closes(void *arg, struct d_node *n)
{
	return n->op == D_ASSIGN && n->assign_op == D_CONST && n->arg[1]->op == D_CONST && !n->arg[1]->value &&
	       is_var(arg, n->arg[0]);
}

/* Does it make it something else, as far as one can see? */
static bool opens(void *arg, struct d_node *n)
{
	return (n->op == D_ASSIGN || (n->op >= D_PREINC && n->op <= D_POSTDEC)) && is_var(arg, n->arg[0]) &&
	       !closes(arg, n);
}

/* Is it the name of a Python function: copyinstr(arg1), or probefunc? */
static bool is_function_name(const struct d_node *n)
{
	if (n->op == D_BUILTIN)
		return n->builtin == D_BUILTIN_PROBEFUNC;
	if (n->op != D_CALL || n->subr != D_SUBR_COPYINSTR || n->narg != 1)
		return false;
	n = n->arg[0];
	while (n->op == D_CAST)
		n = n->arg[0];
	return n->op == D_BUILTIN && n->builtin == D_BUILTIN_ARG1;
}

/* The one function at which the clause can come true; NULL: there may be others. */
static const char *function_by_predicate(struct session *s, const struct d_clause *c)
{
	struct d_node **conj;
	u32 n = d_conjuncts(s->arena, c->pred, &conj);

	for (u32 i = 0; i < n; i++) {
		for (u32 side = 0; conj[i]->op == D_EQ && side < 2; side++) {
			const struct d_node *text = conj[i]->arg[!side];

			if (text->op == D_CONST && text->type->kind == D_STRING && *text->str &&
			    is_function_name(conj[i]->arg[side]))
				return text->str;
		}
	}
	return NULL;
}

static const char *function_by_name(const struct d_clause *c)
{
	const char *name = c->descs[0].func;

	for (u32 i = 0; i < c->ndescs; i++)
		if (c->descs[i].by_id || glob_has_magic(c->descs[i].func) || strcmp(c->descs[i].func, name) != 0)
			return NULL;
	return *name ? name : NULL;
}

/* The one Python function at whose entry, or return, the clause runs; NULL: there are others, or it is no such probe. */
static const char *function_of(struct session *s, const struct cg_enabling *e, const char *probe)
{
	const struct provider_group *g = s->used.v[e->group];
	const char *name;

	if (!g->provider->needs_python || strcmp(g->probes.v[0]->name, probe) != 0)
		return NULL;
	name = function_by_predicate(s, e->clause);
	return name ? name : function_by_name(e->clause);
}

/* Is v, which is made other than 0 at the entry of the function, 0 again after its return? */
static bool is_closed(struct session *s, const struct d_var *v, const char *function)
{
	for (size_t i = 0; i < s->enablings.n; i++) {
		const struct cg_enabling *e = &s->enablings.v[i];
		const char *at = function_of(s, e, "function-return");

		if (at && !strcmp(at, function) && d_clause_walk(e->clause, closes, &v))
			return true;
	}
	return false;
}

/* Is v only inside of one function, *name (NULL: of any), other than 0? */
static bool is_inside(struct session *s, const struct d_var *v, const char **name)
{
	for (size_t i = 0; i < s->enablings.n; i++) {
		const struct cg_enabling *e = &s->enablings.v[i];
		const char *at;

		if (!d_clause_walk(e->clause, opens, &v))
			continue;
		at = function_of(s, e, "function-entry");
		if (!at || (*name && strcmp(*name, at) != 0) || !is_closed(s, v, at))
			return false;
		*name = at;
	}
	return true;
}

/* The Python function whose entry alone opens the gate, and whose return closes it; NULL: it is not that simple. */
static const char *only_function(struct session *s)
{
	const char *name = NULL;

	for (u32 i = 0; i < s->cg.ngate; i++)
		if (!is_inside(s, s->cg.gate[i], &name))
			return NULL;
	return name;
}

/* --- what is said ------------------------------------------------------------------------------------ */

static const char *gated_where(struct session *s)
{
	const char *name = only_function(s), *vars = "";

	if (name)
		return arena_printf(s->arena, "only inside %s (exact; about 10 us each there)", name);
	for (u32 i = 0; i < s->cg.ngate; i++)
		vars = arena_printf(s->arena, "%s%sself->%s", vars, i ? " or " : "", s->cg.gate[i]->name);
	return arena_printf(s->arena, "only in threads whose %s is set (exact; about 10 us each there)", vars);
}

static const char *ungated_where(struct session *s)
{
	const struct target *only = s->child_target ? s->child_target : s->grabbed.n ? s->grabbed.v[0] : NULL;

	if (only && s->grabbed.n + (s->child != NULL) == 1)
		return arena_printf(s->arena, "of process %d alone, which stops twice at each (as with strace)",
				    target_pid(only));
	return "of the traced processes alone, which stop twice at each (as with strace)";
}

void session_scope_note(struct session *s)
{
	if (!s->exec_why || s->cfg->opt.n[SESSION_QUIET])
		return;
	if (session_traces_threads(s))
		diag_report(s->diag, DIAG_NOTE, NOWHERE, "%s: system calls by ptrace, %s%s", s->exec_why,
			    s->cg.prog_gate >= 0 ? gated_where(s) : ungated_where(s),
			    s->exec_caps ? ". " REMEDY : "");
	for (size_t i = 0; i < s->used.n; i++)
		if (s->used.v[i]->kind == ASM_CLOCK)
			diag_report(
			    s->diag, DIAG_NOTE, NOWHERE,
			    "%s: %s by the tracer's own clock: it interrupts nobody, and sees only the tracer",
			    s->exec_why, s->used.v[i]->name);
}

/* Also with -q: what the script prints would mislead. */
void session_stop_note(struct session *s, bool stopped, u64 ns)
{
	const char *locals = s->cg.prog_thread_exit >= 0 ? ", and thread-local variables are unset since" : "";
	double seconds = (double)ns / 1e9;

	if (!has_process(s))
		return;
	if (stopped)
		diag_report(s->diag, DIAG_NOTE, NOWHERE,
			    "was stopped for %.1f s: what processes did meanwhile was not seen%s", seconds, locals);
	else
		diag_report(s->diag, DIAG_NOTE, NOWHERE,
			    "was to be stopped, and is not: what processes did for %.1f s was not seen%s", seconds,
			    locals);
}

/* Is a probe of the provider enabled? */
static bool is_used(const struct session *s, const struct provider *p)
{
	for (size_t i = 0; i < s->used.n; i++)
		if (s->used.v[i]->provider == p)
			return true;
	return false;
}

void session_scope_explain(struct session *s)
{
	if (!s->exec_why)
		return;
	for (size_t i = 0; i < s->providers.n; i++)
		if (s->providers.v[i].ops->only_kernel && is_used(s, s->providers.v[i].ops))
			diag_report(s->diag, DIAG_NOTE, NOWHERE, "without eBPF %s",
				    s->providers.v[i].ops->only_kernel);
}
