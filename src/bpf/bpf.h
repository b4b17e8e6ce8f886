// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's side of BPF: what it can do, maps, linking of the run-time functions, loading, and links. Descriptors
 * are plain ints that the caller closes; all have O_CLOEXEC. Functions return a descriptor or 0, or -errno after one
 * message in `diag` that names what is missing and what to do (maps and clocks: `diag` may be NULL).
 */
#ifndef PYDTRACE_BPF_H
#define PYDTRACE_BPF_H

#include <sys/types.h>

#include "asm/asm.h"

/* --- what this kernel, with our credentials, can do (lack.c, features.c, caps.c) --------------------------------------- */

/* All that exec/kernel needs, tried one by one. 0, or -EPERM, -EOPNOTSUPP with one line for the first thing that is missing. */
int bpf_caps_check(struct diag *diag);
/*
 * The same in silence, for who has another way: the first thing that is missing. Bit set `need`: what the programs are
 * going to be attached to.
 */
enum bpf_need { BPF_NEED_UPROBES = 1, BPF_NEED_CLOCKS = 2 };
struct bpf_lack {
	char why[160]; /* a few words: "no CAP_BPF", "the kernel denies bpf(2) here (seccomp or lockdown)" */
	char caps
	    [64]; /* all the capabilities that are missing, "CAP_BPF and CAP_PERFMON"; "": that is not the reason */
};
int bpf_caps_lack(u32 need, struct bpf_lack *out); /* 0: nothing is missing; or -errno */
/* Of the capabilities of bit set `need` (bit n: capability n) the ones that we have not, as "CAP_A and CAP_B". */
const char *bpf_caps_missing(u64 need, char *buf, size_t size);

/* Byte offsets in the running kernel's struct task_struct, from its BTF (/sys/kernel/btf/vmlinux). */
struct bpf_task_layout {
	u32 real_parent, tgid, sum_exec_runtime; /* 0: not found */
};
/* Reads some megabytes (10 ms): only for programs that need it. 0 or -errno, without a message. */
int bpf_task_layout(struct bpf_task_layout *out);

/* --- maps (map.c) ---------------------------------------------------------------------------------- */

/* A map as the image defines it, with the value that it begins with. A descriptor or -errno. */
int bpf_map_make(const struct asm_map *m, struct diag *diag);

/* --- linking (rtlink.c) ---------------------------------------------------------------------------- */

/* A program and, after it, the run-time functions that it needs. Map relocations are those of the program. */
struct bpf_code {
	struct bpf_insn *insns; /* on the heap */
	u32 n;
	u32 *funcs; /* where each function starts, the program itself first */
	u32 nfuncs;
};

/*
 * Put the run-time functions that `p` calls behind it and resolve the calls. rt_elf is the object that they are taken from;
 * NULL: the one that is embedded. 0, or -errno with a message; bpf_code_free() in any case.
 */
int bpf_code_link(struct bpf_code *out, const struct asm_prog *p, const void *rt_elf, size_t rt_size,
		  struct diag *diag);
void bpf_code_free(struct bpf_code *c);

/* --- loading (load.c) ------------------------------------------------------------------------------ */

/*
 * Load `p`, its maps being map_fds[]. When the verifier refuses, its log goes to a file that the message names: what
 * we generate must always pass, so a refusal is a bug of ours.
 */
int bpf_code_load(const struct asm_prog *p, struct bpf_code *code, const int *map_fds, struct diag *diag);

/* --- links (attach.c) ------------------------------------------------------------------------------ */

/* What keeps a program attached; ends when closed. */
struct bpf_attachment {
	int link, perf; /* -1: none */
};

/* `name` is the kernel's: "sys_enter". All three: 0 and *out, which the caller closes; or -errno with a message. */
int bpf_attach_raw_tracepoint(struct bpf_attachment *out, int prog, const char *name, struct diag *diag);
/* At `off` bytes in the file `path`, in process `pid` (-1: each). */
int bpf_attach_uprobe(struct bpf_attachment *out, int prog, const char *path, u64 off, pid_t pid, bool is_return,
		      struct diag *diag);
/* A software clock on `cpu`, one event each `ns`. */
int bpf_attach_clock(struct bpf_attachment *out, int prog, int cpu, u64 ns, struct diag *diag);
/* The program runs no more for it once it has ended; see bpf_wait_programs(). */
void bpf_attachment_close(struct bpf_attachment *a);
/* Wait until every program that was running in the kernel when this was called has ended. */
void bpf_wait_programs(void);

#endif
