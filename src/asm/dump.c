// SPDX-License-Identifier: Apache-2.0
/* Instructions as text, in the notation of the kernel's own disassembler (kernel/bpf/disasm.c). */
#include <inttypes.h>
#include <stdlib.h>

#include "asm/asm.h"

static const char *const alu_ops[16] = {
    [BPF_ADD >> 4] = "+=", [BPF_SUB >> 4] = "-=", [BPF_MUL >> 4] = "*=",  [BPF_DIV >> 4] = "/=",
    [BPF_OR >> 4] = "|=",  [BPF_AND >> 4] = "&=", [BPF_LSH >> 4] = "<<=", [BPF_RSH >> 4] = ">>=",
    [BPF_MOD >> 4] = "%=", [BPF_XOR >> 4] = "^=", [BPF_MOV >> 4] = "=",   [BPF_ARSH >> 4] = "s>>=",
};

static const char *const jump_ops[16] = {
    [BPF_JEQ >> 4] = "==",  [BPF_JGT >> 4] = ">",    [BPF_JLT >> 4] = "<",    [BPF_JGE >> 4] = ">=",
    [BPF_JLE >> 4] = "<=",  [BPF_JSET >> 4] = "&",   [BPF_JNE >> 4] = "!=",   [BPF_JSGT >> 4] = "s>",
    [BPF_JSLT >> 4] = "s<", [BPF_JSGE >> 4] = "s>=", [BPF_JSLE >> 4] = "s<=",
};

static const char *const sizes[4] = {
    [BPF_W >> 3] = "u32",
    [BPF_H >> 3] = "u16",
    [BPF_B >> 3] = "u8",
    [BPF_DW >> 3] = "u64",
};

static const char *const helpers[] = {
#define HELPER(x, ...) [BPF_FUNC_##x] = "bpf_" #x
    __BPF_FUNC_MAPPER(HELPER)
#undef HELPER
};

struct dump {
	struct strbuf *out;
	const struct asm_prog *p;
	const struct asm_image *image;
	u32 *label; /* for each instruction the number of its label, 0: none */
	u32 reloc;  /* the next relocation; they stand in order */
};

static bool is_jump(const struct bpf_insn *i)
{
	int cls = BPF_CLASS(i->code), op = BPF_OP(i->code);

	return (cls == BPF_JMP || cls == BPF_JMP32) && op != BPF_CALL && op != BPF_EXIT;
}

static bool is_imm64(const struct bpf_insn *i)
{
	return i->code == (BPF_LD | BPF_IMM | BPF_DW);
}

static void number_labels(struct dump *d)
{
	const struct asm_prog *p = d->p;
	u32 n = 0;

	for (u32 i = 0; i < p->ninsns; i++) {
		s64 to = (s64)i + 1 + p->insns[i].off;

		if (is_jump(&p->insns[i]) && to >= 0 && to < p->ninsns)
			d->label[to] = 1;
		i += is_imm64(&p->insns[i]);
	}
	for (u32 i = 0; i < p->ninsns; i++) {
		if (d->label[i])
			d->label[i] = ++n;
	}
}

static const struct asm_reloc *reloc_at(struct dump *d, u32 insn)
{
	while (d->reloc < d->p->nrelocs && d->p->relocs[d->reloc].insn < insn)
		d->reloc++;
	return d->reloc < d->p->nrelocs && d->p->relocs[d->reloc].insn == insn ? &d->p->relocs[d->reloc] : NULL;
}

static void dump_map(struct dump *d, const struct asm_reloc *r)
{
	strbuf_printf(d->out, "map[");
	if (d->image && r->target < d->image->nmaps)
		strbuf_puts(d->out, d->image->maps[r->target].name);
	else
		strbuf_printf(d->out, "%u", r->target);
	strbuf_puts(d->out, "]");
	if (r->kind == ASM_RELOC_MAP_VALUE)
		strbuf_printf(d->out, "[0]+%u", r->addend);
}

static void dump_imm64(struct dump *d, u32 i)
{
	const struct bpf_insn *in = &d->p->insns[i];
	const struct asm_reloc *r = reloc_at(d, i);

	strbuf_printf(d->out, "r%d = ", in->dst_reg);
	if (r && r->kind != ASM_RELOC_RT)
		dump_map(d, r);
	else
		strbuf_printf(d->out, "0x%" PRIx64, (u64)(u32)in[0].imm | (u64)(u32)in[1].imm << 32);
}

static void dump_alu(struct dump *d, const struct bpf_insn *in)
{
	char r = BPF_CLASS(in->code) == BPF_ALU ? 'w' : 'r';
	const char *op = alu_ops[BPF_OP(in->code) >> 4];

	if (BPF_OP(in->code) == BPF_NEG)
		strbuf_printf(d->out, "%c%d = -%c%d", r, in->dst_reg, r, in->dst_reg);
	else if (BPF_SRC(in->code) == BPF_X)
		strbuf_printf(d->out, "%c%d %s %c%d", r, in->dst_reg, op ? op : "?=", r, in->src_reg);
	else
		strbuf_printf(d->out, "%c%d %s %d", r, in->dst_reg, op ? op : "?=", in->imm);
}

static void dump_atomic(struct dump *d, const struct bpf_insn *in)
{
	const char *size = sizes[BPF_SIZE(in->code) >> 3];
	int bits = BPF_SIZE(in->code) == BPF_DW ? 64 : 32, op = in->imm & ~BPF_FETCH;

	if (in->imm == BPF_CMPXCHG)
		strbuf_printf(d->out, "r0 = atomic%d_cmpxchg((%s *)(r%d %+d), r0, r%d)", bits, size, in->dst_reg,
			      in->off, in->src_reg);
	else if (in->imm == BPF_XCHG)
		strbuf_printf(d->out, "r%d = atomic%d_xchg((%s *)(r%d %+d), r%d)", in->src_reg, bits, size,
			      in->dst_reg, in->off, in->src_reg);
	else if (in->imm & BPF_FETCH)
		strbuf_printf(d->out, "r%d = atomic%d_fetch_%s((%s *)(r%d %+d), r%d)", in->src_reg, bits,
			      op == BPF_ADD   ? "add"
			      : op == BPF_AND ? "and"
			      : op == BPF_OR  ? "or"
					      : "xor",
			      size, in->dst_reg, in->off, in->src_reg);
	else
		strbuf_printf(d->out, "lock *(%s *)(r%d %+d) %s r%d", size, in->dst_reg, in->off,
			      alu_ops[(op >> 4) & 15], in->src_reg);
}

static void dump_memory(struct dump *d, const struct bpf_insn *in)
{
	const char *size = sizes[BPF_SIZE(in->code) >> 3];

	if (BPF_CLASS(in->code) == BPF_LDX)
		strbuf_printf(d->out, "r%d = *(%s *)(r%d %+d)", in->dst_reg, size, in->src_reg, in->off);
	else if (BPF_CLASS(in->code) == BPF_ST)
		strbuf_printf(d->out, "*(%s *)(r%d %+d) = %d", size, in->dst_reg, in->off, in->imm);
	else if (BPF_MODE(in->code) == BPF_ATOMIC)
		dump_atomic(d, in);
	else
		strbuf_printf(d->out, "*(%s *)(r%d %+d) = r%d", size, in->dst_reg, in->off, in->src_reg);
}

static void dump_call(struct dump *d, u32 i)
{
	const struct bpf_insn *in = &d->p->insns[i];
	const struct asm_reloc *r = reloc_at(d, i);

	if (in->src_reg == BPF_PSEUDO_CALL && r)
		strbuf_printf(d->out, "call %s", r->symbol);
	else if (in->src_reg == BPF_PSEUDO_CALL)
		strbuf_printf(d->out, "call pc%+d", in->imm);
	else if (in->imm >= 0 && (size_t)in->imm < ARRAY_SIZE(helpers) && helpers[in->imm])
		strbuf_printf(d->out, "call %s#%d", helpers[in->imm], in->imm);
	else
		strbuf_printf(d->out, "call unknown#%d", in->imm);
}

static void dump_target(struct dump *d, u32 i)
{
	s64 to = (s64)i + 1 + d->p->insns[i].off;

	if (to >= 0 && to < d->p->ninsns)
		strbuf_printf(d->out, "goto L%u", d->label[to]);
	else
		strbuf_printf(d->out, "goto pc%+d", d->p->insns[i].off);
}

static void dump_jump(struct dump *d, u32 i)
{
	const struct bpf_insn *in = &d->p->insns[i];
	char r = BPF_CLASS(in->code) == BPF_JMP32 ? 'w' : 'r';
	const char *op = jump_ops[BPF_OP(in->code) >> 4];

	if (BPF_OP(in->code) == BPF_CALL) {
		dump_call(d, i);
	} else if (BPF_OP(in->code) == BPF_EXIT) {
		strbuf_puts(d->out, "exit");
	} else {
		if (BPF_OP(in->code) == BPF_JA)
			;
		else if (BPF_SRC(in->code) == BPF_X)
			strbuf_printf(d->out, "if %c%d %s %c%d ", r, in->dst_reg, op ? op : "?", r, in->src_reg);
		else
			strbuf_printf(d->out, "if %c%d %s %d ", r, in->dst_reg, op ? op : "?", in->imm);
		dump_target(d, i);
	}
}

static void dump_insn(struct dump *d, u32 i)
{
	const struct bpf_insn *in = &d->p->insns[i];

	switch (BPF_CLASS(in->code)) {
	case BPF_ALU:
	case BPF_ALU64: dump_alu(d, in); break;
	case BPF_JMP:
	case BPF_JMP32: dump_jump(d, i); break;
	case BPF_LDX:
	case BPF_ST:
	case BPF_STX: dump_memory(d, in); break;
	default: is_imm64(in) ? dump_imm64(d, i) : strbuf_printf(d->out, "code 0x%02x", in->code); break;
	}
}

void asm_dump(struct strbuf *out, const struct asm_prog *p, const struct asm_image *image_or_null)
{
	struct dump d = {.out = out, .p = p, .image = image_or_null};

	d.label = calloc(p->ninsns + 1, sizeof(*d.label));
	if (!d.label) {
		out->failed = true;
		return;
	}
	number_labels(&d);
	for (u32 i = 0; i < p->ninsns; i++) {
		if (d.label[i])
			strbuf_printf(out, "L%u:\n", d.label[i]);
		strbuf_puts(out, "\t");
		dump_insn(&d, i);
		strbuf_puts(out, "\n");
		i += is_imm64(&p->insns[i]);
	}
	free(d.label);
}
