// SPDX-License-Identifier: Apache-2.0
/*
 * For tests of executors: programs by hand, and the same image in the vm and in the kernel. Where the kernel cannot be
 * had (not root) the tests say so and check the vm alone; under CI=true that is a failure.
 */
#ifndef PYDTRACE_EXEC_TEST_H
#define PYDTRACE_EXEC_TEST_H

#include <setjmp.h>
#include <stdarg.h>
#include <stddef.h>
#include <stdint.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include <cmocka.h>

#include "exec/exec.h"

/* --- instructions --------------------------------------------------------------------------------- */

#define INSN(...)             ((struct bpf_insn){__VA_ARGS__})
#define ALU64_X(op, dst, src) INSN(.code = BPF_ALU64 | BPF_X | (op), .dst_reg = dst, .src_reg = src)
#define ALU64_K(op, dst, i)   INSN(.code = BPF_ALU64 | BPF_K | (op), .dst_reg = dst, .imm = i)
#define MOV(dst, src)         ALU64_X(BPF_MOV, dst, src)
#define MOV_K(dst, i)         ALU64_K(BPF_MOV, dst, i)
#define LOAD(size, dst, src, o)                                                                                    \
	INSN(.code = BPF_LDX | BPF_MEM | (size), .dst_reg = dst, .src_reg = src, .off = (s16)(o))
#define STORE(size, dst, o, src)                                                                                   \
	INSN(.code = BPF_STX | BPF_MEM | (size), .dst_reg = dst, .src_reg = src, .off = (s16)(o))
#define STORE_K(size, dst, o, i) INSN(.code = BPF_ST | BPF_MEM | (size), .dst_reg = dst, .off = (s16)(o), .imm = i)
#define ATOMIC(size, op, dst, o, src)                                                                              \
	INSN(.code = BPF_STX | BPF_ATOMIC | (size), .dst_reg = dst, .src_reg = src, .off = (s16)(o), .imm = op)
#define JUMP_K(op, dst, i, o) INSN(.code = BPF_JMP | BPF_K | (op), .dst_reg = dst, .imm = i, .off = (s16)(o))
#define CALL(f)               INSN(.code = BPF_JMP | BPF_CALL, .imm = f)
#define EXIT()                INSN(.code = BPF_JMP | BPF_EXIT)

/* A program under construction. */
struct code {
	struct arena *a;
	VEC(struct bpf_insn) insns;
	VEC(struct asm_reloc) relocs;
};

static inline void emit(struct code *c, struct bpf_insn insn)
{
	*vec_push(c->a, &c->insns) = insn;
}
#define EMIT(c, ...)                                                                                               \
	do {                                                                                                       \
		const struct bpf_insn list_[] = {__VA_ARGS__};                                                     \
		for (size_t i_ = 0; i_ < ARRAY_SIZE(list_); i_++)                                                  \
			emit(c, list_[i_]);                                                                        \
	} while (0)

static inline void emit_reloc(struct code *c, enum asm_reloc_kind kind, u32 target, u32 addend, const char *symbol)
{
	*vec_push(c->a, &c->relocs) = (struct asm_reloc){
	    .kind = kind,
	    .insn = (u32)c->insns.n,
	    .target = target,
	    .addend = addend,
	    .symbol = symbol,
	};
}

static inline void emit_map(struct code *c, u8 dst, u32 map)
{
	emit_reloc(c, ASM_RELOC_MAP, map, 0, NULL);
	EMIT(c, INSN(.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = dst), INSN(0));
}

static inline void emit_value(struct code *c, u8 dst, u32 map, u32 off)
{
	emit_reloc(c, ASM_RELOC_MAP_VALUE, map, off, NULL);
	EMIT(c, INSN(.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = dst), INSN(0));
}

static inline void emit_rt(struct code *c, const char *symbol)
{
	emit_reloc(c, ASM_RELOC_RT, 0, 0, symbol);
	EMIT(c, CALL(0));
}

static inline struct asm_prog prog_of(const struct code *c, const char *name, enum asm_prog_kind kind)
{
	return (struct asm_prog){
	    .name = name,
	    .kind = kind,
	    .insns = c->insns.v,
	    .ninsns = (u32)c->insns.n,
	    .relocs = c->relocs.v,
	    .nrelocs = (u32)c->relocs.n,
	};
}

/* --- executors ------------------------------------------------------------------------------------ */

/* Collects messages. */
struct messages {
	struct diag diag;
	struct strbuf text;
};

static inline void message(void *arg, enum diag_level level, const char *text)
{
	struct messages *m = arg;

	strbuf_puts(&m->text, text);
}
#define MESSAGES(m)                                                                                                \
	{                                                                                                          \
		.diag = {.sink = message, .arg = (m) }                                                             \
	}

static inline bool have_kernel(void)
{
	static int have = -1;
	struct messages m = MESSAGES(&m);

	if (have < 0) {
		have = !exec_kernel.probe(&m.diag);
		if (!have)
			fprintf(stderr, "SKIP: the kernel executor: %s", m.text.s);
		if (!have && getenv("CI") && !strcmp(getenv("CI"), "true"))
			fail_msg("under CI the kernel executor must be there");
		strbuf_free(&m.text);
	}
	return have;
}
#define NEED_KERNEL()                                                                                              \
	do {                                                                                                       \
		if (!have_kernel())                                                                                \
			skip();                                                                                    \
	} while (0)

static inline struct exec *open_loaded(const struct exec_ops *ops, const struct asm_image *img)
{
	struct messages m = MESSAGES(&m);
	struct exec *e;

	assert_int_equal(ops->open(&e, &m.diag), 0);
	if (exec_load(e, img, &m.diag))
		fail_msg("%s: %s", ops->name, m.text.s);
	return e;
}

/* The executors that a test compares: e[0] is the vm, e[1] the kernel if n == 2. */
struct both {
	struct exec *e[2];
	u32 n;
};

static inline struct both both_open(const struct asm_image *img)
{
	struct both b = {.n = have_kernel() ? 2 : 1};

	b.e[0] = open_loaded(&exec_vm, img);
	if (b.n == 2)
		b.e[1] = open_loaded(&exec_kernel, img);
	return b;
}

static inline void both_close(struct both *b)
{
	for (u32 i = 0; i < b->n; i++)
		exec_close(b->e[i]);
}

/* The place of an address in its file, and the file as /proc/PID/map_files names it. */
static inline u64 place_of(const void *addr, char *path, size_t size)
{
	FILE *maps = fopen("/proc/self/maps", "re");
	unsigned long lo = 0, hi = 0, off = 0, at = (unsigned long)addr;
	char line[512];

	assert_non_null(maps);
	while (fgets(line, sizeof(line), maps)) {
		if (sscanf(line, "%lx-%lx %*s %lx", &lo, &hi, &off) == 3 && lo <= at && at < hi)
			break;
	}
	fclose(maps);
	assert_true(lo <= at && at < hi);
	snprintf(path, size, "/proc/%d/map_files/%lx-%lx", getpid(), lo, hi);
	return at - lo + off;
}

/* The map that programs leave their results in. */
#define OUT_MAP(words)                                                                                             \
	{                                                                                                          \
		.name = "out", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = (words)*8,                 \
		.max_entries = 1, .flags = BPF_F_MMAPABLE,                                                         \
	}

#endif
