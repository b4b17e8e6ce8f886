// SPDX-License-Identifier: Apache-2.0
/*
 * The second signal: this process ends at once, as by kill -9, whatever its other threads wait for. That is safe for the traced
 * processes (docs/attach.md): the kernel tells the agents, which go inert, and the next pydtrace takes them out.
 *
 * Only the results are waited for, which the first signal has asked for: as long as somebody reads them, and until yet
 * another signal comes.
 */
#include <errno.h>
#include <poll.h>
#include <string.h>
#include <sys/ioctl.h>

#include "session/session_impl.h"

enum {
	LOOK_MS = 5,
	UNREAD_MS = 500, /* nothing more can be written for so long: a pager that does not read */
	NAMED = 4        /* processes that are named */
};

void session_results(struct session *s, enum session_results r)
{
	__atomic_store_n(&s->results, (u32)r, __ATOMIC_SEQ_CST);
}

/* Can more be written, or has somebody read of what stands in the pipe since the last look, which saw `*bytes` there? */
static bool is_read(const struct session *s, int *bytes)
{
	struct pollfd fd = {.fd = fileno(s->out), .events = POLLOUT};
	int before = *bytes;

	if (ioctl(fd.fd, FIONREAD, bytes))
		*bytes = 0;
	return poll(&fd, 1, 0) > 0 || *bytes != before;
}

/* False: they are not all out. */
static bool results_await(struct session *s)
{
	const struct timespec look = {0, LOOK_MS * 1000000};
	u64 read = now_ns();
	int bytes = -1;

	while (__atomic_load_n(&s->results, __ATOMIC_SEQ_CST) == RESULTS_COME) {
		u64 now = now_ns();

		if (is_read(s, &bytes))
			read = now;
		else if (now - read > UNREAD_MS * 1000000ull)
			return false;
		if (sigtimedwait(&s->end_signals, NULL, &look) > 0)
			return false;
	}
	return true;
}

/* --- what is left ------------------------------------------------------------------------------------------- */

struct names {
	struct strbuf text;
	size_t n;
};

static void name_one(void *arg, pid_t pid, const char *comm)
{
	struct names *names = arg;

	if (names->n++ < NAMED)
		strbuf_printf(&names->text, "%s%d (%s)", names->n > 1 ? ", " : "", pid, comm);
}

static void tell(struct session *s, bool all_printed)
{
	struct names names = {0};

	for (size_t i = 0; i < s->providers.n; i++)
		if (s->providers.v[i].ops->left)
			s->providers.v[i].ops->left(s->providers.v[i].run, name_one, &names);
	if (names.n > NAMED)
		strbuf_printf(&names.text, " and %zu more", names.n - NAMED);
	if (!all_printed)
		diag_report(s->diag, DIAG_WARNING, NOWHERE,
			    "ended by another signal before all results were printed");
	if (names.n)
		diag_report(
		    s->diag, DIAG_WARNING, NOWHERE,
		    "ended by another signal: the agent stays, inert, in process%s %s, until the next pydtrace "
		    "takes it out",
		    names.n > 1 ? "es" : "", names.text.s ? names.text.s : "?");
	strbuf_free(&names.text);
}

void session_quit(struct session *s, int signo)
{
	tell(s, results_await(s));
	session_child_kill(s, 0);
	s->cfg->quit(128 + signo);
}
