// SPDX-License-Identifier: Apache-2.0
/* The one interface to all executors: checks what callers give and hands it on. */
#include <errno.h>
#include <string.h>

#include "exec/exec_impl.h"

static const struct exec_ops *const executors[] = {&exec_kernel, &exec_vm};

const struct exec_ops *exec_by_name(const char *name)
{
	for (size_t i = 0; i < ARRAY_SIZE(executors); i++) {
		if (!strcmp(executors[i]->name, name))
			return executors[i];
	}
	return NULL;
}

int exec_load(struct exec *e, const struct asm_image *image, struct diag *diag)
{
	int err;

	if (e->image)
		return diag_fail(diag, EBUSY, "an image is loaded already");
	e->image = image;
	err = e->methods->load(e, diag);
	if (err)
		e->image = NULL;
	return err;
}

/* Does the image have this map, or program? */
static bool has_map(const struct exec *e, u32 map)
{
	return e->image && map < e->image->nmaps;
}

static bool has_prog(const struct exec *e, u32 prog, enum asm_prog_kind kind)
{
	return e->image && prog < e->image->nprogs && e->image->progs[prog].kind == kind;
}

int exec_fire(struct exec *e, u32 prog, const u64 *args, u32 nargs)
{
	if (!has_prog(e, prog, ASM_RAW_TRACEPOINT) || nargs > EXEC_MAX_ARGS)
		return -EINVAL;
	return e->methods->fire(e, prog, args, nargs);
}

int exec_run(struct exec *e, u32 prog, const void *ctx, u32 size, struct exec_thread *t, exec_read_fn *read,
	     void *arg)
{
	if (!e->methods->run)
		return -EOPNOTSUPP;
	if (!e->image || prog >= e->image->nprogs)
		return -EINVAL;
	return e->methods->run(e, prog, ctx, size, t, read, arg);
}

int exec_attach_raw_tracepoint(struct exec *e, u32 prog, const char *name, struct diag *diag)
{
	if (!e->methods->attach_raw_tracepoint)
		return -EOPNOTSUPP;
	if (!has_prog(e, prog, ASM_RAW_TRACEPOINT))
		return -EINVAL;
	return e->methods->attach_raw_tracepoint(e, prog, name, diag);
}

int exec_attach_uprobe(struct exec *e, u32 prog, const char *path, u64 off, pid_t pid, bool is_return,
		       struct diag *diag)
{
	if (!e->methods->attach_uprobe)
		return -EOPNOTSUPP;
	if (!has_prog(e, prog, ASM_UPROBE))
		return -EINVAL;
	return e->methods->attach_uprobe(e, prog, path, off, pid, is_return, diag);
}

int exec_attach_clock(struct exec *e, u32 prog, int cpu, u64 ns, struct diag *diag)
{
	if (!e->methods->attach_clock)
		return -EOPNOTSUPP;
	if (!has_prog(e, prog, ASM_CLOCK))
		return -EINVAL;
	return e->methods->attach_clock(e, prog, cpu, ns, diag);
}

int exec_attach_site(struct exec *e, u32 prog, struct python *p, struct target *t, enum wire_event ev,
		     struct diag *diag)
{
	if (!has_prog(e, prog, ASM_UPROBE))
		return -EINVAL;
	return e->methods->attach_site(e, prog, p, t, ev, diag);
}

int exec_add_process(struct exec *e, struct target *t)
{
	return e->methods->add_process ? e->methods->add_process(e, t) : 0;
}

void exec_set_gate(struct exec *e, u32 prog)
{
	if (e->methods->set_gate && has_prog(e, prog, ASM_RAW_TRACEPOINT))
		e->methods->set_gate(e, prog);
}

int exec_start(struct exec *e, struct diag *diag)
{
	return e->methods->start ? e->methods->start(e, diag) : 0;
}

bool exec_serves(const struct exec *e)
{
	return e->methods->serve != NULL;
}

int exec_serve(struct exec *e)
{
	return e->methods->serve ? e->methods->serve(e) : -EOPNOTSUPP;
}

void exec_serve_end(struct exec *e)
{
	if (e->methods->serve_end)
		e->methods->serve_end(e);
}

void exec_serve_break(struct exec *e)
{
	if (e->methods->serve_break)
		e->methods->serve_break(e);
}

bool exec_pause(struct exec *e)
{
	return !e->methods->pause || e->methods->pause(e);
}

void exec_resume(struct exec *e, struct diag *diag)
{
	if (e->methods->resume)
		e->methods->resume(e, diag);
}

u64 exec_lost(struct exec *e)
{
	return e->methods->lost ? e->methods->lost(e) : 0;
}

void exec_detach(struct exec *e)
{
	if (e->methods->detach)
		e->methods->detach(e);
}

bool exec_lingers(struct exec *e)
{
	return e->methods->lingers && e->methods->lingers(e);
}

void exec_close(struct exec *e)
{
	if (!e)
		return;
	exec_detach(e);
	e->methods->close(e);
}

void *exec_map_memory(struct exec *e, u32 map)
{
	if (!has_map(e, map) || !(e->image->maps[map].flags & BPF_F_MMAPABLE))
		return NULL;
	return e->methods->map_memory(e, map);
}

int exec_map_each(struct exec *e, u32 map, exec_each_fn *fn, void *arg)
{
	return has_map(e, map) ? e->methods->map_each(e, map, fn, arg) : -EINVAL;
}

int exec_map_update(struct exec *e, u32 map, const void *key, const void *values)
{
	return has_map(e, map) ? e->methods->map_update(e, map, key, values) : -EINVAL;
}

int exec_map_delete(struct exec *e, u32 map, const void *key)
{
	return has_map(e, map) ? e->methods->map_delete(e, map, key) : -EINVAL;
}

static bool has_ring(const struct exec *e, u32 map)
{
	return has_map(e, map) && e->image->maps[map].type == BPF_MAP_TYPE_RINGBUF;
}

int exec_ring_drain(struct exec *e, u32 map, exec_record_fn *fn, void *arg)
{
	return has_ring(e, map) ? e->methods->ring_drain(e, map, fn, arg) : -EINVAL;
}

int exec_ring_fd(struct exec *e, u32 map)
{
	return has_ring(e, map) && e->methods->ring_fd ? e->methods->ring_fd(e, map) : -1;
}

int exec_prog_stats(struct exec *e, u32 prog, u64 *runs, u64 *ns)
{
	if (!e->image || prog >= e->image->nprogs)
		return -EINVAL;
	return e->methods->prog_stats(e, prog, runs, ns);
}

int exec_prog_misses(struct exec *e, u32 prog, u64 *misses)
{
	if (!e->image || prog >= e->image->nprogs)
		return -EINVAL;
	return e->methods->prog_misses(e, prog, misses);
}

struct exec_task_layout exec_task_layout(struct exec *e)
{
	return e->methods->task_layout();
}

u32 exec_ncpus(struct exec *e)
{
	return e->ncpus;
}
