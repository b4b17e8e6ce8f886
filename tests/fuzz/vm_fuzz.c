// SPDX-License-Identifier: Apache-2.0
/* Fuzz the vm: any instructions, any helper with any arguments. It ends with an error or without, and soon. */
#include <errno.h>
#include <stdlib.h>

#include "exec/vm_impl.h"
#include "fuzz.h"

enum { MAX_INSNS = 128, BUDGET = 1 << 12, NO_PID = INT32_MAX /* nobody is to be sent a signal */ };

const struct fuzz_hints fuzz_hints = {.max = 2048};

static struct asm_map maps[] = {
    {"array", BPF_MAP_TYPE_ARRAY, 4, 40, 3},    {"cpus", BPF_MAP_TYPE_PERCPU_ARRAY, 4, 12, 2},
    {"hash", BPF_MAP_TYPE_HASH, 8, 24, 2},      {"cpuhash", BPF_MAP_TYPE_PERCPU_HASH, 16, 8, 3},
    {"queue", BPF_MAP_TYPE_QUEUE, 0, 20, 2},    {"stack", BPF_MAP_TYPE_STACK, 0, 8, 2},
    {"ring", BPF_MAP_TYPE_RINGBUF, 0, 0, 4096}, {"storage", BPF_MAP_TYPE_TASK_STORAGE, 4, 1 << 20, 0},
};

static const s32 helpers[] = {
    BPF_FUNC_map_lookup_elem,   BPF_FUNC_map_update_elem,      BPF_FUNC_map_delete_elem,
    BPF_FUNC_map_push_elem,     BPF_FUNC_map_pop_elem,         BPF_FUNC_map_peek_elem,
    BPF_FUNC_task_storage_get,  BPF_FUNC_task_storage_delete,  BPF_FUNC_ringbuf_reserve,
    BPF_FUNC_ringbuf_submit,    BPF_FUNC_ringbuf_discard,      BPF_FUNC_ringbuf_output,
    BPF_FUNC_ringbuf_query,     BPF_FUNC_get_current_comm,     BPF_FUNC_get_current_task_btf,
    BPF_FUNC_send_signal,       BPF_FUNC_probe_read_user,      BPF_FUNC_probe_read_user_str,
    BPF_FUNC_probe_read_kernel, BPF_FUNC_get_current_pid_tgid, BPF_FUNC_ktime_get_ns,
};

static struct bpf_insn insns[MAX_INSNS + 2];
static struct asm_reloc relocs[MAX_INSNS];
static struct asm_prog prog = {"fuzz", ASM_RAW_TRACEPOINT, insns, 0, relocs, 0};

static void emit(u8 code, u8 dst, u8 src, s16 off, s32 imm)
{
	insns[prog.ninsns++] = (struct bpf_insn){code, dst & 15, src & 15, off, imm};
}

/* The kinds that chance alone would seldom make, and anything at all. */
static void emit_any(struct fuzz_in *in)
{
	static const u8 stores[] = {BPF_STX | BPF_MEM | BPF_DW,   BPF_LDX | BPF_MEM | BPF_DW,
				    BPF_LDX | BPF_MEM | BPF_B,    BPF_STX | BPF_ATOMIC | BPF_DW,
				    BPF_STX | BPF_ATOMIC | BPF_W, BPF_ST | BPF_MEM | BPF_W};
	static const u8 alus[] = {BPF_ADD, BPF_SUB,  BPF_MUL, BPF_DIV, BPF_MOD,
				  BPF_LSH, BPF_ARSH, BPF_NEG, BPF_MOV, BPF_END};
	u8 kind = (u8)fuzz_take(in, 1), reg = (u8)fuzz_take(in, 1);
	u32 map;

	switch (kind % 8) {
	case 0: /* a map, or the value of one */
		map = (u32)fuzz_take(in, 1) % ARRAY_SIZE(maps);
		relocs[prog.nrelocs++] = (struct asm_reloc){
		    kind & 8 && map == 0 ? ASM_RELOC_MAP_VALUE : ASM_RELOC_MAP, prog.ninsns, map, kind & 16, NULL};
		emit(BPF_LD | BPF_IMM | BPF_DW, reg % 6, 0, 0, 0);
		emit(0, 0, 0, 0, 0);
		break;
	case 1: emit(BPF_JMP | BPF_CALL, 0, 0, 0, helpers[reg % ARRAY_SIZE(helpers)]); break;
	case 2: /* the address of something on the stack */
		emit(BPF_ALU64 | BPF_MOV | BPF_X, reg % 6, BPF_REG_10, 0, 0);
		emit(BPF_ALU64 | BPF_ADD | BPF_K, reg % 6, 0, 0, -(s32)(fuzz_take(in, 1) * 4));
		break;
	case 3:
		emit(stores[(kind >> 3) % ARRAY_SIZE(stores)], reg & 8 ? BPF_REG_10 : reg % 8, reg >> 4,
		     (s16)(fuzz_take(in, 1) - 192), (s32)fuzz_take(in, 1));
		break;
	case 4: emit(BPF_ALU64 | BPF_MOV | BPF_K, reg % 6, 0, 0, (s32)fuzz_take(in, kind & 8 ? 4 : 1)); break;
	case 5:
		emit((kind & 8 ? BPF_ALU : BPF_ALU64) | (kind & 16) / 2 | alus[(kind >> 4) % ARRAY_SIZE(alus)], reg,
		     reg >> 4, kind & 128 ? (s16)fuzz_take(in, 1) : 0, (s32)fuzz_take(in, 4));
		break;
	case 6: emit(BPF_JMP | BPF_CALL, 0, BPF_PSEUDO_CALL, 0, (int8_t)reg); break;
	default:
		emit(reg, (u8)fuzz_take(in, 1), (u8)fuzz_take(in, 1), (s16)fuzz_take(in, 2), (s32)fuzz_take(in, 4));
	}
}

/* The user memory of the thread: half of the addresses can be read. */
static int read_user(void *arg, void *dst, u64 addr, u32 n)
{
	if (addr & 1 << 12)
		return -EFAULT;
	memset(dst, addr & 1 << 13 ? 'x' : 0, n);
	return 0;
}

static int see_record(void *arg, const void *rec, size_t size)
{
	*(u64 *)arg += hash_bytes(rec, size);
	return 0;
}

static int see_value(void *arg, const void *key, const void *values, u32 nvalues, u32 stride)
{
	*(u64 *)arg += hash_bytes(values, (size_t)nvalues * stride);
	return 0;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	struct asm_image image = {maps, ARRAY_SIZE(maps), &prog, 1};
	struct exec_thread t = {.pid = NO_PID,
				.tid = NO_PID,
				.ppid = NO_PID,
				.uid = 1,
				.gid = 1,
				.comm = "fuzz",
				.cpu = 1,
				.cookie = 4711,
				.known = EXEC_ALL};
	struct diag quiet = {fuzz_hush};
	struct fuzz_in in = {data, size};
	u64 ctx[4] = {1, 2, 3, 4}, args[5] = {(u64)(uintptr_t)ctx}, r0, sum = 0;
	struct exec *e;

	prog.ninsns = prog.nrelocs = 0;
	while (in.n && prog.ninsns < MAX_INSNS)
		emit_any(&in);
	emit(BPF_JMP | BPF_EXIT, 0, 0, 0, 0);
	if (exec_vm.open(&e, &quiet) || exec_load(e, &image, &quiet)) {
		exec_close(e);
		return 0;
	}
	for (int i = 0; i < 2; i++) { /* the second finds what the first has left */
		struct vm *vm = (struct vm *)e;
		struct vm_run r = {.vm = vm,
				   .code = vm->progs,
				   .ctx = (const u8 *)ctx,
				   .ctx_size = sizeof(ctx),
				   .thread = &t,
				   .read = read_user,
				   .cpu = e->ncpus - 1,
				   .budget = BUDGET};

		vm_call(&r, 0, args, &r0);
		while (r.nreserved)
			vm_ring_submit(r.reserved[--r.nreserved].p, true);
		for (u32 m = 0; m < ARRAY_SIZE(maps); m++)
			if (maps[m].type == BPF_MAP_TYPE_RINGBUF)
				exec_ring_drain(e, m, see_record, &sum);
			else
				exec_map_each(e, m, see_value, &sum);
	}
	exec_close(e);
	return 0;
}
