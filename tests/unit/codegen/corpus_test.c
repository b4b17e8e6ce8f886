// SPDX-License-Identifier: Apache-2.0
/*
 * D scripts that say what they give, run in the vm and in the kernel: corpus/NAME.d holds comments
 *
 *   (slash)*! opt strsize 64 *(slash)      an option of code generation
 *   (slash)*! fire GROUP word ... *(slash) between BEGIN and END: fire the group with this context ("text": an address of it)
 *   (slash)*! expect line *(slash)         what is recorded, in order: the fields of a record with blanks between them;
 *                                          FAULT action code; then aggregations and drops
 *   (slash)*! error text *(slash)          code generation fails and says this
 *
 * Groups: BEGIN, END; `test` has 70 probes test:m:f0:hit ... f69, context: number, arg0 ...; `dyn` has one probe whose
 * function is dynamic: fid, filters, text of probefunc, arg0 ...; `one` has one probe and waits for nothing.
 */
#include <dirent.h>
#include <errno.h>
#include <inttypes.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "codegen/codegen.h"
#include "exec/exec.h"

#define NTEST   70
#define MAX_CTX 12

struct run {
	struct arena *arena;
	struct d_program *prog;
	struct cg_input in;
	struct cg_output out;
	struct diag diag;
	struct strbuf messages, got, want, error;
	struct exec *exec;
	char *text;
};

/* --- the groups --------------------------------------------------------------------------------- */

static void copy_args(struct asm_buf *b, u32 mask, s16 off, int first)
{
	for (int n = 0; n < 11; n++) {
		if (!(mask & 1u << n))
			continue;
		if (first + n < MAX_CTX)
			asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, (s16)(8 * (first + n)));
		else
			asm_mov_imm(b, BPF_REG_0, 0);
		asm_store(b, BPF_DW, BPF_REG_10, (s16)(off + 8 * n), BPF_REG_0);
	}
}

static void plain_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	copy_args(b, mask, off, 0);
}

static void test_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	copy_args(b, mask, off, 1);
}

static void dyn_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	copy_args(b, mask, off, 3);
}

static void test_index(struct asm_buf *b, void *data, asm_label skip)
{
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, 0);
	asm_branch_imm(b, BPF_JGE, BPF_REG_0, NTEST, skip);
}

static void dyn_fid(struct asm_buf *b, void *data)
{
	asm_load(b, BPF_W, BPF_REG_0, BPF_REG_6, 0);
}

static void dyn_filters(struct asm_buf *b, void *data)
{
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, 8);
}

static void dyn_text(struct asm_buf *b, void *data, enum d_builtin which)
{
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, 16);
}

static const struct cg_group_ops plain_ops = {.args = plain_args};
static const struct cg_group_ops test_ops = {.index = test_index, .args = test_args};
static const struct cg_group_ops dyn_ops = {
    .fid = dyn_fid, .filters = dyn_filters, .args = dyn_args, .text = dyn_text};

static const struct cg_probe begin_probe = {"dtrace", "", "", "BEGIN"}, end_probe = {"dtrace", "", "", "END"};
static const struct cg_probe dyn_probe = {"dyn", "dm", "df", "hit"}, one_probe = {"one", "m", "f", "hit"};
static struct cg_probe test_probes[NTEST];

enum { BEGIN, END, TEST, DYN, ONE, NGROUPS };
static const struct cg_group groups[NGROUPS] = {
    [BEGIN] = {"BEGIN", ASM_RAW_TRACEPOINT, &plain_ops, NULL, 1, 1, &begin_probe, .always = true},
    [END] = {"END", ASM_RAW_TRACEPOINT, &plain_ops, NULL, 2, 1, &end_probe, .always = true},
    [TEST] = {"test:::hit", ASM_RAW_TRACEPOINT, &test_ops, NULL, 100, NTEST, test_probes},
    [DYN] = {"dyn:::hit", ASM_RAW_TRACEPOINT, &dyn_ops, NULL, 10, 1, &dyn_probe},
    [ONE] = {"one:::hit", ASM_RAW_TRACEPOINT, &plain_ops, NULL, 11, 1, &one_probe},
};

static const struct cg_probe *probe_of(u32 id)
{
	for (int g = 0; g < NGROUPS; g++) {
		if (id >= groups[g].id_base && id < groups[g].id_base + groups[g].nprobes)
			return &groups[g].probes[id - groups[g].id_base];
	}
	return NULL;
}

/* --- from script to programs --------------------------------------------------------------------- */

static void collect(void *arg, enum diag_level level, const char *text)
{
	strbuf_puts(arg, text);
}

static const char *arg_type(void *arg, const struct d_clause *c, u32 n)
{
	return n == 0 ? "string" : n < 10 ? "int" : NULL;
}

static bool desc_matches(const struct d_desc *d, const struct cg_probe *p)
{
	return glob_match(d->prov, p->prov) && glob_match(d->mod, p->mod) && glob_match(d->func, p->func) &&
	       glob_match(d->name, p->name);
}

static void enable(struct run *r, struct d_clause *c, u32 group, struct cg_enabling *e)
{
	u64 *set = arena_new_array(r->arena, u64, NTEST / 64 + 1);
	u32 n = 0;

	for (u32 i = 0; i < groups[group].nprobes; i++) {
		for (u32 d = 0; d < c->ndescs; d++) {
			if (!desc_matches(&c->descs[d], &groups[group].probes[i]))
				continue;
			set[i / 64] |= 1ull << (i % 64);
			n++;
			break;
		}
	}
	if (!n)
		return;
	*e = (struct cg_enabling){.clause = c, .group = group, .filter = -1};
	if (n < groups[group].nprobes)
		e->set = set;
	/* A pragma of the test: "decided" in the module field stands for filter bit 3. */
	e->filter = group == DYN && !strcmp(c->descs[0].mod, "d*") ? 3 : -1;
	e->nconj = d_conjuncts(r->arena, c->pred, &e->conj);
	r->in.nenablings++;
}

static u32 option(struct run *r, const char *name, u32 fallback)
{
	char *key = arena_printf(r->arena, "/*! opt %s ", name), *p = strstr(r->text, key);

	return p ? (u32)strtoul(p + strlen(key), NULL, 0) : fallback;
}

static int compile(struct run *r, const char *name)
{
	struct source *src = arena_alloc(r->arena, sizeof(*src));
	bool used[2] = {0};
	const char *args[] = {name};
	struct d_macros macros = {.args = args, .nargs = 1, .used = used, .target = 1};
	struct d_parse_config pc = {.bare = D_DESC_NAME, .macros = &macros};
	struct d_resolver res = {.arg_type = arg_type, .destructive = true, .strsize = option(r, "strsize", 64)};
	struct cg_enabling *e;

	r->prog = arena_alloc(r->arena, sizeof(*r->prog));
	r->prog->arena = r->arena;
	*src = (struct source){.name = name, .text = r->text, .len = strlen(r->text)};
	if (d_parse(r->prog, src, &pc, &r->diag) || d_check(r->prog, &res, &r->diag))
		return -EINVAL;
	e = arena_new_array(r->arena, struct cg_enabling, r->prog->clauses.n * NGROUPS);
	r->in = (struct cg_input){
	    .arena = r->arena, .prog = r->prog, .groups = groups, .ngroups = NGROUPS, .enablings = e};
	r->in.opt = (struct cg_options){.strsize = res.strsize,
					.aggsize = option(r, "aggsize", 65536),
					.dynvarsize = option(r, "dynvarsize", 65536),
					.bufsize = 65536,
					.ncpus = 2};
	if (r->exec) {
		struct exec_task_layout l = exec_task_layout(r->exec);

		r->in.opt.task_real_parent = l.real_parent;
		r->in.opt.task_tgid = l.tgid;
		r->in.opt.task_sum_exec_runtime = l.sum_exec_runtime;
	}
	for (size_t i = 0; i < r->prog->clauses.n; i++) {
		for (u32 g = 0; g < NGROUPS; g++)
			enable(r, r->prog->clauses.v[i], g, &e[r->in.nenablings]);
	}
	return cg_generate(&r->in, &r->out, &r->diag);
}

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

static u32 group_by_name(const char *name)
{
	static const char *const names[] = {"BEGIN", "END", "test", "dyn", "one"};

	for (u32 i = 0; i < NGROUPS; i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	fail_msg("no group %s", name);
	return 0;
}

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

static void read_file(struct run *r, const char *path)
{
	char buf[65536];
	FILE *f = fopen(path, "r");
	size_t n;

	assert_non_null(f);
	n = fread(buf, 1, sizeof(buf) - 1, f);
	fclose(f);
	r->text = arena_strndup(r->arena, buf, n);
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
	struct run r = {.arena = arena_new()};
	int err;

	r.diag = (struct diag){.sink = collect, .arg = &r.messages};
	read_file(&r, path);
	directives(&r, "expect", want_line);
	directives(&r, "error", want_error);
	if (ops->open(&r.exec, &r.diag))
		fail_msg("%s: %s", ops->name, r.messages.s);
	err = compile(&r, path);
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
	exec_close(r.exec);
	strbuf_free(&r.messages);
	strbuf_free(&r.got);
	strbuf_free(&r.want);
	strbuf_free(&r.error);
	arena_free(r.arena);
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

int main(int argc, char **argv)
{
	static const struct exec_ops *const where[] = {&exec_vm, &exec_kernel};
	struct arena *a = arena_new();
	const char *only = argc > 2 ? argv[2] : "";
	VEC(struct CMUnitTest) tests = {0};
	struct dirent **list;
	int n = scandir(argc > 1 ? argv[1] : "corpus", &list, NULL, alphasort), failed;
	struct diag quiet = {.sink = collect, .arg = &(struct strbuf){0}};
	bool kernel = !exec_kernel.probe(&quiet);

	for (u32 i = 0; i < NTEST; i++)
		test_probes[i] = (struct cg_probe){"test", "m", arena_printf(a, "f%u", i), "hit"};
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
