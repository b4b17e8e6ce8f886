// SPDX-License-Identifier: Apache-2.0
/*
 * Filters of system calls (seccomp(2)): what a thread's would say to a call, found out by running them here. They are programs
 * of classic BPF over struct seccomp_data, without loops, so that they end (include/uapi/linux/filter.h and seccomp.h;
 * kernel/seccomp.c, seccomp_check_filter(), has the instructions that there are).
 */
#include <errno.h>
#include <linux/audit.h>
#include <linux/filter.h>
#include <linux/seccomp.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>

#include "target/target_impl.h"

enum { FILTERS_MAX = 64 }; /* of a thread; the kernel's own limit is their length together (MAX_INSNS_PER_PATH) */

struct machine {
	const struct seccomp_data *data;
	u32 a, x, mem[BPF_MEMWORDS];
};

/* What a load puts into its register. */
static bool load(const struct machine *m, const struct sock_filter *in, u32 *out)
{
	switch (BPF_MODE(in->code)) {
	case BPF_IMM: *out = in->k; return true;
	case BPF_LEN: *out = sizeof(*m->data); return true;
	case BPF_MEM: *out = in->k < BPF_MEMWORDS ? m->mem[in->k] : 0; return in->k < BPF_MEMWORDS;
	case BPF_ABS:
		if (in->k % 4 || in->k > sizeof(*m->data) - 4)
			return false;
		memcpy(out, (const char *)m->data + in->k, 4);
		return true;
	default: return false;
	}
}

/* Division by zero ends a filter with 0, which kills (kernel/bpf/core.c; net/core/filter.c, bpf_convert_filter()). */
static bool compute(u32 op, u32 *a, u32 by)
{
	switch (op) {
	case BPF_ADD: *a += by; return true;
	case BPF_SUB: *a -= by; return true;
	case BPF_MUL: *a *= by; return true;
	case BPF_DIV: *a = by ? *a / by : 0; return by;
	case BPF_AND: *a &= by; return true;
	case BPF_OR: *a |= by; return true;
	case BPF_XOR: *a ^= by; return true;
	case BPF_LSH: *a <<= by & 31; return true;
	case BPF_RSH: *a >>= by & 31; return true;
	case BPF_NEG: *a = -*a; return true;
	default: return false;
	}
}

static bool jump_taken(u32 op, u32 a, u32 with)
{
	return op == BPF_JEQ ? a == with : op == BPF_JGT ? a > with : op == BPF_JGE ? a >= with : a & with;
}

int seccomp_run(const struct sock_filter *code, size_t n, const struct seccomp_data *data, u32 *answer)
{
	struct machine m = {.data = data};

	for (size_t at = 0; at < n; at++) {
		const struct sock_filter *in = &code[at];
		u32 by = BPF_SRC(in->code) == BPF_X ? m.x : in->k;
		bool good = true;

		switch (BPF_CLASS(in->code)) {
		case BPF_LD: good = load(&m, in, &m.a); break;
		case BPF_LDX: good = load(&m, in, &m.x); break;
		case BPF_ST:
		case BPF_STX:
			good = in->k < BPF_MEMWORDS;
			if (good)
				m.mem[in->k] = BPF_CLASS(in->code) == BPF_ST ? m.a : m.x;
			break;
		case BPF_ALU:
			if (!compute(BPF_OP(in->code), &m.a, by)) {
				*answer = SECCOMP_RET_KILL_THREAD;
				return 0;
			}
			break;
		case BPF_JMP:
			at += BPF_OP(in->code) == BPF_JA              ? in->k
			      : jump_taken(BPF_OP(in->code), m.a, by) ? in->jt
								      : in->jf;
			break;
		case BPF_RET: *answer = BPF_RVAL(in->code) == BPF_A ? m.a : in->k; return 0;
		default: /* BPF_MISC: TAX, TXA */
			if (BPF_MISCOP(in->code) == BPF_TAX)
				m.x = m.a;
			else
				m.a = m.x;
		}
		if (!good)
			return -EINVAL;
	}
	return -EINVAL;
}

struct target_filters {
	size_t n;
	struct {
		struct sock_filter *code;
		size_t n;
	} v[FILTERS_MAX];
};

void target_filters_free(struct target_filters *f)
{
	for (size_t i = 0; f && i < f->n; i++)
		free(f->v[i].code);
	free(f);
}

/* One more filter; 1: there is no more. ptrace(2), PTRACE_SECCOMP_GET_FILTER. */
static int filter_read(struct target_filters *f, pid_t tid)
{
	long n = ptrace(PTRACE_SECCOMP_GET_FILTER, tid, f->n, NULL);
	struct sock_filter *code;

	if (n < 0)
		return errno == ENOENT && f->n ? 1 : -errno;
	if (f->n == FILTERS_MAX || n > BPF_MAXINSNS)
		return -E2BIG;
	code = calloc((size_t)n + 1, sizeof(*code));
	if (!code)
		return -ENOMEM;
	if (ptrace(PTRACE_SECCOMP_GET_FILTER, tid, f->n, code) != n) {
		free(code);
		return -EAGAIN;
	}
	f->v[f->n].code = code;
	f->v[f->n++].n = (size_t)n;
	return 0;
}

int target_filters_read(const struct target_stop *s, struct target_filters **out)
{
	struct target_filters *f;
	int ret = 0;

	*out = NULL;
	if (status_field(s->tid, "\nSeccomp:", 10) != SECCOMP_MODE_FILTER)
		return 0;
	f = calloc(1, sizeof(*f));
	if (!f)
		return -ENOMEM;
	while (!ret)
		ret = filter_read(f, s->tid);
	if (ret < 0) {
		target_filters_free(f);
		return ret;
	}
	*out = f;
	return 0;
}

/* As the kernel orders them, the most severe first (kernel/seccomp.c, seccomp_run_filters()): the signed action. */
static enum target_answer answer_of(u32 ret)
{
	switch (ret & SECCOMP_RET_ACTION_FULL) {
	case SECCOMP_RET_ALLOW:
	case SECCOMP_RET_LOG: return TARGET_ALLOWS;
	case SECCOMP_RET_ERRNO: return TARGET_DENIES;
	default: return TARGET_PUNISHES;
	}
}

enum target_answer target_filters_ask(const struct target_filters *f, s64 nr, const u64 args[6], u64 ip)
{
	struct seccomp_data data = {.nr = (int)nr, .arch = AUDIT_ARCH_X86_64, .instruction_pointer = ip};
	enum target_answer worst = TARGET_ALLOWS;

	memcpy(data.args, args, sizeof(data.args));
	for (size_t i = 0; f && i < f->n; i++) {
		u32 ret = SECCOMP_RET_KILL_PROCESS;

		if (seccomp_run(f->v[i].code, f->v[i].n, &data, &ret))
			return TARGET_PUNISHES;
		if (answer_of(ret) > worst)
			worst = answer_of(ret);
	}
	return worst;
}
