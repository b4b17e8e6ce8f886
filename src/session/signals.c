// SPDX-License-Identifier: Apache-2.0
/*
 * The signals that end a run, or stop it for a while (stops.c). They are blocked everywhere and taken by a thread, because the session itself may be
 * stuck in a write to a pager that does not read: the first signal stops the tracing at once, whatever the session is
 * doing, and the second gets it out of that write and throws the rest of the output away. The session sees a descriptor
 * that polls readable, and cleans up in its own time. (The thread does not read a signalfd: whoever does is woken by every
 * signal of the process, and where calls are traced by ptrace each stop sends one.)
 */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <sys/eventfd.h>
#include <unistd.h>

#include "session/session_impl.h"

#define WAKE     SIGUSR1     /* interrupts a write; ends the thread that waits */
#define ONE_WISH 300000000ll /* ns: timeout(1) signals the command, and then its group: that is no second Ctrl-C */

static void wake(int signo)
{
}

/* The n-th wish to end. False: the session cannot be told. */
static bool end(struct session *s)
{
	struct cg_state *state = __atomic_load_n(&s->state, __ATOMIC_ACQUIRE);
	u32 active = CG_ACTIVE, n = __atomic_add_fetch(&s->interrupts, 1, __ATOMIC_SEQ_CST);
	u64 one = 1;

	if (state)
		__atomic_compare_exchange_n(&state->activity, &active, CG_DRAINING, false, __ATOMIC_SEQ_CST,
					    __ATOMIC_SEQ_CST);
	if (n > 1) {
		dup2(s->null, fileno(s->out));
		pid_t printer = __atomic_load_n(&s->printer, __ATOMIC_SEQ_CST);

		if (printer) /* and not taking an agent out */
			tgkill(getpid(), printer, WAKE);
	}
	return write(s->signals, &one, sizeof(one)) > 0;
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

		if (signo == WAKE)
			return NULL;
		if (signo < 0)
			continue;
		if (sigismember(&s->stop_signals, signo)) {
			session_stops_signal(s, &si);
			continue;
		}
		if (first && (s64)now_ns() - first < ONE_WISH)
			continue;
		first = first ? first : (s64)now_ns();
		if (!end(s))
			return NULL;
	}
}

void session_signals_hold(sigset_t *old, bool prints)
{
	sigset_t all;

	guard_fillset(&all); /* they look into the pages that targets share with us */
	if (prints)
		sigdelset(&all, WAKE);
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
	struct sigaction act = {.sa_handler = wake}; /* without SA_RESTART */
	sigset_t old, blocked;
	int err;

	signals_set(&s->end_signals);
	session_stops_set(&s->stop_signals);
	pthread_mutex_init(&s->stops.lock, NULL);
	sem_init(&s->signal_thread_ready, 0, 0);
	signal(SIGPIPE, SIG_IGN);
	sigaction(WAKE, &act, NULL);
	sigorset(&blocked, &s->end_signals, &s->stop_signals);
	sigdelset(&blocked, SIGTTIN); /* session_signals_input() */
	if (sigprocmask(SIG_BLOCK, &blocked, &s->old_mask))
		return diag_fail(s->diag, errno, "cannot block signals: %s", strerror(errno));
	s->mask_set = true;
	s->signals = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	if (s->signals >= 0)
		s->null = open("/dev/null", O_WRONLY | O_CLOEXEC);
	if (s->null < 0)
		return diag_fail(s->diag, errno, "cannot make a descriptor for signals: %s", strerror(errno));
	session_signals_hold(&old, false);
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
	const int fds[] = {s->signals, s->null};

	session_signals_stop(s);
	session_watch_end(&s->watch);
	for (size_t i = 0; i < ARRAY_SIZE(fds); i++)
		if (fds[i] >= 0)
			close(fds[i]);
	if (s->mask_set)
		sigprocmask(SIG_SETMASK, &s->old_mask, NULL);
}
