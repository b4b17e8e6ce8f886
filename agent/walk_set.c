// SPDX-License-Identifier: Apache-2.0
/* Sets of 64-bit numbers, by open addressing. Memory of the kernel's, as large as they need. */
#include "walk_impl.h"

#define SIZE_FIRST 8192
#define SIZE_MAX_  (1u << 22) /* 32 MB */

int walk_set_init(struct walk_set *s)
{
	*s = (struct walk_set){.v = agent_map(SIZE_FIRST * sizeof(*s->v)), .mask = SIZE_FIRST - 1};
	return s->v ? 0 : -ENOMEM;
}

void walk_set_free(struct walk_set *s)
{
	if (s->v)
		agent_unmap(s->v, (s->mask + (size_t)1) * sizeof(*s->v));
	*s = (struct walk_set){0};
}

static uint64_t *place(const struct walk_set *s, uint64_t key, uint64_t low)
{
	uint64_t i = (key & ~low) * 0x9e3779b97f4a7c15ull >> 32;

	while (s->v[i & s->mask] && (s->v[i & s->mask] ^ key) & ~low)
		i++;
	return &s->v[i & s->mask];
}

/* Twice the size. */
static bool grow(struct walk_set *s, uint64_t low)
{
	struct walk_set bigger = {.mask = s->mask * 2 + 1, .used = s->used};

	if (bigger.mask >= SIZE_MAX_)
		return false;
	bigger.v = agent_map((bigger.mask + (size_t)1) * sizeof(*bigger.v));
	if (!bigger.v)
		return false;
	for (uint32_t i = 0; i <= s->mask; i++)
		if (s->v[i])
			*place(&bigger, s->v[i], low) = s->v[i];
	walk_set_free(s);
	*s = bigger;
	return true;
}

uint64_t *walk_set_find(struct walk_set *s, uint64_t key, uint64_t low)
{
	uint64_t *at = place(s, key, low);

	if (*at || s->used < (s->mask + 1) / 4 * 3)
		return at;
	return grow(s, low) ? place(s, key, low) : NULL;
}
