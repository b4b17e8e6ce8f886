// SPDX-License-Identifier: Apache-2.0
/* Links of tracepoints and clocks; those of uprobes are in uprobe.c. */
#include <errno.h>
#include <linux/membarrier.h>
#include <linux/perf_event.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/bpf_impl.h"
#include "bpf/libbpf_impl.h"

int bpf_attach_raw_tracepoint(struct bpf_attachment *out, int prog, const char *name, struct diag *diag)
{
	char what[128];

	*out = (struct bpf_attachment){.link = bpf_raw_tracepoint_open(name, prog), .perf = -1};
	if (out->link >= 0)
		return 0;
	out->link = -1;
	snprintf(what, sizeof(what), "cannot attach to the kernel's tracepoint %s", name);
	if (errno == ENOENT)
		return diag_fail(diag, ENOENT, "%s: this kernel has none of that name", what);
	return bpf_fail(diag, errno, what);
}

int bpf_perf_open(struct perf_event_attr *attr, pid_t pid, int cpu)
{
	int fd = (int)syscall(SYS_perf_event_open, attr, pid, cpu, -1, PERF_FLAG_FD_CLOEXEC);

	return fd < 0 ? -errno : fd;
}

int bpf_perf_try(void)
{
	struct perf_event_attr attr = {
	    .size = sizeof(attr), .type = PERF_TYPE_SOFTWARE, .config = PERF_COUNT_SW_CPU_CLOCK, .disabled = 1};
	int fd = bpf_perf_open(&attr, 0, -1);

	if (fd < 0)
		return fd;
	close(fd);
	return 0;
}

int bpf_perf_connect(struct bpf_attachment *out, int prog)
{
	out->link = bpf_link_create(prog, out->perf, BPF_PERF_EVENT, NULL);
	if (out->link < 0) {
		out->link = -1;
		if (ioctl(out->perf, PERF_EVENT_IOC_SET_BPF, prog))
			return -errno;
	}
	return ioctl(out->perf, PERF_EVENT_IOC_ENABLE, 0) ? -errno : 0;
}

int bpf_attach_clock(struct bpf_attachment *out, int prog, int cpu, u64 ns, struct diag *diag)
{
	struct perf_event_attr attr = {
	    .size = sizeof(attr),
	    .type = PERF_TYPE_SOFTWARE,
	    .config = PERF_COUNT_SW_CPU_CLOCK,
	    .sample_period = ns,
	    .disabled = 1,
	};
	int err;

	*out = (struct bpf_attachment){-1, -1};
	err = bpf_perf_open(&attr, -1, cpu);
	if (err >= 0) {
		out->perf = err;
		err = bpf_perf_connect(out, prog);
	}
	if (err >= 0)
		return 0;
	bpf_attachment_close(out);
	return bpf_fail(diag, -err, "cannot set the profiling clock");
}

void bpf_attachment_close(struct bpf_attachment *a)
{
	if (a->perf >= 0)
		ioctl(a->perf, PERF_EVENT_IOC_DISABLE, 0);
	if (a->link >= 0)
		close(a->link);
	if (a->perf >= 0)
		close(a->perf);
	*a = (struct bpf_attachment){-1, -1};
}

/*
 * A link that is closed starts no new run of its program, but runs may be under way on other CPUs. They hold an RCU
 * read lock, and membarrier(MEMBARRIER_CMD_GLOBAL) is the one call that makes user space wait for a grace period
 * (kernel/sched/membarrier.c: it is synchronize_rcu()).
 */
void bpf_wait_programs(void)
{
	syscall(SYS_membarrier, MEMBARRIER_CMD_GLOBAL, 0, 0);
}
