// SPDX-License-Identifier: Apache-2.0
/* The first stage, text to tree: lex.l and lex_word.c make tokens, grammar.y and build.c make the tree of them. */
#ifndef PYDTRACE_PARSER_IMPL_H
#define PYDTRACE_PARSER_IMPL_H

#include "d/d_impl.h"

/* All that the lexer and the grammar know of one text. Errors: reported once, then `failed` is set. */
struct d_parser {
	struct d_program *prog;
	const struct d_parse_config *cfg;
	struct diag *diag;
	const struct source *src; /* the text that is parsed */
	void *scanner;
	bool failed;

	/* Where the token is: the line and column of byte `off` of the text. */
	size_t off;
	struct srcpos pos;
	size_t token_len;
	const struct source *next_src; /* a # line was read: what begins at the next line, */
	u32 next_line;                 /* which is this one */
	struct srcpos comment;         /* where the comment that is being skipped began */

	/* What the lexer must know of the grammar, for probe descriptions and '/' mean different things in places. */
	u32 parens, brackets;
	bool in_predicate, in_declaration;
	bool after_member; /* -> or . was seen: the next word is a name, whatever it is */
	int comment_in;    /* the state of the lexer before the comment */

	/* The declaration that is being read. */
	enum d_scope decl_scope;
	const struct d_type *decl_type;
};

/* report.c: report the first error only, and return -EINVAL. */
int d_parser_error(struct d_parser *p, struct srcpos pos, const char *fmt, ...) PRINTF_LIKE(3, 4);

/* control.c: a line that begins with '#', without its newline. 0 or -EINVAL. */
int d_control_line(struct d_parser *p, const char *line, size_t len);

/* macro.c: the text that $NAME, $$NAME, $0, $1 ... stands for, in the arena; NULL: reported. */
const char *d_macro_text(struct d_parser *p, struct srcpos pos, const char *name);

/* desc.c: split a description as written; NULL: reported. */
struct d_desc *d_desc_parse(struct d_parser *p, struct srcpos pos, const char *text);

/* literal.c: nodes of literals as written, quotes and all; NULL: reported. */
struct d_node *d_literal_int(struct d_parser *p, const char *text);
struct d_node *d_literal_char(struct d_parser *p, const char *text, size_t len);
struct d_node *d_literal_string(struct d_parser *p, const char *text, size_t len);

/* build.c: what the rules of the grammar build. Nodes: NULL: reported (nested too deeply). */
struct d_list { /* arguments, keys */
	VEC(struct d_node *) v;
};
struct d_types { /* the types of keys */
	VEC(const struct d_type *) v;
};
struct d_stmts {
	VEC(struct d_stmt *) v;
};
struct d_descs {
	VEC(struct d_desc) v;
};
struct d_node *d_node_op(struct d_parser *p, enum d_op op, struct srcpos pos, u32 narg, ...);
struct d_node *d_node_assign(struct d_parser *p, enum d_op op, struct srcpos pos, struct d_node *l,
			     struct d_node *r);
struct d_node *d_node_cast(struct d_parser *p, struct srcpos pos, const struct d_type *type, struct d_node *of);
struct d_node *d_node_name(struct d_parser *p, enum d_op op, struct srcpos pos, const char *name,
			   enum d_scope scope);
struct d_node *d_node_call(struct d_parser *p, struct srcpos pos, const char *name, const struct d_list *args);
struct d_node *d_node_index(struct d_parser *p, struct srcpos pos, struct d_node *base, const struct d_list *args);
struct d_node *d_node_member(struct d_parser *p, struct srcpos pos, struct d_node *base, const char *name);
struct d_node *d_node_sizeof(struct d_parser *p, struct srcpos pos, const struct d_type *type);
void d_stmt_add(struct d_parser *p, struct d_stmts *to, struct srcpos pos, struct d_node *expr);
void d_clause_add(struct d_parser *p, struct d_descs *descs, struct d_node *pred, struct d_stmts *stmts);
struct d_decl *d_decl_add(struct d_parser *p, struct srcpos pos, u32 stars, const char *name, struct d_types *keys);
const struct d_type *d_type_add_stars(struct d_parser *p, const struct d_type *t, u32 stars);

#endif
