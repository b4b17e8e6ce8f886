// SPDX-License-Identifier: Apache-2.0
/*
 * The functions that a process has loaded, as its agent finds them (agent/walk.c): slice after slice as a job, and after each the
 * names that it has put into the page. The target may write there at any time, and what it says is only as true as it wants.
 */
#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "python/python_impl.h"

enum {
	FOREVER_MS = 10000, /* for one slice, where nobody waits for all of them */
	NTEXTS = 3,
};

bool python_hit(const struct python *p, int filter, u32 nth)
{
	const struct wire_page *w = p->page;
	const struct wire_filter *f = (const struct wire_filter *)((const char *)w + p->filters_at) + filter;
	u64 at;

	if (filter < 0 || (u32)filter >= p->nfilters)
		return false;
	at = (u64)p->hits_at + __atomic_load_n(&f->any_first, __ATOMIC_RELAXED) + nth;
	return at < p->ctl_off && ((const u8 *)w)[at];
}

/* The names of a slice: our own copy, as it was at one time. */
struct slice {
	char *names;
	size_t len;
	struct strbuf text[NTEXTS];
};

/* The next text of a name into a buffer, as C text. NULL: there are not so many bytes, or there is no memory. */
static const char *text_take(struct slice *s, size_t *at, u16 len, struct strbuf *text)
{
	if (s->len - *at < len)
		return NULL;
	text->len = 0;
	strbuf_add(text, s->names + *at, len);
	*at += len;
	return text->failed ? NULL : text->len ? text->s : "";
}

/* False: that was no name. */
static bool name_take(struct slice *s, size_t *at, struct python_name *out)
{
	struct wire_name n;

	if (s->len - *at < sizeof(n))
		return false;
	memcpy(&n, s->names + *at, sizeof(n));
	*at += sizeof(n);
	*out = (struct python_name){.filters = n.filters, .line = n.line};
	out->module = text_take(s, at, n.module, &s->text[0]);
	out->qualname = out->module ? text_take(s, at, n.qualname, &s->text[1]) : NULL;
	out->file = out->qualname ? text_take(s, at, n.file, &s->text[2]) : NULL;
	*at = ALIGN_UP(*at, 8) < s->len ? ALIGN_UP(*at, 8) : s->len;
	return out->file;
}

void python_names_take(struct python *p, const struct python_walk *w)
{
	u32 used = __atomic_load_n(&p->page->walk.used, __ATOMIC_RELAXED);
	struct slice s = {.len = used < p->room_size ? used : p->room_size};
	struct python_name name;
	size_t at = 0;

	s.names = malloc(s.len + 1);
	if (s.names)
		memcpy(s.names, (const char *)p->page + p->room_at, s.len);
	while (s.names && at < s.len && name_take(&s, &at, &name))
		w->each(w->arg, &name);
	for (int i = 0; i < NTEXTS; i++)
		strbuf_free(&s.text[i]);
	free(s.names);
}

static int walk(struct python *p, struct python_walk *w)
{
	struct wire_walk *shared = &p->page->walk;

	for (;;) {
		u64 deadline = w->deadline ? w->deadline : now_ns() + FOREVER_MS * 1000000ull;
		int ret = python_agent_call(p, WIRE_WALK, deadline);

		if (ret)
			return ret;
		if (python_page_lost(p))
			return -EIO;
		w->slices++;
		ret = p->ctl->result;
		if (ret && ret != -EAGAIN)
			return ret < 0 ? ret : -EPROTO;
		python_names_take(p, w);
		if (!ret)
			return __atomic_load_n(&shared->partial, __ATOMIC_RELAXED) ? -ENODATA : 0;
		if (w->deadline && now_ns() > w->deadline)
			return -ETIMEDOUT;
		if (w->more && !w->more(w->arg))
			return -ECANCELED;
	}
}

int python_walk(struct python *p, struct python_walk *w, struct diag *diag)
{
	struct python_lock lock;
	int ret = python_lock(&lock, p->t, w->deadline ? PYTHON_LOCK_WALK : PYTHON_LOCK_ATTACH,
			      w->deadline ? PYTHON_LOCK_WALK_MS : PYTHON_LOCK_ATTACH_MS, diag);

	if (ret)
		return ret;
	p->page->walk.all = w->all;
	p->cancel_fd = w->cancel_fd;
	ret = walk(p, w);
	p->cancel_fd = 0;
	python_unlock(&lock);
	return ret;
}
