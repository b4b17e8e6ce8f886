// SPDX-License-Identifier: Apache-2.0
/*
 * -c: start a program under ptrace, follow it over exec, and hold it where its interpreter is ready and the script has
 * not begun. The child is ours, so breakpoints are fine; none is left behind.
 *
 *   exec ... exec -> entry point of the image: the loader has mapped everything
 *                      no interpreter: a launcher (sh, env) runs on to its next exec; any other program is held here
 *                      interpreter: breakpoints at what runs the script -> held there
 */
#include <elf.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/auxv.h>
#include <sys/ptrace.h>
#include <sys/wait.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { LAUNCHER_MS = 3000, ATTACH_MS = 10000 };

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

struct breakpoint {
	u64 addr;
	u8 byte; /* that was there */
};

struct python_child {
	pid_t pid;
	struct target *t;
	struct breakpoint bp[ARRAY_SIZE(runners)];
	size_t nbp;
	struct user_regs_struct regs; /* while held */
	bool held, traced, ended;
	int status;
};

/* Programs that start another by exec; what their arguments name may be Python. */
static const char *const launchers[] = {
    "sh",     "bash",    "dash",    "zsh",     "ksh",     "busybox", "env",     "nice",  "nohup",
    "setsid", "taskset", "timeout", "chroot",  "unshare", "stdbuf",  "ionice",  "chrt",  "setpriv",
    "sudo",   "su",      "runuser", "nsenter", "setarch", "prlimit", "numactl", "xargs", "coreutils"};

/* --- breakpoints -------------------------------------------------------------------------------------------------------- */

static int bp_set(struct python_child *c, u64 addr)
{
	static const u8 int3 = 0xcc;
	struct breakpoint *b = &c->bp[c->nbp];
	int ret = target_read(c->t, addr, &b->byte, 1);

	if (ret)
		return ret;
	for (size_t i = 0; i < c->nbp; i++)
		if (c->bp[i].addr == addr)
			return 0;
	ret = target_write(c->t, addr, &int3, 1);
	if (ret)
		return ret;
	b->addr = addr;
	c->nbp++;
	return 0;
}

static int bp_clear(struct python_child *c)
{
	int ret = 0;

	for (; c->nbp && !ret; c->nbp--)
		ret = target_write(c->t, c->bp[c->nbp - 1].addr, &c->bp[c->nbp - 1].byte, 1);
	return ret;
}

/* A SIGTRAP stop: is it one of our breakpoints? Then take all away and step back onto the instruction. */
static int bp_hit(struct python_child *c)
{
	int ret;

	if (ptrace(PTRACE_GETREGS, c->pid, 0, &c->regs))
		return -errno;
	for (size_t i = 0; i < c->nbp; i++) {
		if (c->regs.rip != c->bp[i].addr + 1)
			continue;
		ret = bp_clear(c);
		c->regs.rip--;
		if (!ret && ptrace(PTRACE_SETREGS, c->pid, 0, &c->regs))
			ret = -errno;
		return ret ? ret : 1;
	}
	return 0;
}

/* --- events ------------------------------------------------------------------------------------------------------------- */

enum event { EVENT_NONE, EVENT_EXEC, EVENT_BREAKPOINT, EVENT_ENDED };

/*
 * Go on until something happens or the deadline is over. Signals are passed on. At EVENT_EXEC and EVENT_BREAKPOINT the
 * child is stopped, at EVENT_NONE it runs.
 */
static int event_next(struct python_child *c, u64 deadline, enum event *ev)
{
	int status, hit, sig;

	for (;;) {
		pid_t got = waitpid(c->pid, &status, __WALL | WNOHANG);

		if (got < 0 && errno != EINTR)
			return -errno;
		if (got <= 0) {
			if (now_ns() > deadline) {
				*ev = EVENT_NONE;
				return 0;
			}
			usleep(200);
			continue;
		}
		if (!WIFSTOPPED(status)) {
			c->ended = true;
			c->status = status;
			*ev = EVENT_ENDED;
			return 0;
		}
		if (status >> 8 == (SIGTRAP | PTRACE_EVENT_EXEC << 8)) {
			c->nbp = 0; /* they were in the memory that is gone */
			*ev = EVENT_EXEC;
			return target_reopen(c->t);
		}
		sig = WSTOPSIG(status);
		if (status >> 16 == PTRACE_EVENT_STOP) {
			sig = 0;
		} else if (status >> 16 == 0 && sig == SIGTRAP) {
			hit = bp_hit(c);
			*ev = EVENT_BREAKPOINT;
			if (hit)
				return hit < 0 ? hit : 0;
		}
		if (ptrace(PTRACE_CONT, c->pid, 0, sig) && errno != ESRCH)
			return -errno;
	}
}

static int child_continue(struct python_child *c)
{
	return ptrace(PTRACE_CONT, c->pid, 0, 0) ? -errno : 0;
}

/* --- start -------------------------------------------------------------------------------------------------------------- */

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
		ret = diag_fail(diag, errno, "-c: ptrace: %s", strerror(errno));
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
	char path[64];
	Elf64_auxv_t a;
	int fd, ret = -ENOENT;

	snprintf(path, sizeof(path), "/proc/%d/auxv", c->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	if (fd < 0)
		return -errno;
	while (read(fd, &a, sizeof(a)) == sizeof(a)) {
		if (a.a_type == AT_ENTRY) {
			*entry = a.a_un.a_val;
			ret = 0;
		}
	}
	close(fd);
	return ret;
}

/* Is it a program that will exec another one? */
static bool is_launcher(struct python_child *c)
{
	char path[64], exe[4096], args[4096];
	const char *base;
	ssize_t n;
	int fd;

	snprintf(path, sizeof(path), "/proc/%d/exe", c->pid);
	n = readlink(path, exe, sizeof(exe) - 1);
	exe[n > 0 ? n : 0] = 0;
	base = strrchr(exe, '/');
	base = base ? base + 1 : exe;
	for (size_t i = 0; i < ARRAY_SIZE(launchers); i++)
		if (!strcmp(base, launchers[i]))
			return true;
	/* "wrapper python3 x.py" */
	snprintf(path, sizeof(path), "/proc/%d/cmdline", c->pid);
	fd = open(path, O_RDONLY | O_CLOEXEC);
	n = fd >= 0 ? read(fd, args, sizeof(args)) : 0;
	if (fd >= 0)
		close(fd);
	return n > 0 && memmem(args, (size_t)n, "python", 6);
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
	struct target_elf *e;
	u64 addr;
	int ret = target_elf_open(&e, c->t, info->image_base);

	for (size_t i = 0; !ret && i < ARRAY_SIZE(runners); i++)
		if (!target_elf_symbol(e, runners[i], &addr))
			ret = bp_set(c, addr);
	if (!ret && !c->nbp)
		ret = -ENOENT;
	target_elf_close(e);
	return ret;
}

/* Follow the child until it is held. 0: in Python; -ENOENT: it is none. */
static int child_follow(struct python_child *c, struct python_info *info, struct diag *diag)
{
	u64 never = now_ns() + 3600ull * 1000000000, deadline = never, entry = 0;
	bool python = false;
	enum event ev;
	int ret;

	for (;;) {
		ret = event_next(c, deadline, &ev);
		if (ret)
			return ret;
		if (ev == EVENT_ENDED || ev == EVENT_NONE)
			return -ENOENT;
		if (ev == EVENT_EXEC) {
			python = false;
			deadline = never;
			ret = entry_point(c, &entry);
			if (!ret)
				ret = bp_set(c, entry);
		} else if (python) {
			c->held = true;
			return python_find(c->t, info, diag); /* again: 3.9 and 3.10 know their version only now */
		} else {
			ret = image_judge(c, info, diag);
			if (ret == -ENOENT && !is_launcher(c)) {
				c->held = true;
				return ret;
			}
			python = ret == 0;
			if (ret == -ENOENT)
				deadline = now_ns() + LAUNCHER_MS * 1000000ull;
			else if (ret)
				return ret;
			ret = python ? runners_break(c, info) : 0;
		}
		if (!ret)
			ret = child_continue(c);
		if (ret)
			return ret;
	}
}

int python_start(struct python_child **out, char *const argv[], struct target **t, struct python_info *info,
		 struct diag *diag)
{
	struct python_child *c = calloc(1, sizeof(*c));
	unsigned errors = diag->errors;
	int ret, status;

	*out = NULL;
	*t = NULL;
	if (!c)
		return diag_fail(diag, ENOMEM, "out of memory");
	ret = child_launch(c, argv, diag);
	if (!ret)
		ret = target_open(&c->t, c->pid, diag);
	if (!ret)
		ret = child_follow(c, info, diag);
	if (ret && ret != -ENOENT && diag->errors == errors)
		diag_fail(diag, -ret, "-c: cannot follow '%s': %s", argv[0], strerror(-ret));
	if (ret && (ret != -ENOENT || !c->t)) {
		python_child_wait(c, true, &status);
		return ret;
	}
	*out = c;
	*t = c->t;
	return ret;
}

/* --- held ---------------------------------------------------------------------------------------------------------------- */

/* Run the stub in the held thread and hold it again at the same place. */
static int child_shoot(struct python_child *c, struct python *p, const void *page, size_t size, struct diag *diag)
{
	struct target_stop s = {.tid = c->pid, .regs = c->regs};
	u64 at = c->regs.rip, deadline = now_ns() + ATTACH_MS * 1000000ull;
	enum event ev;
	int ret = bp_set(c, at), handshake;

	if (!ret && ptrace(PTRACE_GETSIGMASK, c->pid, sizeof(s.mask), &s.mask))
		ret = -errno;
	if (!ret)
		ret = python_shot(p, &s, STUB_DIRECT);
	if (!ret)
		ret = child_continue(c);
	if (ret)
		return ret;
	c->held = false;
	handshake = python_handshake(p, page, size);
	do {
		ret = event_next(c, now_ns() + 100000000ull, &ev);
	} while (!ret && ev == EVENT_NONE && now_ns() < deadline);
	if (!ret && ev != EVENT_BREAKPOINT)
		ret = ev == EVENT_ENDED ? -ESRCH : -ETIMEDOUT;
	c->held = !ret;
	return ret ? ret : handshake;
}

int python_child_attach(struct python_child *c, struct python **out, const struct python_plan *plan,
			const struct python_attach_options *opt, struct diag *diag)
{
	struct python_info info;
	struct python *p = NULL;
	unsigned errors = diag->errors;
	void *page = NULL;
	size_t size;
	int ret;

	if (!c->held)
		return -EINVAL;
	ret = python_find(c->t, &info, diag);
	if (!ret)
		ret = python_new(&p, c->t, &info, plan, opt, &page, &size, diag);
	if (!ret)
		ret = python_stub_place(p);
	if (!ret)
		ret = python_files_prepare(p, page, size);
	if (!ret)
		ret = child_shoot(c, p, page, size, diag);
	if (!ret)
		ret = python_loaded(p, diag);
	if (ret && diag->errors == errors)
		diag_fail(diag, -ret, "process %d (%s): cannot load the agent: %s", c->pid, target_comm(c->t),
			  strerror(-ret));
	if (p)
		python_files_unlink(p);
	free(page);
	if (ret)
		python_close(p);
	else
		*out = p;
	return ret;
}

int python_release(struct python_child *c)
{
	struct user_regs_struct regs;
	enum event ev;
	int ret = 0;

	if (!c->traced || c->ended)
		return 0;
	if (!c->held) {
		/* A launcher that is running: it must stand still to be let go of. */
		ptrace(PTRACE_INTERRUPT, c->pid, 0, 0);
		while (!ret && ptrace(PTRACE_GETREGS, c->pid, 0, &regs) && errno == ESRCH && !c->ended) {
			int status;

			if (waitpid(c->pid, &status, __WALL) == c->pid && !WIFSTOPPED(status)) {
				c->ended = true;
				c->status = status;
			}
		}
		if (c->ended)
			return 0;
	}
	(void)ev;
	ret = bp_clear(c);
	if (ptrace(PTRACE_DETACH, c->pid, 0, 0) && errno != ESRCH)
		ret = -errno;
	c->traced = c->held = false;
	return ret;
}

int python_child_wait(struct python_child *c, bool kill_it, int *status)
{
	int ret = 0;

	while (!c->ended && c->pid > 0) {
		int st;

		if (kill_it)
			kill(c->pid, SIGKILL);
		if (waitpid(c->pid, &st, __WALL) < 0) {
			if (errno == EINTR)
				continue;
			ret = -errno;
			break;
		}
		if (WIFSTOPPED(st)) {
			ptrace(PTRACE_CONT, c->pid, 0, st >> 16 ? 0 : WSTOPSIG(st));
			continue;
		}
		c->ended = true;
		c->status = st;
	}
	*status = c->status;
	free(c);
	return ret;
}
