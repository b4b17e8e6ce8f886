// SPDX-License-Identifier: Apache-2.0
/*
 * Agents go into processes by some threads of ours, side by side: one that holds its GIL for long keeps none of the others
 * waiting. Who asks for an attach takes the result later (python_join_next()), in a thread that may touch the executor.
 *
 *   PROC_NEW --ask--> PROC_ASKED --thread--> PROC_DONE --next--> PROC_ON or PROC_OUT
 */
#include <errno.h>
#include <pthread.h>
#include <stdlib.h>
#include <string.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <time.h>
#include <unistd.h>

#include "provider/python_impl.h"

#define THREADS  32   /* that attach at a time */
#define CLEAN_MS 1000 /* for one process; it is inert in any case */

struct python_join {
	struct provider_run *run;
	pthread_mutex_t lock, tell;
	pthread_cond_t asked, done, settled;
	struct python_proc *first, **last; /* asked for, in order */
	struct python_proc *ready, **ready_last;
	size_t pending; /* asked for and not done */
	pthread_t threads[THREADS];
	size_t nthreads;
	bool over, mail;
	int over_fd, cancel_fd; /* readable when it is over; the same, or when the user wants no more */
};

/* --- in a thread ------------------------------------------------------------------------------------------ */

struct teller {
	struct python_join *join;
	struct python_proc *proc;
};

/* Errors are the result; what else is said comes at once. */
static void tell(void *arg, enum diag_level level, const char *text)
{
	struct teller *t = arg;
	struct diag *d = t->join->run->env->diag;

	if (level == DIAG_ERROR) {
		python_keep_error(&t->proc->kept, level, text);
		return;
	}
	pthread_mutex_lock(&t->join->tell);
	if (d->sink)
		d->sink(d->arg, level, text);
	else
		fputs(text, stderr);
	pthread_mutex_unlock(&t->join->tell);
}

static void attach_one(struct python_join *j, struct python_proc *p)
{
	struct teller t = {j, p};
	struct diag diag = {.sink = tell, .arg = &t};

	if (p->clean)
		p->err = python_clean(p->target, CLEAN_MS, j->over_fd);
	else
		p->err = python_proc_load(j->run, p, j->mail, j->cancel_fd, &diag);
}

/* There is a result. */
static void ring(const struct provider_run *r)
{
	u64 one = 1;

	if (r->ready_fd >= 0 && write(r->ready_fd, &one, sizeof(one)) < 0)
		return; /* it is rung already */
}

static void *join_thread(void *arg)
{
	struct python_join *j = arg;

	if (j->run->env->follow)
		python_hurry();
	pthread_mutex_lock(&j->lock);
	while (!j->over) {
		struct python_proc *p = j->first;

		if (!p) {
			pthread_cond_wait(&j->asked, &j->lock);
			continue;
		}
		j->first = p->next;
		if (!j->first)
			j->last = &j->first;
		pthread_mutex_unlock(&j->lock);
		attach_one(j, p);
		pthread_mutex_lock(&j->lock);
		p->state = PROC_DONE;
		p->next = NULL;
		*j->ready_last = p;
		j->ready_last = &p->next;
		pthread_cond_broadcast(&j->done);
		ring(j->run);
		if (!p->err && !p->clean && python_is_held(p->python)) {
			while (p->state == PROC_DONE && !j->over)
				pthread_cond_wait(&j->settled, &j->lock);
			python_starting_end(p->target);
		}
		j->pending--;
		pthread_cond_broadcast(&j->done);
	}
	pthread_mutex_unlock(&j->lock);
	return NULL;
}

/* --- asking ------------------------------------------------------------------------------------------------- */

/* Readable when one of the two is; -1: what went wrong is in errno. */
static int either(int a, int b)
{
	struct epoll_event ev = {.events = EPOLLIN};
	int fd = epoll_create1(EPOLL_CLOEXEC);

	if (fd < 0)
		return -1;
	if (epoll_ctl(fd, EPOLL_CTL_ADD, a, &ev) || (b > 0 && epoll_ctl(fd, EPOLL_CTL_ADD, b, &ev))) {
		close(fd);
		return -1;
	}
	return fd;
}

static int join_open(struct provider_run *r, bool mail)
{
	struct python_join *j = calloc(1, sizeof(*j));
	pthread_condattr_t attr;

	if (!j)
		return -ENOMEM;
	j->run = r;
	j->mail = mail;
	j->last = &j->first;
	j->ready_last = &j->ready;
	j->over_fd = eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK);
	j->cancel_fd = j->over_fd < 0 ? -1 : either(j->over_fd, r->env->cancel_fd);
	if (j->cancel_fd < 0) {
		int err = -errno;

		if (j->over_fd >= 0)
			close(j->over_fd);
		free(j);
		return err;
	}
	pthread_mutex_init(&j->lock, NULL);
	pthread_mutex_init(&j->tell, NULL);
	pthread_cond_init(&j->asked, NULL);
	pthread_cond_init(&j->settled, NULL);
	pthread_condattr_init(&attr);
	pthread_condattr_setclock(&attr, CLOCK_MONOTONIC);
	pthread_cond_init(&j->done, &attr);
	pthread_condattr_destroy(&attr);
	r->join = j;
	return 0;
}

int python_join_ask(struct provider_run *r, struct python_proc *p, bool mail)
{
	struct python_join *j = r->join;
	int err = j ? 0 : join_open(r, mail);

	if (err)
		return err;
	j = r->join;
	pthread_mutex_lock(&j->lock);
	if (j->nthreads <= j->pending && j->nthreads < THREADS) {
		err = pthread_create(&j->threads[j->nthreads], NULL, join_thread, j);
		j->nthreads += !err;
		err = j->nthreads ? 0 : -err;
	}
	if (!err) {
		p->state = PROC_ASKED;
		p->next = NULL;
		*j->last = p;
		j->last = &p->next;
		j->pending++;
		pthread_cond_signal(&j->asked);
	}
	pthread_mutex_unlock(&j->lock);
	return err;
}

/* --- results ------------------------------------------------------------------------------------------------ */

size_t python_join_wait(struct provider_run *r, u64 deadline)
{
	const struct timespec ts = {(time_t)(deadline / 1000000000), (long)(deadline % 1000000000)};
	struct python_join *j = r->join;
	size_t pending;

	if (!j)
		return 0;
	pthread_mutex_lock(&j->lock);
	while (j->pending && !j->ready && pthread_cond_timedwait(&j->done, &j->lock, &ts) != ETIMEDOUT)
		;
	pending = j->pending;
	pthread_mutex_unlock(&j->lock);
	return pending;
}

struct python_proc *python_join_next(struct provider_run *r)
{
	struct python_join *j = r->join;
	struct python_proc *p;

	if (!j)
		return NULL;
	pthread_mutex_lock(&j->lock);
	p = j->ready;
	if (p)
		j->ready = p->next;
	if (!j->ready)
		j->ready_last = &j->ready;
	pthread_mutex_unlock(&j->lock);
	return p;
}

void python_join_settle(struct provider_run *r, struct python_proc *p, enum python_proc_state state)
{
	struct python_join *j = r->join;

	if (j)
		pthread_mutex_lock(&j->lock);
	p->state = state;
	if (j) {
		pthread_cond_broadcast(&j->settled);
		pthread_mutex_unlock(&j->lock);
	}
}

void python_join_end(struct provider_run *r)
{
	struct python_join *j = r->join;
	u64 one = 1;

	if (!j)
		return;
	pthread_mutex_lock(&j->lock);
	j->over = true;
	pthread_cond_broadcast(&j->asked);
	pthread_cond_broadcast(&j->settled);
	pthread_mutex_unlock(&j->lock);
	while (write(j->over_fd, &one, sizeof(one)) < 0 && errno == EINTR)
		;
	for (size_t i = 0; i < j->nthreads; i++)
		pthread_join(j->threads[i], NULL);
	close(j->cancel_fd);
	close(j->over_fd);
	pthread_cond_destroy(&j->asked);
	pthread_cond_destroy(&j->settled);
	pthread_cond_destroy(&j->done);
	pthread_mutex_destroy(&j->lock);
	pthread_mutex_destroy(&j->tell);
	free(j);
	r->join = NULL;
}
