// SPDX-License-Identifier: Apache-2.0
/* Which helpers there are, and those that say who and when. */
#include <signal.h>
#include <string.h>
#include <sys/random.h>
#include <time.h>

#include "exec/vm_helpers_impl.h"

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
	const struct exec_thread *t = vm_fact(r, EXEC_IDS);

	return (u64)t->gid << 32 | t->uid;
}

static u64 get_current_comm(struct vm_run *r, const u64 *a)
{
	u8 *p = vm_memory(r, a[0], (u32)a[1], true);
	const char *comm = vm_fact(r, EXEC_COMM)->comm;
	u64 n = (u32)a[1];

	if (!p || !n)
		return p ? HELPER_FAIL(EINVAL) : 0;
	memset(p, 0, n);
	memcpy(p, comm, strnlen(comm, n - 1 < 15 ? n - 1 : 15));
	return 0;
}

static u64 get_smp_processor_id(struct vm_run *r, const u64 *a)
{
	return vm_fact(r, EXEC_CPU)->cpu % r->vm->exec.ncpus;
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
	return kill(r->thread->pid, (int)a[0]) ? HELPER_FAIL(errno) : 0;
}

static vm_helper *const helpers[] = {
    [BPF_FUNC_map_lookup_elem] = helper_map_lookup_elem,
    [BPF_FUNC_map_update_elem] = helper_map_update_elem,
    [BPF_FUNC_map_delete_elem] = helper_map_delete_elem,
    [BPF_FUNC_map_push_elem] = helper_map_push_elem,
    [BPF_FUNC_map_pop_elem] = helper_map_pop_elem,
    [BPF_FUNC_map_peek_elem] = helper_map_peek_elem,
    [BPF_FUNC_task_storage_get] = helper_task_storage_get,
    [BPF_FUNC_task_storage_delete] = helper_task_storage_delete,
    [BPF_FUNC_ringbuf_reserve] = helper_ringbuf_reserve,
    [BPF_FUNC_ringbuf_submit] = helper_ringbuf_submit,
    [BPF_FUNC_ringbuf_discard] = helper_ringbuf_discard,
    [BPF_FUNC_ringbuf_output] = helper_ringbuf_output,
    [BPF_FUNC_ringbuf_query] = helper_ringbuf_query,
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
    [BPF_FUNC_probe_read_user] = helper_probe_read_user,
    [BPF_FUNC_probe_read_user_str] = helper_probe_read_user_str,
    [BPF_FUNC_probe_read_kernel] = helper_probe_read_kernel,
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
