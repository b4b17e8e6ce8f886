// SPDX-License-Identifier: Apache-2.0
/* Probe descriptions: provider:module:function:name, read from the right. */
#include <string.h>

#include "d/parser_impl.h"

static bool is_word(char c)
{
	return (c >= '0' && c <= '9') || (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z') || c == '_';
}

/* The text with its macros replaced; a '$' that no word follows stands for itself. NULL: reported. */
static const char *expand(struct d_parser *p, struct srcpos pos, const char *text)
{
	struct arena *a = p->prog->arena;
	const char *out = "", *s = text, *from = text;

	while ((s = strchr(s, '$'))) {
		const char *word = s + strspn(s, "$"), *end = word, *value;

		while (is_word(*end) && (*word > '9' || *end <= '9'))
			end++;
		if (end == word) {
			s = word;
			continue;
		}

		struct srcpos at = {pos.src, pos.line, pos.col + (u32)(s - text)};

		value = d_macro_text(p, at, arena_strndup(a, s, (size_t)(end - s)));
		if (!value)
			return NULL;
		out = arena_printf(a, "%s%.*s%s", out, (int)(s - from), from, value);
		s = from = end;
	}
	return from == text ? text : arena_printf(a, "%s%s", out, from);
}

static struct d_desc *by_id(struct d_parser *p, struct d_desc *d, const char *text)
{
	s64 id;

	if (parse_s64(text, &id) || id <= 0 || id > UINT32_MAX) {
		d_parser_error(p, d->pos, "'%s' is not the id of a probe", text);
		return NULL;
	}
	d->by_id = true;
	d->id = (u32)id;
	return d;
}

/* How much of "provider:module:function:name" there can be when the last part is the given one. */
static const u8 shape[] = {[D_DESC_PROV] = 8, [D_DESC_MOD] = 15, [D_DESC_FUNC] = 24, [D_DESC_NAME] = 29};

struct d_desc *d_desc_parse(struct d_parser *p, struct srcpos pos, const char *text)
{
	struct d_desc *d = arena_new_array(p->prog->arena, struct d_desc, 1);
	const char **part[] = {&d->prov, &d->mod, &d->func, &d->name};
	int i = (int)p->cfg->bare;

	*d = (struct d_desc){"", "", "", "", .pos = pos};
	bool number = !text[strspn(text, "0123456789")];

	text = expand(p, pos, text);
	if (!text)
		return NULL;
	if (p->cfg->by_id || number)
		return by_id(p, d, text);

	for (const char *end = text + strlen(text);; i--) {
		const char *colon = memrchr(text, ':', (size_t)(end - text));
		const char *s = colon ? colon + 1 : text;

		if (i < 0) {
			d_parser_error(p, pos, "'%s' has too many parts: at most %.*s", text,
				       (int)shape[p->cfg->bare], "provider:module:function:name");
			return NULL;
		}
		*part[i] = arena_strndup(p->prog->arena, s, (size_t)(end - s));
		if (!colon)
			return d;
		end = colon;
	}
}
