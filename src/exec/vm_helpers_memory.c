// SPDX-License-Identifier: Apache-2.0
/* Helpers that read memory that is not the program's. */
#include <string.h>
#include <sys/uio.h>
#include <unistd.h>

#include "exec/vm_helpers_impl.h"

#define PAGE 4096u

/* Our own memory is read as another process's would be, so that a bad address is an error. */
static int read_own(void *dst, u64 addr, u64 n)
{
	struct iovec to = {dst, n}, from = {(void *)(uintptr_t)addr, n};

	return process_vm_readv(getpid(), &to, 1, &from, 1, 0) == (ssize_t)n ? 0 : -EFAULT;
}

static int read_user(struct vm_run *r, void *dst, u64 addr, u64 n)
{
	if (!n)
		return 0;
	if (r->read)
		return r->read(r->read_arg, dst, addr, (u32)n) ? -EFAULT : 0;
	return read_own(dst, addr, n);
}

u64 helper_probe_read_user(struct vm_run *r, const u64 *a)
{
	u64 n = (u32)a[1];
	u8 *dst = vm_memory(r, a[0], n, true);

	if (!dst || !read_user(r, dst, a[2], n))
		return 0;
	memset(dst, 0, n);
	return HELPER_FAIL(EFAULT);
}

/* Page by page, as the NUL may be the last thing that is mapped. A short buffer gets what fits, and a NUL. */
u64 helper_probe_read_user_str(struct vm_run *r, const u64 *a)
{
	u64 size = (u32)a[1], done = 0;
	u8 *dst = vm_memory(r, a[0], size, true), *nul;

	if (!dst || !size)
		return 0;
	while (done < size) {
		u64 n = PAGE - (a[2] + done) % PAGE;

		if (n > size - done)
			n = size - done;
		if (read_user(r, dst + done, a[2] + done, n)) {
			memset(dst, 0, size);
			return HELPER_FAIL(EFAULT);
		}
		nul = memchr(dst + done, 0, n);
		if (nul) {
			/* What was read behind the NUL is none of the program's. */
			memset(nul, 0, (size_t)(dst + done + n - nul));
			return (u64)(nul - dst) + 1;
		}
		done += n;
	}
	dst[size - 1] = '\0';
	return size;
}

/*
 * The program's own memory (the run-time functions copy text this way) and the members of the task (vm_memory.c) are all
 * the kernel memory that there is. An address of something else is an error like a bad address in the kernel.
 */
u64 helper_probe_read_kernel(struct vm_run *r, const u64 *a)
{
	u64 n = (u32)a[1], v;
	u8 *dst = vm_memory(r, a[0], n, true), *src;

	if (!dst)
		return 0;
	if (vm_is_task(a[2]) && (n == 4 || n == 8)) {
		v = vm_load(r, a[2], (u32)n);
		src = r->error ? NULL : (u8 *)&v;
	} else {
		src = vm_memory(r, a[2], n, false);
	}
	if (src)
		memmove(dst, src, n);
	else
		memset(dst, 0, n);
	r->error = 0;
	return src ? 0 : HELPER_FAIL(EFAULT);
}
