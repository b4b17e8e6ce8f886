// SPDX-License-Identifier: Apache-2.0
/* Lines that begin with '#': the interpreter, #pragma D option, and what the C preprocessor leaves behind. */
#include <stdlib.h>
#include <string.h>

#include "d/parser_impl.h"

/* The next word of *s, in the arena; "" at the end. */
static const char *next_word(struct d_parser *p, const char **s)
{
	const char *from = *s + strspn(*s, " \t\f\v\r");
	size_t n = strcspn(from, " \t\f\v\r");

	*s = from + n;
	return arena_strndup(p->prog->arena, from, n);
}

/* #pragma D option name[=value] */
static int pragma_option(struct d_parser *p, const char *s)
{
	const char *text = next_word(p, &s), *eq = strchr(text, '=');
	struct d_option *o;

	if (!*text)
		return d_parser_error(p, p->pos, "#pragma D option needs the name of an option");
	if (*next_word(p, &s))
		return d_parser_error(p, p->pos, "#pragma D option takes one option: name or name=value");
	o = vec_push(p->prog->arena, &p->prog->options);
	o->name = eq ? arena_strndup(p->prog->arena, text, (size_t)(eq - text)) : text;
	o->value = eq ? eq + 1 : NULL;
	o->pos = p->pos;
	/* The one option that the parser itself obeys, from here on. */
	if (!strcmp(o->name, "defaultargs") && p->cfg->macros)
		p->cfg->macros->default_args = true;
	return 0;
}

static int pragma(struct d_parser *p, const char *s)
{
	const char *what;

	if (strcmp(next_word(p, &s), "D"))
		return 0; /* another compiler's, as in C */
	what = next_word(p, &s);
	if (!strcmp(what, "option"))
		return pragma_option(p, s);
	return d_parser_error(p, p->pos, "#pragma D %s is not supported: only #pragma D option is", what);
}

/*
 * # 12 "file.h" ... or #line 12 "file.h": the next line is line 12 of that file. Positions speak of it from here
 * on, through a source of its own that begins at that line.
 */
static int line_marker(struct d_parser *p, const char *s, const char *next)
{
	const char *number = next_word(p, &s), *open = strchr(s, '"'), *close = open ? strchr(open + 1, '"') : NULL;
	const char *end = p->src->text + p->src->len;
	struct source *src;
	s64 line;

	if (parse_s64(number, &line) || line < 0 || line > INT32_MAX)
		return d_parser_error(p, p->pos, "a # line needs a line number");
	src = arena_new_array(p->prog->arena, struct source, 1);
	*src = *p->pos.src;
	if (close)
		src->name = arena_strndup(p->prog->arena, open + 1, (size_t)(close - open - 1));
	p->next_src = src;
	p->next_line = (u32)line;
	if (!line) { /* as gcc says of what it adds before the first line */
		const char *nl = memchr(next, '\n', (size_t)(end - next));

		next = nl ? nl + 1 : end;
		line = 1;
	}
	src->text = next;
	src->len = (size_t)(end - next);
	src->first_line = (u32)line;
	return 0;
}

int d_control_line(struct d_parser *p, const char *line, size_t len)
{
	const char *s = arena_strndup(p->prog->arena, line, len), *word;
	const char *next = line + len + (line[len] == '\n');

	s = strchr(s, '#') + 1;
	if (*s == '!')
		return 0;

	const char *rest = s;

	word = next_word(p, &rest);
	if (!*word || !strcmp(word, "ident"))
		return 0;
	if (!strcmp(word, "pragma"))
		return pragma(p, rest);
	if (!strcmp(word, "line"))
		return line_marker(p, rest, next);
	if (*word >= '0' && *word <= '9')
		return line_marker(p, s, next);
	if (!strcmp(word, "error"))
		return d_parser_error(p, p->pos, "#error:%s", rest);
	return d_parser_error(p, p->pos, "#%s is for the C preprocessor: use -C", word);
}
