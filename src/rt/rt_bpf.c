// SPDX-License-Identifier: GPL-2.0-only OR BSD-2-Clause
/*
 * The run-time functions as one BPF object: those that are pure, from the same source as the host's, and those that
 * need maps and helpers. Maps are handed in as arguments, so that the object refers to none.
 */
#include "rt_bucket.c"
#include "rt_number.c"
#include "rt_string.c"

static void *(*const map_lookup)(void *map, const void *key) = (void *)BPF_FUNC_map_lookup_elem;
static long (*const map_update)(void *map, const void *key, const void *v,
				__u64 flags) = (void *)BPF_FUNC_map_update_elem;
static long (*const map_push)(void *map, const void *v, __u64 flags) = (void *)BPF_FUNC_map_push_elem;
static long (*const map_pop)(void *map, void *v) = (void *)BPF_FUNC_map_pop_elem;
static void *(*const current_task)(void) = (void *)BPF_FUNC_get_current_task_btf;
static void *(*const task_storage)(void *map, void *task, void *init,
				   __u64 flags) = (void *)BPF_FUNC_task_storage_get;
static long (*const read_user)(void *dst, __u32 n, const void *src) = (void *)BPF_FUNC_probe_read_user;
static long (*const read_user_str)(void *dst, __u32 n, const void *src) = (void *)BPF_FUNC_probe_read_user_str;
static long (*const current_comm)(void *dst, __u32 n) = (void *)BPF_FUNC_get_current_comm;

/* --- thread slots ------------------------------------------------------------------------------- */

struct thread { /* in the task storage */
	__u32 slot, pad;
};

static inline void *slot_address(struct rt_state *state, __u64 where, __u64 slot)
{
	return (char *)state + (where >> 32) + slot * (where & 0xffffffff);
}

/* A free slot's number: one that was given back, or the next that was never used. 0: there is none. */
static inline __u32 slot_take(void *slots, struct rt_state *state, __u64 nslots)
{
	__u32 slot = 0;

	if (!map_pop(slots, &slot))
		return slot;
	if (state->next_slot + 1 >= nslots)
		return 0;
	return __sync_fetch_and_add(&state->next_slot, 1) + 1;
}

/*
 * The slot of the current thread, made when it has none. NULL: there is no room, counted as a drop. `where` is
 * offset of slot 0 in the state << 32 | size of a slot. A program that interrupts us here may give the thread a
 * slot too; one of them wins and the other's goes back.
 */
RT_FUNC void *rt_slot_make(void *threads, void *slots, struct rt_state *state, __u64 nslots, __u64 where)
{
	struct thread none = {0}, *t = task_storage(threads, current_task(), &none, BPF_LOCAL_STORAGE_GET_F_CREATE);
	__u32 slot, mine;
	__u64 *p;

	if (!t)
		goto drop;
	slot = *(volatile __u32 *)&t->slot;
	if (!slot) {
		mine = slot_take(slots, state, nslots);
		if (!mine || mine >= nslots)
			goto drop;
		p = slot_address(state, where, mine);
		p[0] = __sync_fetch_and_add(&state->next_serial, 1) + 1;
		slot = __sync_val_compare_and_swap(&t->slot, 0, mine);
		if (!slot)
			return p;
		map_push(slots, &mine, 0);
	}
	if (slot >= nslots)
		goto drop;
	return slot_address(state, where, slot);
drop:
	__sync_fetch_and_add(&state->drops[RT_DROP_SLOT], 1);
	return 0;
}

/* The current thread ends: its slot is cleared and given back. */
RT_FUNC void rt_slot_free(void *threads, void *slots, struct rt_state *state, __u64 nslots, __u64 where)
{
	struct thread *t = task_storage(threads, current_task(), 0, 0);
	__u32 slot;

	if (!t)
		return;
	slot = *(volatile __u32 *)&t->slot;
	if (!slot || slot >= nslots)
		return;
	rt_str_zero(slot_address(state, where, slot), where & 0xffffffff);
	t->slot = 0;
	map_push(slots, &slot, 0);
}

/* --- maps --------------------------------------------------------------------------------------- */

/* The element of `key`, made of `zero` when there is none; NULL: there is no room. */
RT_FUNC void *rt_map_make(void *map, const void *key, const void *zero)
{
	map_update(map, key, zero, BPF_NOEXIST);
	return map_lookup(map, key);
}

/* --- text from outside -------------------------------------------------------------------------- */

/* At most max - 1 bytes of text at the user's address; 0, or < 0 when it cannot be read. */
RT_FUNC __s64 rt_copyinstr(void *dst, __u64 addr, __u64 max, __u64 size)
{
	__s64 n;

	rt_str_zero(dst, size);
	if (max > size)
		max = size;
	n = read_user_str(dst, (__u32)max, (const void *)addr);
	return n < 0 ? n : 0;
}

RT_FUNC void rt_execname(void *dst, __u64 size)
{
	rt_str_zero(dst, size);
	current_comm(dst, size < 16 ? (__u32)size : 16);
}

/* An integer of n bytes at the user's address, in the low bytes of *dst. 0, or < 0. */
RT_FUNC __s64 rt_copyint(__u64 *dst, __u64 addr, __u64 n)
{
	*dst = 0;
	if (n > 8)
		n = 8;
	return read_user(dst, (__u32)n, (const void *)addr);
}
