// SPDX-License-Identifier: Apache-2.0
/* The names of capabilities(7). */
#include <linux/capability.h>

#include "util/util.h"

#define C(name) [CAP_##name] = #name
static const char *const names[] = {
    C(CHOWN),
    C(DAC_OVERRIDE),
    C(DAC_READ_SEARCH),
    C(FOWNER),
    C(FSETID),
    C(KILL),
    C(SETGID),
    C(SETUID),
    C(SETPCAP),
    C(LINUX_IMMUTABLE),
    C(NET_BIND_SERVICE),
    C(NET_BROADCAST),
    C(NET_ADMIN),
    C(NET_RAW),
    C(IPC_LOCK),
    C(IPC_OWNER),
    C(SYS_MODULE),
    C(SYS_RAWIO),
    C(SYS_CHROOT),
    C(SYS_PTRACE),
    C(SYS_PACCT),
    C(SYS_ADMIN),
    C(SYS_BOOT),
    C(SYS_NICE),
    C(SYS_RESOURCE),
    C(SYS_TIME),
    C(SYS_TTY_CONFIG),
    C(MKNOD),
    C(LEASE),
    C(AUDIT_WRITE),
    C(AUDIT_CONTROL),
    C(SETFCAP),
    C(MAC_OVERRIDE),
    C(MAC_ADMIN),
    C(SYSLOG),
    C(WAKE_ALARM),
    C(BLOCK_SUSPEND),
    C(AUDIT_READ),
    C(PERFMON),
    C(BPF),
    C(CHECKPOINT_RESTORE),
};
#undef C

const char *capability_text(unsigned nr, char *out, size_t size)
{
	if (nr < ARRAY_SIZE(names) && names[nr])
		snprintf(out, size, "CAP_%s", names[nr]);
	else
		snprintf(out, size, "number %u", nr); /* of a kernel that is newer than we */
	return out;
}
