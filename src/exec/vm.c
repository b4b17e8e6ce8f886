// SPDX-License-Identifier: Apache-2.0
/* The executor that is an interpreter in this process: open, run, maps. What it is made of, vm_impl.h says. */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "exec/vm_live_impl.h"

/* --- run ------------------------------------------------------------------------------------------ */

static int vm_run(struct exec *e, u32 prog, const void *ctx, u32 size, struct exec_thread *t, exec_read_fn *read,
		  void *arg)
{
	return vm_run_program(vm_of(e), prog, ctx, size, t, read, arg, NULL);
}

static int vm_fire(struct exec *e, u32 prog, const u64 *args, u32 nargs)
{
	struct exec_thread t = vm_self();
	u64 ctx[EXEC_MAX_ARGS] = {0};

	if (nargs)
		memcpy(ctx, args, nargs * sizeof(*args));
	return vm_run_program(vm_of(e), prog, ctx, sizeof(ctx), &t, NULL, NULL, NULL);
}

/* --- maps ----------------------------------------------------------------------------------------- */

static void *vm_map_memory(struct exec *e, u32 map)
{
	struct vm_map *m = &vm_of(e)->maps[map];

	return m->type == &vm_array_type ? m->data : NULL;
}

static int vm_map_each(struct exec *e, u32 map, exec_each_fn *fn, void *arg)
{
	struct vm *vm = vm_of(e);
	struct vm_map *m = &vm->maps[map];
	int ret;

	if (!m->type->each)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&vm->lock);
	ret = m->type->each(m, fn, arg);
	pthread_mutex_unlock(&vm->lock);
	return ret;
}

static int map_update(struct vm_map *m, const void *key, const void *values)
{
	u8 *to;
	int err;

	if (m->type->push)
		return m->type->push(m, values, BPF_ANY);
	if (!m->type->each) /* the keys of task storage are not the caller's */
		return -EOPNOTSUPP;
	err = m->type->insert(m, key, BPF_ANY, &to);
	for (u32 i = 0; i < m->nvalues && !err; i++)
		memcpy(to + (size_t)i * m->stride, (const u8 *)values + (size_t)i * m->stride, m->def->value_size);
	return err;
}

static int vm_map_update(struct exec *e, u32 map, const void *key, const void *values)
{
	struct vm *vm = vm_of(e);
	int ret;

	pthread_mutex_lock(&vm->lock);
	ret = map_update(&vm->maps[map], key, values);
	pthread_mutex_unlock(&vm->lock);
	return ret;
}

static int vm_map_delete(struct exec *e, u32 map, const void *key)
{
	struct vm *vm = vm_of(e);
	struct vm_map *m = &vm->maps[map];
	int ret;

	if (!m->type->remove)
		return -EOPNOTSUPP;
	pthread_mutex_lock(&vm->lock);
	ret = m->type->remove(m, key);
	pthread_mutex_unlock(&vm->lock);
	return ret;
}

static int ring_drain(struct exec *e, u32 map, exec_record_fn *fn, void *arg)
{
	return vm_ring_drain(&vm_of(e)->maps[map], fn, arg);
}

/* --- the executor --------------------------------------------------------------------------------- */

static int vm_prog_stats(struct exec *e, u32 prog, u64 *runs, u64 *ns)
{
	*runs = vm_of(e)->stats[prog].runs;
	*ns = vm_of(e)->stats[prog].ns;
	return 0;
}

static int vm_prog_misses(struct exec *e, u32 prog, u64 *misses)
{
	*misses = 0;
	return 0;
}

static void vm_close(struct exec *e)
{
	struct vm *vm = vm_of(e);

	vm_live_close(vm);
	vm_unload(vm);
	pthread_mutex_destroy(&vm->lock);
	free(vm);
}

static const struct exec_methods vm_methods = {
    .load = vm_load_image,
    .fire = vm_fire,
    .run = vm_run,
    .attach_raw_tracepoint = vm_attach_raw_tracepoint,
    .attach_site = vm_attach_site,
    .attach_clock = vm_attach_clock,
    .add_process = vm_add_process,
    .set_gate = vm_set_gate,
    .start = vm_start,
    .serve = vm_serve,
    .serve_end = vm_serve_end,
    .serve_break = vm_serve_break,
    .pause = vm_pause,
    .resume = vm_resume,
    .lost = vm_lost,
    .detach = vm_detach,
    .lingers = vm_lingers,
    .close = vm_close,
    .map_memory = vm_map_memory,
    .map_each = vm_map_each,
    .map_update = vm_map_update,
    .map_delete = vm_map_delete,
    .ring_drain = ring_drain,
    .prog_stats = vm_prog_stats,
    .prog_misses = vm_prog_misses,
    .task_layout = vm_task_layout,
};

static int vm_probe(struct diag *diag)
{
	return 0;
}

static int vm_open(struct exec **out, struct diag *diag)
{
	long ncpus = sysconf(_SC_NPROCESSORS_CONF);
	struct vm *vm = calloc(1, sizeof(*vm));
	pthread_mutexattr_t attr;

	*out = NULL;
	if (!vm || vm_live_open(vm)) {
		free(vm);
		return diag_fail(diag, ENOMEM, "out of memory");
	}
	vm->exec = (struct exec){.methods = &vm_methods, .ncpus = ncpus > 0 ? (u32)ncpus : 1};
	pthread_mutexattr_init(&attr);
	pthread_mutexattr_settype(&attr, PTHREAD_MUTEX_RECURSIVE);
	pthread_mutex_init(&vm->lock, &attr);
	pthread_mutexattr_destroy(&attr);
	*out = &vm->exec;
	return 0;
}

const struct exec_ops exec_vm = {.name = "vm", .probe = vm_probe, .open = vm_open};
