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

/* Of "Uid:\treal\teffective\tsaved\tfile-system" as many as there are, four at most. */
static int status_ids(const char *text, const char *key, u32 id[4])
{
	const char *p = status_value(text, key);

	return p ? sscanf(p, "%u %u %u %u", &id[0], &id[1], &id[2], &id[3]) : 0;
}

static u64 status_caps(const char *text, const char *key)
{
	const char *p = status_value(text, key);

	return p ? strtoull(p, NULL, 16) : 0;
}

static void status_users(const char *text, struct target_status *out)
{
	u32 uid[4] = {0}, gid[4] = {0};
	bool known = status_ids(text, "Uid", uid) == 4;

	status_ids(text, "Gid", gid);
	out->uid = uid[0];
	out->gid = gid[0];
	out->fsuid = uid[3];
	out->fsgid = gid[3];
	out->one_user = known && uid[0] == uid[1] && uid[0] == uid[2] && uid[0] == uid[3];
	out->caps = status_caps(text, "CapPrm") | status_caps(text, "CapEff");
}

int parse_status(const char *text, struct target_status *out, bool *kernel_thread)
{
	const char *state = status_value(text, "State");

	memset(out, 0, sizeof(*out));
	if (!state || !isalpha((unsigned char)*state))
		return -EINVAL;
	out->state = *state;
	out->tracer = (pid_t)status_number(text, "TracerPid");
	status_users(text, out);
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

int parse_creds(const char *text, struct creds *out)
{
	u32 uid[4], gid[4];

	memset(out, 0, sizeof(*out));
	if (status_ids(text, "Uid", uid) < 3 || status_ids(text, "Gid", gid) < 3)
		return -EINVAL;
	memcpy(out->uid, uid, sizeof(out->uid));
	memcpy(out->gid, gid, sizeof(out->gid));
	out->permitted = status_caps(text, "CapPrm");
	out->effective = status_caps(text, "CapEff");
	out->parent = (pid_t)status_number(text, "PPid");
	out->seccomp = (u32)status_number(text, "Seccomp");
	return 0;
}

bool parse_uid_map(const char *text, u64 *users, bool *unmapped)
{
	unsigned inside, lower, count;
	int used;

	*users = 0;
	*unmapped = false;
	for (; sscanf(text, "%u %u %u%n", &inside, &lower, &count, &used) == 3; text += used) {
		*users += count;
		*unmapped |= lower == UINT32_MAX;
	}
	return *users;
}

bool parse_hidepid(const char *mounts, char *out, size_t size)
{
	bool hidden = false;

	/* "proc /proc proc rw,relatime,hidepid=invisible 0 0"; of several the last one is on top. */
	for (const char *line = mounts; line; line = strchr(line, '\n')) {
		char where[16], kind[16], options[256], *value;

		line += *line == '\n';
		if (sscanf(line, "%*s %15s %15s %255s", where, kind, options) != 3 || strcmp(where, "/proc") ||
		    strcmp(kind, "proc"))
			continue;
		value = strstr(options, "hidepid=");
		hidden = value;
		if (value)
			snprintf(out, size, "%.*s", (int)strcspn(value + 8, ","), value + 8);
	}
	return hidden && strcmp(out, "0") && strcmp(out, "off");
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
	out->path = e;
	return 0;
}

pid_t parse_tid(const char *name)
{
	s64 n;

	return !isdigit((unsigned char)*name) || parse_s64(name, &n) || n <= 0 || n > INT32_MAX ? 0 : (pid_t)n;
}
