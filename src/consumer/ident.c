// SPDX-License-Identifier: Apache-2.0
/* The names behind an identity word, or the word itself where it has none. */
#include "consumer/consumer_impl.h"

u32 ident_number(u64 ident, char tmp[IDENT_TEXT])
{
	return (u32)snprintf(tmp, IDENT_TEXT, "0x%llx", (unsigned long long)ident);
}

void ident_resolve(struct consumer *c, u64 ident, struct consumer_names *out, char tmp[IDENT_TEXT])
{
	*out = (struct consumer_names){0};
	if (ident && c->cfg.names(c->cfg.arg, ident, out)) {
		ident_number(ident, tmp);
		*out = (struct consumer_names){.func = tmp};
	}

	const char **parts[] = {&out->prov, &out->mod, &out->func, &out->name};

	for (size_t i = 0; i < ARRAY_SIZE(parts); i++)
		if (!*parts[i])
			*parts[i] = "";
}
