# SPDX-License-Identifier: Apache-2.0
"""Nothing is left behind, and freed code objects are not mistaken for others."""
import gc
import os
import sys
import types

from agentlib import EQ, FILE, GONE, MODULE, NAME, Agent, filter_, names, term
from caselib import case, same


def total_references():
    """All of the process, on a debug build."""
    return sys.gettotalrefcount() if hasattr(sys, "gettotalrefcount") else 0


@case
def cycles():
    """A thousand times in and out: counts, references, descriptors and maps stay."""
    def f():
        return 1

    def descriptors():
        return len(os.listdir("/proc/self/fd")) if os.path.isdir("/proc/self/fd") else 0

    def maps():
        if not os.path.isdir("/proc/self"):
            return 0
        with open("/proc/self/maps") as m:
            return sum(1 for _ in m)
    a = Agent([names("f")])
    code = f.__code__
    for i in range(1300):
        if i == 300:
            gc.collect()
            refs = sys.getrefcount(code), sys.getrefcount(f), sys.getrefcount(None), descriptors()
            nmaps = maps()
            objects, total = len(gc.get_objects()), total_references()
        a.c.counter_reset()
        a.page.nfunctions = a.page.events[0] = a.page.events[1] = 0
        a.init()
        for _ in range(5):
            f()
        a.fini()
        same(a.page.state, GONE)
        same(a.counts(), {"f": (5, 5)})
    gc.collect()
    same((sys.getrefcount(code), sys.getrefcount(f), descriptors()), (refs[0], refs[1], refs[3]))
    for now, then, room in ((sys.getrefcount(None), refs[2], 200), (len(gc.get_objects()), objects, 100),
                            (maps(), nmaps, 5), (total_references(), total, 300)):
        same(abs(now - then) < room, True, (now, then))


@case
def address_reuse():
    """Code objects that come and go at the same addresses, some of which match."""
    want = 0
    a = Agent([filter_(any_=[[term(NAME, EQ, "yes"), term(FILE, EQ, "y.py")]])], max_functions=40000,
              size=16 << 20, strsize=64)
    srcs = [(compile(f"def {n}():\n    return 1\n", file, "exec"), n)
            for n, file in (("no", "y.py"), ("yes", "n.py"), ("no", "n.py"))]
    yes = compile("def yes():\n    return 1\n", "y.py", "exec")
    a.init()
    seen = set()
    for i in range(100000):
        if i % 10 == 9:
            # marshalled anew, so that the function's code object is new as well
            code, n = yes.replace(), "yes"
            code = remake(code)
            want += 1
        else:
            code, n = srcs[i % 3]
            code = remake(code)
        ns = {}
        exec(code, ns)
        seen.add(id(ns[n].__code__))
        ns[n]()
    a.fini()
    same(a.total(), (want, want))
    same(len(seen) < 50000, True, "addresses are used again")


def remake(code):
    return code.replace(co_consts=tuple(c.replace() if isinstance(c, types.CodeType) else c for c in code.co_consts))


@case
def address_reuse_modules():
    """The same by module: only the globals differ."""
    src = compile("def f():\n    return 1\n", "x.py", "exec")
    a = Agent([filter_(any_=[[term(MODULE, EQ, "yes"), term(NAME, EQ, "f")]])], max_functions=40000, size=16 << 20)
    a.init()
    want = 0
    for i in range(30000):
        name = "yes" if i % 7 == 0 else "no"
        want += name == "yes"
        ns = {"__name__": name}
        exec(remake(src), ns)
        ns["f"]()
    a.fini()
    same(a.total(), (want, want))
