// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/bpf_impl.h"
#include "bpf/libbpf_impl.h"

/* "GPL" in the name of the licence is what the kernel's GPL-only helpers (probe_read_user, ...) ask for. */
#define LICENSE  "Dual BSD/GPL"
#define LOG_SIZE (16u << 20)
#define LOG_KEPT (256 << 10)

static const enum bpf_prog_type prog_type[] = {
    [ASM_RAW_TRACEPOINT] = BPF_PROG_TYPE_RAW_TRACEPOINT,
    [ASM_UPROBE] = BPF_PROG_TYPE_KPROBE,
    [ASM_CLOCK] = BPF_PROG_TYPE_PERF_EVENT,
};

/* Put the maps' descriptors where the kernel wants them: in the first imm, and the offset in the second. */
static void relocate(const struct asm_prog *p, struct bpf_insn *insns, const int *map_fds)
{
	for (u32 i = 0; i < p->nrelocs; i++) {
		const struct asm_reloc *r = &p->relocs[i];
		struct bpf_insn *insn = &insns[r->insn];

		if (r->kind == ASM_RELOC_RT)
			continue;
		insn[0].src_reg = r->kind == ASM_RELOC_MAP ? BPF_PSEUDO_MAP_FD : BPF_PSEUDO_MAP_VALUE;
		insn[0].imm = map_fds[r->target];
		insn[1].imm = r->kind == ASM_RELOC_MAP ? 0 : (s32)r->addend;
	}
}

/* The kernel takes letters, digits, '_' and '.' and 15 bytes: "syscall:::entry" becomes "syscall.entry". */
static void prog_name(char out[BPF_OBJ_NAME_LEN], const char *name)
{
	size_t n = 0;

	for (; *name && n < BPF_OBJ_NAME_LEN - 1; name++) {
		bool ok = (*name >= 'a' && *name <= 'z') || (*name >= 'A' && *name <= 'Z') ||
			  (*name >= '0' && *name <= '9') || *name == '_';

		if (ok)
			out[n++] = *name;
		else if (n && out[n - 1] != '.')
			out[n++] = '.';
	}
	out[n] = '\0';
}

static int load(const struct asm_prog *p, const struct bpf_code *c, char *log, u32 log_size)
{
	LIBBPF_OPTS(bpf_prog_load_opts, opts, .log_buf = log, .log_size = log_size, .log_level = log ? 1 : 0);
	char name[BPF_OBJ_NAME_LEN];
	int fd;

	if (p->kind == ASM_UPROBE && bpf_uprobe_is_multi())
		opts.expected_attach_type = (enum bpf_attach_type)BPF_ATTACH_UPROBE_MULTI;
	prog_name(name, p->name);
	fd = bpf_prog_load(prog_type[p->kind], name, LICENSE, c->insns, c->n, &opts);
	return fd < 0 ? -errno : fd;
}

/* The last line of the log that speaks of the program; the statistics after it do not. */
static void last_words(const char *log, char *out, size_t size)
{
	const char *end = log + strlen(log), *line;

	*out = '\0';
	while (end > log) {
		for (line = end; line > log && line[-1] != '\n'; line--)
			;
		if (end > line && strncmp(line, "processed ", 10) && strncmp(line, "verification time", 17) &&
		    strncmp(line, "stack depth", 11)) {
			snprintf(out, size, "%.*s", (int)(end - line), line);
			return;
		}
		end = line > log ? line - 1 : log;
	}
}

/* Write the end of the verifier's log where a bug report can take it from. */
static bool save_log(const char *log, char *path, size_t size)
{
	const char *dir = getenv("TMPDIR");
	size_t n = strlen(log), from = n > LOG_KEPT ? n - LOG_KEPT : 0;
	bool ok;
	int fd;

	snprintf(path, size, "%s/pydtrace-verifier-XXXXXX", dir && *dir ? dir : "/tmp");
	fd = mkostemp(path, O_CLOEXEC);
	if (fd < 0)
		return false;
	ok = write(fd, log + from, n - from) == (ssize_t)(n - from);
	close(fd);
	return ok;
}

/* Did the verifier give up, rather than find something wrong? That is the script's doing; all else is ours. */
static bool is_too_much(int err, const char *why)
{
	return err == E2BIG || strstr(why, "too complex") || strstr(why, "too large");
}

static int refused(const struct asm_prog *p, const struct bpf_code *c, int err, struct diag *diag)
{
	char *log = calloc(1, LOG_SIZE), path[256], why[200];

	if (!log)
		return diag_fail(diag, ENOMEM, "cannot load the program of %s: out of memory", p->name);
	load(p, c, log, LOG_SIZE);
	last_words(log, why, sizeof(why));
	if (!*why)
		bpf_fail(diag, err, p->name);
	else if (is_too_much(err, why))
		diag_fail(diag, err,
			  "the program of %s is more than the kernel's verifier can check: use fewer clauses, "
			  "fewer string "
			  "functions or a smaller strsize",
			  p->name);
	else
		diag_fail(
		    diag, err,
		    "the kernel's verifier refused the program of %s, which is a bug in pydtrace: %s (its log: %s)",
		    p->name, why, save_log(log, path, sizeof(path)) ? path : "lost");
	free(log);
	return -err;
}

int bpf_code_load(const struct asm_prog *p, struct bpf_code *code, const int *map_fds, struct diag *diag)
{
	char what[128];
	int fd;

	relocate(p, code->insns, map_fds);
	fd = load(p, code, NULL, 0);
	if (fd == -EPERM && bpf_raise_memlock())
		fd = load(p, code, NULL, 0);
	if (fd >= 0)
		return fd;
	if (fd == -EPERM || fd == -EMFILE || fd == -ENFILE || fd == -ENOMEM) {
		snprintf(what, sizeof(what), "cannot load the program of %s", p->name);
		return bpf_fail(diag, -fd, what);
	}
	return refused(p, code, -fd, diag);
}
