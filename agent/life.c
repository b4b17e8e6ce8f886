// SPDX-License-Identifier: Apache-2.0
/* In and out: what the stub calls when the tracer comes, and when it leaves. */
#include <sys/mman.h>

#include "agent_impl.h"

#define FREE_THREADED 0x030d /* the version whose builds without a GIL are known */

static const struct {
	uint16_t first, last;
	const struct mechanism *mechanism;
} versions[] = {
    {0x0309, 0x030b, &mechanism_evalframe},
    {0x030c, 0x030f, &mechanism_monitoring},
};

/* True for a build that can do without the GIL, also where it runs with one (PYTHON_GIL=1). */
static bool is_free_threaded(void)
{
	struct pyobj *flags = py.PySys_GetObject("abiflags");
	const char *s = flags ? py.PyUnicode_AsUTF8AndSize(flags, NULL) : NULL;
	bool found = false;

	py.PyErr_Clear();
	for (; s && *s; s++)
		found |= *s == 't';
	return found;
}

static int refuse_odd_builds(void)
{
	if (agent.free_threaded && agent.version != FREE_THREADED) {
		agent_message("this is a free-threaded build of Python (no GIL), which is supported in 3.13 only",
			      NULL);
		return -ENOTSUP;
	}
	/* Each object is two words longer there. */
	if (py.PySys_GetObject("getobjects")) {
		agent_message("this is a build of Python with Py_TRACE_REFS, which is not supported", NULL);
		return -ENOTSUP;
	}
	return 0;
}

static int memory_take(void)
{
	struct locks *mine = agent_map(4096);
	int err;

	if (!mine)
		return -ENOMEM;
	agent.locks = mine;
	agent.mine = &mine->mine;
	mine->mine = 1;
	/* Linux 4.14. A child that cannot know that it is one would write into our page: refuse rather. */
	err = agent_madvise(mine, 4096, MADV_WIPEONFORK);
	if (!err)
		err = page_keep();
	if (!err)
		err = agent_madvise(agent.page, agent.page->size, agent.follow ? MADV_DOFORK : MADV_DONTFORK);
	if (err) {
		agent_message("the kernel cannot keep the agent out of child processes", NULL);
		return err;
	}
	record_init();
	active_forget();
	err = table_init(&agent.table, 4096);
	return err ? err : table_init(&agent.refs, 256);
}

/* Does not touch the page: in a forked child there is none. */
static void memory_free(void)
{
	if (agent.locks) /* else there is nothing yet */
		agent_forget();
	agent_unmap(agent.locks, 4096);
	page_forget();
	if (agent.dunder_name) /* else it may be that there is no Py_DecRef() either */
		py.Py_DecRef(agent.dunder_name);
	agent = (struct agent){0};
	active_forget();
}

static int version_take(uint32_t hex)
{
	agent.version_hex = hex;
	agent.version = hex >> 16;
	for (size_t i = 0; i < ARRAY_SIZE(versions); i++)
		if (versions[i].first <= agent.version && agent.version <= versions[i].last)
			agent.mechanism = versions[i].mechanism;
	if (agent.mechanism)
		return 0;
	agent_message("this version of Python is not supported", NULL);
	return -ENOTSUP;
}

static int agent_start(void *(*dlsym)(void *, const char *))
{
	int err = refuse_odd_builds();

	if (!err)
		err = page_take(agent.page);
	if (!err)
		err = memory_take();
	if (err)
		return err;
	agents_bury(dlsym); /* before ours: events of theirs must not come on top of ours */
	agent.dunder_name = py.PyUnicode_InternFromString("__name__");
	if (!agent.dunder_name)
		return -ENOMEM;
	err = agent.version < 0x030c ? weak_init(NULL) : 0;
	if (err)
		return err;
	agent.page->mechanism = agent.mechanism->number;
	err = agent.mechanism->init();
	if (!err && !agent.plan->walk.only) {
		err = interps_init();
		if (err)
			agent.mechanism->leave(false);
	}
	if (err) {
		agent_forget();
		weak_leave(NULL);
	}
	return err;
}

/*
 * The thread that we run in may stand in the middle of a library that is not ready to be called again. So no finalizer of the
 * program's may run now: until 3.11 the collector starts at any allocation (later only between two instructions of Python's).
 * Without a GIL another thread of the program's may switch it meanwhile, so there it is left alone.
 */
static bool collector_stop(void)
{
	return !agent.free_threaded && py.PyGC_Disable && py.PyGC_Disable();
}

static void collector_go_on(bool was_on)
{
	if (was_on)
		py.PyGC_Enable();
}

EXPORT wire_init pydtrace_agent_init;
EXPORT wire_fini pydtrace_agent_fini, pydtrace_agent_walk;

int pydtrace_agent_init(struct wire_page *page, void *(*dlsym)(void *, const char *), uint32_t py_version_hex)
{
	struct py_error error;
	const char *missing = NULL;
	bool collects;
	void *handle;
	int err;

	if (agent.page)
		return -EALREADY;
	if (!page || page->magic != WIRE_MAGIC || page->version != WIRE_VERSION || page->size < sizeof(*page))
		return -EINVAL;
	agent.page = page;
	page->state = WIRE_LOADING;
	page->message[0] = '\0';
	handle = (void *)page->dl_handle;
	err = version_take(py_version_hex);
	if (page->walk.only)
		agent.mechanism = &mechanism_none;
	if (!err)
		err = agent_api_resolve(dlsym, handle, agent.version, &missing);
	if (missing)
		agent_message("this interpreter does not export ", missing, NULL);
	if (!err) {
		agent.stack_end = dlsym(handle, "__libc_stack_end");
		agent_mail_init(dlsym(handle, "gnu_get_libc_version"));
		agent.free_threaded = is_free_threaded();
		agent.parallel = agent.version >= 0x030c;
		collects = collector_stop();
		py_error_save(&error);
		err = agent_start(dlsym);
		py_error_restore(&error);
		collector_go_on(collects);
	}
	if (err && !page->message[0])
		agent_message(err == -ENOMEM ? "not enough memory" : "the interpreter refused", NULL);
	if (err)
		memory_free();
	page->error = -err;
	__atomic_store_n(&page->state, err ? WIRE_FAILED : WIRE_ACTIVE, __ATOMIC_RELEASE);
	return err;
}

/* Events off, objects and memory given back. 0: nothing of ours can run any more; else as mechanism.leave(). */
static int agent_leave(void)
{
	struct py_error error;
	int err;

	if (!agent_leave_begin())
		return -EBUSY; /* that thread may wait for a stop of the world, so for us: do not wait for it */
	__atomic_store_n(&agent.inert, true, __ATOMIC_RELEASE);
	py_error_save(&error);
	err = agent.mechanism->leave(false);
	if (err != -EAGAIN) {
		if (!interps_inside())
			agent_forget();

		bool begin = !interps_leave(), die = !weak_leave(NULL); /* may call us still */

		/* In this order: a thread that has just put one more there was active before. */
		if (active_any() || interps_left() || begin || die)
			err = -EBUSY;
	}
	py_error_restore(&error);
	agent_leave_end();
	if (!err)
		memory_free();
	return err;
}

int pydtrace_agent_fini(void)
{
	struct wire_page *page = agent.page;
	bool forked, collects;
	int err;

	if (!page)
		return -ESRCH;
	if (!*agent.mine && agent.follow)
		agent_adopt();
	forked = !*agent.mine || agent.child; /* then there is no page, or it is the parent's */
	if (!forked)
		page->state = WIRE_LEAVING;
	collects = collector_stop();
	err = agent_leave();
	collector_go_on(collects);
	if (!forked && err != -EAGAIN)
		__atomic_store_n(&page->state, err ? WIRE_INERT : WIRE_GONE, __ATOMIC_RELEASE);
	return err;
}

int pydtrace_agent_walk(void)
{
	struct py_error error;
	bool collects;
	int err;

	/* Not in a forked child, where there is no page. */
	if (!agent.page || !*agent.mine || agent.child || agent.inert)
		return -ESRCH;
	collects = collector_stop();
	py_error_save(&error);
	err = walk_slice();
	py_error_restore(&error);
	collector_go_on(collects);
	return err;
}
