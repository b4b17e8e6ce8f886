// SPDX-License-Identifier: Apache-2.0
/*
 * What the files of target/ share. The parsers of what /proc and a process's memory say are pure: text or bytes in,
 * numbers out, any input allowed.
 */
#ifndef PYDTRACE_TARGET_IMPL_H
#define PYDTRACE_TARGET_IMPL_H

#include "target/target.h"

struct target {
	pid_t pid;
	int pidfd, mem;
	char comm[16];
};

/* The text of /proc/PID/status. -EINVAL when it has no State line. */
int parse_status(const char *text, struct target_status *out, bool *kernel_thread);
/* One line of /proc/PID/maps without its newline; `path` is allocated. -EINVAL, -ENOMEM. */
int parse_map_line(const char *line, struct target_map *out);
/* A file name in /proc/PID/task; 0 when it is no thread id. */
pid_t parse_tid(const char *name);

/* target_status() of any thread. */
int status_read(pid_t pid, struct target_status *out, bool *kernel_thread);

/* /proc/PID/mem, a descriptor or -errno (memory.c). */
int mem_open(pid_t pid);

/*
 * Bytes of a mapped ELF file: a process's memory, or a buffer in the tests. All n bytes at `addr` or -errno.
 */
struct elf_source {
	int (*read)(void *arg, u64 addr, void *dst, size_t n);
	void *arg;
};
/* What the dynamic section says, with run-time addresses. */
struct elf_dynamic {
	u64 bias, symtab, strtab, strsz, hash, gnu_hash;
};
/* -ENOEXEC: not an x86-64 ELF image or nonsense in it; -ENOENT: no dynamic symbols. */
int elf_dynamic_read(const struct elf_source *src, u64 base, struct elf_dynamic *out);
int elf_symbol_find(const struct elf_source *src, const struct elf_dynamic *dyn, const char *name, u64 *addr,
		    u64 *size);

#endif
