// SPDX-License-Identifier: Apache-2.0
/*
 * What this kernel lets us do, found out by doing it: versions say little, for distributions add and remove. The ways to
 * try are those of libbpf's features.c.
 */
#include <errno.h>
#include <unistd.h>

#include "bpf/bpf_impl.h"
#include "bpf/libbpf_impl.h"

#define INSN(...)   ((struct bpf_insn){__VA_ARGS__})
#define MOV(dst, i) INSN(.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = dst, .imm = i)
#define FRAME(dst)  INSN(.code = BPF_ALU64 | BPF_MOV | BPF_X, .dst_reg = dst, .src_reg = BPF_REG_10)
#define ADD(dst, i) INSN(.code = BPF_ALU64 | BPF_ADD | BPF_K, .dst_reg = dst, .imm = i)
#define CALL(f)     INSN(.code = BPF_JMP | BPF_CALL, .imm = f)
#define EXIT()      INSN(.code = BPF_JMP | BPF_EXIT)

/* Load; a descriptor or -errno. */
static int try_load(const struct bpf_insn *insns, u32 n)
{
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "probe", "GPL", insns, n, NULL);

	if (fd < 0 && errno == EPERM && bpf_raise_memlock())
		fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "probe", "GPL", insns, n, NULL);
	return fd < 0 ? -errno : fd;
}

static int done(int fd)
{
	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

static int try_raw_tracepoint(void)
{
	struct bpf_insn insns[] = {MOV(0, 0), EXIT()};

	return done(try_load(insns, ARRAY_SIZE(insns)));
}

static int try_test_run(void)
{
	struct bpf_insn insns[] = {MOV(0, 0), EXIT()};
	u64 ctx[12] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = ctx, .ctx_size_in = sizeof(ctx));
	int fd = try_load(insns, ARRAY_SIZE(insns)), err;

	if (fd < 0)
		return fd;
	err = bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
	close(fd);
	return err;
}

/* bpf_get_current_task_btf() is there only where the kernel has its own BTF. */
static int try_task_btf(void)
{
	struct bpf_insn insns[] = {CALL(BPF_FUNC_get_current_task_btf), MOV(0, 0), EXIT()};

	return done(try_load(insns, ARRAY_SIZE(insns)));
}

/* Lockdown for confidentiality takes the helper away (LOCKDOWN_BPF_READ_KERNEL), and with it a call's arguments. */
static int try_read_kernel(void)
{
	struct bpf_insn insns[] = {FRAME(1),  ADD(1, -8), MOV(2, 8), MOV(3, 0), CALL(BPF_FUNC_probe_read_kernel),
				   MOV(0, 0), EXIT()};

	return done(try_load(insns, ARRAY_SIZE(insns)));
}

static int try_map(const struct asm_map *m)
{
	return done(bpf_map_make(m, NULL));
}

static int try_ring(void)
{
	return try_map(&(struct asm_map){
	    .name = "probe", .type = BPF_MAP_TYPE_RINGBUF, .max_entries = (u32)sysconf(_SC_PAGESIZE)});
}

static int try_mapped_array(void)
{
	return try_map(&(struct asm_map){
	    .name = "probe",
	    .type = BPF_MAP_TYPE_ARRAY,
	    .key_size = 4,
	    .value_size = 8,
	    .max_entries = 1,
	    .flags = BPF_F_MMAPABLE,
	});
}

static int try_task_storage(void)
{
	return try_map(&(struct asm_map){
	    .name = "probe",
	    .type = BPF_MAP_TYPE_TASK_STORAGE,
	    .key_size = 4,
	    .value_size = 8,
	    .flags = BPF_F_NO_PREALLOC,
	});
}

static const struct {
	int (*try)(void);
	const char *what, *remedy;
} features[] = {
    {try_raw_tracepoint, "BPF programs on raw tracepoints",
     "Linux 4.17 with CONFIG_BPF_SYSCALL and CONFIG_BPF_EVENTS"},
    {try_test_run, "BPF_PROG_TEST_RUN of raw tracepoints", "Linux 5.10"},
    {try_mapped_array, "BPF arrays that can be mapped", "Linux 5.5"},
    {try_ring, "the BPF ring buffer", "Linux 5.8"},
    {try_task_storage, "BPF task storage", "Linux 5.11"},
    {try_task_btf, "type information of its own (BTF)", "CONFIG_DEBUG_INFO_BTF"},
    {try_read_kernel, "reading of its memory by BPF programs", "Linux 5.5 without lockdown=confidentiality"},
};

int bpf_try(void)
{
	return try_map(&(struct asm_map){
	    .name = "probe", .type = BPF_MAP_TYPE_ARRAY, .key_size = 4, .value_size = 8, .max_entries = 1});
}

int bpf_feature_lack(const char **what, const char **remedy)
{
	for (size_t i = 0; i < ARRAY_SIZE(features); i++) {
		int err = features[i].try();

		*what = features[i].what;
		*remedy = features[i].remedy;
		if (err)
			return err;
	}
	return 0;
}
