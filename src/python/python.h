// SPDX-License-Identifier: Apache-2.0
/*
 * CPython processes: find the interpreter, load the agent into it and take it out again
 * (docs/attach.md). Never aborts; leaves the target as it was on every error.
 */
#ifndef PYDTRACE_PYTHON_H
#define PYDTRACE_PYTHON_H

#include "target/target.h"
#include "wire.h"

/* What is known of the interpreter in a process without touching it. */
struct python_info {
	u32 version; /* as PY_VERSION_HEX: 0x030b02f0 */
	char version_text[32];
	char image[4096]; /* path of the executable or libpython that holds it, as the target sees it */
	u64 image_base;
	bool free_threaded;
	bool usdt; /* built --with-dtrace; only for -v */
};
/*
 * Find it. -ENOENT "is not a Python process", -ENOTSUP for a version that is not supported (named), -EEXIST for two
 * interpreters in one process (both named), with a message.
 */
int python_find(struct target *t, struct python_info *out, struct diag *diag);

/* What the agent is to look for. The builder of the page: strings and terms are copied. */
struct python_plan;
/* `strsize` is that of the D program: text is compared as its first strsize - 1 bytes. NULL: no memory. */
struct python_plan *python_plan_new(u32 strsize);
void python_plan_free(struct python_plan *p);
int python_plan_filter(struct python_plan *p, u32 events); /* a new filter: its number, -E2BIG (64 are in use) */
/* From here on: 0, or -EINVAL: no such filter; -E2BIG, -ENOMEM. The filter is for one more event. */
int python_plan_event(struct python_plan *p, int filter, enum wire_event ev);
/* One more description: any of them will do. "" matches all. */
int python_plan_any(struct python_plan *p, int filter, const char *mod_glob, const char *func_glob);
/* One more condition, which must hold besides. */
int python_plan_text(struct python_plan *p, int filter, enum wire_field f, enum wire_op op, const char *s);
int python_plan_number(struct python_plan *p, int filter, enum wire_field f, enum wire_op op, s64 n);
/* Of the last `n` conditions that were added so, which are of one filter, one must hold, not all. */
void python_plan_alternatives(struct python_plan *p, u32 n);
/* Take the last `n` of them back. */
void python_plan_withdraw(struct python_plan *p, u32 n);

struct python; /* an attached process */

struct python_attach_options {
	u32 timeout_ms;    /* give up when the interpreter does not come to a safe point; 0: 10 s */
	const void *agent; /* the agent's ELF image; NULL: the one that is built in */
	size_t agent_size;
	int cancel_fd; /* give up with -EINTR when this polls readable; 0: there is none */
	/*
	 * Where no program of the kernel's will sit on the sites: the agent hands each event to python_mail_take(), and its
	 * thread waits for python_mail_answer(). The mail is shut at first.
	 */
	bool mail;
	bool
	    no_memfd; /* hand things over as files in the target's /tmp, removed at once, instead of memory files */
};
/*
 * Load the agent and switch its events on. The calling thread holds the process from here until python_detach(): when
 * that thread ends, the agent goes inert by itself (owner.c), so it should be the main one.
 */
int python_attach(struct python **out, struct target *t, const struct python_info *info,
		  const struct python_plan *plan, const struct python_attach_options *opt, struct diag *diag);
/* Where a uprobe for `ev` goes: a path that the kernel can open from here, and the offset in that file. */
int python_site(struct python *p, enum wire_event ev, char *path, size_t size, u64 *off);
/*
 * Mail: events that the agent hands over (python_attach_options.mail), one at a time for a process. While the mail is shut
 * events are not handed over and do not wait; shutting it lets a waiting thread go on unanswered. None of these blocks.
 */
struct python_mail {
	enum wire_event event;
	pid_t tid; /* as the target's own pid namespace has it */
	u32 cpu;   /* where it ran; 0 where the agent cannot know */
	u64 fid, filters, file, func;
	s64 line;
	u64 function; /* address of the wire_function in the target */
};
void python_mail_open(struct python *p, bool open);
/* The next event; false: there is none (or it is none that the target may send: then it is answered unseen). */
bool python_mail_take(struct python *p, struct python_mail *out);
/* After python_mail_take(): what was to be run has run, the thread goes on. */
void python_mail_answer(struct python *p);
/*
 * Before a sleep and after it: while `asleep` is set an event wakes the futex (shared) at *bell, which has the value *seen
 * as long as there is nothing to take. A value that has changed means: take, do not sleep.
 */
void python_mail_asleep(struct python *p, bool asleep);
u32 *python_mail_bell(struct python *p, u32 *seen);
/* Where the agent's own system calls end (wire_mail.own_ip), for target_trace_own(). */
u64 python_mail_own_ip(const struct python *p);
/* The page as mapped here; valid until python_close(), also after the target has ended. */
const struct wire_page *python_page(const struct python *p);
/*
 * 0; -EIO, with a message the first time, when the target has cut short the file that the page is: what is read there then may be
 * zeros of our own, and the agent cannot be reached any more.
 */
int python_page_check(struct python *p, struct diag *diag);
/* Function `fid` of the page, checked against its bounds; NULL: none such. Text by python_text() ("?" when out of bounds). */
const struct wire_function *python_function(const struct python *p, u32 fid);
const char *python_text(const struct python *p, u32 off);
/*
 * Take the events off and unload. 0; -ESRCH when the process has ended; -EBUSY when the agent had to stay mapped (inert);
 * other -errno with a message: -EAGAIN when another tracer did not let us, -EIO when its page is lost.
 */
int python_detach(struct python *p, struct diag *diag);
/* Free what is here. What is in the target is left there: after python_detach(), or when there is no more to be done. */
void python_close(struct python *p);

/*
 * -c: start argv under our control and hold it at its entry point. The child gets the default signal mask and
 * dispositions; after python_release() it runs free of ptrace. *t is the child's; the caller closes it, after
 * python_child_wait().
 */
struct python_child;
int python_start(struct python_child **out, char *const argv[], struct target **t, struct diag *diag);
/*
 * From the entry point on, over the exec of launchers such as sh and env, to where the interpreter is ready and the first
 * line of the program's Python has not run; held there. -ENOENT without a message: it is no Python; it is held where that
 * was seen, or runs on when that was after a launcher's last exec.
 */
int python_follow(struct python_child *c, struct python_info *info, struct diag *diag);
/* As python_attach(), in the held child. */
int python_child_attach(struct python_child *c, struct python **out, const struct python_plan *plan,
			const struct python_attach_options *opt, struct diag *diag);
/* Let it run, untraced. 0, also when it has ended already, or -errno. */
int python_release(struct python_child *c);
/*
 * Give it to another who traces, in the same thread of ours, stopped under ptrace as it is and without anything of ours in
 * it (target_trace_all()). 0 or -errno.
 */
int python_hand_over(struct python_child *c);
/* After the child's end: its wait status; kills and reaps it when it has not ended yet and `kill_it`. */
int python_child_wait(struct python_child *c, bool kill_it, int *status);

#endif
