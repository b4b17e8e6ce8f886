// SPDX-License-Identifier: Apache-2.0
/* Parsers for /proc text. They see whatever a kernel prints, now or later: unknown lines are skipped. */
#include <ctype.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/sysmacros.h>

#include "target/target_impl.h"

/* The value of "Key:\t..." at the start of a line; NULL when there is none. */
static const char *status_value(const char *text, const char *key)
{
	size_t n = strlen(key);

	for (const char *p = text; p; p = strchr(p, '\n')) {
		p += *p == '\n';
		if (strncmp(p, key, n) || p[n] != ':')
			continue;
		p += n + 1;
		while (*p == ' ' || *p == '\t')
			p++;
		return p;
	}
	return NULL;
}

static unsigned long status_number(const char *text, const char *key)
{
	const char *p = status_value(text, key);

	return p ? strtoul(p, NULL, 10) : 0;
}

int parse_status(const char *text, struct target_status *out, bool *kernel_thread)
{
	const char *state = status_value(text, "State");

	memset(out, 0, sizeof(*out));
	if (!state || !isalpha((unsigned char)*state))
		return -EINVAL;
	out->state = *state;
	out->tracer = (pid_t)status_number(text, "TracerPid");
	out->uid = (uid_t)status_number(text, "Uid");
	out->gid = (gid_t)status_number(text, "Gid");
	out->nthreads = (u32)status_number(text, "Threads");
	out->seccomp = status_number(text, "Seccomp") != 0;
	out->tgid = (pid_t)status_number(text, "Tgid");
	/* A line of shadow-stack features was added in Linux 6.6: "x86_Thread_features:\tshstk wrss". */
	const char *features = status_value(text, "x86_Thread_features");
	size_t len = features ? strcspn(features, "\n") : 0;
	out->shadow_stack = len >= 5 && memmem(features, len, "shstk", 5);
	/* kthreadd and its children: "Kthread:" says it since 6.12, and an ending process has no memory either. */
	*kernel_thread = !status_value(text, "VmSize") && *state != 'Z' && *state != 'X' &&
			 (status_number(text, "Pid") == 2 || status_number(text, "PPid") == 2);
	return 0;
}

static bool parse_hex(const char **p, char end, u64 *out)
{
	char *e;

	if (!isxdigit((unsigned char)**p))
		return false;
	errno = 0;
	*out = strtoull(*p, &e, 16);
	if (errno || *e != end)
		return false;
	*p = e + 1;
	return true;
}

int parse_map_line(const char *line, struct target_map *out)
{
	u64 major, minor;
	char *e;

	memset(out, 0, sizeof(*out));
	if (!parse_hex(&line, '-', &out->start) || !parse_hex(&line, ' ', &out->end) || out->end <= out->start)
		return -EINVAL;
	if (strnlen(line, 5) < 5 || line[4] != ' ')
		return -EINVAL;
	memcpy(out->prot, line, 4);
	line += 5;
	if (!parse_hex(&line, ' ', &out->off) || !parse_hex(&line, ':', &major) || !parse_hex(&line, ' ', &minor))
		return -EINVAL;
	if (!isdigit((unsigned char)*line))
		return -EINVAL;
	out->ino = strtoull(line, &e, 10);
	out->dev = makedev((unsigned)major, (unsigned)minor);
	while (*e == ' ')
		e++;
	out->path = strdup(e);
	return out->path ? 0 : -ENOMEM;
}

pid_t parse_tid(const char *name)
{
	s64 n;

	return !isdigit((unsigned char)*name) || parse_s64(name, &n) || n <= 0 || n > INT32_MAX ? 0 : (pid_t)n;
}
