// SPDX-License-Identifier: Apache-2.0
/*
 * Why BPF cannot be used: in a few words and without a message, for a caller that has another way, or as an error. Capabilities alone do not
 * tell: a seccomp filter, a security module or lockdown may stand before the call, and in a user namespace they are of
 * no use to it.
 */
#include <errno.h>
#include <string.h>

#include "bpf/bpf_impl.h"

/* The first user namespace has one line: all IDs are themselves (user_namespaces(7)). */
static bool in_user_namespace(void)
{
	unsigned inside = 0, outside = 0, count = 0;
	FILE *f = fopen("/proc/self/uid_map", "re");
	bool first;

	if (!f)
		return false;
	first = fscanf(f, "%u %u %u", &inside, &outside, &count) == 3 && !inside && !outside && count == UINT32_MAX;
	fclose(f);
	return !first;
}

static int lack_capability(struct bpf_lack *out)
{
	if (!*bpf_caps_missing(BPF_CAPS, out->caps, sizeof(out->caps)))
		return 0;
	snprintf(out->why, sizeof(out->why), "no %.*s", (int)strcspn(out->caps, " "), out->caps);
	return -EPERM;
}

static bool is_denial(int err)
{
	return err == -EPERM || err == -EACCES;
}

/* `what` cannot be had, with `err`; is it only that, or bpf(2) altogether? */
static void explain(struct bpf_lack *out, int err, const char *what)
{
	int any = bpf_try();

	if (any == -ENOSYS)
		snprintf(out->why, sizeof(out->why), "no bpf(2) in this kernel");
	else if (is_denial(any) && in_user_namespace())
		snprintf(out->why, sizeof(out->why), "no CAP_BPF outside of this user namespace");
	else if (is_denial(any))
		snprintf(out->why, sizeof(out->why), "the kernel denies bpf(2) here (seccomp or lockdown)");
	else if (is_denial(err))
		snprintf(out->why, sizeof(out->why), "the kernel denies %s", what);
	else
		snprintf(out->why, sizeof(out->why), "this kernel has not %s", what);
}

static int lack_perf(struct bpf_lack *out)
{
	int err = bpf_perf_try();

	if (is_denial(err))
		snprintf(out->why, sizeof(out->why), "the kernel denies perf_event_open(2) here (seccomp)");
	else if (err == -ENOSYS)
		snprintf(out->why, sizeof(out->why), "no perf_event_open(2) in this kernel");
	else
		err = 0; /* what is wrong shows when it is used */
	return err;
}

int bpf_caps_lack(u32 need, struct bpf_lack *out)
{
	const char *what = "", *remedy = "";
	int err;

	*out = (struct bpf_lack){0};
	err = lack_capability(out);
	if (err)
		return err;
	err = bpf_feature_lack(&what, &remedy);
	if (err) {
		explain(out, err, what);
		return err;
	}
	if (need & BPF_NEED_CLOCKS || (need & BPF_NEED_UPROBES && !bpf_uprobe_is_multi()))
		return lack_perf(out);
	return 0;
}

int bpf_caps_check(struct diag *diag)
{
	struct bpf_lack lack = {0};
	const char *what = "", *remedy = "";
	int err;

	if (lack_capability(&lack))
		return diag_fail(diag, EPERM, "tracing in the kernel needs %s: run as root (sudo)", lack.caps);
	err = bpf_feature_lack(&what, &remedy);
	switch (err) {
	case 0: return 0;
	case -EMFILE:
	case -ENFILE:
	case -ENOMEM: return bpf_fail(diag, -err, "cannot use BPF");
	case -EPERM:
	case -EACCES:
		explain(&lack, err, what);
		return diag_fail(diag, EPERM, "no tracing in the kernel: %s", lack.why);
	default: return diag_fail(diag, EOPNOTSUPP, "this kernel has not %s: needed is %s", what, remedy);
	}
}
