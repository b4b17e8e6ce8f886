// SPDX-License-Identifier: Apache-2.0
#include <time.h>

#include "util/util.h"

u64 clock_ns(int clock)
{
	struct timespec t;

	clock_gettime((clockid_t)clock, &t);
	return (u64)t.tv_sec * 1000000000 + (u64)t.tv_nsec;
}

u64 now_ns(void)
{
	return clock_ns(CLOCK_MONOTONIC);
}
