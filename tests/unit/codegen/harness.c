// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <setjmp.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>

#include <cmocka.h>

#include "harness.h"

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

static const struct cg_group groups[NGROUPS] = {
    [BEGIN] = {"BEGIN", ASM_RAW_TRACEPOINT, &plain_ops, NULL, 1, 1, &begin_probe, .always = true},
    [END] = {"END", ASM_RAW_TRACEPOINT, &plain_ops, NULL, 2, 1, &end_probe, .always = true},
    [TEST] = {"test:::hit", ASM_RAW_TRACEPOINT, &test_ops, NULL, 100, NTEST, test_probes, .by_thread = true},
    [DYN] = {"dyn:::hit", ASM_RAW_TRACEPOINT, &dyn_ops, NULL, 10, 1, &dyn_probe},
    [ONE] = {"one:::hit", ASM_RAW_TRACEPOINT, &plain_ops, NULL, 11, 1, &one_probe},
};

const struct cg_probe *probe_of(u32 id)
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

int run_compile(struct run *r, const char *name)
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
					.bufsize = 1 << 20,
					.gate = option(r, "gate", 0),
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

u32 group_by_name(const char *name)
{
	static const char *const names[] = {"BEGIN", "END", "test", "dyn", "one"};

	for (u32 i = 0; i < NGROUPS; i++) {
		if (!strcmp(names[i], name))
			return i;
	}
	fail_msg("no group %s", name);
	return 0;
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

void run_open(struct run *r, const char *path, const struct exec_ops *ops)
{
	r->arena = arena_new();
	r->diag = (struct diag){.sink = collect, .arg = &r->messages};
	for (u32 i = 0; i < NTEST; i++)
		test_probes[i] = (struct cg_probe){"test", "m", arena_printf(r->arena, "f%u", i), "hit"};
	if (path)
		read_file(r, path);
	if (ops && ops->open(&r->exec, &r->diag))
		fail_msg("%s: %s", ops->name, r->messages.s);
}

void run_text(struct run *r, const char *text)
{
	r->text = arena_strdup(r->arena, text);
}

void run_close(struct run *r)
{
	exec_close(r->exec);
	strbuf_free(&r->messages);
	strbuf_free(&r->got);
	strbuf_free(&r->want);
	strbuf_free(&r->error);
	arena_free(r->arena);
}
