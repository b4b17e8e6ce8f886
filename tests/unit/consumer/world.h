// SPDX-License-Identifier: Apache-2.0
/*
 * A made-up world around the consumer: clauses and aggregations as the code generator would lay them out, an exec
 * whose ring and maps hold what the test put there, and everything that came out.
 */
#ifndef PYDTRACE_TEST_WORLD_H
#define PYDTRACE_TEST_WORLD_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <cmocka.h>

#include "consumer/consumer.h"

#define WORLD_CPUS 4

struct world;

struct world *world_new(void);
void world_free(struct world *w);
struct consumer_options *world_options(struct world *w); /* before the consumer is made */

/* The identity `fid`, `id` has these names. */
u64 world_probe(struct world *w, u32 fid, u32 id, const char *prov, const char *mod, const char *func,
		const char *name);

/* A new clause; returns its EPID. */
u32 world_clause(struct world *w);
/*
 * It gets an action. `fields`: its values, a letter and a size in bytes each: d signed, u unsigned, s string,
 * b bytes, f probefunc, p probeprov, t probefunc or text. `fmt`: a printf format, NULL for none.
 */
struct d_stmt *world_action(struct world *w, u32 epid, enum d_action action, const char *fields, const char *fmt);
/* The action names these aggregations, n of them, and the constant, if there is a constant. */
void world_names_aggs(struct world *w, struct d_stmt *st, u32 n, ...);
void world_names_constant(struct world *w, struct d_stmt *st, s64 value);
const struct d_format *world_format(struct arena *a, const char *fmt);

/* The clause fires; the fields of all its actions follow: long long, u64 or char *. */
void world_fire(struct world *w, u32 epid, u32 cpu, u32 tid, u64 ident, ...);
void world_fault(struct world *w, u32 epid, u64 ident, u32 code, u32 action, u64 value);
void world_raw(struct world *w, const void *rec, size_t size); /* any bytes */

/* A new aggregation; returns its number. `keys` as the fields of actions. */
u32 world_agg(struct world *w, enum d_aggfunc func, const char *keys, s64 p0, s64 p1, s64 p2, s64 p3);
/* Add a value on a CPU, as the program would; the keys follow. */
void world_add(struct world *w, u32 agg, u32 cpu, s64 value, ...);
void world_add_times(struct world *w, u32 agg, u32 cpu, s64 value, s64 times, ...);

/* Any bytes as a new element: key_size of `key`, and `n` words over again as the values of all CPUs. */
void world_put(struct world *w, u32 agg, const void *key, const u64 *words, size_t n);

struct cg_state *world_state(struct world *w);
struct cg_output *world_output(struct world *w);
u32 world_errors(struct world *w); /* times error() was called */
void world_writes_to(struct world *w, FILE *f);

/* The consumer, made at the first call. */
struct consumer *world_consumer(struct world *w);
/* Drain; the text of it, and of what came before. */
const char *world_drain(struct world *w);
const char *world_end(struct world *w);
const char *world_said(struct world *w); /* on diag */
void world_forget(struct world *w);      /* the text so far */

#endif
