// SPDX-License-Identifier: Apache-2.0
/* The intermediate form as text: -x dump=ir. */
#include <inttypes.h>

#include "ir_impl.h"

static const char *const alu_names[16] = {
    [BPF_ADD >> 4] = "+", [BPF_SUB >> 4] = "-", [BPF_MUL >> 4] = "*",    [BPF_DIV >> 4] = "/",
    [BPF_OR >> 4] = "|",  [BPF_AND >> 4] = "&", [BPF_LSH >> 4] = "<<",   [BPF_RSH >> 4] = ">>",
    [BPF_MOD >> 4] = "%", [BPF_XOR >> 4] = "^", [BPF_ARSH >> 4] = "s>>",
};

static const char *const jump_names[16] = {
    [BPF_JEQ >> 4] = "==",  [BPF_JGT >> 4] = ">",    [BPF_JLT >> 4] = "<",    [BPF_JGE >> 4] = ">=",
    [BPF_JLE >> 4] = "<=",  [BPF_JSET >> 4] = "&",   [BPF_JNE >> 4] = "!=",   [BPF_JSGT >> 4] = "s>",
    [BPF_JSLT >> 4] = "s<", [BPF_JSGE >> 4] = "s>=", [BPF_JSLE >> 4] = "s<=",
};

static const char *const hook_names[] = {
    [IR_HOOK_INDEX] = "index", [IR_HOOK_FID] = "fid",   [IR_HOOK_FILTERS] = "filters",
    [IR_HOOK_ARGS] = "args",   [IR_HOOK_TEXT] = "text",
};

static const char *const helper_names[] = {
#define HELPER(x, ...) [BPF_FUNC_##x] = #x
    __BPF_FUNC_MAPPER(HELPER)
#undef HELPER
};

static void dump_val(struct strbuf *out, const struct ir_val *v)
{
	switch (v->kind) {
	case IR_NONE: strbuf_puts(out, "none"); break;
	case IR_REG: strbuf_printf(out, "v%d", v->n); break;
	case IR_CONST: strbuf_printf(out, "%" PRId64, v->imm); break;
	case IR_STACK: strbuf_printf(out, "&stack%+d", v->n); break;
	case IR_MAP: strbuf_printf(out, "map%d", v->n); break;
	case IR_MAPVAL: strbuf_printf(out, "&map%d+%" PRId64, v->n, v->imm); break;
	}
}

static void dump_place(struct strbuf *out, const struct ir_insn *i)
{
	strbuf_printf(out, "u%d[", 8 * i->size);
	dump_val(out, &i->a);
	if (i->off)
		strbuf_printf(out, " %+d", i->off);
	strbuf_puts(out, "]");
}

static void dump_call(struct strbuf *out, const struct ir_insn *i)
{
	if (i->op == IR_RT)
		strbuf_printf(out, "%s(", i->symbol);
	else if ((size_t)i->sub < ARRAY_SIZE(helper_names) && helper_names[i->sub])
		strbuf_printf(out, "%s(", helper_names[i->sub]);
	else
		strbuf_printf(out, "helper%d(", i->sub);
	for (u32 n = 0; n < i->narg; n++) {
		strbuf_puts(out, n ? ", " : "");
		dump_val(out, &i->arg[n]);
	}
	strbuf_puts(out, ")");
}

static void dump_hook(struct strbuf *out, const struct ir_insn *i)
{
	strbuf_printf(out, "group %s", hook_names[i->sub]);
	if (i->sub == IR_HOOK_ARGS)
		strbuf_printf(out, " mask 0x%" PRIx64 " at %+d", (u64)i->a.imm, i->off);
	if (i->sub == IR_HOOK_TEXT)
		strbuf_printf(out, " %s", d_builtin_name((enum d_builtin)i->a.imm));
	if (i->label >= 0)
		strbuf_printf(out, " else L%d", i->label);
}

static void dump_binary(struct strbuf *out, const struct ir_insn *i, const char *name)
{
	dump_val(out, &i->a);
	strbuf_printf(out, " %s ", name);
	dump_val(out, &i->b);
}

static void dump_insn(struct strbuf *out, const struct ir_insn *i)
{
	if (i->op == IR_LABEL) {
		strbuf_printf(out, "L%d:\n", i->label);
		return;
	}
	strbuf_puts(out, "\t");
	if (i->dst != IR_NO_REG)
		strbuf_printf(out, "v%d = ", i->dst);
	switch (i->op) {
	case IR_MOV: dump_val(out, &i->a); break;
	case IR_ALU: dump_binary(out, i, alu_names[i->sub >> 4]); break;
	case IR_EXT:
		strbuf_printf(out, "%c%d ", i->sub ? 's' : 'u', 8 * i->size);
		dump_val(out, &i->a);
		break;
	case IR_LOAD: dump_place(out, i); break;
	case IR_STORE:
		dump_place(out, i);
		strbuf_puts(out, " = ");
		dump_val(out, &i->b);
		break;
	case IR_ATOMIC:
		strbuf_puts(out, "atomic ");
		dump_place(out, i);
		strbuf_puts(out, " += ");
		dump_val(out, &i->b);
		break;
	case IR_BRANCH:
		strbuf_puts(out, "if ");
		dump_binary(out, i, jump_names[i->sub >> 4]);
		strbuf_printf(out, " goto L%d", i->label);
		break;
	case IR_JUMP: strbuf_printf(out, "goto L%d", i->label); break;
	case IR_HELPER:
	case IR_RT: dump_call(out, i); break;
	case IR_GROUP: dump_hook(out, i); break;
	case IR_EXIT:
		strbuf_puts(out, "exit ");
		dump_val(out, &i->a);
		break;
	case IR_LABEL: break;
	}
	strbuf_puts(out, "\n");
}

void ir_dump(struct strbuf *out, const struct ir *ir)
{
	for (size_t n = 0; n < ir->insns.n; n++)
		dump_insn(out, &ir->insns.v[n]);
}
