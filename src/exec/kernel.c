// SPDX-License-Identifier: Apache-2.0
/* The executor that is the kernel: programs, links and runs. Its maps are in kernel_maps.c. */
#include <errno.h>
#include <limits.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "bpf/bpf.h"
#include "exec/kernel_exec_impl.h"
#include "exec/libbpf_impl.h"

static int load_maps(struct kernel_exec *k, struct diag *diag)
{
	const struct asm_image *img = k->exec.image;

	for (u32 i = 0; i < img->nmaps; i++) {
		int fd = bpf_map_make(&img->maps[i], diag);

		if (fd < 0)
			return fd;
		k->maps[i].fd = fd;
		fd = kernel_ring_open(&k->exec, i);
		if (fd < 0)
			return diag_fail(diag, -fd, "cannot make the ring of records: %s", strerror(-fd));
	}
	return 0;
}

static int load_prog(struct kernel_exec *k, u32 prog, const int *map_fds, struct diag *diag)
{
	const struct asm_prog *p = &k->exec.image->progs[prog];
	struct bpf_code code;
	int fd = bpf_code_link(&code, p, NULL, 0, diag);

	if (!fd)
		fd = bpf_code_load(p, &code, map_fds, diag);
	bpf_code_free(&code);
	if (fd < 0)
		return fd;
	k->progs[prog] = fd;
	return 0;
}

static void unload(struct kernel_exec *k)
{
	const struct asm_image *img = k->exec.image;

	for (u32 i = 0; img && i < img->nprogs && k->progs; i++) {
		if (k->progs[i] >= 0)
			close(k->progs[i]);
	}
	for (u32 i = 0; img && i < img->nmaps && k->maps; i++)
		kernel_map_close(&k->exec, i);
	free(k->progs);
	free(k->maps);
	k->progs = NULL;
	k->maps = NULL;
}

static int kernel_load(struct exec *e, struct diag *diag)
{
	struct kernel_exec *k = kernel_of(e);
	const struct asm_image *img = e->image;
	int *fds = calloc(img->nmaps + 1, sizeof(*fds)), err;

	k->maps = calloc(img->nmaps + 1, sizeof(*k->maps));
	k->progs = calloc(img->nprogs + 1, sizeof(*k->progs));
	if (!fds || !k->maps || !k->progs) {
		err = diag_fail(diag, ENOMEM, "out of memory");
		free(k->maps);
		k->maps = NULL;
		goto out;
	}
	for (u32 i = 0; i < img->nmaps; i++)
		k->maps[i].fd = -1;
	for (u32 i = 0; i < img->nprogs; i++)
		k->progs[i] = -1;

	err = load_maps(k, diag);
	for (u32 i = 0; i < img->nmaps; i++)
		fds[i] = k->maps[i].fd;
	for (u32 i = 0; i < img->nprogs && !err; i++)
		err = load_prog(k, i, fds, diag);
out:
	free(fds);
	if (err)
		unload(k);
	return err;
}

static int kernel_fire(struct exec *e, u32 prog, const u64 *args, u32 nargs)
{
	u64 ctx[EXEC_MAX_ARGS] = {0};
	LIBBPF_OPTS(bpf_test_run_opts, opts, .ctx_in = ctx, .ctx_size_in = sizeof(ctx));

	if (nargs)
		memcpy(ctx, args, nargs * sizeof(*args));
	return bpf_prog_test_run_opts(kernel_of(e)->progs[prog], &opts) ? -errno : 0;
}

/* Room for one more link; it counts once keep_link() is called. */
static struct bpf_attachment *new_link(struct kernel_exec *k)
{
	struct bpf_attachment *v = realloc(k->links, (k->nlinks + 1) * sizeof(*v));

	if (!v)
		return NULL;
	k->links = v;
	return &v[k->nlinks];
}

static int keep_link(struct kernel_exec *k, int err)
{
	k->nlinks += !err;
	return err;
}

static int kernel_attach_raw_tracepoint(struct exec *e, u32 prog, const char *name, struct diag *diag)
{
	struct kernel_exec *k = kernel_of(e);
	struct bpf_attachment *l = new_link(k);

	if (!l)
		return diag_fail(diag, ENOMEM, "out of memory");
	return keep_link(k, bpf_attach_raw_tracepoint(l, k->progs[prog], name, diag));
}

static int kernel_attach_uprobe(struct exec *e, u32 prog, const char *path, u64 off, pid_t pid, bool is_return,
				struct diag *diag)
{
	struct kernel_exec *k = kernel_of(e);
	struct bpf_attachment *l = new_link(k);

	if (!l)
		return diag_fail(diag, ENOMEM, "out of memory");
	return keep_link(k, bpf_attach_uprobe(l, k->progs[prog], path, off, pid, is_return, diag));
}

/* `quiet` is for one of all CPUs, that may be offline. */
static int attach_clock_to(struct kernel_exec *k, u32 prog, int cpu, u64 ns, bool quiet, struct diag *diag)
{
	struct bpf_attachment *l = new_link(k);
	int err;

	if (!l)
		return diag_fail(diag, ENOMEM, "out of memory");
	err = bpf_attach_clock(l, k->progs[prog], cpu, ns, quiet ? NULL : diag);
	if (err == -ENODEV && quiet)
		return 0;
	if (err && quiet)
		err = bpf_attach_clock(l, k->progs[prog], cpu, ns, diag); /* again, to have it said */
	return keep_link(k, err);
}

static int kernel_attach_site(struct exec *e, u32 prog, struct python *p, struct target *t, enum wire_event ev,
			      struct diag *diag)
{
	char path[PATH_MAX];
	u64 off;
	int err = python_site(p, ev, path, sizeof(path), &off);

	if (err)
		return diag_fail(diag, -err, "cannot find the agent's site in process %d: %s", target_pid(t),
				 strerror(-err));
	return kernel_attach_uprobe(e, prog, path, off, target_pid(t), false, diag);
}

static int kernel_attach_clock(struct exec *e, u32 prog, int cpu, u64 ns, struct diag *diag)
{
	struct kernel_exec *k = kernel_of(e);
	long ncpus = sysconf(_SC_NPROCESSORS_CONF);
	u32 before = k->nlinks;
	int err = 0;

	if (cpu >= 0)
		return attach_clock_to(k, prog, cpu, ns, false, diag);
	for (int i = 0; i < ncpus && !err; i++)
		err = attach_clock_to(k, prog, i, ns, true, diag);
	while (err && k->nlinks > before)
		bpf_attachment_close(&k->links[--k->nlinks]);
	return err;
}

static void kernel_detach(struct exec *e)
{
	struct kernel_exec *k = kernel_of(e);

	if (!k->nlinks)
		return;
	for (u32 i = 0; i < k->nlinks; i++)
		bpf_attachment_close(&k->links[i]);
	k->nlinks = 0;
	bpf_wait_programs();
}

static void kernel_close(struct exec *e)
{
	struct kernel_exec *k = kernel_of(e);

	unload(k);
	free(k->links);
	free(k);
}

static int prog_info(struct exec *e, u32 prog, struct bpf_prog_info *info)
{
	u32 len = sizeof(*info);

	memset(info, 0, sizeof(*info));
	return bpf_obj_get_info_by_fd(kernel_of(e)->progs[prog], info, &len) ? -errno : 0;
}

static int kernel_prog_stats(struct exec *e, u32 prog, u64 *runs, u64 *ns)
{
	struct bpf_prog_info info;
	int err = prog_info(e, prog, &info);

	*runs = info.run_cnt;
	*ns = info.run_time_ns;
	return err;
}

static int kernel_prog_misses(struct exec *e, u32 prog, u64 *misses)
{
	struct bpf_prog_info info;
	int err = prog_info(e, prog, &info);

	*misses = info.recursion_misses;
	return err;
}

static struct exec_task_layout kernel_task_layout(void)
{
	struct bpf_task_layout l;

	if (bpf_task_layout(&l))
		return (struct exec_task_layout){0};
	return (struct exec_task_layout){l.real_parent, l.tgid, l.sum_exec_runtime};
}

static const struct exec_methods kernel_methods = {
    .load = kernel_load,
    .fire = kernel_fire,
    .attach_raw_tracepoint = kernel_attach_raw_tracepoint,
    .attach_uprobe = kernel_attach_uprobe,
    .attach_site = kernel_attach_site,
    .attach_clock = kernel_attach_clock,
    .detach = kernel_detach,
    .close = kernel_close,
    .map_memory = kernel_map_memory,
    .map_each = kernel_map_each,
    .map_update = kernel_map_update,
    .map_delete = kernel_map_delete,
    .ring_drain = kernel_ring_drain,
    .ring_fd = kernel_ring_fd,
    .prog_stats = kernel_prog_stats,
    .prog_misses = kernel_prog_misses,
    .task_layout = kernel_task_layout,
};

static int kernel_probe(struct diag *diag)
{
	return bpf_caps_check(diag);
}

static int kernel_open(struct exec **out, struct diag *diag)
{
	int ncpus = libbpf_num_possible_cpus();
	struct kernel_exec *k;

	*out = NULL;
	if (ncpus <= 0)
		return diag_fail(diag, ncpus ? -ncpus : EIO, "cannot count the CPUs: is /sys mounted?");
	k = calloc(1, sizeof(*k));
	if (!k)
		return diag_fail(diag, ENOMEM, "out of memory");
	libbpf_set_print(NULL); /* what goes wrong is for us to say, once */
	k->exec = (struct exec){.methods = &kernel_methods, .ncpus = (u32)ncpus};
	*out = &k->exec;
	return 0;
}

const struct exec_ops exec_kernel = {.name = "kernel", .probe = kernel_probe, .open = kernel_open};
