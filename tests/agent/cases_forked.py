# SPDX-License-Identifier: Apache-2.0
"""The agent in a child that was forked while it was active: no page is there, and it can be taken out all the same."""
import ctypes
import gc
import os
import sys
import threading
import weakref

from agentlib import GLOB, NAME, Agent, filter_, names, term
from caselib import NEW, case, same

EBUSY = -16


def in_child(work):
    """Run work() in a forked child, which must not raise; what it says on its error output is ours."""
    pid = os.fork()
    if pid:
        same(os.waitpid(pid, 0)[1], 0)
        return
    try:
        work()
    except BaseException as e:
        print(repr(e), flush=True)
        os._exit(1)
    os._exit(0)


def maps():
    with open("/proc/self/maps") as f:
        return [line.split()[0].split("-") + line.split()[1:2] for line in f]


def anonymous():
    """Bytes of private memory without a file."""
    return sum(int(m[1], 16) - int(m[0], 16) for m in maps() if m[2] == "rw-p")


@case
def forked_leaves():
    """Taken out in the child before anything has been called there, and after."""
    def f():
        return 1

    def alone():
        same(a.fini(), 0)
        same(a.fini(), -3)
        f()
        same(weakref.getweakrefcount(f.__code__), 0)
        if NEW:
            same(sys.monitoring.get_tool(4), None)

    def noticed():
        for _ in range(3000):
            f()
        alone()
    for work in alone, noticed:
        a = Agent([names("f")], copy=True)
        with a:
            f()
            in_child(work)
            f()
        same(a.counts(), {"f": (2, 2)})


@case
def forked_may_be_traced_anew():
    """A second instance comes into the child when the first has been taken out there."""
    def f():
        return 1

    def again():
        f()
        same(a.fini(), 0)
        b = Agent([names("f")], copy=True)
        with b:
            f()
        same(b.counts(), {"f": (1, 1)})
    a = Agent([names("f")], copy=True)
    with a:
        f()
        in_child(again)
    same(a.counts(), {"f": (1, 1)})


@case
def forked_inside():
    """Frames of ours are on the stack of the thread that forks: the agent stays until they are done."""
    said = []

    def f(n):
        if n:
            return f(n - 1)
        pid = os.fork()
        if not pid:
            said.append(a.fini())
        return pid
    a = Agent([names("f")], copy=True)
    a.init()
    pid = f(5)
    if not pid:
        said.append(a.fini())
        os._exit(said != [0 if NEW else EBUSY, -3 if NEW else 0])
    same(os.waitpid(pid, 0)[1], 0)
    a.fini()
    same(a.counts(), {"f": (6, 6)})


@case
def forked_among_threads():
    """Other threads are inside of matched functions: the child has none of them."""
    go, inside = threading.Event(), threading.Semaphore(0)

    def f():
        inside.release()
        go.wait()
        return 1

    def alone():
        same(a.fini(), 0)

    def with_new_threads():
        threads = [threading.Thread(target=lambda: 1) for _ in range(20)]
        [t.start() for t in threads]
        [t.join() for t in threads]
        same(a.fini(), 0)
    a = Agent([names("f")], copy=True)
    with a:
        threads = [threading.Thread(target=f) for _ in range(40)]
        [t.start() for t in threads]
        [inside.acquire() for _ in threads]
        try:
            in_child(alone)
            in_child(with_new_threads)
        finally:
            go.set()
        [t.join() for t in threads]
    same(a.counts(), {"f": (40, 40)})


@case
def forked_memory():
    """A child that notices gives back what the agent had, code objects that die there included."""
    if not os.path.isdir("/proc/self"):
        return
    made = {}
    exec("".join(f"def f{i}():\n    return {i}\n" for i in range(20000)), made)
    functions = [made[f"f{i}"] for i in range(20000)]
    a = Agent([filter_(any_=[[term(NAME, GLOB, "f[0-9]*")]])], size=16 << 20, max_functions=20000)
    before = anonymous()
    a.init()
    for f in functions:
        f()
    grown = anonymous() - before

    def noticed():
        for f in functions[:2000]:
            f()
        same(grown > 4 << 20, True, grown)
        same(anonymous() - before < grown - (4 << 20), True, (anonymous() - before, grown))
        made.clear()
        functions.clear()
    in_child(noticed)
    a.fini()
    same(a.total(), (20000, 20000))



@case
def forked_in_a_decision():
    """To decide may collect garbage, and a finalizer that runs then may fork, without any handler being called."""
    fork = ctypes.PyDLL(None).fork
    pids = []

    class Cycle:
        def __init__(self):
            self.me = self

        def __del__(self):
            pids.append(fork())

    def new(i):
        made = {}
        exec(f"def f():\n    return {i}\n", made)
        return made["f"]
    threshold = gc.get_threshold()
    with Agent([names("f")]) as a:
        for i in range(20):
            gc.disable()
            gc.collect()
            Cycle()
            f = new(i)
            gc.set_threshold(1)
            gc.enable()
            f()
            gc.disable()
            gc.set_threshold(*threshold)
            gc.collect()
            if 0 in pids:
                f()
                new(i)()
                os._exit(a.fini())
    same([os.waitpid(pid, 0)[1] for pid in pids], [0] * 20)
    same(a.total(), (20, 20))
