// SPDX-License-Identifier: Apache-2.0
/* The tree as text, for -x dump=tree and the golden tests. */
#include <string.h>

#include "d/d_impl.h"

static void indent(struct strbuf *out, u32 depth)
{
	strbuf_printf(out, "%*s", (int)depth * 2, "");
}

static void dump_string(struct strbuf *out, const char *s)
{
	strbuf_puts(out, "\"");
	for (; *s; s++) {
		if (*s == '"' || *s == '\\')
			strbuf_printf(out, "\\%c", *s);
		else if ((unsigned char)*s < ' ' || (unsigned char)*s == 0x7f)
			strbuf_printf(out, "\\x%02x", (unsigned char)*s);
		else
			strbuf_add(out, s, 1);
	}
	strbuf_puts(out, "\"");
}

static void dump_name(struct strbuf *out, const struct d_node *n)
{
	switch (n->op) {
	case D_CONST:
		if (d_is_string(n->type))
			dump_string(out, n->str);
		else
			strbuf_printf(out, d_is_int(n->type) && !n->type->is_signed ? "%llu" : "%lld",
				      (long long)n->value);
		break;
	case D_VAR: strbuf_printf(out, "%s%s", d_scope_prefix(n->scope), n->name); break;
	case D_BUILTIN: strbuf_puts(out, d_builtin_name(n->builtin)); break;
	case D_ARGS: strbuf_printf(out, "args[%lld]", (long long)n->value); break;
	case D_AGGREF: strbuf_printf(out, "@%s", n->name); break;
	case D_CALL: strbuf_printf(out, "%s()", n->name); break;
	case D_ASSIGN: strbuf_printf(out, "%s=", n->assign_op == D_CONST ? "" : d_op_text(n->assign_op)); break;
	case D_MEMBER: strbuf_printf(out, "->%s", n->name); break;
	case D_POSTINC:
	case D_POSTDEC: strbuf_printf(out, "post%s", d_op_text(n->op)); break;
	case D_PREINC:
	case D_PREDEC: strbuf_printf(out, "pre%s", d_op_text(n->op)); break;
	case D_NEG:
	case D_PLUS:
	case D_DEREF: strbuf_printf(out, "unary%s", d_op_text(n->op)); break;
	default: strbuf_puts(out, d_op_text(n->op)); break;
	}
}

static void dump_node(struct strbuf *out, const struct d_node *n, u32 depth)
{
	indent(out, depth);
	dump_name(out, n);
	if (n->type->kind != D_UNTYPED)
		strbuf_printf(out, " : %s", n->type->name);
	strbuf_puts(out, "\n");
	for (u32 i = 0; i < n->narg; i++)
		dump_node(out, n->arg[i], depth + 1);
}

static void dump_stmt(struct strbuf *out, const struct d_stmt *s)
{
	if (s->kind == D_STMT_EXPR) {
		dump_node(out, s->expr, 1);
		return;
	}
	indent(out, 1);
	if (s->kind == D_STMT_ACTION) {
		strbuf_printf(out, "action %s", d_action_name(s->action));
		if (s->fmt_text) {
			strbuf_puts(out, " ");
			dump_string(out, s->fmt_text);
		}
		strbuf_puts(out, "\n");
	} else {
		strbuf_printf(out, "aggregate %s\n", d_aggfunc_name(s->agg->agg->func));
		dump_node(out, s->agg, 2);
	}
	for (u32 i = 0; i < s->narg; i++)
		dump_node(out, s->arg[i], 2);
}

static void dump_clause(struct strbuf *out, const struct d_clause *cl)
{
	strbuf_printf(out, "clause %u", cl->id);
	for (u32 i = 0; i < cl->ndescs; i++) {
		const struct d_desc *d = &cl->descs[i];

		if (d->by_id)
			strbuf_printf(out, "%s id %u", i ? "," : "", d->id);
		else
			strbuf_printf(out, "%s %s:%s:%s:%s", i ? "," : "", d->prov, d->mod, d->func, d->name);
	}
	strbuf_puts(out, cl->has_body ? "\n" : " (default action)\n");
	if (cl->pred) {
		strbuf_puts(out, "  predicate\n");
		dump_node(out, cl->pred, 2);
	}
	for (u32 i = 0; i < cl->nstmts; i++)
		dump_stmt(out, cl->stmts[i]);
}

static void dump_keys(struct strbuf *out, const struct d_type *const *keys, const bool *identity, u32 n)
{
	for (u32 i = 0; i < n; i++)
		strbuf_printf(out, "%s%s%s%s", i ? ", " : "[", keys[i]->name,
			      identity && identity[i] ? " (identity)" : "", i + 1 == n ? "]" : "");
}

static void dump_decls(struct strbuf *out, const struct d_program *prog)
{
	for (size_t i = 0; i < prog->options.n; i++)
		strbuf_printf(out, "option %s%s%s\n", prog->options.v[i].name, prog->options.v[i].value ? "=" : "",
			      prog->options.v[i].value ? prog->options.v[i].value : "");
	for (size_t i = 0; i < prog->decls.n; i++) {
		const struct d_decl *d = &prog->decls.v[i];

		strbuf_printf(out, "declare %s%s", d_scope_prefix(d->scope), d->name);
		dump_keys(out, d->keys, NULL, d->nkeys);
		strbuf_printf(out, " : %s%s\n", d->type->name, d->value ? " inline" : "");
		if (d->value)
			dump_node(out, d->value, 1);
	}
}

void d_dump(struct strbuf *out, const struct d_program *prog)
{
	dump_decls(out, prog);
	for (size_t i = 0; i < prog->clauses.n; i++)
		dump_clause(out, prog->clauses.v[i]);
	for (size_t i = 0; i < prog->vars.n; i++) {
		const struct d_var *v = prog->vars.v[i];

		strbuf_printf(out, "variable %s%s #%u", d_scope_prefix(v->scope), v->name, v->id);
		dump_keys(out, v->keys, NULL, v->nkeys);
		strbuf_printf(out, " : %s\n", v->type->name);
	}
	for (size_t i = 0; i < prog->aggs.n; i++) {
		const struct d_aggregation *a = prog->aggs.v[i];

		strbuf_printf(out, "aggregation @%s #%u", a->name, a->id);
		dump_keys(out, a->keys, a->key_is_identity, a->nkeys);
		strbuf_printf(out, " : %s\n", d_aggfunc_name(a->func));
	}
}
