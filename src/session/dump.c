// SPDX-License-Identifier: Apache-2.0
/* What the compiler made, for who wants to see it: -x dump=STAGE, -S, -v. */
#include <errno.h>
#include <string.h>

#include "session/session_impl.h"

int session_dump(struct session *s)
{
	const char *stage = s->cfg->opt.text[SESSION_DUMP];
	struct strbuf b = {0};
	int err = 0;

	if (!stage)
		stage = "insns"; /* -S */
	if (!strcmp(stage, "tree"))
		d_dump(&b, &s->prog);
	else if (!strcmp(stage, "ir"))
		cg_dump_ir(&b, &s->in);
	else
		cg_dump_insns(&b, &s->cg);
	if (b.failed)
		err = diag_fail(s->diag, ENOMEM, "out of memory");
	else if (b.s)
		fwrite(b.s, 1, b.len, s->out);
	strbuf_free(&b);
	return err ? err : session_flush(s, 0);
}

void session_explain(struct session *s)
{
	for (size_t i = 0; s->cg.why && i < s->enablings.n; i++)
		if (s->cg.why[i])
			diag_report(s->diag, DIAG_NOTE, NOWHERE, "%s", s->cg.why[i]);
	session_scope_explain(s);
}
