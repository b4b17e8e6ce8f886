// SPDX-License-Identifier: Apache-2.0
/*
 * What nobody holds any more in the process: agents and pages of a pydtrace that was killed, or that a child has inherited, and
 * pages that had to stay at a detach. Here they are only read of, through /proc/PID/maps and /proc/PID/mem: a path of the target's
 * can lead anywhere by the time that it is opened. The agent that we load takes them out (agent/bury.c), in the process
 * itself, with the rights of that process.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "python/python_impl.h"

enum { IMAGES_MAX = 4096, CLOSE_MS = 1000, CLOSE_TRIES = 8, OUTSIDE_MS = 200 };

/* May it be a page of a pydtrace, by its look in the maps? */
static bool page_like(const struct target_map *m)
{
	return m->prot[3] == 's' && m->end - m->start >= STUB_CTL_SIZE &&
	       (!strncmp(m->path, "/memfd:pydtrace-page-", 21) || !strncmp(m->path, "/dev/zero", 9) ||
		strstr(m->path, "/.pydtrace-page-"));
}

bool python_ctl_read(struct target *t, const struct target_map *m, struct stub_ctl *out)
{
	u64 head;

	if (!page_like(m) || target_read(t, m->end - STUB_CTL_SIZE, out, sizeof(*out)) ||
	    out->magic != STUB_MAGIC || out->page + out->map_size != m->end)
		return false;
	/* The whole of it, or the control block alone. */
	return out->page == m->start ? !target_read(t, m->start, &head, sizeof(head)) && head == WIRE_MAGIC
				     : m->end - m->start == STUB_CTL_SIZE;
}

/* Is there a tracer that holds it? */
static bool page_held(struct target *t, const struct target_map *m)
{
	u32 owner;

	if (m->end - m->start == STUB_CTL_SIZE)
		return false;
	return target_read(t, m->start + offsetof(struct wire_page, owner), &owner, sizeof(owner)) ||
	       (owner && !(owner & WIRE_OWNER_DIED));
}

/* Has every call that was queued been run, and every borrowed thread left? Only then does nobody look at it again. */
static bool page_quiet(struct target *t, const struct stub_ctl *c)
{
	return c->queued == c->called && c->entered == c->left && c->threads == c->threads_left &&
	       !python_thread_there(t, c);
}

/* Is what the page calls the stack of a thread such a thing? It may say anything. */
static bool is_stack(const struct python *p, u64 stack)
{
	const struct target_map *m = target_map_at(&p->maps, stack);

	return m && stack + STUB_THREAD_STACK <= m->end && !m->ino && !*m->path && m->prot[1] == 'w';
}

static struct wire_dead *dead_add(struct wire_page *w)
{
	struct wire_dead *d = (struct wire_dead *)((char *)w + w->dead) + w->ndead;

	if (w->ndead == WIRE_MAX_DEAD)
		return NULL;
	*d = (struct wire_dead){.fd = -1};
	w->ndead++;
	return d;
}

/*
 * What may go of a page: all of it if nobody looks at it again; all but its control block if a call is still queued that will
 * find no job there, because that is taken away; else nothing. With the job goes the agent's file that was open for it.
 */
static void page_enter(struct python *p, struct wire_dead *d, const struct target_map *m, const struct stub_ctl *c)
{
	u64 ctl = m->end - STUB_CTL_SIZE;
	bool quiet = page_quiet(p->t, c), open = c->job != STUB_IDLE;

	d->page = m->start;
	d->page_size = quiet ? m->end - m->start : open ? ctl - m->start : 0;
	d->job = !quiet && open ? ctl + offsetof(struct stub_ctl, job) : 0;
	d->stack = quiet && is_stack(p, c->stack) ? c->stack : 0;
	d->stack_size = d->stack ? STUB_THREAD_STACK : 0;
	d->fd = quiet || open ? c->agent_fd : -1;
	d->dev = c->agent_dev;
	d->ino = c->agent_ino;
}

/* The pages that nobody holds; with each the name of its agent, if that is among those that are still loaded. */
static void pages_find(struct python *p, struct wire_page *w)
{
	u32 nagents = w->ndead;

	for (size_t i = 0; i < p->maps.n; i++) {
		const struct target_map *m = &p->maps.v[i];
		struct wire_dead *d = NULL;
		struct stub_ctl c;

		if (!python_ctl_read(p->t, m, &c) || page_held(p->t, m))
			continue;
		for (u32 k = 0; k < nagents && !d; k++) {
			struct wire_dead *agent = (struct wire_dead *)((char *)w + w->dead) + k;

			if (!strncmp(agent->path, c.path, sizeof(agent->path)))
				d = agent;
		}
		d = d ? d : dead_add(w);
		if (d)
			page_enter(p, d, m, &c);
	}
}

/* The mapping that an image of an agent begins with; NULL: it is none. */
static const struct target_map *agent_map_at(struct python *p, u64 base)
{
	const struct target_map *m = target_map_at(&p->maps, base);

	return m && m->start == base && strstr(m->path, "pydtrace-agent-") ? m : NULL;
}

/* Its code, which is mapped behind that. */
static void code_find(struct python *p, const struct target_map *first, struct range *out)
{
	*out = (struct range){0};
	for (const struct target_map *m = first; m < p->maps.v + p->maps.n && m->ino == first->ino; m++)
		if (m->prot[2] == 'x')
			*out = (struct range){m->start, m->end};
}

/* The loader's list of images (struct link_map of <link.h>), as the target has it: it may be anything. */
static void agents_find(struct python *p, struct wire_page *w)
{
	struct {
		u64 addr, name, dynamic, next, previous;
	} l = {0};
	char own[sizeof(p->ctl->path)];

	snprintf(own, sizeof(own), "%s", p->ctl ? p->ctl->path : "");
	if (!p->sym.r_debug || target_read(p->t, p->sym.r_debug + 8, &l.next, sizeof(l.next)))
		return;
	for (int i = 0; i < IMAGES_MAX && l.next && w->ndead < WIRE_MAX_DEAD; i++) {
		char name[sizeof(((struct wire_dead *)0)->path) + 1];
		struct wire_dead *d;

		if (target_read(p->t, l.next, &l, sizeof(l)))
			return;
		if (!agent_map_at(p, l.addr) || target_read_string(p->t, l.name, name, sizeof(name)) ||
		    *name != '/' || strlen(name) >= sizeof(d->path) || !strcmp(name, own))
			continue;
		code_find(p, agent_map_at(p, l.addr), &p->dead_code[w->ndead]);
		d = dead_add(w);
		memcpy(d->path, name, strlen(name) + 1);
		d->result = -ENOENT;
	}
}

void python_dead_find(struct python *p, struct wire_page *w)
{
	w->dlopen = p->sym.dlopen;
	w->dlclose = p->sym.dlclose;
	w->ndead = 0;
	memset(p->dead_code, 0, sizeof(p->dead_code));
	agents_find(p, w);
	pages_find(p, w);
	p->ndead = w->ndead;
	p->dead_at = w->dead;
}

/*
 * Nobody is in the code of what is to be unloaded, or in that of the stub: a thread that a killed tracer has sent there, and that
 * has not come to run, would look at the page, and is not counted in it yet.
 */
static bool nobody_inside(struct python *p, u32 i)
{
	u64 deadline = now_ns() + OUTSIDE_MS * 1000000ull;
	struct range *r = &p->dead_code[i];

	return (r->start == r->end || !python_wait_outside(p, r->start, r->end, deadline)) &&
	       !python_wait_outside(p, p->code, p->code + python_stub_size(), deadline);
}

/* Mark what may go; how many entries are to be looked at again: marked now, or with code on a stack. */
static u32 mark(struct python *p, struct wire_dead *d)
{
	u32 n = 0;

	for (u32 i = 0; i < p->ndead; i++) {
		s32 result = __atomic_load_n(&d[i].result, __ATOMIC_ACQUIRE);

		if (!result && (d[i].path[0] || d[i].page_size) && nobody_inside(p, i))
			d[i].close = 1;
		n += d[i].close || result == -EBUSY;
	}
	return n;
}

/*
 * After the load, when our agent has said of each whether it may go, and before it goes itself. Calls that were traced mostly end
 * at once; what does not go now is left to the next attach.
 */
void python_dead_close(struct python *p)
{
	struct wire_dead *d = (struct wire_dead *)((char *)p->page + p->dead_at);
	u64 deadline = now_ns() + CLOSE_MS * 1000000ull;

	for (int i = 0; i < CLOSE_TRIES && mark(p, d); i++) {
		if (i > 1)
			usleep(1000u << (i - 2));
		if (python_agent_call(p, WIRE_CLOSE, deadline))
			break;
	}
}

/*
 * Before our agent leaves: what a tracer that was killed while its call was queued has left only since we came. Its job is not
 * begun any more (stub.c), but its page was in use until the call had been run. The list is made in memory of ours, because the
 * target may write the page by now.
 */
void python_dead_again(struct python *p)
{
	struct {
		struct wire_page page;
		struct wire_dead dead[WIRE_MAX_DEAD];
	} own = {.page.dead = offsetof(__typeof__(own), dead)};
	u32 at = p->dead_at;

	target_maps_free(&p->maps);
	if (target_maps_read(p->t, &p->maps))
		return;
	python_dead_find(p, &own.page);
	p->dead_at = at;
	if (!p->ndead)
		return;
	for (u32 i = 0; i < p->ndead; i++)
		if (own.dead[i].path[0])
			own.dead[i].result = -EBUSY; /* asked again when those are closed that may be */
	memcpy((char *)p->page + at, own.dead, sizeof(own.dead));
	p->page->dlopen = own.page.dlopen;
	p->page->dlclose = own.page.dlclose;
	__atomic_store_n(&p->page->ndead, p->ndead, __ATOMIC_RELEASE);
	python_dead_close(p);
}
