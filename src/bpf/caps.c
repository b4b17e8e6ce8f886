// SPDX-License-Identifier: Apache-2.0
#include <errno.h>
#include <string.h>

#include "bpf/bpf_impl.h"

static const struct {
	unsigned bit; /* linux/capability.h */
	const char *name;
} caps[] = {{19, "CAP_SYS_PTRACE"}, {21, "CAP_SYS_ADMIN"}, {38, "CAP_PERFMON"}, {39, "CAP_BPF"}};

/* The effective capabilities, from /proc: libcap is not worth a dependency. */
static u64 effective(void)
{
	FILE *f = fopen("/proc/self/status", "re");
	unsigned long long v = 0;
	char line[256];

	while (f && fgets(line, sizeof(line), f)) {
		if (sscanf(line, "CapEff: %llx", &v) == 1)
			break;
	}
	if (f)
		fclose(f);
	return v;
}

const char *bpf_caps_missing(u64 need, char *buf, size_t size)
{
	u64 have = effective();
	size_t n = 0;

	*buf = '\0';
	for (size_t i = 0; i < ARRAY_SIZE(caps); i++) {
		u64 bit = 1ull << caps[i].bit;

		if ((need & bit) && !(have & bit) && n < size)
			n += (size_t)snprintf(buf + n, size - n, "%s%s", n ? " and " : "", caps[i].name);
	}
	return buf;
}

int bpf_caps_check(struct diag *diag)
{
	return 0;
}
