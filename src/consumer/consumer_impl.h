// SPDX-License-Identifier: Apache-2.0
/*
 * Inside the consumer. The way of a record:
 *
 *   ring --record.c--> firing, values for each action ----> sink
 *   maps --agg*.c----> entries, merged; rows, sorted -----> sink
 *
 * Everything right of the arrows is plain C values; a sink never sees a layout, a map or a buffer.
 */
#ifndef PYDTRACE_CONSUMER_IMPL_H
#define PYDTRACE_CONSUMER_IMPL_H

#include "consumer/consumer.h"

/* --- identities (ident.c) ------------------------------------------------------------------------ */

#define IDENT_TEXT 20 /* bytes for "0x", 16 digits and a NUL */

/* Its number as text; returns the length. */
u32 ident_number(u64 ident, char tmp[IDENT_TEXT]);
/* Names of an identity, none of them NULL; of one that cannot be resolved its number, written to `tmp`. */
void ident_resolve(struct consumer *c, u64 ident, struct consumer_names *out, char tmp[IDENT_TEXT]);

/* --- values (value.c) ---------------------------------------------------------------------------- */

enum value_kind { VALUE_INT, VALUE_STRING, VALUE_BYTES };

struct value {
	enum value_kind kind;
	u8 size;         /* VALUE_INT: bytes of its type */
	bool is_signed;  /* VALUE_INT */
	bool is_literal; /* the script says it: a constant, or a macro argument */
	u64 num;         /* VALUE_INT: extended to 64 bits as its sign says */
	const char *str; /* VALUE_STRING, VALUE_BYTES: len bytes, not terminated; NULL: they stand in tmp */
	u32 len;
	char tmp[IDENT_TEXT]; /* text of an identity that has no name: its number */
};

static inline const char *value_text(const struct value *v)
{
	return v->str ? v->str : v->tmp;
}

/*
 * How a value is printed as text. Only the script's author is trusted with what a terminal obeys: a constant is printed as
 * it stands there. Text from a variable, a function or a name of the probe may come from a traced process. `raw`: -x rawbytes.
 */
static inline enum text_form value_form(const struct value *v, bool raw)
{
	return raw || v->is_literal ? TEXT_RAW : TEXT_PRINTABLE;
}

/*
 * Decode one field of a record or key at `base`, `size` bytes long. 0, or -EINVAL when the field does not lie in
 * it. Strings point into `base`, into the names and into the literals: as long as those stay, so does the value.
 */
int value_decode(struct consumer *c, const struct cg_field *f, const void *base, size_t size, struct value *out);
/* -1, 0 or 1: integers by size and sign of their type, text by its bytes. */
int value_compare(const struct value *a, const struct value *b);

/* --- firings and their place in the flow (flow.c) ---------------------------------------------------- */

enum flow { FLOW_NONE, FLOW_ENTRY, FLOW_RETURN };

/* One firing of one enabling, as a sink sees it. */
struct firing {
	u32 cpu, epid, id, pid, tid;
	u64 timestamp;
	struct consumer_names names;
	char tmp[IDENT_TEXT];
	enum flow flow; /* with -F only */
	u32 indent;     /* columns */
};

/* How deep each thread stands in its calls. */
struct flow_table;
struct flow_table *flow_new(void); /* NULL: no memory */
void flow_free(struct flow_table *t);
/* Set f->flow and f->indent; `next`: the thread's next record, NULL when it is not known. */
void flow_place(struct flow_table *t, struct firing *f, const struct cg_record *r, const struct cg_record *next);

/* --- aggregations (agg*.c) ----------------------------------------------------------------------------- */

/* What is known of one key. */
struct agg_entry {
	struct agg_entry *next; /* in its hash chain */
	struct agg_store *store;
	u8 *key; /* as in the map: what keys[] points into */
	struct value *keys;
	char *name; /* keys[] as bytes: equal name, equal text */
	size_t name_len;
	u64 *raw;  /* as last read from the maps, all CPUs and all keys of that text merged */
	u64 *base; /* what clear() and trunc() took away */
	u64 *now;  /* raw less base: what is printed */
	s64 normal;
	bool present;     /* in the map: a name that is resolved late leaves its number behind */
	bool gone;        /* truncated, and not updated since */
	bool reset;       /* its value in the map is to be zeroed (min, max: they cannot be subtracted) */
	long double rank; /* value for sorting, and the second one for ties */
	s64 rank2;
};

struct agg_store {
	const struct cg_agg *cg;
	struct agg_entry **table;
	size_t ntable, n;
	u64 seen; /* the drain in which it was last read */
	bool printed;
};

/* One line of output: the key, and for each aggregation that is printed its value. */
struct agg_row {
	const struct agg_entry *key;
	const struct agg_entry **v; /* nv */
	u32 nv;
};

struct agg_rows {
	struct agg_row *row;
	size_t n;
	const struct agg_entry **cells; /* the rows' v[] */
	struct agg_entry *zero;         /* shown where an aggregation has not the key; one for each aggregation */
	u64 *zero_words;
};

/* A store, still empty, for each aggregation of the script. 0 or -ENOMEM: agg_free() all the same. */
int agg_new(struct consumer *c);
void agg_free(struct consumer *c);
/* Read the maps of aggregation `id`, once a drain. 0 or -errno. */
int agg_read(struct consumer *c, u32 id);
/* What a script asks to forget (agg_forget.c); each reads first. 0 or -errno. */
int agg_clear(struct consumer *c, u32 id);
int agg_trunc(struct consumer *c, u32 id, s64 keep); /* > 0: the highest, < 0: the lowest that many */
int agg_normalize(struct consumer *c, u32 id, s64 by);

/* The rows of the aggregations ids[0..n), joined by key and sorted as the options say. 0 or -errno. */
int agg_rows(struct consumer *c, const u32 *ids, u32 n, struct agg_rows *out);
void agg_rows_free(struct agg_rows *r);
/* The entry of a map's key. `make`: create it when it is new. 0 (*out NULL: there is none), or -errno. */
int agg_entry_of(struct consumer *c, struct agg_store *s, const void *key, bool make, struct agg_entry **out);
/* Call fn with each entry, present or not. */
void agg_each(struct agg_store *s, void (*fn)(struct agg_entry *e));
/* Is it to be printed? */
static inline bool agg_is_shown(const struct agg_entry *e)
{
	return e->present && !e->gone;
}
/* The entry of that name, present or not; NULL. */
struct agg_entry *agg_find(const struct agg_store *s, const char *name, size_t len);
/* Compute rank and rank2 of an entry, for sorting by value (agg_rank.c). */
void agg_rank(struct agg_entry *e);
/* Entries of one store that are not gone, by value rising, then by key, whatever the options are; free() it. */
struct agg_entry **agg_by_value(struct agg_store *s, size_t *n);

/* What there is to know of an aggregating function. */
struct agg_func {
	void (*merge)(u64 *to, const u64 *from, u32 n);
	void (*less)(u64 *now, const u64 *raw, const u64 *base, u32 n); /* NULL: it cannot be subtracted */
	u32 min_words;                                                  /* a map's value has at least that many */
};
const struct agg_func *agg_func(const struct agg_store *s);
/* The one number that count, sum, min, max, avg and stddev come to, divided by `normal`. */
s64 agg_number(const struct agg_entry *e, s64 normal);
/* quantize(), lquantize(), llquantize(): rows of their own, and no number. */
bool agg_is_distribution(const struct agg_entry *e);
/* Of the four words that stddev() keeps, as a whole number. */
u64 agg_stddev(const u64 *words, s64 normal);

/* --- text ------------------------------------------------------------------------------------------------ */

/* Where printf() and printa() take their arguments from. */
struct format_args {
	const struct value *v;
	u32 nv;
	const struct agg_row *row; /* printa(): what %@ shows; NULL */
	bool raw;                  /* -x rawbytes */
};
void format_print(struct strbuf *out, const struct d_format *f, const struct format_args *args); /* format.c */

/* The rows of a quantize(), lquantize() or llquantize(), with their header (quantize.c). */
void quantize_print(struct strbuf *out, const struct agg_entry *e);

/* --- sinks ------------------------------------------------------------------------------------------------ */

struct sink;

struct sink_ops {
	const char *name;
	int (*open)(struct sink **out, FILE *f, const struct consumer_options *opt);
	void (*close)(struct sink *s);
	/* One firing: begin, what its actions print, end. */
	void (*begin)(struct sink *s, const struct firing *f);
	void (*trace)(struct sink *s, const struct value *v);
	void (*printf)(struct sink *s, const struct d_format *f, const struct value *v, u32 nv);
	void (*printa)(struct sink *s, const struct d_format *f_or_null, const struct agg_rows *rows);
	void (*end)(struct sink *s);
	/* After the last record: once, and then each aggregation that no printa() has printed. */
	void (*finish)(struct sink *s);
	void (*aggregation)(struct sink *s, const struct agg_rows *rows);
	/* Write what has gathered. 0 or the first -errno that writing met. */
	int (*flush)(struct sink *s);
};
extern const struct sink_ops sink_text;

/* --- the consumer ------------------------------------------------------------------------------------------ */

/* A record that waits for its successor (-F looks ahead), `size` bytes after it. */
struct queued {
	struct queued *next;
	size_t size;
	_Alignas(8) u8 rec[];
};

struct consumer {
	struct consumer_config cfg;
	const struct sink_ops *ops;
	struct sink *sink;
	struct agg_store *aggs; /* cfg.cg->naggs */
	struct flow_table *flow;
	struct queued *head, **tail;
	size_t taken;       /* bytes of ring that this drain took */
	struct value *args; /* room for the fields of the widest action */
	u32 *ids;           /* room for the aggregations of the widest printa() */
	u64 drain;          /* number of the running consumer_drain(); maps are read once in each */
	bool exited;
	int status;
	u64 undecoded, undecoded_told; /* records that fit no layout */
	u64 drops_told[4];
};

/* Take one record: print what it says. `next`: its thread's next one, for -F. 0 or -errno (record.c). */
int record_take(struct consumer *c, const void *rec, size_t size, const struct cg_record *next);

#endif
