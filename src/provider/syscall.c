// SPDX-License-Identifier: Apache-2.0
/*
 * syscall::NAME:entry and :return. Two groups, entries and returns: one program each on the raw tracepoints sys_enter
 * and sys_exit, which need neither tracefs nor debugfs. The number of a system call is the number of its probe in the
 * group; numbers that are no call of this architecture keep the probe without a name and match nothing. (One such is
 * what the kernel itself makes for an optimised uprobe, so that our own sites are never counted.)
 *
 * Contexts (include/trace/events/syscalls.h): sys_enter (struct pt_regs *regs, long id), sys_exit (regs, long ret).
 * A 32-bit process is counted under the 64-bit name of its number: the tracepoint does not tell them apart.
 */
#include <asm/ptrace.h>
#include <errno.h>

#include "provider/provider_impl.h"

enum place { ENTRY, RETURN };

static const struct {
	const char *name, *group, *tracepoint;
} places[] = {
    [ENTRY] = {"entry", "syscall:::entry", "sys_enter"},
    [RETURN] = {"return", "syscall:::return", "sys_exit"},
};

static const struct {
	const char *name;
	u32 nargs;
} calls[] = {
#define SYSCALL(number, name, nargs) [number] = {#name, nargs},
#include "syscall_table.h"
#undef SYSCALL
};

struct provider_run {
	struct provider_env *env;
	struct provider_group *group[ARRAY_SIZE(places)];
};

/* Where the kernel keeps the arguments and the number of a call on the stack of the thread. */
#if defined(__x86_64__)
static const s16 arg_reg[] = {
    offsetof(struct pt_regs, rdi), offsetof(struct pt_regs, rsi), offsetof(struct pt_regs, rdx),
    offsetof(struct pt_regs, r10), offsetof(struct pt_regs, r8),  offsetof(struct pt_regs, r9),
};
#define NUMBER_REG offsetof(struct pt_regs, orig_rax)
#elif defined(__aarch64__)
/* struct pt_regs: user_pt_regs (31 registers, sp, pc, pstate), orig_x0, syscallno. */
static const s16 arg_reg[] = {34 * 8, 8, 16, 24, 32, 40};
#define NUMBER_REG (35 * 8)
#else
#error "the registers of this architecture's system calls are not known here"
#endif

/* Read 8 bytes of the pt_regs into r10 + off; r0 is not 0 when it failed. */
static void read_reg(struct asm_buf *b, s16 reg, s16 off)
{
	asm_mov(b, BPF_REG_1, BPF_REG_10);
	asm_alu_imm(b, BPF_ADD, BPF_REG_1, off);
	asm_mov_imm(b, BPF_REG_2, 8);
	asm_load(b, BPF_DW, BPF_REG_3, BPF_REG_6, 0);
	asm_alu_imm(b, BPF_ADD, BPF_REG_3, reg);
	asm_call(b, BPF_FUNC_probe_read_kernel);
}

static void entry_index(struct asm_buf *b, void *data, asm_label skip)
{
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, 8);
	asm_branch_imm(b, BPF_JGE, BPF_REG_0, ARRAY_SIZE(calls), skip);
}

static void return_index(struct asm_buf *b, void *data, asm_label skip)
{
	read_reg(b, NUMBER_REG, -8);
	asm_branch_imm(b, BPF_JNE, BPF_REG_0, 0, skip);
#ifdef __aarch64__
	asm_load(b, BPF_W, BPF_REG_0, BPF_REG_10, -8); /* an int there */
#else
	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_10, -8);
#endif
	asm_branch_imm(b, BPF_JGE, BPF_REG_0, ARRAY_SIZE(calls), skip);
}

static void entry_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	for (size_t n = 0; n < ARRAY_SIZE(arg_reg); n++) {
		if (!(mask & 1u << n))
			continue;
		read_reg(b, arg_reg[n], (s16)(off + 8 * (s16)n));
		asm_branch_imm(b, BPF_JNE, BPF_REG_0, 0, fault);
	}
	provider_args_zero(b, mask & ~((1u << ARRAY_SIZE(arg_reg)) - 1), off);
}

/*
 * What a call ends with, at the tracepoint, that a signal breaks off and that may be made again (include/linux/errno.h). No
 * program ever sees these: to it the call was interrupted.
 */
enum { ERESTARTSYS = 512, ERESTART_RESTARTBLOCK = 516 };

/*
 * The kernel returns -errno when a call fails. As in the Dynamic Tracing Guide, arg0 and arg1 are then -1 and errno is
 * positive; otherwise they are the result, and errno is 0.
 */
static void return_args(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault)
{
	asm_label no_error = asm_label_new(b);
	u32 own = 1u << 0 | 1u << 1 | 1u << PROVIDER_ARG_ERRNO;

	asm_load(b, BPF_DW, BPF_REG_0, BPF_REG_6, 8);
	asm_mov_imm(b, BPF_REG_1, 0);
	asm_branch_imm(b, BPF_JSGE, BPF_REG_0, 0, no_error);
	asm_branch_imm(b, BPF_JSLT, BPF_REG_0, -4095, no_error); /* MAX_ERRNO: beyond it are addresses */
	asm_alu(b, BPF_SUB, BPF_REG_1, BPF_REG_0);
	asm_mov_imm(b, BPF_REG_0, -1);
	asm_branch_imm(b, BPF_JLT, BPF_REG_1, ERESTARTSYS, no_error);
	asm_branch_imm(b, BPF_JGT, BPF_REG_1, ERESTART_RESTARTBLOCK, no_error);
	asm_mov_imm(b, BPF_REG_1, EINTR);
	asm_label_here(b, no_error);
	for (int n = 0; n < 2; n++)
		if (mask & 1u << n)
			asm_store(b, BPF_DW, BPF_REG_10, (s16)(off + 8 * n), BPF_REG_0);
	if (mask & 1u << PROVIDER_ARG_ERRNO)
		asm_store(b, BPF_DW, BPF_REG_10, (s16)(off + 8 * PROVIDER_ARG_ERRNO), BPF_REG_1);
	provider_args_zero(b, mask & ~own, off);
}

static const struct cg_group_ops ops[] = {
    [ENTRY] = {.index = entry_index, .args = entry_args},
    [RETURN] = {.index = return_index, .args = return_args},
};

static bool syscall_claims(const char *prov)
{
	return glob_match(prov, "syscall");
}

static int syscall_open(struct provider_run **out, struct provider_env *env)
{
	struct provider_run *r = arena_alloc(env->arena, sizeof(*r));

	r->env = env;
	for (size_t i = 0; i < ARRAY_SIZE(places); i++) {
		r->group[i] = env->add_group(env, &(struct provider_group){
						      .provider = &provider_syscall,
						      .name = places[i].group,
						      .kind = ASM_RAW_TRACEPOINT,
						      .ops = &ops[i],
						      .by_thread = true,
						  });
		for (size_t n = 0; n < ARRAY_SIZE(calls); n++) {
			bool known = calls[n].name != NULL;

			env->add_probe(env, r->group[i],
				       &(struct probe){
					   .prov = "syscall",
					   .mod = "vmlinux",
					   .func = known ? calls[n].name : "",
					   .name = known ? places[i].name : "",
					   .nargs = i == RETURN ? 2 : calls[n].nargs,
				       });
		}
	}
	*out = r;
	return 0;
}

static int syscall_expand(struct provider_run *r, const struct d_desc *d, void (*found)(void *arg, struct probe *p),
			  void *arg)
{
	for (size_t i = 0; i < ARRAY_SIZE(places); i++)
		provider_match(r->group[i], d, found, arg);
	return 0;
}

static int syscall_attach(struct provider_run *r, struct provider_group *g, struct exec *e)
{
	const char *tracepoint = places[g == r->group[RETURN] ? RETURN : ENTRY].tracepoint;

	return exec_attach_raw_tracepoint(e, g->cg_index, tracepoint, r->env->diag);
}

const struct provider provider_syscall = {
    .name = "syscall",
    .summary = "entry and return of every system call, by the kernel's name",
    .only_kernel = "system calls of processes that are not being traced are not seen",
    .claims = syscall_claims,
    .open = syscall_open,
    .expand = syscall_expand,
    .attach = syscall_attach,
};
