// SPDX-License-Identifier: Apache-2.0
/* In and out: what the stub calls when the tracer comes, and when it leaves. */
#include <sys/mman.h>

#include "agent_impl.h"

static const struct {
	uint16_t first, last;
	const struct mechanism *mechanism;
} versions[] = {
    {0x0309, 0x030b, &mechanism_evalframe},
    {0x030c, 0x030f, &mechanism_monitoring},
};

static int refuse_odd_builds(void)
{
	struct pyobj *flags = py.PySys_GetObject("abiflags");
	const char *s = flags ? py.PyUnicode_AsUTF8AndSize(flags, NULL) : NULL;

	py.PyErr_Clear();
	for (; s && *s; s++)
		if (*s == 't') {
			agent_message("this is a free-threaded build of Python (no GIL), which is not supported",
				      NULL);
			return -ENOTSUP;
		}
	/* Each object is two words longer there. */
	if (py.PySys_GetObject("getobjects")) {
		agent_message("this is a build of Python with Py_TRACE_REFS, which is not supported", NULL);
		return -ENOTSUP;
	}
	if (py.PyInterpreterState_Get() != py.PyInterpreterState_Main()) {
		agent_message("the thread was running a subinterpreter; try again", NULL);
		return -EAGAIN;
	}
	return 0;
}

static int memory_take(void)
{
	uint32_t *mine = agent_map(4096);
	int err;

	if (!mine)
		return -ENOMEM;
	agent.mine = mine;
	*mine = 1;
	/* Linux 4.14. A child that cannot know that it is one would write into our page: refuse rather. */
	err = agent_madvise(mine, 4096, MADV_WIPEONFORK);
	if (!err)
		err = agent_madvise(agent.page, agent.page->size, MADV_DONTFORK);
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
	agent_forget();
	agent_unmap((void *)agent.mine, 4096);
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
	err = weak_init();
	if (err)
		return err;
	agent.page->mechanism = agent.mechanism->number;
	err = agent.mechanism->init();
	if (err) {
		agent_forget();
		weak_leave();
	}
	return err;
}

/*
 * The thread that we run in may stand in the middle of a library that is not ready to be called again. So no finalizer of the
 * program's may run now: until 3.11 the collector starts at any allocation (later only between two instructions of Python's).
 */
static bool collector_stop(void)
{
	return py.PyGC_Disable && py.PyGC_Disable();
}

static void collector_go_on(bool was_on)
{
	if (was_on)
		py.PyGC_Enable();
}

EXPORT wire_init pydtrace_agent_init;
EXPORT wire_fini pydtrace_agent_fini;

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
	if (!err)
		err = agent_api_resolve(dlsym, handle, agent.version, &missing);
	if (missing)
		agent_message("this interpreter does not export ", missing, NULL);
	if (!err) {
		agent.stack_end = dlsym(handle, "__libc_stack_end");
		agent_mail_init(dlsym(handle, "gnu_get_libc_version"));
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

	agent.inert = true;
	py_error_save(&error);
	err = agent.mechanism->leave(false);
	if (err != -EAGAIN) {
		agent_forget();
		if (!weak_leave() || active_any())
			err = -EBUSY;
	}
	py_error_restore(&error);
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
	forked = !*agent.mine; /* then there is no page */
	if (!forked)
		page->state = WIRE_LEAVING;
	collects = collector_stop();
	err = agent_leave();
	collector_go_on(collects);
	if (!forked && err != -EAGAIN)
		__atomic_store_n(&page->state, err ? WIRE_INERT : WIRE_GONE, __ATOMIC_RELEASE);
	return err;
}
