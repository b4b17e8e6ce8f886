// SPDX-License-Identifier: Apache-2.0
/* What the lexer's rules do: places, words, macros, and the two meanings of '/'. */
#include <stdlib.h>
#include <string.h>

#include "d/lex_impl.h"

/* Go to byte `off` of the text, counting lines; a # line that was read takes effect at the line after it. */
struct srcpos d_lex_locate(struct d_parser *p, size_t off, int len)
{
	for (; p->off < off; p->off++) {
		if (p->src->text[p->off] != '\n') {
			p->pos.col++;
			continue;
		}
		p->pos.line++;
		p->pos.col = 1;
		if (p->next_src) {
			p->pos = (struct srcpos){p->next_src, p->next_line, 1};
			p->next_src = NULL;
		}
	}
	p->token_len = (size_t)len;
	return p->pos;
}

const char *d_lex_dup(struct d_parser *p, const char *s)
{
	return arena_strdup(p->prog->arena, s);
}

int d_lex_node(D_YYSTYPE *val, int token, struct d_node *n)
{
	val->node = n;
	return n ? token : D_YYerror;
}

static const struct keyword {
	const char *name;
	int token;
	bool outer;          /* begins a declaration */
	const char *refused; /* known, and not a part of what we have: the message */
} keywords[] = {
    {"self", SELF, true},
    {"this", THIS, true},
    {"sizeof", SIZEOF},
    {"stringof", STRINGOF},
    {"unsigned", UNSIGNED, true},
    {"signed", SIGNED, true},
    {"long", LONG, true},
    {"short", SHORT, true},
    {"int", INT, true},
    {"char", CHAR, true},
    {"const", QUALIFIER, true},
    {"volatile", QUALIFIER, true},
    {"restrict", QUALIFIER, true},
    {"inline", INLINE, true},
    {"typedef", 0, true, "type definitions are not supported yet"},
    {"struct", 0, true, "structures are not supported yet"},
    {"union", 0, true, "unions are not supported yet"},
    {"enum", 0, true, "enumerations are not supported yet"},
    {"translator", 0, true, "translators are not supported yet"},
    {"xlate", 0, false, "translators are not supported yet"},
    {"provider", 0, true, "provider definitions are not supported: they belong to dtrace -h and -G"},
    {"extern", 0, true, "external declarations are not supported"},
    {"static", 0, true, "D variables have no storage class but self and this"},
    {"auto", 0, true, "D variables have no storage class but self and this"},
    {"register", 0, true, "D variables have no storage class but self and this"},
    {"float", 0, true, "D has no floating-point arithmetic"},
    {"double", 0, true, "D has no floating-point arithmetic"},
    {"offsetof", 0, false, "structures are not supported yet"},
    {"if", 0, false, "D has no 'if': use a predicate, or the operator ?:"},
    {"else", 0, false, "D has no 'else': use a predicate, or the operator ?:"},
    {"switch", 0, false, "D has no 'switch': use predicates, or the operator ?:"},
    {"for", 0, false, "D has no loops"},
    {"while", 0, false, "D has no loops"},
    {"do", 0, false, "D has no loops"},
    {"break", 0, false, "D has no loops"},
    {"continue", 0, false, "D has no loops"},
    {"goto", 0, false, "D has no 'goto'"},
    {"return", 0, false, "D has no 'return'"},
};

static const struct keyword *keyword_find(const char *text)
{
	for (size_t i = 0; i < ARRAY_SIZE(keywords); i++)
		if (!strcmp(keywords[i].name, text))
			return &keywords[i];
	return NULL;
}

/* What follows s once white space and comments are skipped. */
static const char *skip_space(const char *s)
{
	for (;;) {
		s += strspn(s, " \t\r\f\v\n");
		if (s[0] != '/' || s[1] != '*')
			return s;

		const char *end = strstr(s + 2, "*/");

		if (!end)
			return s;
		s = end + 2;
	}
}

/* "(name *)": nothing but a cast looks so, to a type that we do not know. Only for a word of the text itself. */
static bool is_cast_to_unknown(const struct d_parser *p, const char *text)
{
	const char *s = p->src->text + p->off;
	size_t n = strlen(text);

	if (n != p->token_len || memcmp(s, text, n))
		return false;
	s = skip_space(s + n);
	if (*s != '*')
		return false;
	while (*s == '*')
		s = skip_space(s + 1);
	return *s == ')';
}

int d_lex_word(struct d_parser *p, D_YYSTYPE *val, const char *text)
{
	const struct keyword *k = p->after_member ? NULL : keyword_find(text);
	const struct d_type *type = p->after_member ? NULL : d_type_by_name(text);

	p->after_member = false;
	val->str = d_lex_dup(p, text);
	if (strchr(text, '`')) {
		d_parser_error(p, p->pos, "variables of the kernel (%s) are not supported", text);
		return D_YYerror;
	}
	if (k && k->refused) {
		d_parser_error(p, p->pos, "%s", k->refused);
		return D_YYerror;
	}
	if (k)
		return k->token;
	if (type) {
		val->type = type;
		return TYPE;
	}
	if (is_cast_to_unknown(p, text)) {
		d_parser_error(p, p->pos, "unknown type '%s'", text);
		return D_YYerror;
	}
	return IDENT;
}

/*
 * A word between clauses is a probe description, unless it begins a declaration: "int x;". As in DTrace, "int*x" is
 * read as a declaration, for a description can be written with a colon. *keep is how much of the text is used.
 */
int d_lex_outer_word(struct d_parser *p, D_YYSTYPE *val, const char *text, int *keep)
{
	size_t head = strcspn(text, "*");
	const char *first = arena_strndup(p->prog->arena, text, head);
	const struct keyword *k = keyword_find(first);

	if (p->cfg->bare == D_DESC_NAME && !p->cfg->by_id && !strpbrk(text, ":-.?!$@[") &&
	    ((k && k->outer) || d_type_by_name(first))) {
		*keep = (int)head;
		p->in_declaration = true;
		return d_lex_word(p, val, first);
	}
	val->desc = d_desc_parse(p, p->pos, text);
	return val->desc ? DESC : D_YYerror;
}

/* The token of a macro argument without quotes: an integer, a name, or else a string. */
static int macro_value(struct d_parser *p, D_YYSTYPE *val, const char *name, const char *text)
{
	const char *digits = text + (*text == '-' || *text == '+');
	size_t len = strlen(text);
	char *end;

	if (*digits >= '0' && *digits <= '9') {
		errno = 0;
		strtoull(digits, &end, 0);
		if (errno == ERANGE) {
			d_parser_error(p, p->pos, "macro argument %s constant %s results in integer overflow", name,
				       text);
			return D_YYerror;
		}
		if (!end[strspn(end, "uUlL")]) {
			struct d_node *n = d_literal_int(p, digits);

			if (n && *text == '-') {
				n->value = (s64)(0 - (u64)n->value);
				n->type =
				    n->value == d_type_wrap(&d_type_int, n->value) ? &d_type_int : &d_type_long;
			}
			return d_lex_node(val, INTEGER, n);
		}
	}
	if (len && !text[strspn(text, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ_0123456789")] &&
	    (*text < '0' || *text > '9'))
		return d_lex_word(p, val, text);
	if (len < 2 || text[0] != '"' || text[len - 1] != '"') {
		text = arena_printf(p->prog->arena, "\"%s\"", text);
		len += 2;
	}
	return d_lex_node(val, STRING, d_literal_string(p, text, len));
}

/* $name, $1: see above. $$name, $$1: its text as a string. */
int d_lex_macro(struct d_parser *p, D_YYSTYPE *val, const char *text)
{
	const char *value = d_macro_text(p, p->pos, text);

	if (!value)
		return D_YYerror;
	if (text[1] != '$')
		return macro_value(p, val, text, value);
	value = arena_printf(p->prog->arena, "\"%s\"", value);
	return d_lex_node(val, STRING, d_literal_string(p, value, strlen(value)));
}

/*
 * '/' divides, and it ends a predicate. As in DTrace the next character tells: no operand begins with '{' or ';' or '/',
 * nor with the end of the text.
 */
int d_lex_slash(struct d_parser *p)
{
	const char *next = skip_space(p->src->text + p->off + 1);

	if (!p->in_predicate || !strchr("{;/", *next))
		return '/';
	p->in_predicate = false;
	if (p->parens || p->brackets) {
		d_parser_error(p, p->pos, "closing %c expected in the predicate before /", p->parens ? ')' : ']');
		return D_YYerror;
	}
	return END_PREDICATE;
}

int d_lex_open(struct d_parser *p, char c)
{
	++*(c == '(' ? &p->parens : &p->brackets);
	if (p->parens + p->brackets > D_MAX_DEPTH) {
		d_parser_error(p, p->pos, "the expression is nested too deeply (at most %d levels)", D_MAX_DEPTH);
		return D_YYerror;
	}
	return c;
}

int d_lex_close(struct d_parser *p, char c)
{
	u32 *n = c == ')' ? &p->parens : &p->brackets;

	*n -= *n > 0;
	return c;
}

int d_lex_bad_char(struct d_parser *p, unsigned char c)
{
	if (c > ' ' && c < 0x7f)
		d_parser_error(p, p->pos, "syntax error near '%c'", c);
	else
		d_parser_error(p, p->pos, "invalid character 0x%02x", c);
	return D_YYerror;
}
