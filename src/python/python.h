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
/* Only these kinds of its events (bit 1 << enum wire_kind), and of those that were asked for before. */
void python_plan_kinds(struct python_plan *p, int filter, u8 kinds);
/* Of the last `n` conditions that were added so, which are of one filter, one must hold, not all. */
void python_plan_alternatives(struct python_plan *p, u32 n);
/* Take the last `n` of them back. */
void python_plan_withdraw(struct python_plan *p, u32 n);

struct python; /* an attached process */

/*
 * After an execve of it: hold it where its loader is through, so that python_attach() (with `starting`) in the same thread of ours is
 * there before its first line of Python. 0 or -errno, without a message: it is not held. python_starting_end(): there is no attach.
 */
int python_starting_hold(struct target *t);
void python_starting_end(struct target *t);
bool python_is_held(
    const struct python *p); /* after such an attach: until python_starting_end(), in the same thread */
bool python_had_begun(const struct python *p); /* after such an attach: its first lines may have been run before */

struct python_attach_options {
	bool starting;     /* it is held by python_starting_hold() */
	u32 timeout_ms;    /* give up when the interpreter does not come to a safe point; 0: 10 s */
	const void *agent; /* the agent's ELF image; NULL: the one that is built in */
	size_t agent_size;
	int cancel_fd; /* give up with -EINTR when this polls readable; 0: there is none */
	/*
	 * Where no program of the kernel's will sit on the sites: the agent hands each event to python_mail_take(), and its
	 * thread waits for python_mail_answer(). The mail is shut at first.
	 */
	bool mail;
	bool only_walk; /* trace nothing: for python_walk() alone */
	/*
	 * Children that are forked while the agent is there are traced as well, through its sites; their functions are on the page
	 * of their parent.
	 */
	bool follow;
	u32 fid_base; /* added to the numbers of functions, so that several processes may share a probe */
	bool
	    no_memfd; /* hand things over as files in the target's /tmp, removed at once, instead of memory files */
};
/*
 * Load the agent and switch its events on. The calling thread holds the process from here until python_detach(): when
 * that thread ends, the agent goes inert by itself (owner.c), so it should be the main one.
 */
int python_attach(struct python **out, struct target *t, const struct python_info *info,
		  const struct python_plan *plan, const struct python_attach_options *opt, struct diag *diag);
/*
 * From here on the calling thread holds what any thread attaches: it must live as long as we do. Without this each holds
 * its own.
 */
void python_owner_here(void);
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
	u64 call;     /* see wire_site */
	u32 kind;     /* enum wire_kind */
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
/*
 * Children that were forked and are followed (python_attach_options.follow) send their mail by boxes of their parent's page.
 * python_boxes_waiting(): some have come. Then python_boxes_each() calls fn for each box that is taken, with the process as
 * its own pid namespace numbers it. A child's handle knows mail and nothing else, and lives no longer than its parent's;
 * -ESRCH: the process has not this page. The futex at *bell is *seen while none has come.
 */
bool python_boxes_waiting(struct python *p);
void python_boxes_each(struct python *p, void (*fn)(void *arg, u32 box, pid_t pid), void *arg);
int python_box_open(struct python **out, struct python *p, u32 box, struct target *child);
void python_box_close(struct python *c);
u32 *python_boxes_bell(struct python *p, u32 *seen);
/* Where the agent's own system calls end (wire_mail.own_ip), for target_trace_own(). */
u64 python_mail_own_ip(const struct python *p);
/* The page as mapped here; valid until python_close(), also after the target has ended. */
const struct wire_page *python_page(const struct python *p);
/*
 * 0; -EIO, with a message the first time, when the target has cut short the file that the page is: what is read there then may be
 * zeros of our own, and the agent cannot be reached any more.
 */
int python_page_check(struct python *p, struct diag *diag);
/* True if `fid` is one of its numbers; the greatest of them. */
bool python_has_fid(const struct python *p, u32 fid);
u32 python_fid_end(const struct python *p);
bool python_follows(const struct python *p); /* python_attach_options.follow */
/* More than the numbers of functions that one process has. */
#define PYTHON_FIDS 65536u
/* Function `fid` of the page, checked against its bounds; NULL: none such. Text by python_text() ("?" when out of bounds). */
const struct wire_function *python_function(const struct python *p, u32 fid);
const char *python_text(const struct python *p, u32 off);
/* True if some function has matched description `nth` (python_plan_any()) of the filter; also after the process has ended. */
bool python_hit(const struct python *p, int filter, u32 nth);
/* A function that is loaded. The texts are whatever the target says; they are ours as long as each() runs. */
struct python_name {
	u64 filters; /* that it matches, one bit each */
	s64 line;
	const char *module, *qualname, *file;
};
struct python_walk {
	bool all;      /* functions that no filter matches, too */
	u64 deadline;  /* by now_ns(); looked at for each slice; 0: none */
	int cancel_fd; /* as in python_attach_options */
	void (*each)(void *arg, const struct python_name *name);
	bool (*more)(void *arg); /* After a slice: go on? NULL: until the end. */
	void *arg;
	u64 slices; /* so far */
};
/*
 * Go over the functions that the process has loaded, each once, in slices of a millisecond. 0; -ENODATA: not all of them
 * could be found; -ECANCELED: more() said no; -ETIMEDOUT, -EINTR, -ESRCH; -EAGAIN: others hold the lock. Quietly, but for
 * what is wrong with the lock, the page, or the process itself. Nobody may be tracing it by ptrace meanwhile.
 */
int python_walk(struct python *p, struct python_walk *w, struct diag *diag);
/*
 * Take the events off and unload. 0; -ESRCH when the process has ended; -EAGAIN when it could not be done within `wait_ms`: nothing
 * has been said, and it may be called again. With `last` it is not: what then stays in the process is inert, and is said
 * (-EBUSY, also when it had to stay before that). Other -errno with a message: -EAGAIN when another tracer did not let us, -EIO
 * when its page is lost.
 */
int python_detach(struct python *p, u32 wait_ms, bool last, struct diag *diag);
/* Why python_detach() has to be called again: the middle of a message. */
const char *python_waits_for(const struct python *p);
/*
 * Take out of a process what it has inherited of agents, as children do that are forked while their parent is traced. When nobody
 * holds those any more. 0; or -errno, without a message: it stays, inert.
 */
int python_clean(struct target *t, u32 timeout_ms, int cancel_fd);
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
 * was seen, or runs on when that was after a launcher's last exec. `forks`: so is a
 * shell with a command line, which may fork to run it.
 */
int python_follow(struct python_child *c, struct python_info *info, bool forks, struct diag *diag);
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
