// SPDX-License-Identifier: Apache-2.0
/* Between the lexer and the grammar. */
#ifndef PYDTRACE_LEX_IMPL_H
#define PYDTRACE_LEX_IMPL_H

#include "d/parser_impl.h"
#include "grammar.h" /* generated: tokens, D_YYSTYPE, D_YYLTYPE */

int d_yylex(D_YYSTYPE *val, D_YYLTYPE *loc, struct d_parser *p);
int d_lex_start(struct d_parser *p);
void d_lex_stop(struct d_parser *p);

/*
 * lex_word.c: what the lexer's rules do. Each answers with a token; D_YYerror: reported.
 */
struct srcpos d_lex_locate(struct d_parser *p, size_t off, int len);
int d_lex_word(struct d_parser *p, D_YYSTYPE *val, const char *text);
int d_lex_outer_word(struct d_parser *p, D_YYSTYPE *val, const char *text, int *keep);
int d_lex_macro(struct d_parser *p, D_YYSTYPE *val, const char *text);
int d_lex_node(D_YYSTYPE *val, int token, struct d_node *n);
int d_lex_slash(struct d_parser *p);
int d_lex_open(struct d_parser *p, char c);
int d_lex_close(struct d_parser *p, char c);
int d_lex_bad_char(struct d_parser *p, unsigned char c);
const char *d_lex_dup(struct d_parser *p, const char *s);

#endif
