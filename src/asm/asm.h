// SPDX-License-Identifier: Apache-2.0
/*
 * BPF instructions: a builder with labels and symbolic references, and the image that comes out of it, which
 * every executor (exec/) can load. Pure: makes no system call, knows neither D nor the kernel's loader.
 */
#ifndef PYDTRACE_ASM_H
#define PYDTRACE_ASM_H

#include <linux/bpf.h>

#include "util/util.h"

/* --- the image ---------------------------------------------------------------------------------- */

/* A map to make. The index in asm_image.maps is its number everywhere. */
struct asm_map {
	const char *name; /* at most 15 bytes (the kernel's BPF_OBJ_NAME_LEN) */
	enum bpf_map_type type;
	u32 key_size, value_size, max_entries;
	u32 flags;        /* BPF_F_* */
	const void *init; /* array maps: value_size bytes for element 0, or NULL */
};

enum asm_prog_kind {
	ASM_RAW_TRACEPOINT, /* context: u64[]; also what exec_fire() runs */
	ASM_UPROBE,         /* context: struct pt_regs of the architecture */
	ASM_CLOCK,          /* context: struct bpf_perf_event_data: a clock's interrupt */
};

enum asm_reloc_kind {
	ASM_RELOC_MAP,       /* ld_imm64: pointer to map `target` */
	ASM_RELOC_MAP_VALUE, /* ld_imm64: address `addend` in element 0 of array map `target` */
	ASM_RELOC_RT,        /* call of the run-time function named `symbol` (src/rt) */
};

struct asm_reloc {
	enum asm_reloc_kind kind;
	u32 insn; /* index of the instruction (of the first of the two of ld_imm64) */
	u32 target, addend;
	const char *symbol;
};

struct asm_prog {
	const char *name;
	enum asm_prog_kind kind;
	struct bpf_insn *insns;
	u32 ninsns;
	struct asm_reloc *relocs;
	u32 nrelocs;
};

struct asm_image {
	struct asm_map *maps;
	u32 nmaps;
	struct asm_prog *progs;
	u32 nprogs;
};

/* --- the builder -------------------------------------------------------------------------------- */

struct asm_buf;
typedef s32 asm_label;

/* A new, empty program under construction, owned by the arena. */
struct asm_buf *asm_new(struct arena *a);
asm_label asm_label_new(struct asm_buf *b);
void asm_label_here(struct asm_buf *b, asm_label l); /* the next instruction; once for each label */

/*
 * Each adds one instruction, but where two are named. op: BPF_ADD ... ; size: BPF_B, BPF_H, BPF_W, BPF_DW; registers:
 * BPF_REG_0 ... BPF_REG_10. What the kernel would refuse as malformed is a misuse: see asm_finish().
 */

/* dst = src; dst = imm: ld_imm64, which counts as two, where it does not fit in 32 bits */
void asm_mov(struct asm_buf *b, int dst, int src);
void asm_mov_imm(struct asm_buf *b, int dst, s64 imm);
/* dst = dst `op` src, of 64 bits; alu32: of the low 32, the high ones become 0. imm is extended by its sign. */
void asm_alu(struct asm_buf *b, int op, int dst, int src);
void asm_alu_imm(struct asm_buf *b, int op, int dst, s32 imm);
void asm_alu32(struct asm_buf *b, int op, int dst, int src);
void asm_alu32_imm(struct asm_buf *b, int op, int dst, s32 imm);
/* dst = *(src + off), extended with zeros; *(dst + off) = src, imm */
void asm_load(struct asm_buf *b, int size, int dst, int src, s16 off);
void asm_store(struct asm_buf *b, int size, int dst, s16 off, int src);
void asm_store_imm(struct asm_buf *b, int size, int dst, s16 off, s32 imm);
/* *(dst + off) `op` src at once; op: BPF_ADD ..., | BPF_FETCH: src becomes the old value; size: BPF_W or BPF_DW */
void asm_atomic(struct asm_buf *b, int size, s32 op, int dst, s16 off, int src);
/* Go to the label; if dst `op` src, imm; op: BPF_JEQ ... */
void asm_jump(struct asm_buf *b, asm_label to);
void asm_branch(struct asm_buf *b, int op, int dst, int src, asm_label to);
void asm_branch_imm(struct asm_buf *b, int op, int dst, s32 imm, asm_label to);
/* r0 = helper (BPF_FUNC_*), or a function of rt (its name is copied), of r1..r5, which are lost */
void asm_call(struct asm_buf *b, s32 helper);
void asm_call_rt(struct asm_buf *b, const char *symbol);
/* dst = the map, as helpers take it; the address of byte `off` of element 0 of an array map. Two instructions each. */
void asm_map_ptr(struct asm_buf *b, int dst, u32 map);
void asm_map_value(struct asm_buf *b, int dst, u32 map, u32 off);
void asm_exit(struct asm_buf *b); /* the program gives r0 */

/*
 * Leave out what no path leads to, and resolve the labels. A label that was never placed, a jump out of reach or any
 * other misuse is remembered when it happens and reported here: 0, or -EINVAL, -E2BIG.
 */
int asm_finish(struct asm_buf *b, struct asm_prog *out);

/* One instruction a line, in the kernel's notation ("r1 = *(u64 *)(r6 +8)"), labels as targets. */
void asm_dump(struct strbuf *out, const struct asm_prog *p, const struct asm_image *image_or_null);

#endif
