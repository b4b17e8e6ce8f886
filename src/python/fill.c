// SPDX-License-Identifier: Apache-2.0
/* What the shared page holds when the stub is told that it is filled. */
#include <string.h>
#include <sys/stat.h>

#include "python/python_impl.h"

/*
 * A path of the memory file that no other dlopen() has used: the loader takes an equal name for an equal file. So the
 * nonce goes into it as a sequence of "/" and "./", which change nothing.
 */
static void agent_path(const struct python *p, int fd, char *out, size_t size)
{
	u64 bits = hash_bytes(p->nonce, strlen(p->nonce));
	size_t n;

	if (p->file[0]) {
		snprintf(out, size, "%s", p->file);
		return;
	}
	snprintf(out, size, "/proc/self/fd/");
	n = strlen(out);
	for (int i = 0; i < 24; i++, bits >>= 1)
		n += (size_t)snprintf(out + n, size - n, bits & 1 ? "/" : "./");
	snprintf(out + n, size - n, "%d", fd);
}

/* Everything that the stub needs, before it is told that the page is filled. */
static void ctl_fill(struct python *p, int target_agent_fd)
{
	const struct python_symbols *s = &p->sym;
	struct stub_ctl *c = p->ctl;
	struct stat st;

	c->magic = STUB_MAGIC;
	c->map_size = p->map_size;
	c->version = p->info.version;
	c->agent_fd = target_agent_fd; /* set again by the stub, the same; as it does `page` */
	if (p->agent_fd >= 0 && !fstat(p->agent_fd, &st)) {
		c->agent_dev = st.st_dev;
		c->agent_ino = st.st_ino;
	}
	c->add_pending = (void *)s->add_pending;
	c->gil_check = (void *)s->gil_check;
	c->gil_ensure = (void *)s->gil_ensure;
	c->gil_release = (void *)s->gil_release;
	c->this_state = (void *)s->this_state;
	c->attr_init = (void *)s->attr_init;
	c->attr_setstack = (void *)s->attr_setstack;
	c->attr_setdetach = (void *)s->attr_setdetach;
	c->thread_create = (void *)s->thread_create;
	c->initialized = (void *)s->initialized;
	c->finalizing = (void *)s->finalizing;
	c->dlopen = (void *)s->dlopen;
	c->dlsym = (void *)s->dlsym;
	c->dlclose = (void *)s->dlclose;
	c->dlerror = (void *)s->dlerror;
	c->errno_location = (void *)s->errno_location;
	snprintf(c->init_name, sizeof(c->init_name), "%s", WIRE_INIT);
	agent_path(p, target_agent_fd, c->path, sizeof(c->path));
}

void python_page_fill(struct python *p, const void *page, size_t size, int target_agent_fd)
{
	memcpy(p->page, page, size);
	python_owner_hold(p);
	ctl_fill(p, target_agent_fd);
	p->ctl->job = STUB_LOAD;
	p->jobs = 1;
}
