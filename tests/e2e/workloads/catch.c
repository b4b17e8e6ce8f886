// SPDX-License-Identifier: Apache-2.0
/* For siginfo.py: a handler in C that keeps all that the kernel tells of a signal. */
#include <signal.h>
#include <string.h>

struct caught {
	int number, code, pid, uid, value;
};
struct caught caught[4096];
int ncaught;

static void handler(int number, siginfo_t *info, void *context)
{
	int n = __atomic_fetch_add(&ncaught, 1, __ATOMIC_SEQ_CST);

	if (n < 4096)
		caught[n] =
		    (struct caught){number, info->si_code, info->si_pid, info->si_uid, info->si_value.sival_int};
}

int catch_signal(int number, int flags)
{
	struct sigaction act = {.sa_sigaction = handler, .sa_flags = SA_SIGINFO | flags};

	return sigaction(number, &act, NULL);
}
