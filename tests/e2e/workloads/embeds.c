// SPDX-License-Identifier: Apache-2.0
/*
 * Preloaded into a Python, it takes the place of main(), and embeds the interpreter as uwsgi without threads does: one thread, which
 * waits in poll() with the GIL held, and calls Python for each byte that it reads. EMBEDS=qsort: it waits in what qsort() calls;
 * EMBEDS=thread: there is another thread.
 */
#define _GNU_SOURCE
#include <dlfcn.h>
#include <poll.h>
#include <pthread.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

/* In every glibc. */
__asm__(".symver dlsym,dlsym@GLIBC_2.2.5\n.symver pthread_create,pthread_create@GLIBC_2.2.5");

extern void Py_InitializeEx(int) __attribute__((weak));
extern int PyRun_SimpleString(const char *) __attribute__((weak));

static void say(const char *text)
{
	if (write(1, text, strlen(text)) < 0)
		_exit(1);
}

static int wait_for_byte(const void *a, const void *b)
{
	struct pollfd fd = {.fd = 0, .events = POLLIN};
	char c;

	while (poll(&fd, 1, -1) < 1)
		;
	if (read(0, &c, 1) < 1)
		_exit(0);
	return c == 'e' ? 1 : 0;
}

static void *sleep_thread(void *arg)
{
	for (;;)
		pause();
	return NULL;
}

static int embed(int argc, char **argv, char **envp)
{
	const char *way = getenv("EMBEDS");
	pthread_t thread;
	int two[2] = {1, 2};

	unsetenv("LD_PRELOAD");
	Py_InitializeEx(0);
	PyRun_SimpleString("calls = 0\ndef target(n):\n    return n + 1\n");
	if (!strcmp(way, "thread"))
		pthread_create(&thread, NULL, sleep_thread, NULL);
	say("{\"function\": \"target\"}\n");
	for (;;) {
		if (!strcmp(way, "qsort"))
			qsort(two, 2, sizeof(*two), wait_for_byte);
		else
			wait_for_byte(NULL, NULL);
		PyRun_SimpleString("calls = target(calls)\nprint('{\"calls\": %d}' % calls, flush=True)\n");
	}
}

typedef int main_fn(int, char **, char **);

int __libc_start_main(main_fn *fn, int argc, char **argv, void (*init)(void), void (*fini)(void),
		      void (*rtld_fini)(void), void *stack)
{
	int (*real)(main_fn *, int, char **, void (*)(void), void (*)(void), void (*)(void), void *);

	*(void **)&real = dlsym(RTLD_NEXT, "__libc_start_main");
	return real(Py_InitializeEx ? embed : fn, argc, argv, init, fini, rtld_fini, stack);
}
