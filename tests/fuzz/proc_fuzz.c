// SPDX-License-Identifier: Apache-2.0
/* Fuzz the parsers of what /proc says, and of the version that an interpreter says it has. All see all texts. */
#include <stdlib.h>

#include "fuzz.h"
#include "python/python_impl.h"
#include "target/target_impl.h"

static const char *const words[] = {
    "State:\t",
    "TracerPid:\t",
    "Uid:\t",
    "Gid:\t",
    "Threads:\t",
    "Tgid:\t",
    "Seccomp:\t",
    "Pid:\t",
    "PPid:\t2",
    "VmSize:",
    "x86_Thread_features:\tshstk wrss",
    "\n",
    "\t",
    " ",
    "-",
    ":",
    "0",
    "ffffffffffffffff",
    "18446744073709551616",
    "-1",
    "r-xp",
    "00:00",
    "3.9.18 (main",
    "3.13.0rc2+ (",
    "b1",
    ".",
    "rc",
    "(deleted)",
    "CapPrm:\t",
    "CapEff:\t",
    "proc /proc proc ",
    "rw,hidepid=",
    "4294967295 ",
};
const struct fuzz_hints fuzz_hints = {words, ARRAY_SIZE(words), .max = 4096};

static void parse_maps(char *text)
{
	for (char *line = text, *next; line; line = next) {
		struct target_map m;

		next = strchr(line, '\n');
		if (next)
			*next++ = 0;
		if (parse_map_line(line, &m))
			continue;
		if (m.start >= m.end || strlen(m.prot) > 4 || strlen(m.path) > strlen(line))
			abort();
	}
}

static void parse_versions(const u8 *data, size_t size)
{
	char text[32];

	for (size_t i = 0; i <= size && i < 64; i++) {
		u32 v = python_version_parse((const char *)data + i, size - i);

		python_version_text(v, text, sizeof(text));
		if (v && (v >> 24 < 2 || v >> 24 > 9 || strlen(text) > 20))
			abort();
	}
}

static void parse_permit(const char *text)
{
	struct creds c;
	char hidepid[8];
	u64 users;
	bool unmapped;

	parse_creds(text, &c);
	if (parse_uid_map(text, &users, &unmapped) != (users > 0))
		abort();
	if (parse_hidepid(text, hidepid, sizeof(hidepid)) && strlen(hidepid) >= sizeof(hidepid))
		abort();
}

int LLVMFuzzerTestOneInput(const u8 *data, size_t size)
{
	char *text = malloc(size + 1); /* of the very size: a read past it is seen */
	u8 *bytes = malloc(size ? size : 1);
	struct target_status st;
	bool kernel_thread;

	memcpy(text, data, size);
	memcpy(bytes, data, size);
	text[size] = 0;
	parse_versions(bytes, size);
	if (parse_tid(text) < 0)
		abort();
	if (!parse_status(text, &st, &kernel_thread) && !st.state)
		abort();
	parse_permit(text);
	parse_maps(text);
	free(bytes);
	free(text);
	return 0;
}
