// SPDX-License-Identifier: Apache-2.0
/*
 * The signals that end a run, or stop it for a while (stops.c). They are blocked everywhere and taken by a thread, because the session itself may be
 * stuck in a write to a pager that does not read: the first signal stops the tracing at once, whatever the session is
 * doing, and the second ends the process (quit.c). The session sees a descriptor that polls readable, and cleans up in its own time. (The thread does not read a signalfd: whoever does is woken by every
 * signal of the process, and where calls are traced by ptrace each stop sends one.)
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "session/session_impl.h"

#define WAKE     SIGUSR1     /* ends the thread that waits */
#define ONE_WISH 300000000ll /* ns: timeout(1) signals the command, and then its group: that is no second Ctrl-C */

static void wake(int signo)
{
}

/* The first wish to end. */
static void end(struct session *s)
{
	struct cg_state *state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	u32 active = CG_ACTIVE;
	u64 one = 1;

	__atomic_store_n(&s->interrupts, 1, __ATOMIC_SEQ_CST);
	if (state)
		__atomic_compare_exchange_n(&state->activity, &active, CG_DRAINING, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
	while (write(s->signals, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	session_stops_over(s);
}

static void *signals_thread(void *arg)
{
	struct session *s = arg;
	sigset_t waited;
	s64 first = 0;

	sigorset(&waited, &s->end_signals, &s->stop_signals);
	sigaddset(&waited, WAKE); /* session_signals_stop() */
	if (s->cfg->mode == SESSION_TRACE)
		session_watch_start(&s->watch);
	sem_post(&s->signal_thread_ready);

	for (;;) {
		siginfo_t si;
		int signo = sigwaitinfo(&waited, &si);

		if (signo == WAKE && si.si_pid == getpid())
			return NULL;
		if (signo < 0 || signo == WAKE)
			continue;
		if (sigismember(&s->stop_signals, signo)) {
			session_stops_signal(s, &si);
			continue;
		}
		if (first && (s64)now_ns() - first < ONE_WISH)
			continue;
		/* Also the first one, when it has been said that it would. */
		if (first || __atomic_load_n(&s->env.told_leave, __ATOMIC_SEQ_CST))
			session_quit(s, signo);
		first = (s64)now_ns();
		end(s);
	}
}

bool session_end_asked(const struct session *s)
{
	sigset_t pending, ours;

	return __atomic_load_n(&s->interrupts, __ATOMIC_SEQ_CST) ||
	       (!sigpending(&pending) && !sigandset(&ours, &pending, &s->end_signals) && !sigisemptyset(&ours));
}

void session_signals_hold(sigset_t *old)
{
	sigset_t all;

	guard_fillset(&all); /* they look into the pages that targets share with us */
	pthread_sigmask(SIG_SETMASK, &all, old);
}

/* SIGHUP is left alone when somebody has set it to be ignored (nohup). */
static void signals_set(sigset_t *set)
{
	struct sigaction hup;

	sigemptyset(set);
	sigaddset(set, SIGINT);
	sigaddset(set, SIGTERM);
	sigaddset(set, SIGQUIT);
	if (!sigaction(SIGHUP, NULL, &hup) && hup.sa_handler != SIG_IGN)
		sigaddset(set, SIGHUP);
}

int session_signals_block(struct session *s)
{
	struct sigaction act = {.sa_handler = wake, .sa_flags = SA_RESTART};
	sigset_t old, blocked;
	int err;

	signals_set(&s->end_signals);
	session_stops_set(&s->stop_signals);
	pthread_mutex_init(&s->stops.lock, NULL);
	sem_init(&s->signal_thread_ready, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	sigaction(WAKE, &act, NULL); /* nobody else has a use for it, but it may be sent to us */
	sigorset(&blocked, &s->end_signals, &s->stop_signals);
	sigdelset(&blocked, SIGTTIN); /* session_signals_input() */
	if (sigprocmask(SIG_BLOCK, &blocked, &s->old_mask))
		return diag_fail(s->diag, errno, "cannot block signals: %s", strerror(errno));
	s->mask_set = true;
	s->signals = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->signals < 0)
		return diag_fail(s->diag, errno, "cannot make a descriptor for signals: %s", strerror(errno));
	session_signals_hold(&old);
	err = pthread_create(&s->signal_thread, NULL, signals_thread, s);
	pthread_sigmask(SIG_SETMASK, &old, NULL);
	if (err)
		return diag_fail(s->diag, err, "cannot start a thread: %s", strerror(err));
	s->signal_thread_runs = true;
	while (sem_wait(&s->signal_thread_ready))
		; /* EINTR */
	return 0;
}

int session_signals_input(struct session *s)
{
	sigset_t set;

	sigemptyset(&set);
	sigaddset(&set, SIGTTIN);
	if (sigismember(&s->stop_signals, SIGTTIN))
		pthread_sigmask(SIG_BLOCK, &set, NULL);
	return 0;
}

void session_signals_stop(struct session *s)
{
	if (s->signal_thread_runs) {
		pthread_kill(s->signal_thread, WAKE);
		pthread_join(s->signal_thread, NULL);
		s->signal_thread_runs = false;
	}
}

void session_signals_close(struct session *s)
{
	session_signals_stop(s);
	session_watch_end(&s->watch);
	if (s->signals >= 0)
		close(s->signals);
	if (s->mask_set)
		sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
}
