// SPDX-License-Identifier: Apache-2.0
/* The stages of a run, and the way out of all of them. */
#include <errno.h>
#include <string.h>
#include <unistd.h>

#include "session/session_impl.h"

static int check_asked(struct session *s)
{
	if (s->cfg->mode == SESSION_TRACE && !s->cfg->opt.text[SESSION_DUMP] && !s->cfg->programs.n)
		return diag_fail(s->diag, EINVAL, "no probes specified");
	return 0;
}

static int compile(struct session *s)
{
	const char *dump = s->cfg->opt.text[SESSION_DUMP];
	int err = session_plan_resolve(s);

	if (err || (dump && !strcmp(dump, "tree")))
		return err;
	err = session_enable(s);
	if (err || (dump && !strcmp(dump, "ir")))
		return err;
	return cg_generate(&s->in, &s->cg, s->diag);
}

/* Compiled: now do what was asked for. */
static int act(struct session *s)
{
	if (s->cfg->opt.text[SESSION_DUMP])
		return session_dump(s);
	if (s->cfg->dump_insns) {
		int err = session_dump(s);

		if (err)
			return err;
	}
	if (s->cfg->opt.n[SESSION_VERBOSE])
		session_explain(s);
	if (s->cfg->mode == SESSION_COMPILE)
		return 0;

	int err = session_scope_check(s);

	return err ? err : session_trace(s);
}

static int run(struct session *s)
{
	static int (*const stages[])(struct session *) = {
	    check_asked,           session_exec_force,    session_signals_block, session_processes_open,
	    session_sources_parse, session_signals_input, session_child_follow,  session_providers_open,
	    session_plan_expand,   session_exec_choose,   session_output_open,
	};

	for (size_t i = 0; i < ARRAY_SIZE(stages); i++) {
		int err = stages[i](s);

		if (err)
			return err;
	}
	if (s->cfg->mode == SESSION_LIST)
		return session_list(s);

	int err = compile(s);

	return err ? err : act(s);
}

int session_run(struct session_config *cfg, struct diag *diag)
{
	struct session s = {
	    .cfg = cfg,
	    .diag = diag,
	    .arena = cfg->arena,
	    .out = stdout,
	    .exec_lack = bpf_caps_lack,
	    .prog = {.arena = cfg->arena},
	    .signals = -1,
	    .null = -1,
	};
	int err = run(&s);

	session_signals_stop(&s); /* it looks at the state that exec_close() unmaps */
	consumer_free(s.consumer);
	exec_close(s.exec);
	session_providers_close(&s);
	session_processes_close(&s);
	err = session_output_close(&s, err);
	session_signals_close(&s);
	if (!err)
		return s.status;
	if (!diag->errors && err != -EPIPE)
		diag_fail(diag, -err, "%s", strerror(-err));
	return 1;
}
