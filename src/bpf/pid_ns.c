// SPDX-License-Identifier: Apache-2.0
/*
 * The pid namespace that this process is in. The kernel's helper gives programs the numbers of the initial one. How
 * deep ours is and where it stands in the kernel's memory no file tells, but a program that runs in this thread can see it:
 * task_active_pid_ns() is thread_pid->numbers[thread_pid->level].ns (kernel/pid.c).
 */
#include <errno.h>
#include <sys/stat.h>
#include <unistd.h>

#include "bpf/bpf_impl.h"
#include "bpf/libbpf_impl.h"

/* The inode of the initial namespace, the same since Linux 3.8 (include/linux/proc_ns.h, PROC_PID_INIT_INO). */
#define INITIAL_INO 0xeffffffcu

#define INSN(...)            ((struct bpf_insn){__VA_ARGS__})
#define MOV(dst, src)        INSN(BPF_ALU64 | BPF_MOV | BPF_X, dst, src, 0, 0)
#define MOV_IMM(dst, i)      INSN(BPF_ALU64 | BPF_MOV | BPF_K, dst, 0, 0, i)
#define ADD_IMM(dst, i)      INSN(BPF_ALU64 | BPF_ADD | BPF_K, dst, 0, 0, i)
#define RSH_IMM(dst, i)      INSN(BPF_ALU64 | BPF_RSH | BPF_K, dst, 0, 0, i)
#define LOAD(dst, src, off)  INSN(BPF_LDX | BPF_MEM | BPF_DW, dst, src, off, 0)
#define LOAD4(dst, src, off) INSN(BPF_LDX | BPF_MEM | BPF_W, dst, src, off, 0)
#define CALL(f)              INSN(BPF_JMP | BPF_CALL, 0, 0, 0, f)
#define EXIT()               INSN(BPF_JMP | BPF_EXIT, 0, 0, 0, 0)

static bool is_initial(void)
{
	struct stat st;

	return !stat("/proc/self/ns/pid", &st) && st.st_ino == INITIAL_INO;
}

/* The low word of what the program gives when this thread runs it. 0 or -errno. */
static int ask(const struct bpf_insn *insns, u32 n, u32 *out)
{
	u64 ctx[12] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = ctx, .ctx_size_in = sizeof(ctx));
	int fd = bpf_prog_load(BPF_PROG_TYPE_RAW_TRACEPOINT, "pid_ns", "GPL", insns, n, NULL), err;

	if (fd < 0)
		return -errno;
	err = bpf_prog_test_run_opts(fd, &opts) ? -errno : 0;
	*out = opts.retval;
	close(fd);
	return err;
}

static int ask_level(const struct asm_pid_ns *n, u32 *level)
{
	const struct bpf_insn insns[] = {
	    CALL(BPF_FUNC_get_current_task_btf),
	    LOAD(0, 0, (s16)n->task_thread_pid),
	    LOAD4(0, 0, (s16)n->pid_level),
	    EXIT(),
	};

	return ask(insns, ARRAY_SIZE(insns), level);
}

/* 32 bits of the address of the namespace, from bit `shift` on. */
static int ask_address(const struct asm_pid_ns *n, int shift, u32 *bits)
{
	const struct bpf_insn insns[] = {
	    CALL(BPF_FUNC_get_current_task_btf),
	    LOAD(3, 0, (s16)n->task_thread_pid),
	    ADD_IMM(3, (s32)(n->pid_numbers + n->level * n->upid_size + n->upid_ns)),
	    MOV(1, 10),
	    ADD_IMM(1, -8),
	    MOV_IMM(2, 8),
	    CALL(BPF_FUNC_probe_read_kernel),
	    LOAD(0, 10, -8),
	    RSH_IMM(0, shift),
	    EXIT(),
	};

	return ask(insns, ARRAY_SIZE(insns), bits);
}

static const struct member {
	const char *in, *name;
	size_t to;
} members[] = {
#define MEMBER(in, name)                                                                                           \
	{                                                                                                          \
#in, #name, offsetof(struct asm_pid_ns, in##_##name)                                               \
	}
    {"task_struct", "thread_pid", offsetof(struct asm_pid_ns, task_thread_pid)},
    {"task_struct", "group_leader", offsetof(struct asm_pid_ns, task_group_leader)},
    {"task_struct", "real_parent", offsetof(struct asm_pid_ns, task_real_parent)},
    MEMBER(pid, level),
    MEMBER(pid, numbers),
    MEMBER(upid, nr),
    MEMBER(upid, ns),
#undef MEMBER
};

/* An offset that a load instruction can have. */
static int look_up(const struct btf *btf, struct asm_pid_ns *out)
{
	int upid = btf__find_by_name_kind(btf, "upid", BTF_KIND_STRUCT);

	for (size_t i = 0; i < ARRAY_SIZE(members); i++) {
		int id = btf__find_by_name_kind(btf, members[i].in, BTF_KIND_STRUCT), off;
		u32 type;

		off = id < 0 ? id : bpf_btf_member(btf, (u32)id, members[i].name, &type);
		if (off < 0 || off > INT16_MAX)
			return -ENOENT;
		*(u32 *)((char *)out + members[i].to) = (u32)off;
	}
	if (upid < 0)
		return -ENOENT;
	out->upid_size = btf__type_by_id(btf, (u32)upid)->size;
	return 0;
}

int bpf_pid_ns(struct asm_pid_ns *out)
{
	struct btf *btf;
	u32 low = 0, high = 0;
	int err;

	*out = (struct asm_pid_ns){0};
	if (is_initial())
		return 0;
	btf = btf__load_vmlinux_btf();
	if (!btf)
		return -errno;
	err = look_up(btf, out);
	btf__free(btf);
	if (!err)
		err = ask_level(out, &out->level);
	if (!err)
		err = ask_address(out, 0, &low);
	if (!err)
		err = ask_address(out, 32, &high);
	out->ns = (u64)high << 32 | low;
	return err;
}
