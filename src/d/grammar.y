%{
// SPDX-License-Identifier: Apache-2.0
/* The grammar of D. */
#include <string.h>

#include "d/lex_impl.h"

/* The place of a rule is that of its first symbol. */
#define YYLLOC_DEFAULT(cur, rhs, n) ((cur) = YYRHSLOC(rhs, (n) ? 1 : 0))
#define MAX_STARS		    8
#define NEW(type)		    arena_new_array(p->prog->arena, type, 1)

/* Take what was built; NULL: it was reported, and that is the end. */
#define TAKE(to, x)	     \
	do {		     \
		if (!((to) = (x))) \
			YYABORT; \
	} while (0)
#define UNARY(to, op, at, a)	 TAKE(to, d_node_op(p, op, at, 1, a))
#define BINARY(to, op, at, a, b) TAKE(to, d_node_op(p, op, at, 2, a, b))

static void d_yyerror(D_YYLTYPE *loc, struct d_parser *p, const char *msg);
%}

%code requires {
#include "d/parser_impl.h"
}

%require "3.6"
%define api.pure full
%define api.prefix {d_yy}
%define api.location.type {struct srcpos}
%define parse.error custom
%locations
%expect 0
%param { struct d_parser *p }

%union {
	struct d_node *node;
	struct d_list *list;
	struct d_desc *desc;
	struct d_descs *descs;
	struct d_stmts *stmts;
	struct d_typewords words;
	struct d_types *types;
	const struct d_type *type;
	const char *str;
	enum d_op op;
	enum d_scope scope;
	u32 count;
}

%token <desc> DESC
%token <str> IDENT AGG
%token <node> INTEGER STRING
%token <type> TYPE
%token <op> ASSIGN_OP
%token INLINE SELF THIS SIZEOF STRINGOF UNSIGNED SIGNED LONG SHORT INT CHAR QUALIFIER
%token END_PREDICATE ARROW LOR LAND LXOR EQ NE LE GE SHL SHR INC DEC

%type <node> expr assign cond lor lxor land or xor and equality relation shift sum product cast unary postfix primary
%type <list> args
%type <descs> descs
%type <stmts> stmts
%type <words> words word
%type <type> type_name base_type
%type <types> types
%type <scope> scope
%type <count> stars

%%

program	: items
	| items descs					{ d_clause_add(p, $2, NULL, NULL); }
	;
items	: %empty
	| items clause
	| items declaration
	| items ';'
	;

/* --- clauses */

clause	: descs ';'					{ d_clause_add(p, $1, NULL, NULL); }
	| descs '{' stmts '}'				{ d_clause_add(p, $1, NULL, $3); }
	| descs '/' expr END_PREDICATE '{' stmts '}'	{ d_clause_add(p, $1, $3, $6); }
	| descs '/' expr END_PREDICATE			{
			d_parser_error(p, @4, "actions { } are expected after the probe description and predicate");
			YYABORT;
		}
	;
descs	: DESC						{ $$ = NEW(struct d_descs); *vec_push(p->prog->arena, &$$->v) = *$1; }
	| descs ',' DESC				{ $$ = $1; *vec_push(p->prog->arena, &$$->v) = *$3; }
	;
stmts	: %empty					{ $$ = NEW(struct d_stmts); }
	| expr						{ $$ = NEW(struct d_stmts); d_stmt_add(p, $$, @1, $1); }
	| stmts ';'					{ $$ = $1; }
	| stmts ';' expr				{ $$ = $1; d_stmt_add(p, $$, @3, $3); }
	;

/* --- declarations: int x; self string s, t; int a[string, int]; inline int DEBUG = 1; */

declaration
	: declared declarators ';'
	| INLINE base_type stars IDENT '=' assign ';'	{
			p->decl_scope = D_GLOBAL;
			p->decl_type = $2;
			d_decl_add(p, @4, $3, $4, NULL)->value = $6;
		}
	;
declared
	: base_type					{ p->decl_scope = D_GLOBAL; p->decl_type = $1; }
	| scope base_type				{ p->decl_scope = $1; p->decl_type = $2; }
	| scope						{ p->decl_scope = $1; p->decl_type = &d_type_int; }
	;
scope	: SELF						{ $$ = D_THREAD; }
	| THIS						{ $$ = D_CLAUSE; }
	;
declarators
	: declarator
	| declarators ',' declarator
	;
declarator
	: stars IDENT					{ d_decl_add(p, @2, $1, $2, NULL); }
	| stars IDENT '[' types ']'			{ d_decl_add(p, @2, $1, $2, $4); }
	| stars IDENT '[' expr ']'			{
			d_parser_error(p, @3, "arrays of a fixed size are not supported: an array has types as keys, as in a[int]");
			YYABORT;
		}
	;
types	: type_name					{ $$ = NEW(struct d_types); *vec_push(p->prog->arena, &$$->v) = $1; }
	| types ',' type_name				{ $$ = $1; *vec_push(p->prog->arena, &$$->v) = $3; }
	;

type_name
	: base_type stars				{ $$ = d_type_add_stars(p, $1, $2); }
	;
stars	: %empty					{ $$ = 0; }
	| stars star					{
			$$ = $1 + 1;
			if ($$ > MAX_STARS) {
				d_parser_error(p, @2, "a type has too many '*' (at most %d)", MAX_STARS);
				YYABORT;
			}
		}
	;
star	: '*'
	| '*' QUALIFIER
	;
base_type
	: words						{
			$$ = d_type_from_words(&$1);
			if (!$$) {
				d_parser_error(p, @1, "these words do not make a type");
				YYABORT;
			}
		}
	;
words	: word
	| words word					{ $$ = $1; d_typewords_join(&$$, &$2); }
	;
word	: TYPE						{ $$ = (struct d_typewords){ .named = $1 }; }
	| INT						{ $$ = (struct d_typewords){ .nint = 1 }; }
	| CHAR						{ $$ = (struct d_typewords){ .nchar = 1 }; }
	| LONG						{ $$ = (struct d_typewords){ .nlong = 1 }; }
	| SHORT						{ $$ = (struct d_typewords){ .nshort = 1 }; }
	| SIGNED					{ $$ = (struct d_typewords){ .nsigned = 1 }; }
	| UNSIGNED					{ $$ = (struct d_typewords){ .nunsigned = 1 }; }
	| QUALIFIER					{ $$ = (struct d_typewords){ 0 }; }
	;

/* --- expressions; the place of a binary operator's node is the operator */

args	: assign					{ $$ = NEW(struct d_list); *vec_push(p->prog->arena, &$$->v) = $1; }
	| args ',' assign				{ $$ = $1; *vec_push(p->prog->arena, &$$->v) = $3; }
	;
primary	: IDENT						{ $$ = d_node_name(p, D_VAR, @1, $1, D_GLOBAL); }
	| SELF ARROW IDENT				{ $$ = d_node_name(p, D_VAR, @1, $3, D_THREAD); }
	| THIS ARROW IDENT				{ $$ = d_node_name(p, D_VAR, @1, $3, D_CLAUSE); }
	| AGG						{ $$ = d_node_name(p, D_AGGREF, @1, $1, D_GLOBAL); }
	| INTEGER
	| STRING
	| '(' expr ')'					{ $$ = $2; }
	;
postfix	: primary
	| IDENT '(' ')'					{ TAKE($$, d_node_call(p, @1, $1, NULL)); }
	| IDENT '(' args ')'				{ TAKE($$, d_node_call(p, @1, $1, $3)); }
	| postfix '[' args ']'				{ TAKE($$, d_node_index(p, @2, $1, $3)); }
	| postfix '.' IDENT				{ TAKE($$, d_node_member(p, @2, $1, $3)); }
	| postfix ARROW IDENT				{ TAKE($$, d_node_member(p, @2, $1, $3)); }
	| postfix INC					{ UNARY($$, D_POSTINC, @2, $1); }
	| postfix DEC					{ UNARY($$, D_POSTDEC, @2, $1); }
	;
unary	: postfix
	| INC unary					{ UNARY($$, D_PREINC, @1, $2); }
	| DEC unary					{ UNARY($$, D_PREDEC, @1, $2); }
	| '-' cast					{ UNARY($$, D_NEG, @1, $2); }
	| '+' cast					{ UNARY($$, D_PLUS, @1, $2); }
	| '~' cast					{ UNARY($$, D_BITNOT, @1, $2); }
	| '!' cast					{ UNARY($$, D_NOT, @1, $2); }
	| '*' cast					{ UNARY($$, D_DEREF, @1, $2); }
	| '&' cast					{
			d_parser_error(p, @1, "the address of a variable cannot be taken");
			YYABORT;
		}
	| SIZEOF unary					{ UNARY($$, D_SIZEOF, @1, $2); }
	| SIZEOF '(' type_name ')'			{ $$ = d_node_sizeof(p, @1, $3); }
	| STRINGOF unary				{ TAKE($$, d_node_cast(p, @1, &d_type_string, $2)); }
	;
cast	: unary
	| '(' type_name ')' cast			{ TAKE($$, d_node_cast(p, @1, $2, $4)); }
	;
product	: cast
	| product '*' cast				{ BINARY($$, D_MUL, @2, $1, $3); }
	| product '/' cast				{ BINARY($$, D_DIV, @2, $1, $3); }
	| product '%' cast				{ BINARY($$, D_MOD, @2, $1, $3); }
	;
sum	: product
	| sum '+' product				{ BINARY($$, D_ADD, @2, $1, $3); }
	| sum '-' product				{ BINARY($$, D_SUB, @2, $1, $3); }
	;
shift	: sum
	| shift SHL sum					{ BINARY($$, D_SHL, @2, $1, $3); }
	| shift SHR sum					{ BINARY($$, D_SHR, @2, $1, $3); }
	;
relation
	: shift
	| relation '<' shift				{ BINARY($$, D_LT, @2, $1, $3); }
	| relation '>' shift				{ BINARY($$, D_GT, @2, $1, $3); }
	| relation LE shift				{ BINARY($$, D_LE, @2, $1, $3); }
	| relation GE shift				{ BINARY($$, D_GE, @2, $1, $3); }
	;
equality
	: relation
	| equality EQ relation				{ BINARY($$, D_EQ, @2, $1, $3); }
	| equality NE relation				{ BINARY($$, D_NE, @2, $1, $3); }
	;
and	: equality
	| and '&' equality				{ BINARY($$, D_AND, @2, $1, $3); }
	;
xor	: and
	| xor '^' and					{ BINARY($$, D_XOR, @2, $1, $3); }
	;
or	: xor
	| or '|' xor					{ BINARY($$, D_OR, @2, $1, $3); }
	;
land	: or
	| land LAND or					{ BINARY($$, D_LAND, @2, $1, $3); }
	;
lxor	: land
	| lxor LXOR land				{ BINARY($$, D_LXOR, @2, $1, $3); }
	;
lor	: lxor
	| lor LOR lxor					{ BINARY($$, D_LOR, @2, $1, $3); }
	;
cond	: lor
	| lor '?' expr ':' cond				{ TAKE($$, d_node_op(p, D_COND, @2, 3, $1, $3, $5)); }
	;
assign	: cond
	| unary '=' assign				{ TAKE($$, d_node_assign(p, D_CONST, @2, $1, $3)); }
	| unary ASSIGN_OP assign			{ TAKE($$, d_node_assign(p, $2, @2, $1, $3)); }
	;
expr	: assign
	| expr ',' assign				{ BINARY($$, D_COMMA, @2, $1, $3); }
	;

%%

/* What bison itself says: its stack is full (at YYMAXDEPTH) or there is no memory for it. */
static void d_yyerror(D_YYLTYPE *loc, struct d_parser *p, const char *msg)
{
	d_parser_error(p, *loc, "the expression is nested too deeply (at most %d levels)", D_MAX_DEPTH);
}

/* A syntax error; all that is known is the token that does not fit. What the lexer refused was reported by it. */
static int yyreport_syntax_error(const yypcontext_t *ctx, struct d_parser *p)
{
	yysymbol_kind_t token = yypcontext_token(ctx);

	if (token == YYSYMBOL_YYEOF)
		d_parser_error(p, d_lex_locate(p, p->off + p->token_len, 0), "syntax error at the end of the text");
	else
		d_parser_error(p, p->pos, "syntax error near '%.*s'", (int)(p->token_len < 40 ? p->token_len : 40),
			       p->src->text + p->off);
	return 0;
}
