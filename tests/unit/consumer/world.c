// SPDX-License-Identifier: Apache-2.0
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "rt/rt.h"
#include "world.h"

#define MAX_PROBES  16
#define MAX_CLAUSES 16
#define MAX_ACTIONS 8
#define MAX_AGGS    8
#define MAX_ELEMS   256
#define MAX_RECORDS 4096

struct elem {
	u8 *key;
	u64 *values; /* value_words for each CPU */
};

struct record {
	void *p;
	size_t size;
};

struct world {
	struct arena *a;
	struct cg_input in;
	struct cg_output cg;
	struct cg_layout layouts[MAX_CLAUSES];
	struct cg_agg aggs[MAX_AGGS];
	struct d_aggregation d_aggs[MAX_AGGS];
	struct elem elems[MAX_AGGS][MAX_ELEMS];
	u32 nelems[MAX_AGGS];
	struct record ring[MAX_RECORDS];
	u32 ring_head, ring_tail;
	struct {
		u64 ident;
		struct consumer_names names;
	} probes[MAX_PROBES];
	u32 nprobes;
	struct cg_state state;
	u32 errors;
	struct diag diag;
	struct strbuf said;
	FILE *out;
	char *text;
	size_t text_len, text_from;
	struct consumer_config cfg;
	struct consumer *c;
};

/* struct exec is opaque: the world stands in its place. */
static struct world *of(struct exec *e)
{
	return (struct world *)e;
}

/* --- the exec ------------------------------------------------------------------------------------- */

int exec_ring_drain(struct exec *e, u32 map, int (*fn)(void *arg, const void *rec, size_t size), void *arg)
{
	struct world *w = of(e);
	int err = 0;

	while (!err && w->ring_head < w->ring_tail) {
		struct record *r = &w->ring[w->ring_head++];

		err = fn(arg, r->p, r->size);
		free(r->p);
		r->p = NULL;
	}
	return err;
}

int exec_map_each(struct exec *e, u32 map,
		  int (*fn)(void *arg, const void *key, const void *values, u32 nvalues, u32 stride), void *arg)
{
	struct world *w = of(e);
	int err = 0;

	for (u32 i = 0; !err && i < w->nelems[map]; i++)
		err = fn(arg, w->elems[map][i].key, w->elems[map][i].values, WORLD_CPUS,
			 w->aggs[map].value_words * 8);
	return err;
}

int exec_map_update(struct exec *e, u32 map, const void *key, const void *values)
{
	struct world *w = of(e);

	for (u32 i = 0; i < w->nelems[map]; i++)
		if (!memcmp(w->elems[map][i].key, key, w->aggs[map].key_size)) {
			memcpy(w->elems[map][i].values, values, w->aggs[map].value_words * 8 * WORLD_CPUS);
			return 0;
		}
	return -ENOENT;
}

void *exec_map_memory(struct exec *e, u32 map)
{
	return &of(e)->state;
}

u32 exec_ncpus(struct exec *e)
{
	return WORLD_CPUS;
}

/* --- making and ending --------------------------------------------------------------------------------- */

static int names(void *arg, u64 ident, struct consumer_names *out)
{
	struct world *w = arg;

	for (u32 i = 0; i < w->nprobes; i++)
		if (w->probes[i].ident == ident) {
			*out = w->probes[i].names;
			return 0;
		}
	return -ENOENT;
}

static void error(void *arg, u32 epid, u32 action, u32 fault, u64 value)
{
	struct world *w = arg;

	w->errors++;
}

static void hear(void *arg, enum diag_level level, const char *text)
{
	struct world *w = arg;

	strbuf_puts(&w->said, text);
}

struct world *world_new(void)
{
	struct world *w = calloc(1, sizeof(*w));

	w->a = arena_new();
	w->in.arena = w->a;
	w->cg.layouts = w->layouts;
	w->cg.aggs = w->aggs;
	w->cg.map_ring = w->cg.map_state = 99;
	w->diag.sink = hear;
	w->diag.arg = w;
	w->out = open_memstream(&w->text, &w->text_len);
	w->cfg = (struct consumer_config){.in = &w->in,
					  .cg = &w->cg,
					  .exec = (struct exec *)w,
					  .out = w->out,
					  .diag = &w->diag,
					  .arg = w,
					  .names = names,
					  .error = error,
					  .opt = {.strsize = 256}};
	return w;
}

void world_free(struct world *w)
{
	consumer_free(w->c);
	for (u32 i = w->ring_head; i < w->ring_tail; i++)
		free(w->ring[i].p);
	fclose(w->out);
	free(w->text);
	strbuf_free(&w->said);
	for (u32 i = 0; i < MAX_AGGS; i++)
		for (u32 j = 0; j < w->nelems[i]; j++) {
			free(w->elems[i][j].key);
			free(w->elems[i][j].values);
		}
	arena_free(w->a);
	free(w);
}

struct consumer_options *world_options(struct world *w)
{
	return &w->cfg.opt;
}

u64 world_probe(struct world *w, u32 fid, u32 id, const char *prov, const char *mod, const char *func,
		const char *name)
{
	u64 ident = CG_IDENT(fid, id);

	assert_true(w->nprobes < MAX_PROBES);
	w->probes[w->nprobes].ident = ident;
	w->probes[w->nprobes++].names = (struct consumer_names){prov, mod, func, name};
	return ident;
}

struct cg_state *world_state(struct world *w)
{
	return &w->state;
}

struct cg_output *world_output(struct world *w)
{
	return &w->cg;
}

u32 world_errors(struct world *w)
{
	return w->errors;
}

void world_writes_to(struct world *w, FILE *f)
{
	w->cfg.out = f;
}

struct consumer *world_consumer(struct world *w)
{
	if (!w->c) {
		assert_int_equal(consumer_new(&w->c, &w->cfg), 0);
		consumer_begin(w->c);
	}
	return w->c;
}

static const char *text(struct world *w)
{
	fflush(w->out);
	return w->text + w->text_from;
}

const char *world_drain(struct world *w)
{
	assert_int_equal(consumer_drain(world_consumer(w)), 0);
	return text(w);
}

const char *world_end(struct world *w)
{
	assert_int_equal(consumer_end(world_consumer(w)), 0);
	return text(w);
}

const char *world_said(struct world *w)
{
	return w->said.s ? w->said.s : "";
}

void world_forget(struct world *w)
{
	fflush(w->out);
	w->text_from = w->text_len;
	strbuf_free(&w->said);
}

/* --- layouts ------------------------------------------------------------------------------------------------ */

static struct cg_field *make_fields(struct world *w, const char *spec, u32 *off, u32 *n)
{
	struct cg_field *f = arena_new_array(w->a, struct cg_field, strlen(spec) + 1);

	*n = 0;
	while (*spec) {
		static const enum cg_field_kind kinds[128] = {
		    ['s'] = CG_STRING, ['b'] = CG_BYTES, ['f'] = CG_IDENTITY, ['p'] = CG_IDENTITY, ['t'] = CG_TEXT};
		struct cg_field *x = &f[(*n)++];
		char *end;

		x->kind = kinds[(int)*spec]; /* d, u: CG_INT */
		x->is_signed = *spec == 'd';
		x->builtin = *spec == 'p' ? D_BUILTIN_PROBEPROV : D_BUILTIN_PROBEFUNC;
		x->size = (u32)strtoul(spec + 1, &end, 10);
		x->off = *off;
		*off += ALIGN_UP(x->size, 8u);
		spec = end;
		while (*spec == ' ')
			spec++;
	}
	return f;
}

u32 world_clause(struct world *w)
{
	struct cg_layout *l = &w->layouts[w->in.nenablings++];

	assert_true(w->in.nenablings <= MAX_CLAUSES);
	l->prints_line = true;
	l->size = sizeof(struct cg_record);
	l->actions = arena_new_array(w->a, struct cg_action, MAX_ACTIONS);
	return w->in.nenablings;
}

struct d_stmt *world_action(struct world *w, u32 epid, enum d_action action, const char *fields, const char *fmt)
{
	struct cg_layout *l = &w->layouts[epid - 1];
	struct cg_action *a = &l->actions[l->nactions++];
	struct d_stmt *st = arena_new_array(w->a, struct d_stmt, 1);

	assert_true(l->nactions <= MAX_ACTIONS);
	st->kind = D_STMT_ACTION;
	st->action = action;
	st->arg = arena_new_array(w->a, struct d_node *, MAX_AGGS + 1);
	if (fmt)
		st->format = world_format(w->a, fmt);
	a->stmt = st;
	a->fields = make_fields(w, fields, &l->size, &a->nfields);
	return st;
}

static struct d_node *add_arg(struct world *w, struct d_stmt *st, enum d_op op)
{
	st->arg[st->narg] = arena_new_array(w->a, struct d_node, 1);
	st->arg[st->narg]->op = op;
	return st->arg[st->narg++];
}

void world_names_aggs(struct world *w, struct d_stmt *st, u32 n, ...)
{
	va_list ap;

	va_start(ap, n);
	while (n--)
		add_arg(w, st, D_AGGREF)->agg = &w->d_aggs[va_arg(ap, u32)];
	va_end(ap);
}

void world_names_constant(struct world *w, struct d_stmt *st, s64 value)
{
	add_arg(w, st, D_CONST)->value = value;
}

/* Enough of the language's own format parser. */
const struct d_format *world_format(struct arena *a, const char *fmt)
{
	struct d_format *f = arena_new_array(a, struct d_format, 1);

	f->conv = arena_new_array(a, struct d_conv, strlen(fmt) + 1);
	while (*fmt) {
		struct d_conv *c = &f->conv[f->n++];
		const char *start = fmt;

		c->width = c->prec = -1;
		if (*fmt != '%' || fmt[1] == '%') {
			start += *fmt == '%';
			fmt = start + 1 + strcspn(start + 1, "%");
			c->text = start;
			c->ntext = (u32)(fmt - start);
			continue;
		}
		for (fmt++; *fmt && strchr("-+ 0#'@", *fmt); fmt++) {
			c->minus |= *fmt == '-';
			c->plus |= *fmt == '+';
			c->space |= *fmt == ' ';
			c->zero |= *fmt == '0';
			c->alt |= *fmt == '#';
			c->group |= *fmt == '\'';
			c->agg |= *fmt == '@';
		}
		if (*fmt == '*') {
			c->width_star = true;
			fmt++;
		} else if (isdigit((u8)*fmt)) {
			c->width = (int)strtol(fmt, (char **)&fmt, 10);
		}
		if (*fmt == '.' && fmt[1] == '*') {
			c->prec_star = true;
			fmt += 2;
		} else if (*fmt == '.') {
			c->prec = (int)strtol(fmt + 1, (char **)&fmt, 10);
		}
		for (; *fmt == 'h' || *fmt == 'l'; fmt++)
			c->size = *fmt == 'l' ? 8 : c->size ? 1 : 2;
		if (*fmt == '@') {
			c->agg = true;
			fmt++;
		}
		c->conv = *fmt++;
	}
	return f;
}

/* --- records -------------------------------------------------------------------------------------------------- */

void world_raw(struct world *w, const void *rec, size_t size)
{
	struct record *r = &w->ring[w->ring_tail++];

	assert_true(w->ring_tail <= MAX_RECORDS);
	r->p = malloc(size ? size : 1); /* of the very size: a read past it is seen */
	r->size = size;
	if (size)
		memcpy(r->p, rec, size);
}

static void put_field(u8 *base, const struct cg_field *f, va_list *ap)
{
	u8 *p = base + f->off;
	u64 n;
	const char *s;

	switch (f->kind) {
	case CG_STRING:
	case CG_BYTES:
		s = va_arg(*ap, const char *);
		if (f->kind == CG_BYTES)
			memcpy(p, s, f->size);
		else
			strncpy((char *)p, s, f->size);
		break;
	case CG_TEXT: /* identity; then text */
		n = va_arg(*ap, u64);
		s = va_arg(*ap, const char *);
		memcpy(p, &n, 8);
		strncpy((char *)p + 8, s, f->size - 8);
		break;
	default: n = (u64)va_arg(*ap, long long); memcpy(p, &n, f->size);
	}
}

void world_fire(struct world *w, u32 epid, u32 cpu, u32 tid, u64 ident, ...)
{
	const struct cg_layout *l = &w->layouts[epid - 1];
	u8 *rec = calloc(1, l->size);
	struct cg_record r = {.epid = epid, .cpu = cpu, .tid = tid, .pid = tid, .ident = ident};
	va_list ap;

	memcpy(rec, &r, sizeof(r));
	va_start(ap, ident);
	for (u32 i = 0; i < l->nactions; i++)
		for (u32 j = 0; j < l->actions[i].nfields; j++)
			put_field(rec, &l->actions[i].fields[j], &ap);
	va_end(ap);
	world_raw(w, rec, l->size);
	free(rec);
}

void world_fault(struct world *w, u32 epid, u64 ident, u32 code, u32 action, u64 value)
{
	struct {
		struct cg_record r;
		struct cg_fault f;
	} rec = {{.epid = epid | CG_FAULT, .ident = ident}, {code, action, value}};

	world_raw(w, &rec, sizeof(rec));
}

/* --- aggregations ----------------------------------------------------------------------------------------------- */

u32 world_agg(struct world *w, enum d_aggfunc func, const char *keys, s64 p0, s64 p1, s64 p2, s64 p3)
{
	u32 id = w->cg.naggs++;
	struct d_aggregation *d = &w->d_aggs[id];
	struct cg_agg *g = &w->aggs[id];

	assert_true(id < MAX_AGGS);
	*d = (struct d_aggregation){.name = "_", .id = id, .func = func, .param = {p0, p1, p2, p3}};
	*g = (struct cg_agg){.agg = d, .map = id};
	g->keys = make_fields(w, keys, &g->key_size, &g->nkeys);
	d->nkeys = g->nkeys;

	u32 words[D_NAGGFUNCS] = {
	    [D_AGGFUNC_COUNT] = 1,
	    [D_AGGFUNC_SUM] = 2,
	    [D_AGGFUNC_MIN] = 2,
	    [D_AGGFUNC_MAX] = 2,
	    [D_AGGFUNC_AVG] = 2,
	    [D_AGGFUNC_STDDEV] = 4,
	    [D_AGGFUNC_QUANTIZE] = 1 + RT_QUANTIZE_BUCKETS,
	};

	if (func == D_AGGFUNC_LQUANTIZE)
		words[func] = (u32)(1 + (p1 - p0) / p2 + 2);
	if (func == D_AGGFUNC_LLQUANTIZE)
		words[func] = (u32)(1 + rt_llquantize_buckets(p0, p1, p2, p3));
	g->value_words = words[func];
	return id;
}

static u64 *element(struct world *w, u32 agg, u32 cpu, va_list *ap)
{
	const struct cg_agg *g = &w->aggs[agg];
	u8 *key = calloc(1, g->key_size + 1);
	u32 i;

	for (i = 0; i < g->nkeys; i++)
		put_field(key, &g->keys[i], ap);
	for (i = 0; i < w->nelems[agg]; i++)
		if (!memcmp(w->elems[agg][i].key, key, g->key_size))
			break;
	if (i == w->nelems[agg]) {
		assert_true(i < MAX_ELEMS);
		w->nelems[agg]++;
		w->elems[agg][i].key = malloc(g->key_size + 1);
		memcpy(w->elems[agg][i].key, key, g->key_size);
		w->elems[agg][i].values = calloc(g->value_words * WORLD_CPUS, 8);
	}
	free(key);
	return w->elems[agg][i].values + (size_t)cpu * g->value_words;
}

static void add(struct world *w, u32 agg, u64 *v, s64 value, s64 times)
{
	const struct d_aggregation *d = &w->d_aggs[agg];
	unsigned __int128 squares;
	u64 flip = d->func == D_AGGFUNC_MIN ? RT_MIN_FLIP : RT_MAX_FLIP;

	v[0] += (u64)times;
	switch (d->func) {
	case D_AGGFUNC_COUNT: break;
	case D_AGGFUNC_SUM:
	case D_AGGFUNC_AVG: v[1] += (u64)(value * times); break;
	case D_AGGFUNC_MIN:
	case D_AGGFUNC_MAX:
		if (((u64)value ^ flip) > v[1])
			v[1] = (u64)value ^ flip;
		break;
	case D_AGGFUNC_STDDEV:
		v[1] += (u64)(value * times);
		squares =
		    ((unsigned __int128)v[3] << 64 | v[2]) + (unsigned __int128)((__int128)value * value) * times;
		v[2] = (u64)squares;
		v[3] = (u64)(squares >> 64);
		break;
	case D_AGGFUNC_QUANTIZE: v[1 + rt_quantize_bucket(value)] += (u64)times; break;
	case D_AGGFUNC_LQUANTIZE:
		v[1 + rt_lquantize_bucket(value, d->param[0], d->param[1], d->param[2])] += (u64)times;
		break;
	default:
		v[1 + rt_llquantize_bucket(value, d->param[0], d->param[1], d->param[2], d->param[3])] +=
		    (u64)times;
	}
}

void world_add(struct world *w, u32 agg, u32 cpu, s64 value, ...)
{
	va_list ap;

	va_start(ap, value);
	add(w, agg, element(w, agg, cpu, &ap), value, 1);
	va_end(ap);
}

void world_add_times(struct world *w, u32 agg, u32 cpu, s64 value, s64 times, ...)
{
	va_list ap;

	va_start(ap, times);
	add(w, agg, element(w, agg, cpu, &ap), value, times);
	va_end(ap);
}

void world_put(struct world *w, u32 agg, const void *key, const u64 *words, size_t n)
{
	const struct cg_agg *g = &w->aggs[agg];
	size_t nvalues = (size_t)g->value_words * WORLD_CPUS;
	struct elem *e = &w->elems[agg][w->nelems[agg]++];

	assert_true(w->nelems[agg] <= MAX_ELEMS);
	e->key = malloc(g->key_size ? g->key_size : 1);
	memcpy(e->key, key, g->key_size);
	e->values = malloc(nvalues * sizeof(*e->values));
	for (size_t i = 0; i < nvalues; i++)
		e->values[i] = words[i % n];
}
