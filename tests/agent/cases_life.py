# SPDX-License-Identifier: Apache-2.0
"""In and out: forks, dead tracers, two tracers, frames of ours on the stack, the end of the program."""
import contextlib
import ctypes
import os
import sys
import threading
import time
import types

from agentlib import ACTIVE, FILE, GLOB, GONE, INERT, OWNER_DIED, Agent, Refused, counter, filter_, names, term
from caselib import NEW, PYTHON311, case, same


@case
def fork_child():
    def f():
        return 1
    a = Agent([names("f")])
    a.init()
    f()
    pid = os.fork()
    if pid == 0:
        code = 1
        try:
            for _ in range(100):
                f()
            with contextlib.suppress(KeyError):
                {}["x"]

            def unseen():
                return 2
            unseen()
            if NEW:
                code = 0 if sys.monitoring.get_tool(4) is None else 2
            else:
                code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    f()
    a.fini()
    same(status, 0)
    same(a.counts(), {"f": (2, 2)})


@case
def running_already():
    def f(a, n):
        if n == 5:
            a.init()
        return f(a, n - 1) if n else 0

    def gen():
        yield 1
        yield 2
    g = gen()
    next(g)
    a = Agent([names("f", "gen")])
    f(a, 10)
    list(g)
    for _ in range(3):
        list(gen())
    a.fini()
    c = a.counts()
    same(c["f"][0], 5)
    same(c["f"][1] in (5, 6, 11), True, c)  # frames from before may be seen to return
    same(c["gen"] in ((3, 3), (3, 4)), True, c)


@case
def leave_inside():
    """The events go off while matched frames are on the stack."""
    def f(a, n):
        if n == 0:
            a.fini()
        else:
            f(a, n - 1)
    a = Agent([names("f")])
    a.init()
    f(a, 10)
    same(a.page.state, GONE if NEW else INERT)
    same(a.counts(), {"f": (11, 0)})
    f(types.SimpleNamespace(fini=lambda: None), 3)
    same(a.counts(), {"f": (11, 0)})


@case
def threads_in_and_out():
    """In and out while other threads are in the middle of what matches: each event is of a whole call but the last."""
    stop = []

    def leaf(n):
        return n

    def f(n):
        if n % 7 == 0:
            raise KeyError
        return leaf(n)

    def gen():
        for i in range(5):
            yield f(1)

    def loop():
        n = 0
        while not stop:
            n += 1
            with contextlib.suppress(KeyError):
                f(n)
            sum(gen())
    sys.setswitchinterval(0.0002)
    threads = [threading.Thread(target=loop, daemon=True) for _ in range(4)]
    [t.start() for t in threads]
    a = Agent([names("f", "leaf", "gen")])
    seen = 0
    for _ in range(150):
        a.page.nfunctions = a.page.events[0] = a.page.events[1] = 0
        a.c.counter_reset()
        a.init()
        time.sleep(0.002)
        a.fini()
        while a.page.state != GONE:  # frames of ours on a thread's stack
            time.sleep(0)
            a.fini()
        entries, returns = a.total()
        seen += entries
        same(abs(entries - returns) <= 4 * 3, True, (entries, returns))
    same(seen > 1000, True, seen)
    stop.append(1)
    [t.join() for t in threads]


@case
def tracer_dies():
    def f():
        return 1
    a = Agent([names("f")], owner=os.getpid())
    a.init()
    f()
    same(a.page.state, ACTIVE)
    a.page.owner = OWNER_DIED
    same(tuple(a.page.events), (1, 1))
    f()
    same(a.page.state, INERT)
    same(a.page.message, b"the tracer has gone without leaving")
    n = tuple(a.page.events)
    for _ in range(5000):
        f()
    same(tuple(a.page.events), n)
    if NEW:
        same(sys.monitoring.get_tool(4), None)
    b = Agent([names("f")], copy=True)
    with b:
        f()
    same(b.counts(), {"f": (1, 1)})
    a.fini()
    same(a.page.state, GONE)


@case
def tracer_dies_unnoticed():
    """Nothing is called after the tracer's death until the next one comes."""
    agents = []
    for i in range(8):
        a = Agent([names("nothing")], copy=True, owner=os.getpid())
        a.init()
        a.page.owner = OWNER_DIED
        agents.append(a)
    same([a.page.state for a in agents[:-1]], [INERT] * 7)
    agents[-1].fini()


@case
def exit_attached():
    """The program ends, with all that runs at its end, while the agent is in it."""
    import atexit

    class Late:
        def __del__(self):
            self.f()

        def f(self):
            def new():
                return 1
            return new()
    a = Agent([names("f", "__del__", "new", "late")])
    for o in (a.file, a.page):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(o))
    a.init()
    late = Late()
    late.me = late
    sys.modules["late_module"] = Late()
    atexit.register(late.f)


@case
def exit_attached_to_frozen():
    """The code objects of frozen modules die last of all, or never: some interpreters have them in static memory."""
    import colorsys
    import importlib
    a = Agent([filter_(any_=[[term(FILE, GLOB, "<frozen*")]])])
    for o in (a.file, a.page):
        ctypes.pythonapi.Py_IncRef(ctypes.py_object(o))
    a.init()
    importlib.reload(colorsys)
    same(a.page.events[0] > 10, True)


def evaluator_is_ours():
    """Before 3.12: is the interpreter's evaluator another than its own?"""
    api = ctypes.pythonapi
    api._PyInterpreterState_GetEvalFrameFunc.restype = api.PyInterpreterState_Main.restype = ctypes.c_void_p
    api._PyInterpreterState_GetEvalFrameFunc.argtypes = [ctypes.c_void_p]
    now = api._PyInterpreterState_GetEvalFrameFunc(api.PyInterpreterState_Main())
    return now != ctypes.cast(api._PyEval_EvalFrameDefault, ctypes.c_void_p).value


@case
def second_tracer():
    """Two at once, which leave in either order."""
    def f():
        return 1

    def g():
        return 1
    for first_leaves_first in (False, True):
        a = Agent([names("f")], copy=True, owner=os.getpid())
        b = Agent([names("f", "g")], copy=True)
        f()
        a.init()
        f()
        b.init()
        f()
        g()
        (a if first_leaves_first else b).fini()
        f()
        g()
        (b if first_leaves_first else a).fini()
        f()
        if first_leaves_first:
            same((tuple(a.page.events), tuple(b.page.events)), ((2, 2), (4, 4)))
            same((a.page.state, b.page.state), (GONE if NEW else INERT, GONE))
        else:
            same((tuple(a.page.events), tuple(b.page.events)), ((3, 3), (2, 2)))
            same((a.page.state, b.page.state), (GONE, GONE))
    if not NEW:
        for _ in range(3000):
            g()
        same(evaluator_is_ours(), False)


if not NEW:
    @case
    def evaluator_foreign():
        """Another tool's evaluator: refused, and nothing is changed."""
        api = ctypes.pythonapi
        api._PyInterpreterState_SetEvalFrameFunc.argtypes = [ctypes.c_void_p, ctypes.c_void_p]
        api.PyInterpreterState_Main.restype = ctypes.c_void_p
        foreign = ctypes.cast(counter().counter_foreign, ctypes.c_void_p)
        ctypes.c_void_p.in_dll(counter(), "counter_default").value = ctypes.cast(
            api._PyEval_EvalFrameDefault, ctypes.c_void_p).value
        main = api.PyInterpreterState_Main()

        def f():
            return 1
        a = Agent([names("f")])
        api._PyInterpreterState_SetEvalFrameFunc(main, foreign)
        try:
            a.init()
        except Refused as e:
            same(e.args, (-16, "another tool (a debugger or a compiler) evaluates the frames of this process"))
        else:
            raise AssertionError("not refused")
        api._PyInterpreterState_SetEvalFrameFunc(main, ctypes.cast(api._PyEval_EvalFrameDefault, ctypes.c_void_p))
        # One that comes after us, and stays when we leave: we stay too, and pass on.
        a.init()
        f()
        ours = api._PyInterpreterState_GetEvalFrameFunc
        ours.restype, ours.argtypes = ctypes.c_void_p, [ctypes.c_void_p]
        ctypes.c_void_p.in_dll(counter(), "counter_default").value = ours(main)
        api._PyInterpreterState_SetEvalFrameFunc(main, foreign)
        f()
        a.fini()
        f()
        same((a.page.state, tuple(a.page.events)), (INERT, (2, 2)))


@case
def recursion_deep():
    """3.11 does without the C stack where the others die by themselves: it must go on doing so."""
    if not PYTHON311:
        return

    def f(n):
        return f(n - 1) if n else 0

    def g(n):
        return g(n - 1) if n else 0
    sys.setrecursionlimit(10**6)
    for wanted in ("f", "nothing"):
        a = Agent([names(wanted)], copy=True)
        a.init()
        f(9000)
        same(a.page.state, ACTIVE)
        f(100000)
        same((a.page.state, a.page.error), (INERT, 7))
        same(a.page.message[:40], b"the program recurses deeper than its sta")
        g(100000)
        a.fini()
        same(a.page.state, GONE)


@case
def recursion_in_a_small_thread():
    """What is left is that thread's: little of a small stack, much of a large one."""
    if not PYTHON311:
        return

    def f(n):
        return f(n - 1) if n else 0

    def in_thread(size, n):
        threading.stack_size(size)
        thread = threading.Thread(target=f, args=(n,))
        thread.start()
        thread.join()
        threading.stack_size(0)
    sys.setrecursionlimit(10**6)
    for size, n, state in (256 << 10, 50, ACTIVE), (64 << 20, 50000, ACTIVE), (256 << 10, 900, INERT):
        a = Agent([names("nothing")], copy=True)
        a.init()
        in_thread(size, n)
        same((size, n, a.page.state), (size, n, state))
        a.fini()
        same(a.page.state, GONE)
