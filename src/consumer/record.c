// SPDX-License-Identifier: Apache-2.0
/*
 * One record of the ring: a firing with what its actions recorded, or a fault. Each recording action is a row of a
 * table. A record that fits no layout is counted and reported, never read.
 */
#include <errno.h>
#include <string.h>

#include "consumer/consumer_impl.h"

/* What an action works on. */
struct doing {
	struct consumer *c;
	const struct cg_action *a;
	const void *rec;
	size_t size;
};

static int decode_fields(const struct doing *d)
{
	for (u32 i = 0; i < d->a->nfields; i++) {
		int err = value_decode(d->c, &d->a->fields[i], d->rec, d->size, &d->c->args[i]);

		if (err)
			return err;
	}
	return 0;
}

/* The aggregation that clear(), trunc() ... name: their first argument. */
static int agg_of(const struct doing *d, u32 *id)
{
	const struct d_stmt *st = d->a->stmt;

	if (!st->narg || st->arg[0]->op != D_AGGREF || st->arg[0]->agg->id >= d->c->cfg.cg->naggs)
		return -EINVAL;
	*id = st->arg[0]->agg->id;
	return 0;
}

/* Its number: recorded, or a constant of the script, or `otherwise` when there is none. */
static s64 number_of(const struct doing *d, s64 otherwise)
{
	const struct d_stmt *st = d->a->stmt;

	if (d->a->nfields)
		return (s64)d->c->args[0].num;
	for (u32 i = 0; i < st->narg; i++)
		if (st->arg[i]->op == D_CONST)
			return st->arg[i]->value;
	return otherwise;
}

static int do_trace(const struct doing *d)
{
	for (u32 i = 0; i < d->a->nfields; i++)
		d->c->ops->trace(d->c->sink, &d->c->args[i]);
	return 0;
}

static int do_printf(const struct doing *d)
{
	if (d->a->stmt->format)
		d->c->ops->printf(d->c->sink, d->a->stmt->format, d->c->args, d->a->nfields);
	return 0;
}

static int do_printa(const struct doing *d)
{
	const struct d_stmt *st = d->a->stmt;
	struct agg_rows rows;
	u32 n = 0;
	int err;

	for (u32 i = 0; i < st->narg; i++)
		if (st->arg[i]->op == D_AGGREF && st->arg[i]->agg->id < d->c->cfg.cg->naggs)
			d->c->ids[n++] = st->arg[i]->agg->id;
	if (!n)
		return -EINVAL;

	err = agg_rows(d->c, d->c->ids, n, &rows);
	if (err)
		return err;
	d->c->ops->printa(d->c->sink, st->format, &rows);
	for (u32 i = 0; i < n && rows.n; i++)
		d->c->aggs[d->c->ids[i]].printed = true;
	agg_rows_free(&rows);
	return 0;
}

static int do_exit(const struct doing *d)
{
	d->c->exited = true;
	d->c->status = (int)number_of(d, 0);
	return 0;
}

static int do_clear(const struct doing *d)
{
	u32 id;
	int err = agg_of(d, &id);

	return err ? err : agg_clear(d->c, id);
}

static int do_trunc(const struct doing *d)
{
	u32 id;
	int err = agg_of(d, &id);

	return err ? err : agg_trunc(d->c, id, number_of(d, 0));
}

static int do_normalize(const struct doing *d)
{
	s64 by = number_of(d, 1);
	u32 id;
	int err = agg_of(d, &id);

	if (!err && !by) {
		diag_report(d->c->cfg.diag, DIAG_NOTE, d->a->stmt->pos, "normalize() by zero is left undone");
		return 0;
	}
	return err ? err : agg_normalize(d->c, id, by);
}

static int do_denormalize(const struct doing *d)
{
	u32 id;
	int err = agg_of(d, &id);

	return err ? err : agg_normalize(d->c, id, 1);
}

static int (*const actions[D_NACTIONS])(const struct doing *d) = {
    [D_ACTION_TRACE] = do_trace,         [D_ACTION_PRINTF] = do_printf,
    [D_ACTION_PRINTA] = do_printa,       [D_ACTION_EXIT] = do_exit,
    [D_ACTION_CLEAR] = do_clear,         [D_ACTION_TRUNC] = do_trunc,
    [D_ACTION_NORMALIZE] = do_normalize, [D_ACTION_DENORMALIZE] = do_denormalize,
};

/* --- faults --------------------------------------------------------------------------------------------- */

/* dtrace_faultstr() of libdtrace; `with_value`: the value is an address, and worth showing */
static const struct {
	const char *text;
	bool with_value;
} faults[] = {
    [CG_FAULT_UNKNOWN] = {"unknown fault", false},         [CG_FAULT_BADADDR] = {"invalid address", true},
    [CG_FAULT_BADALIGN] = {"invalid alignment", true},     [CG_FAULT_ILLOP] = {"illegal operation", false},
    [CG_FAULT_DIVZERO] = {"divide-by-zero", false},        [CG_FAULT_NOSCRATCH] = {"out of scratch space", false},
    [CG_FAULT_KPRIV] = {"invalid kernel access", false},   [CG_FAULT_UPRIV] = {"invalid user access", false},
    [CG_FAULT_TUPOFLOW] = {"tuple stack overflow", false}, [CG_FAULT_BADSTACK] = {"bad stack", true},
};

static void take_fault(struct consumer *c, const struct cg_record *r, const void *after, size_t size)
{
	u32 epid = r->epid & ~CG_FAULT;
	struct consumer_names n;
	struct cg_fault f;
	char value[32] = "", where[32] = "predicate", ident[IDENT_TEXT];

	if (size < sizeof(f)) {
		c->undecoded++;
		return;
	}
	memcpy(&f, after, sizeof(f));
	u32 code = f.code < ARRAY_SIZE(faults) ? f.code : CG_FAULT_UNKNOWN;

	if (faults[code].with_value)
		snprintf(value, sizeof(value), " (0x%llx)", (unsigned long long)f.value);
	if (f.action)
		snprintf(where, sizeof(where), "action #%u", f.action);
	ident_resolve(c, r->ident, &n, ident);
	c->ops->flush(
	    c->sink); /* on a terminal, what was before comes before; an error is told at the drain's end */
	diag_report(c->cfg.diag, DIAG_NOTE, NOWHERE,
		    "error on enabled probe ID %u (ID %u: %s:%s:%s:%s): %s%s in %s", epid, CG_IDENT_ID(r->ident),
		    n.prov, n.mod, n.func, n.name, faults[code].text, value, where);
	if (c->cfg.error)
		c->cfg.error(c->cfg.arg, epid, f.action, f.code, f.value);
}

/* --- a firing ------------------------------------------------------------------------------------------- */

int record_take(struct consumer *c, const void *rec, size_t size, const struct cg_record *next)
{
	struct cg_record r;
	int err = 0;

	if (size < sizeof(r)) {
		c->undecoded++;
		return 0;
	}
	memcpy(&r, rec, sizeof(r));
	if (r.epid & CG_FAULT) {
		take_fault(c, &r, (const u8 *)rec + sizeof(r), size - sizeof(r));
		return 0;
	}
	if (!r.epid || r.epid > c->cfg.in->nenablings || size < c->cfg.cg->layouts[r.epid - 1].size) {
		c->undecoded++;
		return 0;
	}

	const struct cg_layout *l = &c->cfg.cg->layouts[r.epid - 1];
	struct firing f = {.cpu = r.cpu,
			   .epid = r.epid,
			   .id = CG_IDENT_ID(r.ident),
			   .pid = r.pid,
			   .tid = r.tid,
			   .timestamp = r.timestamp};

	ident_resolve(c, r.ident, &f.names, f.tmp);
	if (c->flow)
		flow_place(c->flow, &f, &r, next);
	if (l->prints_line)
		c->ops->begin(c->sink, &f);
	for (u32 i = 0; i < l->nactions && !err; i++) {
		struct doing d = {c, &l->actions[i], rec, size};
		const struct d_stmt *st = d.a->stmt;

		if (st->kind != D_STMT_ACTION || st->action >= D_NACTIONS || !actions[st->action])
			continue;
		err = decode_fields(&d);
		if (!err)
			err = actions[st->action](&d);
		if (err == -EINVAL) {
			c->undecoded++;
			err = 0;
		}
	}
	if (l->prints_line)
		c->ops->end(c->sink);
	return err;
}
