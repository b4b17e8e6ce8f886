// SPDX-License-Identifier: Apache-2.0
/* The first stage: text to tree. */
#include <string.h>

#include "d/lex_impl.h"

#define MAX_TEXT (64u << 20) /* bytes of a script; the lexer counts with int */

int d_yyparse(struct d_parser *p);

/* What no script is: nothing at all, too much, or binary. */
static int check_text(struct d_parser *p)
{
	const struct source *src = p->src;
	const char *nul = src->len ? memchr(src->text, '\0', src->len) : NULL;

	if (src->len > MAX_TEXT)
		return d_parser_error(p, (struct srcpos){src}, "the script is too long (at most %u MB)",
				      MAX_TEXT >> 20);
	if (nul) {
		d_lex_locate(p, (size_t)(nul - src->text), 1);
		return d_parser_error(p, p->pos, "invalid character 0x00");
	}
	return 0;
}

int d_parse(struct d_program *prog, const struct source *src, const struct d_parse_config *cfg, struct diag *diag)
{
	struct d_parser p = {
	    .prog = prog,
	    .cfg = cfg,
	    .diag = diag,
	    .src = src,
	    .pos = {src, src->first_line ? src->first_line : 1, 1},
	};
	size_t clauses = prog->clauses.n, decls = prog->decls.n, options = prog->options.n;
	int err = check_text(&p);

	if (err)
		return err;
	if (d_lex_start(&p))
		return d_parser_error(&p, NOWHERE, "out of memory");
	if (d_yyparse(&p))
		err = p.failed ? -EINVAL : d_parser_error(&p, p.pos, "syntax error");
	d_lex_stop(&p);
	if (p.failed)
		return -EINVAL;
	if (!err && clauses == prog->clauses.n && decls == prog->decls.n && options == prog->options.n)
		return d_parser_error(&p, (struct srcpos){src}, "the script is empty: it names no probe");
	return err;
}
