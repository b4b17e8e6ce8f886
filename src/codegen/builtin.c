// SPDX-License-Identifier: Apache-2.0
/* The built-in variables that are numbers: one row each. */
#include "gen_impl.h"

static struct ir_val call(struct gen *g, s32 helper)
{
	return ir_helper(&g->ir, helper, NULL, 0);
}

static struct ir_val arg(struct gen *g, enum d_builtin b)
{
	return gen_arg(g, (u32)(b - D_BUILTIN_ARG0));
}

static struct ir_val error(struct gen *g, enum d_builtin b)
{
	return ir_ext(&g->ir, gen_arg(g, ARG_ERRNO), 4, true);
}

static struct ir_val pid(struct gen *g, enum d_builtin b)
{
	return ir_alu(&g->ir, BPF_RSH, call(g, BPF_FUNC_get_current_pid_tgid), ir_const(32));
}

static struct ir_val tid(struct gen *g, enum d_builtin b)
{
	return ir_ext(&g->ir, call(g, BPF_FUNC_get_current_pid_tgid), 4, false);
}

static struct ir_val uid(struct gen *g, enum d_builtin b)
{
	return ir_ext(&g->ir, call(g, BPF_FUNC_get_current_uid_gid), 4, false);
}

static struct ir_val gid(struct gen *g, enum d_builtin b)
{
	return ir_alu(&g->ir, BPF_RSH, call(g, BPF_FUNC_get_current_uid_gid), ir_const(32));
}

static struct ir_val timestamp(struct gen *g, enum d_builtin b)
{
	return gen_lazy(g, LAZY_TIME);
}

static struct ir_val walltimestamp(struct gen *g, enum d_builtin b)
{
	struct ir_val now = gen_lazy(g, LAZY_TIME);

	return ir_alu(&g->ir, BPF_ADD, now,
		      ir_load(&g->ir, 8, gen_state(g, offsetof(struct cg_state, wall_offset)), 0));
}

static struct ir_val cpu(struct gen *g, enum d_builtin b)
{
	return call(g, BPF_FUNC_get_smp_processor_id);
}

static struct ir_val id(struct gen *g, enum d_builtin b)
{
	return gen_id(g);
}

static struct ir_val epid(struct gen *g, enum d_builtin b)
{
	return ir_const(g->epid);
}

/* A word of kernel memory at base + off; 0 when it cannot be read (the helper clears it). */
static struct ir_val kernel_word(struct gen *g, struct ir_val base, u32 off, u32 size)
{
	struct ir_val at = ir_stack(&g->ir, 8), addr = ir_alu(&g->ir, BPF_ADD, base, ir_const(off));

	ir_helper(&g->ir, BPF_FUNC_probe_read_kernel, IR_ARGS(at, ir_const(size), addr));
	return ir_load(&g->ir, size, at, 0);
}

static struct ir_val ppid(struct gen *g, enum d_builtin b)
{
	const struct cg_options *o = &g->cg->in->opt;
	struct ir_val parent = kernel_word(g, call(g, BPF_FUNC_get_current_task), o->task_real_parent, 8);

	return kernel_word(g, parent, o->task_tgid, 4);
}

static struct ir_val vtimestamp(struct gen *g, enum d_builtin b)
{
	return kernel_word(g, call(g, BPF_FUNC_get_current_task), g->cg->in->opt.task_sum_exec_runtime, 8);
}

static struct ir_val (*const builtins[D_NBUILTINS])(struct gen *g, enum d_builtin b) = {
    [D_BUILTIN_ARG0] = arg,
    [D_BUILTIN_ARG1] = arg,
    [D_BUILTIN_ARG2] = arg,
    [D_BUILTIN_ARG3] = arg,
    [D_BUILTIN_ARG4] = arg,
    [D_BUILTIN_ARG5] = arg,
    [D_BUILTIN_ARG6] = arg,
    [D_BUILTIN_ARG7] = arg,
    [D_BUILTIN_ARG8] = arg,
    [D_BUILTIN_ARG9] = arg,
    [D_BUILTIN_PID] = pid,
    [D_BUILTIN_TID] = tid,
    [D_BUILTIN_PPID] = ppid,
    [D_BUILTIN_UID] = uid,
    [D_BUILTIN_GID] = gid,
    [D_BUILTIN_TIMESTAMP] = timestamp,
    [D_BUILTIN_WALLTIMESTAMP] = walltimestamp,
    [D_BUILTIN_VTIMESTAMP] = vtimestamp,
    [D_BUILTIN_CPU] = cpu,
    [D_BUILTIN_ID] = id,
    [D_BUILTIN_EPID] = epid,
    [D_BUILTIN_ERRNO] = error,
};

static bool is_known(struct gen *g, enum d_builtin b)
{
	const struct cg_options *o = &g->cg->in->opt;

	if (b == D_BUILTIN_PPID)
		return o->task_real_parent && o->task_tgid;
	return b != D_BUILTIN_VTIMESTAMP || o->task_sum_exec_runtime;
}

struct ir_val gen_builtin(struct gen *g, const struct d_node *n)
{
	if (!is_known(g, n->builtin) || !builtins[n->builtin]) {
		cg_error(g->cg, n->pos,
			 "'%s' is not available: the kernel does not tell the layout of its tasks (no BTF)",
			 d_builtin_name(n->builtin));
		return ir_const(0);
	}
	return builtins[n->builtin](g, n->builtin);
}
