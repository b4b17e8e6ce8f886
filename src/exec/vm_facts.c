// SPDX-License-Identifier: Apache-2.0
/* What a program may ask of the thread that it runs in: looked up when it asks, for most never do. */
#include <sched.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <time.h>
#include <unistd.h>

#include "exec/vm_impl.h"

/* A file of /proc/PID/task/TID with a NUL after it; the caller frees it. NULL: the thread is gone. */
static char *thread_file(const struct exec_thread *t, const char *name)
{
	char path[64], *text;

	snprintf(path, sizeof(path), "task/%d/%s", t->tid, name);
	return target_proc_read(t->pid, path, &text, NULL) ? NULL : text;
}

/* The lines of "status" that are wanted: proc_pid_status() of the kernel. The first number of each ID is the real one. */
static void look_status(struct exec_thread *t)
{
	char *text = thread_file(t, "status");

	t->ppid = 0;
	t->uid = t->gid = 0;
	for (char *line = text; line && *line; line = strchr(line, '\n') ? strchr(line, '\n') + 1 : NULL) {
		unsigned n;

		if (sscanf(line, "PPid: %u", &n) == 1)
			t->ppid = (pid_t)n;
		else if (sscanf(line, "Uid: %u", &n) == 1)
			t->uid = n;
		else if (sscanf(line, "Gid: %u", &n) == 1)
			t->gid = n;
	}
	free(text);
}

static void look_comm(struct exec_thread *t)
{
	char *text = thread_file(t, "comm");
	size_t n = text ? strlen(text) : 0;

	if (n && text[n - 1] == '\n')
		n--;
	memset(t->comm, 0, sizeof(t->comm));
	if (n)
		memcpy(t->comm, text, n < sizeof(t->comm) ? n : sizeof(t->comm) - 1);
	free(text);
}

/* The 39th field of "stat" is the CPU; the second, in brackets, may have anything in it. */
static void look_cpu(struct exec_thread *t)
{
	char *text = thread_file(t, "stat"), *p = text ? strrchr(text, ')') : NULL;

	for (int field = 2; p && field < 39; field++)
		p = strchr(p + 1, ' ');
	t->cpu = p ? (u32)strtoul(p, NULL, 10) : 0;
	free(text);
}

static const struct {
	u32 known;
	void (*look)(struct exec_thread *t);
} facts[] = {
    {EXEC_PPID | EXEC_IDS, look_status},
    {EXEC_COMM, look_comm},
    {EXEC_CPU, look_cpu},
};

const struct exec_thread *vm_fact(struct vm_run *r, u32 known)
{
	struct exec_thread *t = r->thread;

	for (size_t i = 0; i < ARRAY_SIZE(facts) && known & ~t->known; i++) {
		if (!(facts[i].known & known & ~t->known))
			continue;
		facts[i].look(t);
		t->known |= facts[i].known;
	}
	return t;
}

/* As the kernel's programs read it, /proc gives what the scheduler last wrote down; of our own we can know better. */
u64 vm_run_time(const struct exec_thread *t)
{
	char *text;
	u64 ns;

	if (t->tid == gettid())
		return clock_ns(CLOCK_THREAD_CPUTIME_ID);
	text = thread_file(t, "schedstat");
	ns = text ? strtoull(text, NULL, 10) : 0;
	free(text);
	return ns;
}

struct exec_thread vm_self(void)
{
	struct exec_thread t = {
	    .pid = getpid(),
	    .tid = getpid(),
	    .ppid = getppid(),
	    .uid = getuid(),
	    .gid = getgid(),
	    .known = EXEC_ALL,
	};
	int cpu = sched_getcpu();

	prctl(PR_GET_NAME, t.comm);
	t.cpu = cpu < 0 ? 0 : (u32)cpu;
	t.cookie = VM_OWN_COOKIE | (u32)t.tid;
	return t;
}
