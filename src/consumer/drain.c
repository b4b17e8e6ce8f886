// SPDX-License-Identifier: Apache-2.0
/* The consumer from its beginning to its end: what its parts share, the drains of the ring, and the last lines. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "consumer/consumer_impl.h"

/* --- its life ------------------------------------------------------------------------------------------ */

/* How many values and aggregations the widest action has. */
static void widest(const struct consumer_config *cfg, u32 *nfields, u32 *nargs)
{
	*nfields = *nargs = 1;
	for (u32 i = 0; i < cfg->in->nenablings; i++) {
		const struct cg_layout *l = &cfg->cg->layouts[i];

		for (u32 j = 0; j < l->nactions; j++) {
			if (l->actions[j].nfields > *nfields)
				*nfields = l->actions[j].nfields;
			if (l->actions[j].stmt->narg > *nargs)
				*nargs = l->actions[j].stmt->narg;
		}
	}
}

int consumer_new(struct consumer **out, const struct consumer_config *cfg)
{
	struct consumer *c = calloc(1, sizeof(*c));
	u32 nfields, nargs;
	int err = -ENOMEM;

	if (!c)
		goto out;
	c->cfg = *cfg;
	c->ops = &sink_text;
	c->tail = &c->head;
	widest(cfg, &nfields, &nargs);
	c->args = calloc(nfields, sizeof(*c->args));
	c->ids = calloc(nargs, sizeof(*c->ids));
	if (cfg->opt.flowindent)
		c->flow = flow_new();
	if (!c->args || !c->ids || (cfg->opt.flowindent && !c->flow))
		goto out;
	err = agg_new(c);
	if (!err)
		err = c->ops->open(&c->sink, cfg->out, &c->cfg.opt);
out:
	if (err) {
		consumer_free(c);
		return diag_fail(cfg->diag, -err, "cannot make the consumer: %s", strerror(-err));
	}
	*out = c;
	return 0;
}

void consumer_free(struct consumer *c)
{
	if (!c)
		return;
	for (struct queued *q = c->head, *next; q; q = next) {
		next = q->next;
		free(q);
	}
	if (c->sink)
		c->ops->close(c->sink);
	agg_free(c);
	flow_free(c->flow);
	free(c->args);
	free(c->ids);
	free(c);
}

/* --- draining -------------------------------------------------------------------------------------------- */

/*
 * With -F what a record is depends on what comes next in its thread, so a drain's records are first all queued. Far
 * down the queue it no longer matters: clauses of one firing follow one another.
 */
static const struct cg_record *successor(const struct queued *q)
{
	const struct cg_record *r = (const struct cg_record *)q->rec;
	int far = 256;

	if (q->size < sizeof(*r))
		return NULL;
	for (const struct queued *n = q->next; n && far; n = n->next, far--) {
		const struct cg_record *s = (const struct cg_record *)n->rec;

		if (n->size >= sizeof(*s) && s->tid == r->tid && !(s->epid & CG_FAULT))
			return s;
	}
	return NULL;
}

static int queue(struct consumer *c, const void *rec, size_t size)
{
	struct queued *q = malloc(sizeof(*q) + size);

	if (!q)
		return -ENOMEM;
	q->next = NULL;
	q->size = size;
	memcpy(q->rec, rec, size);
	*c->tail = q;
	c->tail = &q->next;
	return 0;
}

static int take_queued(struct consumer *c)
{
	int err = 0;

	while (c->head) {
		struct queued *q = c->head;

		if (!err)
			err = record_take(c, q->rec, q->size, successor(q));
		c->head = q->next;
		free(q);
	}
	c->tail = &c->head;
	return err;
}

/*
 * Called for each record. Ends the drain (with 1) when it has taken as much as the ring can hold: what was there
 * when it began. Programs that fill the ring faster than we empty it must not keep us here for ever.
 */
static int take(void *arg, const void *rec, size_t size)
{
	struct consumer *c = arg;
	const struct cg_output *cg = c->cfg.cg;
	u32 ring = cg->map_ring < cg->image.nmaps ? cg->image.maps[cg->map_ring].max_entries : 0;
	int err = c->flow ? queue(c, rec, size) : record_take(c, rec, size, NULL);

	c->taken += ALIGN_UP(size, 8) + 8; /* the ring's own header */
	return err ? err : ring && c->taken >= ring;
}

int consumer_drain(struct consumer *c)
{
	int err, werr;

	c->drain++;
	c->taken = 0;
	err = exec_ring_drain(c->cfg.exec, c->cfg.cg->map_ring, take, c);
	if (err > 0)
		err = 0;
	if (c->flow) {
		int qerr = take_queued(c);

		err = err ? err : qerr;
	}
	werr = c->ops->flush(c->sink);
	return err ? err : werr;
}

void consumer_begin(struct consumer *c)
{
	c->drain++;
}

bool consumer_exited(const struct consumer *c, int *status)
{
	if (c->exited)
		*status = c->status;
	return c->exited;
}

/* --- the end ------------------------------------------------------------------------------------------------ */

int consumer_end(struct consumer *c)
{
	u32 n = c->cfg.cg->naggs;
	int err = 0, werr;

	c->drain++; /* read the maps again */
	c->ops->finish(c->sink);
	for (u32 i = 0; i < n && !err; i++) {
		u32 id = c->cfg.opt.aggsortrev ? n - 1 - i : i;
		struct agg_rows rows;

		if (c->aggs[id].printed)
			continue;
		err = agg_rows(c, &id, 1, &rows);
		if (!err)
			c->ops->aggregation(c->sink, &rows);
		agg_rows_free(&rows);
	}
	werr = c->ops->flush(c->sink);
	consumer_report_drops(c);
	return err ? err : werr;
}
