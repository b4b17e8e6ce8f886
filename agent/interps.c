// SPDX-License-Identifier: Apache-2.0
/*
 * All interpreters of the process, those that are made later too. Each new one imports _imp (3.9: _weakref) before any code of
 * the program's runs in it, and the module is then filled by a function that it names in its slots (PEP 489), which
 * are memory that may be written. We put a function of our own there: it is called in the new interpreter, by the thread that
 * makes it. No audit hook (PEP 578): that cannot be taken out again.
 *
 * Several agents may be in one process. Each calls what was there before it, and any of them may leave first: before the
 * function there is a mark by which they know each other, and the distance to the word that says whom it calls.
 */
#include <linux/futex.h>
#include <sys/syscall.h>

#include "events_impl.h"

typedef int fill_module(struct pyobj *module);

/* PyModuleDef_Slot; from 3.15 on PySlot, which is as long and has flags behind the number (PEP 820). */
struct module_slot {
	uint16_t number, flags;
	uint32_t reserved;
	fill_module *fill;
};
#define DEF_SLOTS 72 /* PyModuleDef.m_slots: of the stable ABI; */
#define NO_GIL    16 /* an object begins with so much more in a build without a GIL */
#define FILL      2  /* Py_mod_exec, and its number from 3.15 on */
#define FILL_315  85
#define SLOTS_MAX 16

#define RUNTIME_WORDS 512 /* of _PyRuntime, to look for the list in */
#define LIST_TRIES    2000

#define NULL_WAKE_OP FUTEX_OP(FUTEX_OP_ADD, 0, FUTEX_OP_CMP_EQ, 0)

extern fill_module pydtrace_fill; /* sites.S: the jump to interp_fill() */
extern fill_module *interp_next;  /* what was there before; sites.S says where it is */
fill_module interp_fill;

fill_module *interp_next;
static fill_module **hooked; /* where our function is; NULL: nowhere */

/*
 * From 3.12 on an interpreter may end while we hold another's GIL, so its list is held, as the interpreter does it: the words before
 * the head of the list (struct pyinterpreters, Include/internal/pycore_interp.h and pycore_runtime.h): 3.12 a pointer to a lock,
 * later a PyMutex. They lie where the list's head and the main interpreter are side by side.
 */
static void *list_lock(void)
{
	const uintptr_t *word = (const uintptr_t *)py._PyRuntime;
	uintptr_t head = (uintptr_t)py.PyInterpreterState_Head(), main = (uintptr_t)py.PyInterpreterState_Main();

	for (size_t i = 1; i < RUNTIME_WORDS; i++)
		if (word[i] == head && word[i + 1] == main && word[i + 2] && word[i + 2] < INT32_MAX)
			return (void *)(agent.version < 0x030d ? word[i - 1] : (uintptr_t)&word[i - 1]);
	return NULL;
}

/* It is held for moments only, also by threads that have no GIL. */
static bool list_hold(void *lock)
{
	for (int i = 0; i < LIST_TRIES; i++) {
		uint8_t is_free = 0;

		if (agent.version < 0x030d ? py.PyThread_acquire_lock(lock, 0)
					   : __atomic_compare_exchange_n((uint8_t *)lock, &is_free, 1, false,
									 __ATOMIC_ACQUIRE, __ATOMIC_RELAXED))
			return true;
		agent_syscall(SYS_sched_yield, 0, 0, 0, 0, 0, 0);
	}
	return false;
}

static void list_let_go(void *lock)
{
	if (agent.version < 0x030d)
		py.PyThread_release_lock(lock);
	else
		py.PyMutex_Unlock(lock);
}

static int list_each(int (*fn)(void *interp))
{
	void *interp = py.PyInterpreterState_Head();
	int err = 0;

	for (; interp && !err; interp = py.PyInterpreterState_Next(interp))
		err = fn(interp);
	return err;
}

int interps_each(int (*fn)(void *interp))
{
	void *lock;
	int err;

	if (agent.version < 0x030c) /* the GIL holds it */
		return list_each(fn);
	lock = list_lock();
	if (!lock)
		return -ENOTSUP;
	if (!list_hold(lock))
		return -EAGAIN;
	err = list_each(fn);
	list_let_go(lock);
	return err;
}

/* An interpreter has begun, and this thread runs it. Others' functions first, since they may be what ours comes before. */
int interp_fill(struct pyobj *module)
{
	int result = interp_next(module);
	struct calls *calls = active_enter(py.PyThreadState_Get());

	if (!result && !agent_away())
		agent.mechanism->begun(py.PyInterpreterState_Get());
	active_leave(calls);
	return result;
}

/* The word of the slots with the function that fills the module; NULL: it has none. */
static fill_module **slot_find(void)
{
	const char *def = agent.version < 0x030a ? py.PyInit__weakref() : py.PyInit__imp();
	size_t at = DEF_SLOTS + (agent.free_threaded ? NO_GIL : 0);
	struct module_slot *slot = def ? *(struct module_slot *const *)(def + at) : NULL;

	for (int i = 0; slot && slot->number && i < SLOTS_MAX; i++, slot++)
		if (slot->number == (agent.version < 0x030f ? FILL : FILL_315))
			return &slot->fill;
	return NULL;
}

/* Asked of the kernel, by adding 0 to it. */
static bool is_writable(fill_module **word)
{
	uint32_t nobody = 0;

	return agent_syscall(SYS_futex, (long)&nobody, FUTEX_WAKE_OP_PRIVATE, 0, 0, (long)word, NULL_WAKE_OP) >= 0;
}

int interps_init(void)
{
	fill_module **word = slot_find();

	if (!word || !*word || !is_writable(word)) {
		agent_message("the structures of this interpreter are not laid out as in any known Python", NULL);
		return -ENOTSUP;
	}
	interp_next = *word;
	hooked = word;
	__atomic_store_n(word, pydtrace_fill, __ATOMIC_RELEASE);
	return 0;
}

/* The word that says whom a function calls which is another agent's; NULL: it is none. */
static fill_module **next_of(fill_module *fill)
{
	const char *p = (const char *)fill;

	if (((uintptr_t)p & 4095) < 16 || *(const uint64_t *)(p - 16) != AGENT_FILL_MARK)
		return NULL;
	return (fill_module **)(p - 8 + *(const int64_t *)(p - 8));
}

/* False: somebody whom we do not know calls our function, and it must stay. */
bool interps_leave(void)
{
	fill_module **word = hooked;

	while (word && *word != pydtrace_fill)
		word = next_of(*word);
	if (!word)
		return !hooked;
	__atomic_store_n(word, interp_next, __ATOMIC_RELEASE);
	hooked = NULL;
	return true;
}
