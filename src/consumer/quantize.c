// SPDX-License-Identifier: Apache-2.0
/*
 * Distributions as DTrace draws them: a line for each bucket between the first and the last that hold something, and
 * one to either side; bars of 40 columns, or of 20 to either side when there are positive and negative counts
 * (libdtrace/common/dt_consume.c of illumos).
 */
#include "consumer/consumer_impl.h"
#include "rt/rt.h"

#define BAR     "@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@@"
#define BAR_LEN 40

struct drawing {
	struct strbuf *out;
	const struct agg_entry *e;
	const s64 *bucket;
	u32 n;
	long double total;
	bool positive, negative;
};

/* How a kind of distribution names its buckets. */
struct kind {
	void (*label)(const struct drawing *d, u32 i);
	u32 empty_first, empty_last; /* what is shown when all buckets are empty */
};

static void draw_bar(const struct drawing *d, s64 val)
{
	int len = d->positive && d->negative ? BAR_LEN / 2 : BAR_LEN;
	long double abs = val < 0 ? -(long double)val : (long double)val;
	int bar = d->total ? (int)(abs * len / d->total + 0.5L) : 0;
	s64 shown = d->e->normal == -1 ? (s64)(-(u64)val) : val / (d->e->normal ? d->e->normal : 1);

	if (!d->negative)
		strbuf_printf(d->out, "|%.*s%*s", bar, BAR, len - bar, "");
	else if (!d->positive)
		strbuf_printf(d->out, "%*s%.*s|", len - bar, "", bar, BAR);
	else if (val <= 0)
		strbuf_printf(d->out, "%*s%.*s|%*s", len - bar, "", bar, BAR, len, "");
	else
		strbuf_printf(d->out, "%*s|%.*s%*s", len, "", bar, BAR, len - bar, "");
	strbuf_printf(d->out, " %-9lld\n", (long long)shown);
}

static void draw(struct drawing *d, const struct kind *k)
{
	u32 first = 0, last = d->n - 1;

	while (first < d->n && !d->bucket[first])
		first++;
	if (first == d->n) {
		first = k->empty_first;
		last = k->empty_last < d->n ? k->empty_last : d->n - 1;
	} else {
		while (!d->bucket[last])
			last--;
		if (first > 0)
			first--;
		if (last < d->n - 1)
			last++;
	}

	for (u32 i = first; i <= last; i++) {
		d->positive |= d->bucket[i] > 0;
		d->negative |= d->bucket[i] < 0;
		d->total += d->bucket[i] < 0 ? -(long double)d->bucket[i] : (long double)d->bucket[i];
	}
	strbuf_printf(d->out, "\n%16s %41s %-9s\n", "value", "------------- Distribution -------------", "count");
	for (u32 i = first; i <= last; i++) {
		k->label(d, i);
		draw_bar(d, d->bucket[i]);
	}
}

static void put_label(const struct drawing *d, const char *relation, s64 value)
{
	char s[32];

	snprintf(s, sizeof(s), "%s%lld", relation, (long long)value);
	strbuf_printf(d->out, "%16s ", s);
}

static void label_quantize(const struct drawing *d, u32 i)
{
	put_label(d, "", rt_quantize_bound(i));
}

static void label_lquantize(const struct drawing *d, u32 i)
{
	const s64 *p = d->e->store->cg->agg->param;
	s64 at = (s64)((u64)p[0] + (u64)p[2] * (i ? i - 1 : 0));

	put_label(d, i == 0 ? "< " : i == d->n - 1 ? ">= " : "", at);
}

static void label_llquantize(const struct drawing *d, u32 i)
{
	const s64 *p = d->e->store->cg->agg->param;
	s64 at = rt_llquantize_bound(i ? i : 1, (u64)p[0], (u64)p[1], (u64)p[2], (u64)p[3]);

	put_label(d, i == 0 ? "< " : i == d->n - 1 ? ">= " : "", at);
}

void quantize_print(struct strbuf *out, const struct agg_entry *e)
{
	static const struct kind quantize = {label_quantize, RT_QUANTIZE_ZERO - 1, RT_QUANTIZE_ZERO + 1};
	static const struct kind lquantize = {label_lquantize, 0, 2};
	static const struct kind llquantize = {label_llquantize, 0, 1};
	struct drawing d = {
	    .out = out, .e = e, .bucket = (const s64 *)e->now + 1, .n = e->store->cg->value_words - 1};

	switch (e->store->cg->agg->func) {
	case D_AGGFUNC_QUANTIZE: draw(&d, &quantize); break;
	case D_AGGFUNC_LQUANTIZE: draw(&d, &lquantize); break;
	default: draw(&d, &llquantize); break;
	}
}
