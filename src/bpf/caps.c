// SPDX-License-Identifier: Apache-2.0
/*
 * What we are allowed to do, and how to say that we are not: capabilities, limits, and the messages that name the
 * remedy.
 */
#include <errno.h>
#include <linux/capability.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "bpf/bpf_impl.h"

/* Those that are asked for here, in the order in which they are named. */
static const u32 caps[] = {CAP_SYS_PTRACE, CAP_SYS_ADMIN, CAP_BPF, CAP_PERFMON, CAP_CHECKPOINT_RESTORE};

/* The kernel's own call; libcap is not worth a dependency. */
static u64 effective(void)
{
	struct __user_cap_header_struct head = {.version = _LINUX_CAPABILITY_VERSION_3};
	struct __user_cap_data_struct data[2] = {0};

	if (syscall(SYS_capget, &head, data))
		return 0;
	return (u64)data[1].effective << 32 | data[0].effective;
}

const char *bpf_caps_missing(u64 need, char *buf, size_t size)
{
	u64 have = effective();
	size_t n = 0;

	*buf = '\0';
	/* CAP_SYS_ADMIN was split in Linux 5.8 and 5.9 and still stands for what came out of it. */
	if (have & 1ull << CAP_SYS_ADMIN)
		have |= 1ull << CAP_BPF | 1ull << CAP_PERFMON | 1ull << CAP_CHECKPOINT_RESTORE;
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		u64 bit = 1ull << caps[i];
		char name[32];

		if ((need & bit) && !(have & bit) && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? " and " : "",
					      capability_text(caps[i], name, sizeof(name)));
	}
	return buf;
}

bool bpf_raise_memlock(void)
{
	static bool raised;
	struct rlimit all = {RLIM_INFINITY, RLIM_INFINITY};

	if (raised)
		return false;
	raised = true;
	return !setrlimit(RLIMIT_MEMLOCK, &all);
}

int bpf_fail(struct diag *diag, int err, const char *what)
{
	return bpf_fail_need(diag, err, what, BPF_CAPS);
}

int bpf_fail_need(struct diag *diag, int err, const char *what, u64 need)
{
	char missing[96];

	if (!diag)
		return -err;
	switch (err) {
	case EMFILE: return diag_fail(diag, err, "%s: too many open files: raise the limit (ulimit -n)", what);
	case ENFILE: return diag_fail(diag, err, "%s: the system has too many open files: raise fs.file-max", what);
	case ENOMEM:
		return diag_fail(diag, err,
				 "%s: not enough memory for BPF: make the buffers smaller (-b, -x aggsize)", what);
	case EPERM:
	case EACCES:
		if (*bpf_caps_missing(need, missing, sizeof(missing)))
			return diag_fail(diag, err, "%s: permission denied: it needs %s: run as root (sudo)", what,
					 missing);
		return diag_fail(diag, err, "%s: permission denied by the kernel", what);
	default: return diag_fail(diag, err, "%s: %s", what, strerror(err));
	}
}
