// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz the consumer with records and map elements that are any bytes, below clauses with each kind of field and action,
 * and aggregations of each function. The world of its unit tests is around it.
 */
#include <stdlib.h>

#include "../unit/consumer/world.h"
#include "consumer/consumer_impl.h"
#include "fuzz.h"

const struct fuzz_hints fuzz_hints = {.max = 4096};

static const struct {
	enum d_aggfunc func;
	const char *keys;
	s64 p[4];
} aggs[] = {
    {D_AGGFUNC_COUNT, "f8 t24", {0}}, {D_AGGFUNC_SUM, "d4", {0}},
    {D_AGGFUNC_MIN, "s16 u1", {0}},   {D_AGGFUNC_MAX, "", {0}},
    {D_AGGFUNC_AVG, "d8", {0}},       {D_AGGFUNC_STDDEV, "d1", {0}},
    {D_AGGFUNC_QUANTIZE, "", {0}},    {D_AGGFUNC_LQUANTIZE, "p8", {-10, 10, 5, 0}},
};
enum { NAGGS = ARRAY_SIZE(aggs) };

static void make_clauses(struct world *w, const u32 *ids)
{
	static const enum d_action on_aggs[] = {D_ACTION_CLEAR, D_ACTION_TRUNC, D_ACTION_NORMALIZE,
						D_ACTION_DENORMALIZE};
	u32 e = world_clause(w);

	world_action(w, e, D_ACTION_TRACE, "b16", NULL);
	world_action(w, e, D_ACTION_PRINTF, "d2 d1 s16 t24 f8 p8 u8 d1", "%*.*s %S %s %s %Y %C");
	world_action(w, e, D_ACTION_EXIT, "d4", NULL);
	e = world_clause(w);
	world_action(w, e, D_ACTION_TRACE, "s16 d8 u4 f8 t24 b7", NULL);
	for (u32 i = 0; i < NAGGS; i++) {
		u32 c = world_clause(w);

		for (size_t k = 0; k < ARRAY_SIZE(on_aggs); k++)
			if (i % ARRAY_SIZE(on_aggs) == k)
				world_names_aggs(w, world_action(w, c, on_aggs[k], "d8", NULL), 1, ids[i]);
		world_names_aggs(w, world_action(w, c, D_ACTION_PRINTA, "", i & 1 ? "%@d\n" : NULL), 1, ids[i]);
	}
}

static void put_element(struct world *w, u32 agg, struct fuzz_in *in)
{
	u8 key[64], how = (u8)fuzz_take(in, 1);
	u64 values[WORLD_CPUS * 256];

	for (size_t i = 0; i < sizeof(key); i++)
		key[i] = i < 24 ? (u8)fuzz_take(in, 1) : 0;
	for (size_t i = 0; i < ARRAY_SIZE(values); i++)
		values[i] = i < 8 || how & 1 ? fuzz_take(in, how & 2 ? 8 : 1) : how & 4 ? ~0ull >> (how >> 4) : 0;
	world_put(w, agg, key, values, ARRAY_SIZE(values));
}

static void put_record(struct world *w, struct fuzz_in *in)
{
	u64 rec[24] = {0};
	u8 how = (u8)fuzz_take(in, 1);
	u32 epid = (u32)fuzz_take(in, how & 1 ? 4 : 1);
	size_t size = sizeof(rec);

	for (size_t i = 0; i < ARRAY_SIZE(rec); i++)
		rec[i] = fuzz_take(in, how & 2 ? 8 : 1);
	if (how & 4)
		size = fuzz_take(in, 1) % sizeof(rec);
	if (how & 8)
		epid |= CG_FAULT;
	memcpy(rec, &epid, sizeof(epid));
	world_raw(w, rec, size);
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct world *w = world_new();
	struct fuzz_in in = {data, size};
	u8 mode = (u8)fuzz_take(&in, 1);
	u32 ids[NAGGS];

	world_options(w)->flowindent = mode & 1;
	world_options(w)->quiet = mode & 2;
	world_options(w)->aggsortkey = mode & 4;
	world_options(w)->aggsortrev = mode & 8;
	world_options(w)->aggsortkeypos = mode >> 6;
	world_probe(w, 0, 1, "syscall", "", "read", "entry");
	world_probe(w, 2, 3, "python1", "mod", "f", "function-return");
	for (u32 i = 0; i < NAGGS; i++)
		ids[i] = world_agg(w, aggs[i].func, aggs[i].keys, aggs[i].p[0], aggs[i].p[1], aggs[i].p[2],
				   aggs[i].p[3]);
	make_clauses(w, ids);
	for (int n = 0; in.n && n < 200; n++) {
		u8 what = (u8)fuzz_take(&in, 1);

		if (what % 8 < 3)
			put_element(w, ids[(what >> 3) % NAGGS], &in);
		else
			put_record(w, &in);
		if (what % 8 == 7)
			consumer_drain(world_consumer(w));
	}
	consumer_drain(world_consumer(w));
	consumer_end(world_consumer(w));
	world_free(w);
	return 0;
}
