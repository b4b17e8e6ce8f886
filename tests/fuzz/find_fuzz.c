// SPDX-License-Identifier: Apache-2.0
/*
 * Fuzz how an interpreter is found in a process: its maps, its images and its data are anything. The functions of
 * target.h that read a process are here, in place of the part's own.
 */
#include <errno.h>
#include <stdlib.h>

#include "elf_image.h"
#include "python/python_impl.h"
#include "target/target_impl.h"

enum { PYTHON = 0x400000, LIBC = 0x7f0000000000, DATA = 0x500000, NMAPS = 6, MAX_READS = 1 << 22 };

const struct fuzz_hints fuzz_hints = {.max = 256};

/* All that can be damaged. */
struct process {
	struct {
		u64 start, end, off, ino;
		char prot[8], path[48];
	} maps[NMAPS];
	struct elf_image python, libc;
	char data[256];
};

static const struct process healthy = {
    .maps = {{PYTHON, PYTHON + 0x2000, 0, 7, "r-xp", "/usr/bin/python3.9"},
	     {DATA, DATA + 0x1000, 0x2000, 7, "rw-p", "/usr/bin/python3.9"},
	     {DATA + 0x1000, DATA + 0x3000, 0, 0, "rw-p", ""},
	     {LIBC, LIBC + 0x2000, 0, 8, "r-xp", "/lib/libc.so.6"},
	     {LIBC + 0x2000, LIBC + 0x4000, 0x2000, 8, "rw-p", "/lib/libc.so.6"},
	     {LIBC + 0x8000, LIBC + 0x9000, 0, 0, "rw-p", "[stack]"}},
    .data = "..1.2.3....3.9.18 (main, Oct 7 2024) \n[GCC]",
};

static struct process *process;
static unsigned reads;

/* --- in place of target's ------------------------------------------------------------------------ */

int target_maps_read(struct target *t, struct target_maps *out)
{
	*out = (struct target_maps){calloc(NMAPS, sizeof(*out->v)), 0, NULL};
	for (size_t i = 0; i < NMAPS; i++) {
		struct target_map *m = &out->v[out->n];

		if (process->maps[i].start >= process->maps[i].end) /* parse_map_line() does not let it in */
			continue;
		m->start = process->maps[i].start;
		m->end = process->maps[i].end;
		m->off = process->maps[i].off;
		m->ino = process->maps[i].ino;
		memcpy(m->prot, process->maps[i].prot, 4);
		m->path = strndup(process->maps[i].path, sizeof(process->maps[i].path));
		out->n++;
	}
	return 0;
}

void target_maps_free(struct target_maps *m)
{
	for (size_t i = 0; i < m->n; i++)
		free((char *)m->v[i].path);
	free(m->v);
	*m = (struct target_maps){0};
}

static bool read_piece(u64 base, const void *piece, size_t size, u64 addr, void *dst, size_t n)
{
	u64 off = addr - base;

	if (off >= size)
		return false;
	memset(dst, 0, n);
	memcpy(dst, (const u8 *)piece + off, n < size - off ? n : size - off);
	return true;
}

int target_read(struct target *t, u64 addr, void *dst, size_t n)
{
	if (reads++ > MAX_READS)
		abort();
	if (read_piece(PYTHON, &process->python, sizeof(process->python), addr, dst, n) ||
	    read_piece(LIBC, &process->libc, sizeof(process->libc), addr, dst, n) ||
	    read_piece(DATA, process->data, sizeof(process->data), addr, dst, n))
		return 0;
	for (size_t i = 0; i < NMAPS; i++)
		if (addr >= process->maps[i].start && addr < process->maps[i].end &&
		    n <= process->maps[i].end - addr) {
			memset(dst, '.', n);
			return 0;
		}
	return -EFAULT;
}

pid_t target_pid(const struct target *t)
{
	return 4711;
}

const char *target_comm(const struct target *t)
{
	return "python";
}

int target_refuse(pid_t pid, const char *comm, int err, struct diag *diag)
{
	abort(); /* nothing is denied here */
}

/* --- the target ----------------------------------------------------------------------------------- */

static void count_messages(void *arg, enum diag_level level, const char *text)
{
	++*(unsigned *)arg;
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	static const char *const names[2][IMAGE_SYMS] = {
	    {"Py_AddPendingCall", "PyGILState_Check", "PyGILState_Ensure", "PyGILState_Release",
	     "Py_IsInitialized"},
	    {"gnu_get_libc_version", "dlopen", "dlsym", "dlclose", "dlerror"}};
	static const u64 values[IMAGE_SYMS] = {0x1000, 0x1100, 0x1200, 0x1300, 0x1400};
	struct fuzz_in in = {data, size};
	u8 mode = (u8)fuzz_take(&in, 1);
	bool whole = !in.n;
	struct python_symbols sym;
	static struct python_info info; /* 4 KiB of it is a path */
	struct target t = {4711};
	unsigned messages = 0;
	struct diag diag = {count_messages, &messages};
	int ret;

	process = malloc(sizeof(*process));
	*process = healthy;
	elf_image_make(&process->python, PYTHON, mode & 1, names[0], values);
	elf_image_make(&process->libc, LIBC, mode & 2, names[1], values);
	fuzz_damage_all(&in, process, sizeof(*process));
	reads = 0;
	ret = python_find(&t, &info, &diag);
	if (messages != !!ret || (whole && (ret || info.version != 0x030912f0)))
		abort();
	if (memchr(info.image, 0, sizeof(info.image)) == NULL)
		abort();
	messages = 0;
	ret = python_symbols_find(&t, &info, &sym, &diag);
	if (messages != !!ret)
		abort();
	free(process);
	return 0;
}
