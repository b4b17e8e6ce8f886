// SPDX-License-Identifier: Apache-2.0
/*
 * A process: its state, maps, memory, ELF symbols, and how to stop one thread of it. Knows nothing of Python.
 * All functions return 0 or -errno and never abort: they may be holding somebody's process.
 */
#ifndef PYDTRACE_TARGET_H
#define PYDTRACE_TARGET_H

#include <sys/types.h>
#include <sys/user.h>

#include "util/util.h"

struct target;

/* Open process `pid` (a thread group). Says in `diag` why not: no such process, zombie, kernel thread, not permitted ... */
int target_open(struct target **out, pid_t pid, struct diag *diag);
void target_close(struct target *t);
pid_t target_pid(const struct target *t);
/* A pidfd; polls readable when the process has ended. */
int target_pidfd(const struct target *t);
const char *target_comm(const struct target *t);

/* /proc/PID/status, as far as we need it. */
struct target_status {
	char state;   /* R S D T t Z X */
	pid_t tracer; /* who traces it; 0: nobody */
	char tracer_comm[16];
	uid_t uid;
	gid_t gid;
	u32 nthreads;
};
int target_status(struct target *t, struct target_status *out);

struct target_map {
	u64 start, end, off;
	dev_t dev;
	ino_t ino;
	char prot[5]; /* "r-xp" */
	char *path;   /* as the target sees it; "" for anonymous */
};
struct target_maps {
	struct target_map *v;
	size_t n;
};
int target_maps_read(struct target *t, struct target_maps *out);
void target_maps_free(struct target_maps *m);

/* All n bytes or -errno (-EFAULT: not mapped, -ESRCH: gone). */
int target_read(struct target *t, u64 addr, void *dst, size_t n);
int target_write(struct target *t, u64 addr, const void *src,
		 size_t n); /* through /proc/PID/mem: into read-only maps too */
/* At most max - 1 bytes up to the NUL. */
int target_read_string(struct target *t, u64 addr, char *dst, size_t max);

/*
 * Dynamic symbols of a mapped ELF file, read from the process's own memory (PT_DYNAMIC, DT_GNU_HASH or DT_HASH), so
 * that deleted, stripped or foreign-root files work. `base` is the load bias.
 */
struct target_elf;
int target_elf_open(struct target_elf **out, struct target *t, u64 first_map_start);
int target_elf_symbol(struct target_elf *e, const char *name, u64 *addr); /* run-time address; -ENOENT */
void target_elf_close(struct target_elf *e);

#endif
