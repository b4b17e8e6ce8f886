// SPDX-License-Identifier: Apache-2.0
/*
 * -c: start a program under ptrace and hold it at its entry point, where the loader has mapped everything. Where Python
 * is to be traced, follow it from there: a launcher (sh, env) over its exec to the next entry point, an interpreter to
 * where it is ready and the script has not begun; any other program stays held. The child is ours, so breakpoints are
 * fine.
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ptrace.h>
#include <unistd.h>

#include "python/child_impl.h"

#define NEVER_NS    (3600ull * 1000000000)
#define LAUNCHER_NS (3ull * 1000000000) /* for a launcher's next exec */
#define ARGS_MAX    4096                /* bytes of a command line that may name Python */

/* What runs the script: the first of these that is called after the start holds the child. */
static const char *const runners[] = {
    "Py_RunMain",
    /* when that was inlined into the program's main, or an embedding program never calls it */
    "PyRun_AnyFileExFlags",
    "_PyRun_AnyFileObject",
    "PyRun_SimpleFileExFlags",
    "_PyRun_SimpleFileObject",
    "PyRun_SimpleStringFlags",
    "_PyRun_SimpleStringFlagsWithName",
};
_Static_assert(ARRAY_SIZE(runners) < CHILD_BREAKPOINTS, "one more for the entry point");

/* Programs that start another by exec; what their arguments name may be Python. */
static const char *const launchers[] = {
    "sh",     "bash",    "dash",    "zsh",     "ksh",     "busybox", "env",     "nice",  "nohup",
    "setsid", "taskset", "timeout", "chroot",  "unshare", "stdbuf",  "ionice",  "chrt",  "setpriv",
    "sudo",   "su",      "runuser", "nsenter", "setarch", "prlimit", "numactl", "xargs", "coreutils"};

/* Errors that mean "you may not", which has a reason; others say enough. */
static bool is_denial(int err)
{
	return err == EPERM || err == EACCES || err == ENOSYS;
}

/* The command's name, as its process will be called. */
static const char *name_of(char *const argv[])
{
	const char *slash = strrchr(argv[0], '/');

	return slash ? slash + 1 : argv[0];
}

static void child_exec(char *const argv[], int go, int report)
{
	sigset_t none;
	char c;
	int err;

	for (int sig = 1; sig < NSIG; sig++)
		signal(sig, SIG_DFL);
	sigemptyset(&none);
	sigprocmask(SIG_SETMASK, &none, NULL);
	if (read(go, &c, 1) == 1) {
		execvp(argv[0], argv);
		err = errno;
		if (write(report, &err, sizeof(err)) < 0)
			_exit(126);
	}
	_exit(127);
}

/* Fork, seize, let it exec. 0, or -errno of the exec. */
static int child_launch(struct python_child *c, char *const argv[], struct diag *diag)
{
	int go[2], report[2], err = 0, ret = 0;

	if (pipe2(go, O_CLOEXEC))
		return diag_fail(diag, errno, "-c: pipe: %s", strerror(errno));
	if (pipe2(report, O_CLOEXEC)) {
		ret = diag_fail(diag, errno, "-c: pipe: %s", strerror(errno));
		close(go[0]);
		close(go[1]);
		return ret;
	}
	c->pid = fork();
	if (c->pid == 0)
		child_exec(argv, go[0], report[1]);
	close(go[0]);
	close(report[1]);
	if (c->pid < 0)
		ret = diag_fail(diag, errno, "-c: fork: %s", strerror(errno));
	else if (ptrace(PTRACE_SEIZE, c->pid, 0, PTRACE_O_TRACEEXEC | PTRACE_O_EXITKILL))
		ret = is_denial(errno) ? target_refuse(c->pid, name_of(argv), errno, diag)
				       : diag_fail(diag, errno, "-c: ptrace: %s", strerror(errno));
	else
		c->traced = true;
	if (!ret && write(go[1], "", 1) != 1)
		ret = diag_fail(diag, errno, "-c: write: %s", strerror(errno));
	close(go[1]);
	/* The pipe closes at the exec; until then something in it is the exec's error. */
	if (!ret && read(report[0], &err, sizeof(err)) == sizeof(err))
		ret = diag_fail(diag, err, "-c: cannot run '%s': %s", argv[0], strerror(err));
	close(report[0]);
	return ret;
}

/* Where the image's own code begins: by then the loader has mapped what it needs. */
static int entry_point(struct python_child *c, u64 *entry)
{
	char *text;
	size_t n;
	int ret = target_proc_read(c->pid, "auxv", &text, &n);

	if (ret)
		return ret;
	ret = -ENOENT;
	for (size_t at = 0; at + sizeof(Elf64_auxv_t) <= n; at += sizeof(Elf64_auxv_t)) {
		Elf64_auxv_t a;

		memcpy(&a, text + at, sizeof(a));
		if (a.a_type == AT_ENTRY) {
			*entry = a.a_un.a_val;
			ret = 0;
		}
	}
	free(text);
	return ret;
}

/* Is it a program that will exec another one? */
static bool is_launcher(struct python_child *c)
{
	char path[64], exe[4096], *args;
	const char *base;
	ssize_t n;
	size_t size;
	bool yes;

	snprintf(path, sizeof(path), "/proc/%d/exe", c->pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = 0;
	base = strrchr(exe, '/');
	base = base ? base + 1 : exe;
	for (size_t i = 0; i < ARRAY_SIZE(launchers); i++)
		if (!strcmp(base, launchers[i]))
			return true;
	/* "wrapper python3 x.py" */
	if (target_proc_read(c->pid, "cmdline", &args, &size))
		return false;
	yes = memmem(args, size < ARGS_MAX ? size : ARGS_MAX, "python", 6);
	free(args);
	return yes;
}

static void silent(void *arg, enum diag_level level, const char *text)
{
}

/* At the entry point: is this Python? 0, -ENOENT without a message, or an error with one. */
static int image_judge(struct python_child *c, struct python_info *info, struct diag *diag)
{
	struct diag quiet = {.sink = silent};
	int ret = python_find(c->t, info, &quiet);

	return ret == 0 || ret == -ENOENT ? ret : python_find(c->t, info, diag);
}

static int runners_break(struct python_child *c, const struct python_info *info)
{
	struct target_elf *e = NULL;
	u64 addr;
	int ret = target_elf_open(&e, c->t, info->image_base);

	for (size_t i = 0; !ret && i < ARRAY_SIZE(runners); i++)
		if (!target_elf_symbol(e, runners[i], &addr))
			ret = child_break(c, addr);
	if (!ret && !c->nbp)
		ret = -ENOENT;
	target_elf_close(e);
	return ret;
}

/* Just after an exec: on to the entry point, which is not waited for. */
static int child_break_entry(struct python_child *c)
{
	u64 entry;
	int ret = entry_point(c, &entry);

	if (!ret)
		ret = child_break(c, entry);
	return ret ? ret : child_continue(c);
}

/* From an exec to the entry point of what it started; held there. -ENOENT: it has ended. */
static int child_enter(struct python_child *c)
{
	enum child_event ev;
	int ret;

	for (;;) {
		ret = child_next(c, now_ns() + NEVER_NS, &ev);
		if (ret)
			return ret;
		if (ev == CHILD_BREAKPOINT) {
			c->held = true;
			return 0;
		}
		if (ev != CHILD_EXEC)
			return -ENOENT;
		ret = child_break_entry(c);
		if (ret)
			return ret;
	}
}

/* From an entry point on. 0: held in Python; -ENOENT: it is none, held or (a launcher) running. */
static int child_follow(struct python_child *c, struct python_info *info, struct diag *diag)
{
	for (;;) {
		int ret = image_judge(c, info, diag);
		bool python = ret == 0;
		enum child_event ev;

		if (ret && (ret != -ENOENT || !is_launcher(c)))
			return ret;
		ret = python ? runners_break(c, info) : 0;
		c->held = false;
		if (!ret)
			ret = child_continue(c);
		if (!ret)
			ret = child_next(c, now_ns() + (python ? NEVER_NS : LAUNCHER_NS), &ev);
		if (ret)
			return ret;
		if (ev == CHILD_BREAKPOINT) {
			c->held = true;
			return python_find(c->t, info, diag); /* again: 3.9 and 3.10 know their version only now */
		}
		if (ev != CHILD_EXEC)
			return -ENOENT;
		ret = child_break_entry(c);
		if (!ret)
			ret = child_enter(c);
		if (ret)
			return ret;
	}
}

int python_start(struct python_child **out, char *const argv[], struct target **t, struct diag *diag)
{
	struct python_child *c = calloc(1, sizeof(*c));
	unsigned errors = diag->errors;
	int ret, status;

	if (!c)
		return diag_fail(diag, ENOMEM, "out of memory");
	ret = child_launch(c, argv, diag);
	if (!ret)
		ret = target_open(&c->t, c->pid, diag);
	if (!ret)
		ret = child_enter(c);
	if (ret && diag->errors == errors && is_denial(-ret))
		target_refuse(c->pid, name_of(argv), -ret, diag);
	else if (ret && diag->errors == errors)
		diag_fail(diag, -ret, "-c: cannot follow '%s': %s", argv[0],
			  ret == -ENOENT ? "it ended before it began" : strerror(-ret));
	if (ret) {
		python_child_wait(c, true, &status);
		return ret;
	}
	*out = c;
	*t = c->t;
	return 0;
}

int python_follow(struct python_child *c, struct python_info *info, struct diag *diag)
{
	unsigned errors = diag->errors;
	int ret = child_follow(c, info, diag);

	if (ret && diag->errors == errors && is_denial(-ret))
		target_refuse(c->pid, target_comm(c->t), -ret, diag);
	else if (ret && ret != -ENOENT && diag->errors == errors)
		diag_fail(diag, -ret, "-c: cannot follow process %d: %s", c->pid, strerror(-ret));
	return ret;
}
