// SPDX-License-Identifier: Apache-2.0
/*
 * The kernel's helper functions, as the vm offers them. What each does and returns is that of bpf-helpers(7); a wrong
 * pointer ends the run, for the verifier would not have let the program in.
 */
#include <errno.h>
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <sys/uio.h>
#include <time.h>
#include <unistd.h>

#include "exec/vm_impl.h"

typedef u64 helper_fn(struct vm_run *r, const u64 *a);

#define PAGE      4096u
#define FAIL(err) ((u64)(s64)(-(err)))

/* --- maps ----------------------------------------------------------------------------------------- */

/* The map of a helper that is for maps with keys, and the key; NULL ends the run. */
static struct vm_map *keyed(struct vm_run *r, const u64 *a, u8 **key)
{
	struct vm_map *m = vm_map_of(r, a[0]);

	if (m && (!m->type->insert || m->type == &vm_storage_type))
		r->error = -EFAULT;
	*key = r->error ? NULL : vm_memory(r, a[1], m->def->key_size, false);
	return *key ? m : NULL;
}

/* The current CPU's value of an element. */
static u8 *own_value(const struct vm_run *r, const struct vm_map *m, u8 *values)
{
	return values && m->nvalues > 1 ? values + (size_t)r->cpu * m->stride : values;
}

static u64 map_lookup_elem(struct vm_run *r, const u64 *a)
{
	u8 *key;
	struct vm_map *m = keyed(r, a, &key);

	return m ? (u64)(uintptr_t)own_value(r, m, m->type->lookup(m, key)) : 0;
}

static u64 map_update_elem(struct vm_run *r, const u64 *a)
{
	u8 *key, *values, *value;
	struct vm_map *m = keyed(r, a, &key);
	int err;

	value = m ? vm_memory(r, a[2], m->def->value_size, false) : NULL;
	if (!value)
		return 0;
	err = m->type->insert(m, key, a[3], &values);
	if (err)
		return (u64)(s64)err;
	memmove(own_value(r, m, values), value, m->def->value_size);
	return 0;
}

static u64 map_delete_elem(struct vm_run *r, const u64 *a)
{
	u8 *key;
	struct vm_map *m = keyed(r, a, &key);

	return m ? (u64)(s64)m->type->remove(m, key) : 0;
}

/* The map and the value's memory of push, pop and peek. */
static struct vm_map *queue_of(struct vm_run *r, const u64 *a, bool write, u8 **value)
{
	struct vm_map *m = vm_map_of(r, a[0]);

	if (m && m->type != &vm_queue_type)
		r->error = -EFAULT;
	*value = r->error ? NULL : vm_memory(r, a[1], m->def->value_size, write);
	return *value ? m : NULL;
}

static u64 map_push_elem(struct vm_run *r, const u64 *a)
{
	u8 *value;
	struct vm_map *m = queue_of(r, a, false, &value);

	return m ? (u64)(s64)m->type->push(m, value, a[2]) : 0;
}

static u64 map_pop_elem(struct vm_run *r, const u64 *a)
{
	u8 *value;
	struct vm_map *m = queue_of(r, a, true, &value);

	return m ? (u64)(s64)m->type->pop(m, value, false) : 0;
}

static u64 map_peek_elem(struct vm_run *r, const u64 *a)
{
	u8 *value;
	struct vm_map *m = queue_of(r, a, true, &value);

	return m ? (u64)(s64)m->type->pop(m, value, true) : 0;
}

static struct vm_map *storage_of(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = vm_map_of(r, a[0]);

	if (m && (m->type != &vm_storage_type || a[1] != VM_TASK))
		r->error = -EFAULT;
	return r->error ? NULL : m;
}

static u64 task_storage_get(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = storage_of(r, a);
	u8 *value, *init = NULL;

	if (!m || a[3] > BPF_LOCAL_STORAGE_GET_F_CREATE)
		return 0;
	value = m->type->lookup(m, &r->thread->cookie);
	if (value || !a[3])
		return (u64)(uintptr_t)value;
	if (a[2])
		init = vm_memory(r, a[2], m->def->value_size, false);
	if (r->error || m->type->insert(m, &r->thread->cookie, BPF_NOEXIST, &value))
		return 0;
	if (init)
		memcpy(value, init, m->def->value_size);
	return (u64)(uintptr_t)value;
}

static u64 task_storage_delete(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = storage_of(r, a);

	return m ? (u64)(s64)m->type->remove(m, &r->thread->cookie) : 0;
}

/* --- the ring ------------------------------------------------------------------------------------- */

static struct vm_map *ring_of(struct vm_run *r, u64 map)
{
	struct vm_map *m = vm_map_of(r, map);

	if (m && m->type != &vm_ring_type)
		r->error = -EFAULT;
	return r->error ? NULL : m;
}

static u64 ringbuf_reserve(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = ring_of(r, a[0]);
	u8 *p;

	if (m && r->nreserved == VM_RESERVED)
		r->error = -EFAULT;
	p = r->error ? NULL : vm_ring_reserve(m, a[1]);
	if (!p)
		return 0;
	r->reserved[r->nreserved].p = p;
	r->reserved[r->nreserved++].size = a[1];
	return (u64)(uintptr_t)p;
}

static u64 end_record(struct vm_run *r, u64 sample, bool discard)
{
	for (u32 i = 0; i < r->nreserved; i++) {
		if ((u64)(uintptr_t)r->reserved[i].p != sample)
			continue;
		vm_ring_submit(r->reserved[i].p, discard);
		r->reserved[i] = r->reserved[--r->nreserved];
		return 0;
	}
	r->error = -EFAULT;
	return 0;
}

static u64 ringbuf_submit(struct vm_run *r, const u64 *a)
{
	return end_record(r, a[0], false);
}

static u64 ringbuf_discard(struct vm_run *r, const u64 *a)
{
	return end_record(r, a[0], true);
}

static u64 ringbuf_output(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = ring_of(r, a[0]);
	u8 *data = m ? vm_memory(r, a[1], a[2], false) : NULL, *p;

	if (!data)
		return 0;
	p = vm_ring_reserve(m, a[2]);
	if (!p)
		return FAIL(EAGAIN);
	memcpy(p, data, a[2]);
	vm_ring_submit(p, false);
	return 0;
}

static u64 ringbuf_query(struct vm_run *r, const u64 *a)
{
	struct vm_map *m = ring_of(r, a[0]);

	return m ? vm_ring_query(m, a[1]) : 0;
}

/* --- who and when --------------------------------------------------------------------------------- */

static u64 ktime_get_ns(struct vm_run *r, const u64 *a)
{
	return now_ns();
}

static u64 ktime_get_boot_ns(struct vm_run *r, const u64 *a)
{
	return clock_ns(CLOCK_BOOTTIME);
}

static u64 ktime_get_tai_ns(struct vm_run *r, const u64 *a)
{
	return clock_ns(CLOCK_TAI);
}

static u64 get_current_pid_tgid(struct vm_run *r, const u64 *a)
{
	return (u64)(u32)r->thread->pid << 32 | (u32)r->thread->tid;
}

static u64 get_current_uid_gid(struct vm_run *r, const u64 *a)
{
	return (u64)r->thread->gid << 32 | r->thread->uid;
}

static u64 get_current_comm(struct vm_run *r, const u64 *a)
{
	u8 *p = vm_memory(r, a[0], (u32)a[1], true);
	u64 n = (u32)a[1];

	if (!p || !n)
		return p ? FAIL(EINVAL) : 0;
	memset(p, 0, n);
	memcpy(p, r->thread->comm, strnlen(r->thread->comm, n - 1 < 15 ? n - 1 : 15));
	return 0;
}

static u64 get_smp_processor_id(struct vm_run *r, const u64 *a)
{
	return r->cpu;
}

static u64 get_current_task(struct vm_run *r, const u64 *a)
{
	return VM_TASK;
}

static u64 get_prandom_u32(struct vm_run *r, const u64 *a)
{
	u32 v = 0;

	return getrandom(&v, sizeof(v), GRND_NONBLOCK) == sizeof(v) ? v : (u32)now_ns();
}

static u64 send_signal(struct vm_run *r, const u64 *a)
{
	return kill(r->thread->pid, (int)a[0]) ? FAIL(errno) : 0;
}

/* --- other memory --------------------------------------------------------------------------------- */

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

static u64 probe_read_user(struct vm_run *r, const u64 *a)
{
	u64 n = (u32)a[1];
	u8 *dst = vm_memory(r, a[0], n, true);

	if (!dst || !read_user(r, dst, a[2], n))
		return 0;
	memset(dst, 0, n);
	return FAIL(EFAULT);
}

/* Page by page, as the NUL may be the last thing that is mapped. A short buffer gets what fits, and a NUL. */
static u64 probe_read_user_str(struct vm_run *r, const u64 *a)
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
			return FAIL(EFAULT);
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
static u64 probe_read_kernel(struct vm_run *r, const u64 *a)
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
	return src ? 0 : FAIL(EFAULT);
}

/* --- the table ------------------------------------------------------------------------------------ */

static helper_fn *const helpers[] = {
    [BPF_FUNC_map_lookup_elem] = map_lookup_elem,
    [BPF_FUNC_map_update_elem] = map_update_elem,
    [BPF_FUNC_map_delete_elem] = map_delete_elem,
    [BPF_FUNC_map_push_elem] = map_push_elem,
    [BPF_FUNC_map_pop_elem] = map_pop_elem,
    [BPF_FUNC_map_peek_elem] = map_peek_elem,
    [BPF_FUNC_task_storage_get] = task_storage_get,
    [BPF_FUNC_task_storage_delete] = task_storage_delete,
    [BPF_FUNC_ringbuf_reserve] = ringbuf_reserve,
    [BPF_FUNC_ringbuf_submit] = ringbuf_submit,
    [BPF_FUNC_ringbuf_discard] = ringbuf_discard,
    [BPF_FUNC_ringbuf_output] = ringbuf_output,
    [BPF_FUNC_ringbuf_query] = ringbuf_query,
    [BPF_FUNC_ktime_get_ns] = ktime_get_ns,
    [BPF_FUNC_ktime_get_boot_ns] = ktime_get_boot_ns,
    [BPF_FUNC_ktime_get_tai_ns] = ktime_get_tai_ns,
    [BPF_FUNC_get_current_pid_tgid] = get_current_pid_tgid,
    [BPF_FUNC_get_current_uid_gid] = get_current_uid_gid,
    [BPF_FUNC_get_current_comm] = get_current_comm,
    [BPF_FUNC_get_current_task] = get_current_task,
    [BPF_FUNC_get_current_task_btf] = get_current_task,
    [BPF_FUNC_get_smp_processor_id] = get_smp_processor_id,
    [BPF_FUNC_get_prandom_u32] = get_prandom_u32,
    [BPF_FUNC_send_signal] = send_signal,
    [BPF_FUNC_probe_read_user] = probe_read_user,
    [BPF_FUNC_probe_read_user_str] = probe_read_user_str,
    [BPF_FUNC_probe_read_kernel] = probe_read_kernel,
};

bool vm_helper_known(s32 id)
{
	return id > 0 && (size_t)id < ARRAY_SIZE(helpers) && helpers[id];
}

int vm_helper_call(struct vm_run *r, s32 id, const u64 args[5], u64 *r0)
{
	if (!vm_helper_known(id))
		r->error = -EINVAL;
	else
		*r0 = helpers[id](r, args);
	return r->error;
}
