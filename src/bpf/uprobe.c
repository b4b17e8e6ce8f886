// SPDX-License-Identifier: Apache-2.0
/*
 * Uprobes, by one of two ways to the same breakpoint: a *multi link* (Linux 6.6), or a perf event of the uprobe PMU
 * (Linux 4.17) that the program is connected to. Measured on Linux 6.18, two CPUs, a program that adds one atomically:
 *
 *					multi link	perf event
 *   a hit on a five-byte nop		480-510 ns	480-500 ns	the kernel makes it a call; 1.7 ns unprobed
 *   a hit on any other instruction	700 ns		760-830 ns	a trap
 *   attach, first / next		12 ms / 0 ms	12 ms / 0 ms	grace period of the semaphore against fork
 *   detach, each			30 ms		110 ms
 *   1,000,000 hits of 4 threads	all counted	all counted	misses 0
 *
 * Neither guards against recursion per CPU (as kprobes do, which then lose events when a program is preempted and another
 * thread hits on the same CPU), so both are exact. Multi links end sooner and so are taken where they are; the kernel must
 * have them with the fix of Linux 6.10 that makes them filter by process, not by thread.
 *
 * What a forked child inherits: a trap, which fires no program for it, and which goes on detaching (from a perf event
 * already at the child's first hit). But where the kernel has made the nop a call, the child has the call and not the
 * page that is called (the trampoline is mapped VM_DONTCOPY), so a child that ran such a site would crash; detaching does
 * not mend it. Sites of the agent are safe: the agent does not pass through them in a child. Linux shows each hit of an
 * optimised site as system call 336 (uprobe) to sys_enter and sys_exit; it is not the program's, and seccomp filters let
 * it pass.
 */
#include <errno.h>
#include <linux/perf_event.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/bpf_impl.h"
#include "bpf/libbpf_impl.h"

/* --- multi links ---------------------------------------------------------------------------------- */

#define MULTI_RETURN 1 /* BPF_F_UPROBE_MULTI_RETURN */

/* union bpf_attr, link_create.uprobe_multi of linux/bpf.h (6.6). */
struct multi_attr {
	u32 prog_fd, target_fd, attach_type, flags;
	u64 path, offsets, ref_ctr_offsets, cookies;
	u32 cnt, multi_flags, pid, pad;
};

int bpf_uprobe_multi_known = -1;

static int multi_create(int prog, const char *path, u64 off, pid_t pid, bool is_return)
{
	struct multi_attr attr = {
	    .prog_fd = (u32)prog,
	    .attach_type = BPF_ATTACH_UPROBE_MULTI,
	    .path = (u64)(uintptr_t)path,
	    .offsets = (u64)(uintptr_t)&off,
	    .cnt = 1,
	    .multi_flags = is_return ? MULTI_RETURN : 0,
	    .pid = (u32)pid,
	};
	int fd = (int)syscall(SYS_bpf, BPF_LINK_CREATE, &attr, sizeof(attr));

	return fd < 0 ? -errno : fd;
}

/*
 * As libbpf's features.c: "/" can hold no probe, which a kernel that knows multi links says as EBADF; one that has the
 * fix sees first that -1 is no process.
 */
static bool probe_multi(void)
{
	struct bpf_insn insns[] = {
	    {.code = BPF_ALU64 | BPF_MOV | BPF_K, .dst_reg = BPF_REG_0},
	    {.code = BPF_JMP | BPF_EXIT},
	};
	LIBBPF_OPTS(bpf_prog_load_opts, opts,
		    .expected_attach_type = (enum bpf_attach_type)BPF_ATTACH_UPROBE_MULTI);
	int prog = bpf_prog_load(BPF_PROG_TYPE_KPROBE, "probe", "GPL", insns, ARRAY_SIZE(insns), &opts);
	bool has;

	if (prog < 0)
		return false;
	has = multi_create(prog, "/", 1, 0, false) == -EBADF && multi_create(prog, "/", 1, -1, false) == -EINVAL;
	close(prog);
	return has;
}

bool bpf_uprobe_is_multi(void)
{
	if (bpf_uprobe_multi_known < 0)
		bpf_uprobe_multi_known = probe_multi();
	return bpf_uprobe_multi_known;
}

static int attach_multi(struct bpf_attachment *out, int prog, const char *path, u64 off, pid_t pid, bool is_return)
{
	int fd = multi_create(prog, path, off, pid < 0 ? 0 : pid, is_return);

	if (fd < 0)
		return fd;
	out->link = fd;
	return 0;
}

/* --- perf events ---------------------------------------------------------------------------------- */

#define UPROBE_PMU "/sys/bus/event_source/devices/uprobe/"

/* The number in a file of sysfs that has `before` before it. */
static int sysfs_number(const char *path, const char *before)
{
	FILE *f = fopen(path, "re");
	char line[64] = "";
	int n = -EINVAL;

	if (!f)
		return -errno;
	if (fgets(line, sizeof(line), f) && !strncmp(line, before, strlen(before)))
		n = atoi(line + strlen(before));
	fclose(f);
	return n;
}

static int attach_perf(struct bpf_attachment *out, int prog, const char *path, u64 off, pid_t pid, bool is_return)
{
	struct perf_event_attr attr = {.size = sizeof(attr), .disabled = 1};
	int type = sysfs_number(UPROBE_PMU "type", ""), bit = sysfs_number(UPROBE_PMU "format/retprobe", "config:");
	int fd;

	if (type < 0 || bit < 0)
		return -EOPNOTSUPP;
	attr.type = (u32)type;
	attr.config = is_return ? 1ull << bit : 0;
	attr.uprobe_path = (u64)(uintptr_t)path;
	attr.probe_offset = off;
	fd = bpf_perf_open(&attr, pid < 0 ? -1 : pid, pid < 0 ? 0 : -1);
	if (fd < 0)
		return fd;
	out->perf = fd;
	return bpf_perf_connect(out, prog);
}

/* -------------------------------------------------------------------------------------------------- */

int bpf_attach_uprobe(struct bpf_attachment *out, int prog, const char *path, u64 off, pid_t pid, bool is_return,
		      struct diag *diag)
{
	char what[256];
	int err;

	*out = (struct bpf_attachment){-1, -1};
	if (bpf_uprobe_is_multi())
		err = attach_multi(out, prog, path, off, pid, is_return);
	else
		err = attach_perf(out, prog, path, off, pid, is_return);
	if (!err)
		return 0;
	bpf_attachment_close(out);
	snprintf(what, sizeof(what), "cannot put a uprobe at %s+0x%llx", path, (unsigned long long)off);
	if (err == -EOPNOTSUPP)
		return diag_fail(diag, EOPNOTSUPP,
				 "%s: this kernel has no uprobes (CONFIG_UPROBE_EVENTS), or /sys is not mounted",
				 what);
	if (err == -ESRCH)
		return diag_fail(diag, ESRCH, "%s: process %d has ended", what, (int)pid);
	/* Files of /proc/PID/map_files may be opened with the last two only. */
	return bpf_fail_need(diag, -err, what,
			     1ull << CAP_PERFMON | 1ull << CAP_BPF | 1ull << CAP_SYS_PTRACE |
				 1ull << CAP_CHECKPOINT_RESTORE);
}
