// SPDX-License-Identifier: Apache-2.0
/* A process's memory, through /proc/PID/mem: what the process itself must not write, we may. */
#include <errno.h>
#include <fcntl.h>
#include <string.h>
#include <unistd.h>

#include "target/target_impl.h"

int mem_open(const struct target *t)
{
	return target_proc_open(t, "mem", O_RDWR);
}

/* Why a transfer moved nothing: `got` is what it returned. */
static int mem_error(ssize_t got)
{
	return got == 0 ? -ESRCH : errno == EIO || errno == EINVAL ? -EFAULT : -errno;
}

int target_read(struct target *t, u64 addr, void *dst, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pread(t->mem, (char *)dst + done, n - done, (off_t)(addr + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return mem_error(got);
		done += (size_t)got;
	}
	return 0;
}

int target_write(struct target *t, u64 addr, const void *src, size_t n)
{
	for (size_t done = 0; done < n;) {
		ssize_t got = pwrite(t->mem, (const char *)src + done, n - done, (off_t)(addr + done));

		if (got < 0 && errno == EINTR)
			continue;
		if (got <= 0)
			return mem_error(got);
		done += (size_t)got;
	}
	return 0;
}

int target_read_string(struct target *t, u64 addr, char *dst, size_t max)
{
	for (size_t n = 0; n + 1 < max;) {
		size_t chunk = 256 - addr % 256; /* never across a page that may not be mapped */
		int ret;

		if (chunk > max - 1 - n)
			chunk = max - 1 - n;
		ret = target_read(t, addr, dst + n, chunk);
		if (ret) {
			dst[0] = 0;
			return ret;
		}
		if (memchr(dst + n, 0, chunk))
			return 0;
		n += chunk;
		addr += chunk;
	}
	if (max)
		dst[max - 1] = 0;
	return 0;
}
