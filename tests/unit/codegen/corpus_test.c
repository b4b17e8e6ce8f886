// SPDX-License-Identifier: Apache-2.0
/*
 * D scripts that say what they give, run in the vm and in the kernel: corpus/NAME.d holds comments
 *
 *   (slash)*! opt strsize 64 *(slash)      an option of code generation
 *   (slash)*! fire GROUP word ... *(slash) between BEGIN and END: fire the group with this context ("text": an address of it)
 *   (slash)*! expect line *(slash)         what is recorded, in order: the fields of a record with blanks between them;
 *                                          FAULT action code; then aggregations and drops
 *   (slash)*! error text *(slash)          code generation fails and says this
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

/* --- what was recorded, as text ------------------------------------------------------------------- */

static void put_ident(struct run *r, u64 w, enum d_builtin b)
{
	const struct cg_probe *p = probe_of(CG_IDENT_ID(w));

	if (w & CG_LITERAL) {
		assert_true((u32)w < r->out.nliterals);
		strbuf_puts(&r->got, r->out.literals[(u32)w]);
		return;
	}
	assert_non_null(p);
	if (CG_IDENT_FID(w) && (b == D_BUILTIN_PROBEFUNC || b == D_BUILTIN_PROBEMOD))
		strbuf_printf(&r->got, "fid%u", CG_IDENT_FID(w));
	else
		strbuf_puts(&r->got, b == D_BUILTIN_PROBEPROV   ? p->prov
				     : b == D_BUILTIN_PROBEMOD  ? p->mod
				     : b == D_BUILTIN_PROBEFUNC ? p->func
								: p->name);
}

static void put_field(struct run *r, const struct cg_field *f, const char *base)
{
	const char *p = base + f->off;
	s64 v = 0;
	u64 w;

	memcpy(&w, p, 8);
	switch (f->kind) {
	case CG_INT:
		v = (s64)(w << (64 - 8 * f->size));
		v = f->is_signed ? v >> (64 - 8 * f->size) : (s64)((u64)v >> (64 - 8 * f->size));
		strbuf_printf(&r->got, f->is_signed ? "%" PRId64 : "%" PRIu64, v);
		break;
	case CG_IDENTITY: put_ident(r, w, f->builtin); break;
	case CG_TEXT:
		if (w) {
			put_ident(r, w, f->builtin);
			break;
		}
		p += 8;
		/* fallthrough */
	case CG_STRING:
		for (const char *q = p + strlen(p); q < base + f->off + f->size; q++)
			assert_int_equal(*q, 0);
		strbuf_printf(&r->got, "'%s'", p);
		break;
	case CG_BYTES:
		for (u32 i = 0; i < f->size; i++)
			strbuf_printf(&r->got, "%02x", (u8)p[i]);
		break;
	}
}

static int take_record(void *arg, const void *rec, size_t size)
{
	struct run *r = arg;
	const struct cg_record *h = rec;
	const struct cg_layout *l = &r->out.layouts[(h->epid & ~CG_FAULT) - 1];
	const struct cg_fault *f = (const void *)(h + 1);

	if (h->epid & CG_FAULT) {
		assert_int_equal(size, sizeof(*h) + sizeof(*f));
		strbuf_printf(&r->got, "FAULT %u %u\n", f->action, f->code);
		return 0;
	}
	assert_int_equal(size, l->size);
	assert_true(h->timestamp > 0);
	for (u32 a = 0; a < l->nactions; a++) {
		for (u32 i = 0; i < l->actions[a].nfields; i++) {
			strbuf_puts(&r->got, a || i ? " " : "");
			put_field(r, &l->actions[a].fields[i], rec);
		}
	}
	if (!l->nactions)
		put_ident(r, h->ident, D_BUILTIN_PROBEFUNC);
	strbuf_puts(&r->got, "\n");
	return 0;
}

struct agg_walk {
	struct run *r;
	const struct cg_agg *a;
	VEC(char *) lines;
};

static int take_agg(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	struct agg_walk *w = arg;
	const struct cg_agg *a = w->a;
	struct strbuf keep = w->r->got;

	w->r->got = (struct strbuf){0};
	strbuf_printf(&w->r->got, "@%s", a->agg->name);
	for (u32 k = 0; k < a->nkeys; k++) {
		strbuf_puts(&w->r->got, " ");
		put_field(w->r, &a->keys[k], key);
	}
	strbuf_puts(&w->r->got, " =");
	for (u32 n = 0; n < a->value_words; n++) {
		bool max = n == 1 && (a->agg->func == D_AGGFUNC_MIN || a->agg->func == D_AGGFUNC_MAX);
		u64 sum = 0;

		for (u32 c = 0; c < nvalues; c++) {
			u64 v = ((const u64 *)((const char *)values + (size_t)c * stride))[n];

			sum = max ? (v > sum ? v : sum) : sum + v;
		}
		if (max)
			sum ^= a->agg->func == D_AGGFUNC_MIN ? 0x7fffffffffffffffull : 1ull << 63;
		if (a->value_words <= 4)
			strbuf_printf(&w->r->got, " %" PRId64, (s64)sum);
		else if (sum)
			strbuf_printf(&w->r->got, " %u:%" PRIu64, n, sum);
	}
	strbuf_puts(&w->r->got, "\n");
	*vec_push(w->r->arena, &w->lines) = arena_strdup(w->r->arena, w->r->got.s);
	strbuf_free(&w->r->got);
	w->r->got = keep;
	return 0;
}

static int by_text(const void *a, const void *b)
{
	return strcmp(*(char *const *)a, *(char *const *)b);
}

static void take_aggs(struct run *r)
{
	for (u32 i = 0; i < r->out.naggs; i++) {
		struct agg_walk w = {.r = r, .a = &r->out.aggs[i]};

		assert_int_equal(exec_map_each(r->exec, w.a->map, take_agg, &w), 0);
		if (w.lines.n)
			qsort(w.lines.v, w.lines.n, sizeof(*w.lines.v), by_text);
		for (size_t n = 0; n < w.lines.n; n++)
			strbuf_puts(&r->got, w.lines.v[n]);
	}
}

static void take_drops(struct run *r, const struct cg_state *s)
{
	if (s->drops[0] || s->drops[1] || s->drops[2] || s->drops[3])
		strbuf_printf(&r->got, "drops %" PRIu64 " %" PRIu64 " %" PRIu64 " %" PRIu64 "\n", s->drops[0],
			      s->drops[1], s->drops[2], s->drops[3]);
}

/* --- running ------------------------------------------------------------------------------------ */

/* "GROUP word ...", times: a number with x before it. */
static void fire(struct run *r, char *line)
{
	u64 ctx[MAX_CTX] = {0};
	char *save, *word = strtok_r(line, " ", &save);
	u32 group = group_by_name(word), n = 0, times = 1;

	while ((word = strtok_r(NULL, " ", &save))) {
		if (word[0] == '"') {
			word[strlen(word) - 1] = 0;
			ctx[n++] = (u64)(uintptr_t)arena_strdup(r->arena, word + 1);
		} else if (word[0] == 'x') {
			times = (u32)strtoul(word + 1, NULL, 0);
		} else {
			ctx[n++] = strtoull(word, NULL, 0);
		}
	}
	for (u32 i = 0; i < times; i++)
		assert_int_equal(exec_fire(r->exec, group, ctx, MAX_CTX), 0);
}

/* Call fn for what follows each directive, until its comment ends. */
static void directives(struct run *r, const char *name, void (*fn)(struct run *r, char *line))
{
	char *key = arena_printf(r->arena, "/*! %s", name);

	for (const char *p = r->text; (p = strstr(p, key));) {
		const char *end = strstr(p, " */");

		assert_non_null(end);
		p += strlen(key);
		fn(r, arena_strndup(r->arena, p + (p < end), (size_t)(end - p - (p < end))));
		p = end;
	}
}

static void want_line(struct run *r, char *line)
{
	strbuf_printf(&r->want, "%s\n", line);
}

static void want_error(struct run *r, char *line)
{
	strbuf_printf(&r->error, "%s", line);
}

static void run_programs(struct run *r)
{
	struct cg_state *s;

	if (exec_load(r->exec, &r->out.image, &r->diag))
		fail_msg("not loaded: %s", r->messages.s);
	s = exec_map_memory(r->exec, r->out.map_state);
	assert_non_null(s);
	s->wall_offset = 1000000000000000000ull;
	assert_int_equal(exec_fire(r->exec, BEGIN, NULL, 0), 0);
	if (s->activity == CG_INACTIVE)
		s->activity = CG_ACTIVE;
	directives(r, "fire", fire);
	assert_int_equal(exec_fire(r->exec, END, NULL, 0), 0);
	exec_ring_drain(r->exec, r->out.map_ring, take_record, r);
	take_aggs(r);
	take_drops(r, s);
}

static void run_one(const char *path, const struct exec_ops *ops)
{
	struct run r = {0};
	int err;

	run_open(&r, path, ops);
	directives(&r, "expect", want_line);
	directives(&r, "error", want_error);
	err = run_compile(&r, path);
	if (r.error.s) {
		if (!err || !r.messages.s || !strstr(r.messages.s, r.error.s))
			fail_msg("%s: said: %s", path, r.messages.s ? r.messages.s : "nothing");
	} else if (err) {
		fail_msg("%s: %d %s", path, err, r.messages.s);
	} else {
		run_programs(&r);
		if (strcmp(r.got.s ? r.got.s : "", r.want.s ? r.want.s : ""))
			fail_msg("%s in %s: got\n%s\nwanted\n%s", path, ops->name, r.got.s, r.want.s);
	}
	run_close(&r);
}

struct script {
	const char *path;
	const struct exec_ops *ops;
};

static void test_script(void **state)
{
	const struct script *s = *state;

	run_one(s->path, s->ops);
}

static void ignore(void *arg, enum diag_level level, const char *text)
{
}

int main(int argc, char **argv)
{
	static const struct exec_ops *const where[] = {&exec_vm, &exec_kernel};
	struct arena *a = arena_new();
	const char *only = argc > 2 ? argv[2] : "";
	VEC(struct CMUnitTest) tests = {0};
	struct dirent **list;
	int n = scandir(argc > 1 ? argv[1] : "corpus", &list, NULL, alphasort), failed;
	struct diag quiet = {.sink = ignore};
	bool kernel = !exec_kernel.probe(&quiet);

	for (int i = 0; i < n; i++) {
		const char *name = list[i]->d_name;

		for (size_t w = 0; w < (kernel ? 2 : 1) && strstr(name, ".d") && strstr(name, only); w++) {
			struct script *s = arena_alloc(a, sizeof(*s));

			*s = (struct script){arena_printf(a, "%s/%s", argv[1], name), where[w]};
			*vec_push(a, &tests) =
			    (struct CMUnitTest){.name = arena_printf(a, "%s in %s", name, s->ops->name),
						.test_func = test_script,
						.initial_state = s};
		}
		free(list[i]);
	}
	free(list);
	if (!kernel)
		puts("SKIPPED in the kernel: it cannot be used here");
	failed = _cmocka_run_group_tests("corpus", tests.v, tests.n, NULL, NULL);
	arena_free(a);
	return failed;
}
