// SPDX-License-Identifier: Apache-2.0
/*
 * Ctrl-Z and its like. The signals that stop us are held back until no thread of another process would stand as long as we do,
 * and then have their usual effect: the shell sees a job that is stopped by that signal.
 *
 * Where nothing is held (session_hold()), the thread of signals.c stops us at once, whatever the session is doing. Otherwise
 * it is wanted only, and who holds does it: the thread that serves, which lets go first (loop.c), or session_hold(false).
 * SIGSTOP comes the same way, for the watch wakes us up (watch.c). SIGCONT takes back what is wanted and has not been done, as the
 * kernel does with a stop that is pending.
 */
#include <signal.h>
#include <time.h>

#include "session/session_impl.h"

enum { SAY_MS = 100 };

static const int stopping[] = {SIGTSTP, SIGTTIN, SIGTTOU};

void session_stops_set(sigset_t *set)
{
	struct sigaction act;

	for (size_t i = 0; i < ARRAY_SIZE(stopping); i++)
		if (!sigaction(stopping[i], NULL, &act) && act.sa_handler != SIG_IGN)
			sigaddset(set, stopping[i]);
	sigaddset(set, SIGCONT);
}

/*
 * Whoever is stopped goes on by SIGCONT, which is held back: it is pending, or the thread of signals.c has taken it, and says so
 * in a moment.
 */
static bool was_continued(struct session *s, u32 before)
{
	const struct timespec ms = {0, 1000000};
	sigset_t pending;

	for (int i = 0; i < SAY_MS; i++) {
		sigpending(&pending);
		if (sigismember(&pending, SIGCONT) ||
		    __atomic_load_n(&s->stops.continued, __ATOMIC_SEQ_CST) != before)
			return true;
		nanosleep(&ms, NULL);
	}
	return false;
}

/* The process stops here; in an orphaned process group it does not, but for SIGSTOP (kernel/signal.c, get_signal()). */
static bool stop(struct session *s)
{
	u32 before = __atomic_load_n(&s->stops.continued, __ATOMIC_SEQ_CST);
	int signo = __atomic_exchange_n(&s->stops.wanted, 0, __ATOMIC_SEQ_CST);
	sigset_t set, old;

	if (!signo)
		return false;
	session_watch_hold(&s->watch, false);
	sigemptyset(&set);
	sigaddset(&set, signo);
	raise(signo); /* for this thread: no other can take it */
	pthread_sigmask(SIG_UNBLOCK, &set, &old);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	session_watch_hold(&s->watch, s->stops.holds);
	return was_continued(s, before);
}

void session_stops_signal(struct session *s, const siginfo_t *si)
{
	bool woken = s->watch.pid && si->si_pid == s->watch.pid;
	int signo = si->si_signo != SIGCONT ? si->si_signo : woken ? SIGSTOP : 0;

	if (si->si_signo == SIGCONT)
		__atomic_add_fetch(&s->stops.continued, 1, __ATOMIC_SEQ_CST);
	/* Without the lock: who has it may be about to stop us for what was wanted before. */
	__atomic_store_n(&s->stops.wanted, signo, __ATOMIC_SEQ_CST);
	pthread_mutex_lock(&s->stops.lock);
	if (!s->stops.holds)
		stop(s);
	else if (s->stops.served && signo)
		exec_serve_break(s->stops.served);
	pthread_mutex_unlock(&s->stops.lock);
}

void session_hold(struct session *s, bool holds)
{
	pthread_mutex_lock(&s->stops.lock);
	s->stops.holds = holds;
	session_watch_hold(&s->watch, holds);
	if (!holds)
		stop(s);
	pthread_mutex_unlock(&s->stops.lock);
}

void session_stops_serve(struct session *s, struct exec *e)
{
	pthread_mutex_lock(&s->stops.lock);
	s->stops.served = e;
	if (e && session_stop_wanted(s))
		exec_serve_break(e);
	pthread_mutex_unlock(&s->stops.lock);
}

bool session_stop_wanted(const struct session *s)
{
	return __atomic_load_n(&s->stops.wanted, __ATOMIC_SEQ_CST);
}

bool session_stop(struct session *s)
{
	bool stopped;

	pthread_mutex_lock(&s->stops.lock);
	stopped = stop(s);
	pthread_mutex_unlock(&s->stops.lock);
	return stopped;
}
