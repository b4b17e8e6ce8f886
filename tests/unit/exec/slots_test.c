// SPDX-License-Identifier: Apache-2.0
/*
 * Thread-local variables as programs keep them: a slot of the state array for each thread, its number in task storage,
 * given back by a program at the thread's end. More threads than slots come and go; each has a slot of its own, which is
 * zero at first.
 */
#include <pthread.h>
#include <unistd.h>

#include "exec_test.h"
#include "rt/rt.h"

#define THREADS   4
#define ROUNDS    25
#define CALLS     500
#define SLOTS     16
#define SLOT_SIZE 32
#define DONE      ((s32)sizeof(struct rt_state)) /* threads that counted to CALLS in their slot */
#define SLOTS_OFF 64

enum { M_STATE, M_THREADS, M_SLOTS, NMAPS };
enum { P_SITE, P_EXIT, NPROGS };

__attribute__((naked, noinline, aligned(32))) static void site(void)
{
	__asm__ volatile(".byte 0x0f, 0x1f, 0x44, 0x00, 0x00\n\tret");
}

static struct asm_map maps[NMAPS] = {
    {"state", BPF_MAP_TYPE_ARRAY, 4, SLOTS_OFF + SLOTS *SLOT_SIZE, 1, BPF_F_MMAPABLE},
    {"threads", BPF_MAP_TYPE_TASK_STORAGE, 4, 8, 0, BPF_F_NO_PREALLOC},
    {"slots", BPF_MAP_TYPE_STACK, 0, 4, SLOTS},
};

static void call_rt(struct code *c, const char *function)
{
	emit_map(c, 1, M_THREADS);
	emit_map(c, 2, M_SLOTS);
	emit_value(c, 3, M_STATE, 0);
	EMIT(c, MOV_K(4, SLOTS), INSN(.code = BPF_LD | BPF_IMM | BPF_DW, .dst_reg = 5, .imm = SLOT_SIZE),
	     INSN(.imm = SLOTS_OFF));
	emit_rt(c, function);
}

/* slot[1]++; DONE++ when that makes CALLS */
static struct asm_prog site_prog(struct arena *a)
{
	struct code c = {.a = a};

	call_rt(&c, "rt_slot_make");
	EMIT(&c, JUMP_K(BPF_JEQ, 0, 0, 8), LOAD(BPF_DW, 2, 0, 8), ALU64_K(BPF_ADD, 2, 1), STORE(BPF_DW, 0, 8, 2),
	     JUMP_K(BPF_JNE, 2, CALLS, 4));
	emit_value(&c, 1, M_STATE, DONE);
	EMIT(&c, MOV_K(2, 1), ATOMIC(BPF_DW, BPF_ADD, 1, 0, 2), MOV_K(0, 0), EXIT());
	return prog_of(&c, "site", ASM_UPROBE);
}

static struct asm_prog exit_prog(struct arena *a)
{
	struct code c = {.a = a};

	call_rt(&c, "rt_slot_free");
	EMIT(&c, MOV_K(0, 0), EXIT());
	return prog_of(&c, "exit", ASM_RAW_TRACEPOINT);
}

static void *count(void *arg)
{
	for (int i = 0; i < CALLS; i++)
		site();
	return NULL;
}

static void slots_are_reused(void **state)
{
	struct arena *a = arena_new();
	struct asm_prog progs[NPROGS] = {[P_SITE] = site_prog(a), [P_EXIT] = exit_prog(a)};
	struct asm_image img = {maps, NMAPS, progs, NPROGS};
	struct messages m = MESSAGES(&m);
	volatile struct rt_state *st;
	struct exec *e;
	char path[64];
	u64 off;

	NEED_KERNEL();
	e = open_loaded(&exec_kernel, &img);
	st = exec_map_memory(e, M_STATE);
	off = place_of((const void *)(uintptr_t)site, path, sizeof(path));
	assert_int_equal(exec_attach_raw_tracepoint(e, P_EXIT, "sched_process_exit", &m.diag), 0);
	assert_int_equal(exec_attach_uprobe(e, P_SITE, path, off, getpid(), false, &m.diag), 0);
	for (int round = 0; round < ROUNDS; round++) {
		pthread_t th[THREADS];

		for (int i = 0; i < THREADS; i++)
			assert_int_equal(pthread_create(&th[i], NULL, count, NULL), 0);
		for (int i = 0; i < THREADS; i++)
			pthread_join(th[i], NULL);
		usleep(2000); /* a thread is joined shortly before the kernel says that it has ended */
	}
	assert_int_equal(st->drops[RT_DROP_SLOT], 0);
	assert_int_equal(*(volatile u64 *)((const volatile u8 *)st + DONE), ROUNDS * THREADS);
	assert_int_equal(st->next_serial, ROUNDS * THREADS);
	assert_true(st->next_slot < SLOTS);
	exec_close(e);
	arena_free(a);
}

/* The same programs in the vm, with threads that are only named. */
static void slots_in_the_vm(void **state)
{
	struct arena *a = arena_new();
	struct asm_prog progs[NPROGS] = {[P_SITE] = site_prog(a), [P_EXIT] = exit_prog(a)};
	struct asm_image img = {maps, NMAPS, progs, NPROGS};
	struct exec *e = open_loaded(&exec_vm, &img);
	const struct rt_state *st = exec_map_memory(e, M_STATE);
	u64 ctx[2] = {0};

	for (u64 round = 0; round < ROUNDS; round++) {
		struct exec_thread t[THREADS];

		for (u32 i = 0; i < THREADS; i++)
			t[i] =
			    (struct exec_thread){.pid = 1, .tid = (pid_t)i + 1, .cookie = round * THREADS + i + 1};
		for (int n = 0; n < CALLS; n++) {
			for (u32 i = 0; i < THREADS; i++)
				assert_int_equal(exec_run(e, P_SITE, ctx, sizeof(ctx), &t[i], NULL, NULL), 0);
		}
		for (u32 i = 0; i < THREADS; i++) {
			assert_int_equal(exec_run(e, P_EXIT, ctx, sizeof(ctx), &t[i], NULL, NULL), 0);
			assert_int_equal(exec_map_delete(e, M_THREADS, &t[i].cookie), 0);
		}
	}
	assert_int_equal(st->drops[RT_DROP_SLOT], 0);
	assert_int_equal(*(const u64 *)((const u8 *)st + DONE), ROUNDS * THREADS);
	assert_int_equal(st->next_slot, THREADS);
	/* And one thread more than there is room for. */
	for (u64 i = 0; i < SLOTS; i++) {
		struct exec_thread t = {.cookie = 1000 + i};

		assert_int_equal(exec_run(e, P_SITE, ctx, sizeof(ctx), &t, NULL, NULL), 0);
	}
	assert_int_equal(st->drops[RT_DROP_SLOT], 1);
	exec_close(e);
	arena_free(a);
}

int main(void)
{
	const struct CMUnitTest tests[] = {
	    cmocka_unit_test(slots_are_reused),
	    cmocka_unit_test(slots_in_the_vm),
	};

	return cmocka_run_group_tests(tests, NULL, NULL);
}
