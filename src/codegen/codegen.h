// SPDX-License-Identifier: Apache-2.0
/*
 * Typed tree to BPF: one program for each *group* of probes (a group is one place in the kernel or in the agent
 * where we get control: all system-call entries are one group).
 *
 *   program = skip unless running -> the group's index() -> for each enabling, in script order:
 *             is the probe in its set? is its filter's bit set? -> residual predicate -> statements
 *
 * A program keeps the context in r6 (never clobbered by a group's ops); codegen owns all else.
 */
#ifndef PYDTRACE_CODEGEN_H
#define PYDTRACE_CODEGEN_H

#include "asm/asm.h"
#include "d/d.h"

/* --- what the session gives ----------------------------------------------------------------------- */

/*
 * Code that a provider adds to the programs of its group. Each writes instructions to `b`; r6 holds the context;
 * r0..r5 may be used, r7..r9 must be kept. `data` is the group's. The CG_OPS_SCRATCH bytes of stack right below r10
 * are theirs while they run (a place for bpf_probe_read); codegen keeps nothing there.
 */
#define CG_OPS_SCRATCH 16
struct cg_group_ops {
	/*
	 * Leave the number of the probe in its group, 0 <= n < nprobes, in r0 (the verifier must see the bound),
	 * or jump to `skip` when the event is none of the group's. NULL: the group has one probe.
	 */
	void (*index)(struct asm_buf *b, void *data, asm_label skip);
	/*
	 * Leave in r0 the number of the function that fires (a dynamic identity within the probe: a Python code
	 * object), at most 32 bits, 0 for none. NULL: always 0.
	 */
	void (*fid)(struct asm_buf *b, void *data);
	/* Leave in r0 the 64-bit word of filter bits (see cg_enabling.filter). NULL: no filters in this group. */
	void (*filters)(struct asm_buf *b, void *data);
	/*
	 * For each bit n of `mask` store argN as 8 bytes at r10 + off + 8 * n; bit 10 is errno. An argument that the
	 * probe has not is 0. Called once in a clause, at its first use; may call helpers; jump to `fault` when the
	 * arguments cannot be read.
	 */
	void (*args)(struct asm_buf *b, void *data, u32 mask, s16 off, asm_label fault);
	/*
	 * Leave in r0 the user-space address of the text of probemod (which == D_BUILTIN_PROBEMOD) or probefunc when
	 * it is dynamic (fid != 0). NULL: the texts are those of the static probe.
	 */
	void (*text)(struct asm_buf *b, void *data, enum d_builtin which);
};

struct cg_probe {
	const char *prov, *mod, *func, *name;
};

/* One clause at one group. Its number (in cg_input.enablings order, from 1) is the EPID. */
struct cg_enabling {
	const struct d_clause *clause;
	u32 group;
	/* Which probes of the group: nprobes bits in 64-bit words, bit n of word n / 64. NULL: all of them. */
	const u64 *set;
	/* The bit of the filters() word that must be set, -1: none. What the filter decides is not in conj[]. */
	int filter;
	/* The conjuncts of the predicate that are left to decide at run time, in order. */
	struct d_node **conj;
	u32 nconj;
};

struct cg_group {
	const char *name; /* "syscall:::entry", for dumps and the program's name */
	enum asm_prog_kind kind;
	const struct cg_group_ops *ops;
	void *data;
	u32 id_base; /* the D `id` of probe n of the group is id_base + n */
	u32 nprobes;
	const struct cg_probe *probes; /* nprobes */
	bool always;      /* runs in every phase: BEGIN, END, ERROR (others only between BEGIN and END) */
	bool irq_context; /* may interrupt another program on its CPU (profile-N): scratch memory is per CPU */
	bool by_thread;   /* its events cost a thread dearly where eBPF is not to be had: cg_output.prog_gate */
};

struct cg_options {
	u32 strsize;    /* 8 <= strsize <= 8192, a multiple of 8 */
	u32 aggsize;    /* bytes for each aggregation's keys and values on a CPU */
	u32 dynvarsize; /* bytes for associative arrays, and for the slots of thread-locals */
	u32 bufsize;    /* bytes of the record ring; a power of two and of pages */
	u32 ncpus;
	/*
	 * Where the kernel's struct task_struct has what ppid and vtimestamp read (from its BTF; in the vm from the task
	 * that it makes up). 0: not known, and a script that uses them is refused.
	 */
	u32 task_real_parent, task_tgid, task_sum_exec_runtime;
	/* For -v: who runs the programs, and why ("kernel", "vm: no CAP_BPF"). NULL: "kernel". */
	const char *executor;
	bool gate; /* make cg_output.prog_gate, where the script allows it */
};

struct cg_input {
	struct arena *arena;
	const struct d_program *prog;
	const struct cg_group *groups;
	u32 ngroups;
	const struct cg_enabling *enablings;
	u32 nenablings;
	struct cg_options opt;
};

/* --- what comes out ------------------------------------------------------------------------------- */

/*
 * Identity: what fixes the four names of a probe and, for a dynamic probe, the function. In records, keys and in
 * variables a built-in identity string is this one word.
 */
#define CG_IDENT(fid, id) ((u64)(fid) << 32 | (u32)(id))
#define CG_IDENT_ID(w)    ((u32)(w))
#define CG_IDENT_FID(w)   ((u32)((w) >> 32))

enum cg_field_kind {
	CG_INT,      /* `size` bytes, sign as in the type */
	CG_STRING,   /* `size` bytes, NUL-terminated, zero-padded */
	CG_IDENTITY, /* 8 bytes: identity; text: `builtin` of that probe. High bit set: CG_LITERAL */
	CG_TEXT, /* 8 bytes identity (0: none) and then `size` - 8 bytes text: a key that is now this, now that */
	CG_BYTES,
};
/* An identity word with this bit is a string constant: the low 32 bits index cg_output.literals. */
#define CG_LITERAL (1ull << 63)

struct cg_field {
	enum cg_field_kind kind;
	u32 off, size; /* in the record, or in the key */
	bool is_signed;
	bool is_literal; /* CG_INT in a record: a constant of the script */
	enum d_builtin builtin;
	const struct d_type *type;
};

/* One recording action of an enabling, in order. */
struct cg_action {
	const struct d_stmt *stmt;
	struct cg_field *fields; /* of its value arguments, in order (exit: 1; printa, clear ...: the numbers) */
	u32 nfields;
};

/*
 * A record in the ring: one firing of one enabling with all it recorded, or one fault.
 *
 *   struct cg_record | field | field ...
 */
struct cg_record {
	u32 epid; /* with CG_FAULT set: the clause was aborted, `fault` follows */
	u32 cpu;
	u64 timestamp; /* CLOCK_MONOTONIC, ns */
	u64 ident;
	u32 tid, pid;
};
#define CG_FAULT 0x80000000u

enum cg_fault_code { /* as DTRACEFLT_*: what arg4 of ERROR is */
		     CG_FAULT_UNKNOWN = 0,
		     CG_FAULT_BADADDR = 1,
		     CG_FAULT_BADALIGN = 2,
		     CG_FAULT_ILLOP = 3,
		     CG_FAULT_DIVZERO = 4,
		     CG_FAULT_NOSCRATCH = 5,
		     CG_FAULT_KPRIV = 6,
		     CG_FAULT_UPRIV = 7,
		     CG_FAULT_TUPOFLOW = 8,
		     CG_FAULT_BADSTACK = 9,
};
struct cg_fault {   /* follows cg_record */
	u32 code;   /* enum cg_fault_code */
	u32 action; /* index of the statement in the clause, from 1; 0: in the predicate */
	u64 value;  /* the address, ... */
};

struct cg_layout { /* of one enabling; epid - 1 is its index */
	const struct cg_enabling *enabling;
	bool prints_line; /* has a recording action or the default one */
	struct cg_action *actions;
	u32 nactions;
	u32 size; /* of the whole record */
};

/*
 * How one aggregation stands in its map: key = struct cg_field[]; value (for each CPU): u64 words
 *   word 0 number of values; then by function: sum|min|max|avg: 1 word; stddev: sum, square low, square high;
 *   quantize: 127 buckets; lquantize: levels + 2; llquantize: as rt_llquantize_buckets() says.
 * The words of min and max start as 0 and only grow: v ^ RT_MIN_FLIP, v ^ RT_MAX_FLIP (rt.h). Merging CPUs, the
 * larger wins.
 */
struct cg_agg {
	const struct d_aggregation *agg;
	u32 map;
	struct cg_field *keys;
	u32 nkeys;
	u32 key_size, value_words;
};

/*
 * The state array: one element, memory-mapped by the tracer (later by the agent):
 *
 *   struct cg_state | global scalars | slot 0 (never used) | slot 1 | ...
 */
struct cg_state {
	u32 activity;    /* enum cg_activity; programs that are not `always` run only while ACTIVE */
	u32 next_slot;   /* slots handed out so far: the highest in use */
	u64 drops[4];    /* enum cg_drop, counted by the programs */
	u64 next_serial; /* threads that had a slot so far; word 0 of a slot is its thread's number */
	u64 wall_offset; /* the session's: CLOCK_REALTIME - CLOCK_MONOTONIC, ns, for walltimestamp */
};
enum cg_activity { CG_INACTIVE = 0, CG_ACTIVE = 1, CG_DRAINING = 2 /* exit() was called */ };
enum cg_drop { CG_DROP_RECORD, CG_DROP_AGG, CG_DROP_DYNVAR, CG_DROP_SLOT };

struct cg_output {
	struct asm_image image;    /* progs[i] is groups[i]'s; then the helpers named below */
	struct cg_layout *layouts; /* nenablings */
	struct cg_agg *aggs;       /* by d_aggregation.id */
	u32 naggs;
	const char **literals;
	u32 nliterals;
	u32 map_state, map_ring; /* indices of maps */
	s32 prog_thread_exit;    /* index of the program for raw tracepoint sched_process_exit; -1: not needed */
	/*
	 * Index of a raw tracepoint program that returns 1 in a thread in which some clause at a `by_thread` group can come
	 * true, and 0 in one where each asks for a thread-local variable (/self->t/) that is 0. -1: there is no such group,
	 * one of its clauses asks for none, or cg_options.gate is not set.
	 */
	s32 prog_gate;
	const struct d_var **gate; /* the variables that it looks at */
	u32 ngate;
	u32 globals_off, globals_size, slots_off, slot_size, nslots; /* in the state array; slots_off 0: none */
	/* For -v: one line for each enabling: executor, where its variables live, which conjuncts are decided early. */
	const char **why;
};

/*
 * Make the programs of all groups. 0; or -EINVAL, -E2BIG (more than the kernel takes) with one message in diag, and then
 * *out is of no use. Everything is in in->arena and points into *in.
 */
int cg_generate(const struct cg_input *in, struct cg_output *out, struct diag *diag);

/*
 * For -x dump=ir, -x dump=insns and the golden tests. The first generates once more, silently, as the intermediate form is
 * not kept: up to the first error.
 */
void cg_dump_ir(struct strbuf *out, const struct cg_input *in);
void cg_dump_insns(struct strbuf *out, const struct cg_output *o);

#endif
