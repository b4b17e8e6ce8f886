// SPDX-License-Identifier: Apache-2.0
/* Load the agent into a live process (docs/attach.md). */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/random.h>
#include <sys/stat.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { DEFAULT_TIMEOUT_MS = 10000, PAGE_TRIES = 200 };

int python_new(struct python **out, struct target *t, const struct python_info *info,
	       const struct python_plan *plan, const struct python_attach_options *opt, void **page,
	       size_t *page_size, struct diag *diag)
{
	struct python *p = calloc(1, sizeof(*p));
	struct target_status st;
	u64 random = 0;

	*page = p ? python_plan_page(plan, page_size) : NULL;
	if (!*page) {
		free(p);
		return diag_fail(diag, ENOMEM, "out of memory");
	}
	p->t = t;
	p->info = *info;
	p->page_fd = p->agent_fd = -1;
	p->agent = opt && opt->agent ? opt->agent : pydtrace_agent_so;
	p->agent_size = opt && opt->agent ? opt->agent_size : (size_t)(pydtrace_agent_so_end - pydtrace_agent_so);
	python_page_sizes(p, *page);
	p->dir_fd = -1;
	p->no_proc = !python_target_has_proc(p);
	p->cancel_fd = opt ? opt->cancel_fd : 0;
	p->mail = opt && opt->mail;
	if (p->mail)
		python_mail_plan(*page, target_pid(t));
	p->filtered = !target_status(t, &st) && st.seccomp;
	p->no_memfd = opt && opt->no_memfd;
	if (getrandom(&random, sizeof(random), GRND_NONBLOCK) < 0)
		random = now_ns();
	p->cookie = random;
	snprintf(p->nonce, sizeof(p->nonce), "%012llx", (unsigned long long)random & 0xffffffffffffull);
	*out = p;
	return python_symbols_find(t, info, &p->sym, diag);
}

/* Where the agent is mapped, and its sites as offsets into its file. */
static int sites_find(struct python *p)
{
	static const char *const names[WIRE_NEVENTS] = {
	    [WIRE_ENTRY] = WIRE_SITE_ENTRY, [WIRE_RETURN] = WIRE_SITE_RETURN};
	struct target_elf *e = NULL;
	struct stat st;
	int ret;

	if (fstat(p->agent_fd, &st))
		return -errno;
	target_maps_free(&p->maps);
	ret = target_maps_read(p->t, &p->maps);
	for (size_t i = 0; !ret && i < p->maps.n && !e; i++)
		if (p->maps.v[i].ino == st.st_ino && !p->maps.v[i].off)
			ret = target_elf_open(&e, p->t, p->maps.v[i].start);
	if (!ret && !e)
		ret = -ENOENT;
	for (int ev = 0; !ret && ev < WIRE_NEVENTS; ev++) {
		u64 addr;

		ret = target_elf_symbol(e, names[ev], &addr);
		for (size_t i = 0; !ret && i < p->maps.n; i++) {
			const struct target_map *m = &p->maps.v[i];

			if (addr >= m->start && addr < m->end)
				p->site[ev] = addr - m->start + m->off;
		}
	}
	target_elf_close(e);
	return ret;
}

int python_loaded(struct python *p, struct diag *diag)
{
	const struct stub_ctl *c = p->ctl;
	pid_t pid = target_pid(p->t);
	const char *comm = target_comm(p->t);
	int ret;

	if (python_page_lost(p))
		return python_refuse_lost(p, diag);
	switch (c->stage) {
	case STUB_OK:
		ret = p->mail ? 0 : sites_find(p); /* whoever wants no site need not be able to read the file */
		return ret ? diag_fail(diag, -ret,
				       "process %d (%s): the agent's probe sites are not where they should be", pid,
				       comm)
			   : 0;
	case STUB_NO_FILE:
		return diag_fail(diag, EAGAIN,
				 "process %d (%s) closed the agent's file while it was being loaded; try again",
				 pid, comm);
	case STUB_NO_DLOPEN:
		return diag_fail(diag, EIO, "process %d (%s): cannot load the agent: %.200s", pid, comm, c->error);
	case STUB_INIT_FAILED:
		return diag_fail(diag, c->result < 0 ? -c->result : EIO, "process %d (%s): %.250s", pid, comm,
				 p->page->message[0] ? p->page->message : "the agent refused to start");
	default: return diag_fail(diag, EIO, "process %d (%s): the agent has no %s", pid, comm, WIRE_INIT);
	}
}

/* Is this what a filter of system calls, or an old kernel, answers to memfd_create()? */
static bool memfd_denied(int err)
{
	return err == -EPERM || err == -EACCES || err == -ENOSYS || err == -EINVAL;
}

bool python_memfd_denied(struct python *p, int err)
{
	if (p->no_memfd || (!p->shot_tid && err != -ENOSYS) || !memfd_denied(err))
		return false;
	p->no_memfd = true;
	return true;
}

/* Get the shared page made and filled; more than once when a busy machine made one of the two too late. */
static int make_page(struct python *p, void *page, size_t page_size, u64 deadline, struct diag *diag)
{
	int ret = -ETIMEDOUT, tries = 0;

	while (tries < PAGE_TRIES && (ret == -ETIMEDOUT || ret == -EINPROGRESS)) {
		python_dead_find(p, page);
		ret = python_files_prepare(p, page, page_size, diag);
		if (ret)
			return ret;
		ret = python_shoot_first(p, page, page_size);
		if (!ret)
			return 0;
		python_handshake_undo(p);
		if (ret == -EINPROGRESS && now_ns() < deadline) {
			usleep(2000);
			if (python_stub_place(p)) /* the maps again */
				ret = -ESRCH;
			continue;
		}
		tries++;
		if (python_memfd_denied(p, ret))
			ret = -ETIMEDOUT;
	}
	return python_refuse_stop(p, ret, diag);
}

/* The job of loading is open already. Where the thread that did it could not start the agent, others may. */
static int load(struct python *p, u64 deadline)
{
	const struct stub_ctl *c = p->ctl;
	int ret = python_job_finish(p, deadline);

	while (!ret && c->stage == STUB_INIT_FAILED && c->result == -EAGAIN && now_ns() < deadline) {
		usleep(AGAIN_US);
		ret = python_job_do(p, STUB_LOAD, deadline);
	}
	return ret;
}

static int attach(struct python *p, void *page, size_t page_size, u64 deadline, struct diag *diag)
{
	int ret = python_stub_place(p);

	if (ret == -ENOSPC)
		return diag_fail(diag, ENOSPC, "process %d (%s): no room for the loader in its code mappings",
				 target_pid(p->t), target_comm(p->t));
	if (ret)
		return python_refuse_stop(p, ret, diag);
	ret = make_page(p, page, page_size, deadline, diag);
	if (ret)
		return ret;
	p->tell = diag;
	ret = load(p, deadline);
	p->tell = NULL;
	p->cancel_fd = 0; /* taking the agent out again is not to be cut short */
	if (ret == -EINTR)
		return diag_fail(diag, EINTR, "interrupted while waiting for the Python of process %d (%s)",
				 target_pid(p->t), target_comm(p->t));
	if (ret == -ETIMEDOUT)
		return python_refuse_busy(p, diag);
	if (!ret && p->ndead)
		python_dead_close(p);
	return ret ? python_refuse_stop(p, ret, diag) : python_loaded(p, diag);
}

int python_attach(struct python **out, struct target *t, const struct python_info *info,
		  const struct python_plan *plan, const struct python_attach_options *opt, struct diag *diag)
{
	u64 deadline = now_ns() + (u64)(opt && opt->timeout_ms ? opt->timeout_ms : DEFAULT_TIMEOUT_MS) * 1000000;
	struct python *p = NULL;
	void *page = NULL;
	size_t page_size;
	struct python_lock lock = {{-1, -1}};
	int ret = python_refuse_state(t, diag);

	/* Who hands events over is served by ptrace, too, in every thread. */
	if (!ret && opt && opt->mail)
		ret = target_refuse_traced(t, diag);
	if (!ret)
		ret = python_new(&p, t, info, plan, opt, &page, &page_size, diag);
	if (ret)
		goto out;
	ret = python_lock(&lock, t, PYTHON_LOCK_ATTACH, diag);
	if (ret == -ESRCH)
		python_refuse_stop(p, ret, diag);
	if (ret)
		goto out;
	ret = attach(p, page, page_size, deadline, diag);
	python_files_unlink(p);
	if (ret && p->ctl)
		python_undo(p, now_ns() + 1000000000ull, diag);
out:
	python_unlock(&lock);
	free(page);
	if (ret) {
		python_close(p);
		return ret;
	}
	target_maps_free(&p->maps); /* there may be many processes, and this is of now */
	*out = p;
	return 0;
}

int python_site(struct python *p, enum wire_event ev, char *path, size_t size, u64 *off)
{
	if (ev >= WIRE_NEVENTS || !p->site[ev] || p->agent_fd < 0)
		return -ENOENT;
	snprintf(path, size, "/proc/%d/fd/%d", getpid(), p->agent_fd);
	*off = p->site[ev];
	return 0;
}

const struct wire_page *python_page(const struct python *p)
{
	return p->page;
}

const struct wire_function *python_function(const struct python *p, u32 fid)
{
	/* Read once: the target may write it at any time. */
	u64 off =
	    __atomic_load_n(&p->page->functions, __ATOMIC_RELAXED) + (u64)(fid - 1) * sizeof(struct wire_function);

	if (!fid || fid > p->page->max_functions || fid > __atomic_load_n(&p->page->nfunctions, __ATOMIC_ACQUIRE) ||
	    off % _Alignof(struct wire_function) || off + sizeof(struct wire_function) > p->ctl_off)
		return NULL;
	return (const struct wire_function *)((const char *)p->page + off);
}

const char *python_text(const struct python *p, u32 off)
{
	const char *s = (const char *)p->page + off;

	return off < p->ctl_off && memchr(s, 0, p->ctl_off - off) ? s : "?";
}
