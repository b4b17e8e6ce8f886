// SPDX-License-Identifier: Apache-2.0
/*
 * For lock_order.py: a library with one mutex, which it holds over system calls that wait, and which others want with the
 * GIL held. Whoever makes a thread that holds the mutex wait for the GIL, deadlocks the process.
 */
#include <linux/futex.h>
#include <poll.h>
#include <pthread.h>
#include <semaphore.h>
#include <stdint.h>
#include <sys/epoll.h>
#include <sys/select.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

/* So that a library that was built with a newer glibc loads with one before 2.34, too. */
#define OLD(function) __asm__(".symver " #function "," #function "@GLIBC_2.2.5")
OLD(pthread_create);
OLD(pthread_join);
OLD(sem_init);
OLD(sem_destroy);
OLD(sem_timedwait);

static pthread_mutex_t held = PTHREAD_MUTEX_INITIALIZER;
static volatile int go_on = 1;

static struct timespec in_ms(int clock, int ms)
{
	struct timespec ts = {0};

	if (clock >= 0)
		clock_gettime(clock, &ts);
	ts.tv_nsec += ms * 1000000L;
	ts.tv_sec += ts.tv_nsec / 1000000000;
	ts.tv_nsec %= 1000000000;
	return ts;
}

static void by_poll(int ms)
{
	poll(NULL, 0, ms);
}

static void by_select(int ms)
{
	struct timeval tv = {0, ms * 1000};

	select(0, NULL, NULL, NULL, &tv);
}

static void by_epoll(int ms)
{
	static int fd = -1;
	struct epoll_event ev;

	if (fd < 0)
		fd = epoll_create1(EPOLL_CLOEXEC);
	while (epoll_wait(fd, &ev, 1, ms) < 0 && ms < 0)
		; /* EINTR: a stop has that effect, signal(7) */
}

static void by_nanosleep(int ms)
{
	struct timespec ts = in_ms(-1, ms);

	nanosleep(&ts, NULL);
}

static void by_read(int ms)
{
	static int end[2] = {-1, -1};
	char c = 0;

	if (end[0] < 0 && pipe(end))
		return;
	if (ms > 0 && !fork()) { /* somebody else writes */
		by_nanosleep(ms);
		_exit(write(end[1], &c, 1) != 1);
	}
	while (read(end[0], &c, 1) < 0)
		;
}

static void by_condition(int ms)
{
	static pthread_mutex_t other = PTHREAD_MUTEX_INITIALIZER;
	static pthread_cond_t never = PTHREAD_COND_INITIALIZER;
	struct timespec ts = in_ms(CLOCK_REALTIME, ms);

	pthread_mutex_lock(&other);
	pthread_cond_timedwait(&never, &other, &ts);
	pthread_mutex_unlock(&other);
}

static void by_semaphore(int ms)
{
	sem_t never; /* on the stack, as the interpreter has its own from 3.13 on */
	struct timespec ts = in_ms(CLOCK_REALTIME, ms);

	sem_init(&never, 0, 0);
	sem_timedwait(&never, &ts);
	sem_destroy(&never);
}

static void by_futex(int ms)
{
	uint32_t word = 0;
	struct timespec ts = in_ms(CLOCK_MONOTONIC, ms);

	syscall(SYS_futex, &word, FUTEX_WAIT_BITSET | FUTEX_PRIVATE_FLAG, 0, &ts, NULL, ~0u);
}

static void (*const ways[])(int) = {by_poll, by_select,    by_epoll,     by_nanosleep,
				    by_read, by_condition, by_semaphore, by_futex};

/* Wait under the mutex. */
void wait_held(int way, int ms)
{
	pthread_mutex_lock(&held);
	ways[way](ms);
	pthread_mutex_unlock(&held);
}

/* Want the mutex. */
void touch(void)
{
	pthread_mutex_lock(&held);
	pthread_mutex_unlock(&held);
}

/* A thread that Python knows nothing of; it waits as the others do, and measures how long it was kept at most. */
static int native_way;
static long native_rounds, native_worst_ms;

static void *native(void *arg)
{
	(void)arg;
	while (go_on) {
		struct timespec a, b;
		long ms;

		clock_gettime(CLOCK_MONOTONIC, &a);
		wait_held(native_way, 2);
		clock_gettime(CLOCK_MONOTONIC, &b);
		ms = (b.tv_sec - a.tv_sec) * 1000 + (b.tv_nsec - a.tv_nsec) / 1000000;
		if (ms > native_worst_ms)
			native_worst_ms = ms;
		native_rounds++;
		by_nanosleep(1);
	}
	return NULL;
}

static pthread_t thread;

void native_start(int way)
{
	native_way = way;
	pthread_create(&thread, NULL, native, NULL);
}

/* A thread that Python knows nothing of, and that does nothing. */
static void *asleep(void *arg)
{
	for (;;)
		pause();
	return arg;
}

void native_sleep(void)
{
	pthread_create(&thread, NULL, asleep, NULL);
}

long native_stop(long *worst_ms)
{
	go_on = 0;
	pthread_join(thread, NULL);
	*worst_ms = native_worst_ms;
	return native_rounds;
}

/* To be called with the GIL held: compute. */
void hold_gil(int ms)
{
	struct timespec end = in_ms(CLOCK_MONOTONIC, ms), now;

	do {
		clock_gettime(CLOCK_MONOTONIC, &now);
	} while (now.tv_sec < end.tv_sec || (now.tv_sec == end.tv_sec && now.tv_nsec < end.tv_nsec));
}
