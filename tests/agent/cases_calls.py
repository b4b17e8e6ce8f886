# SPDX-License-Identifier: Apache-2.0
"""What is called, and how it ends."""
import contextlib
import ctypes
import functools
import threading

from agentlib import EQ, GONE, MODULE, NAME, Agent, filter_, names, term
from caselib import case, run, same


@case
def plain():
    def f():
        return 1

    def g():
        return 2

    def work():
        for _ in range(1000):
            f()
            g()
    same(run(work, "f"), {"f": (1000, 1000)})


@case
def threads_four():
    def f(x):
        return x

    def loop():
        for i in range(20000):
            f(i)

    def work():
        ts = [threading.Thread(target=loop) for _ in range(4)]
        [t.start() for t in ts]
        [t.join() for t in ts]
    same(run(work, "f"), {"f": (80000, 80000)})


@case
def recursion():
    def f(n):
        return f(n - 1) if n else 0

    def even(n):
        return n == 0 or odd(n - 1)

    def odd(n):
        return n != 0 and even(n - 1)

    def work():
        f(400)
        even(400)
    same(run(work, "f", "even", "odd"), {"f": (401, 401), "even": (201, 201), "odd": (200, 200)})


@case
def recursion_error():
    def f():
        return f() + 1
    count = []

    def g():
        count.append(1)
        return g() + 1

    def work():
        for fn in (f, g):
            try:
                fn()
            except RecursionError:
                pass
    c = run(work, "f", "g")
    same(c["g"][0] in (len(count), len(count) + 1), True, (c, len(count)))
    same(c["f"][0], c["f"][1], c)
    same(c["g"][0], c["g"][1], c)


@case
def exceptions():
    def leaves():
        raise KeyError

    def through():
        leaves()

    def catches():
        try:
            through()
        except KeyError:
            return 1

    def final():
        try:
            leaves()
        finally:
            catches()

    def work():
        for _ in range(10):
            catches()
        for _ in range(5):
            with contextlib.suppress(KeyError):
                final()
    same(run(work, "leaves", "through", "catches", "final"),
         {"leaves": (20, 20), "through": (15, 15), "catches": (15, 15), "final": (5, 5)})


@case
def specialized():
    """What the adaptive interpreter calls without the general way: __getitem__, properties, __init__, generators."""
    class C:
        def __init__(self):
            self.x = 1

        def __getitem__(self, i):
            return i

        @property
        def prop(self):
            return self.x

        def __getattribute__(self, n):
            return object.__getattribute__(self, n)

    class D:
        def __init__(self):
            self.x = 1

        @property
        def prop2(self):
            return self.x

        def __enter__(self):
            return self

        def __exit__(self, *a):
            return None

    def gen(n):
        yield from range(n)

    def loop(n):
        c, d = C(), D()
        for i in range(n):
            C()
            D()
            c[i]
            c.prop
            d.prop2
            with d:
                pass
            for x in gen(3):
                pass
    loop(200)  # warm, before the agent comes
    c = run(lambda: loop(100), "__init__", "__getitem__", "prop", "prop2", "__getattribute__", "gen", "__enter__",
            "__exit__")
    same(c, {"__init__": (202, 202), "__getitem__": (100, 100), "prop": (100, 100), "prop2": (100, 100),
             "__getattribute__": (200, 200), "gen": (100, 100), "__enter__": (100, 100), "__exit__": (100, 100)})


@case
def subscripts():
    """One x[i] over many classes, older and younger than the agent, some specialised for already."""
    src = """class C{0}:
    def __getitem__(self, i):
        return i
class D{0}(C{0}):
    pass
"""
    ns = {"__name__": "sub"}
    for i in range(100):
        exec(src.format(i), ns)

    def one(c, n):
        for i in range(n):
            c[i]
    for i in range(50):
        one(ns[f"C{i}"](), 40)

    class Unmatched:
        def __getitem__(self, i):
            return i

    def work():
        for i in range(100, 200):
            exec(src.format(i), ns)
        for kind in "CD":
            for i in range(200):
                one(ns[f"{kind}{i}"](), 7)
                one([0] * 50, 50)
        one(Unmatched(), 100)
    a = Agent([filter_(any_=[[term(MODULE, EQ, "sub"), term(NAME, EQ, "__getitem__")]])])
    for _ in range(2):
        a.c.counter_reset()
        a.page.nfunctions = a.page.events[0] = a.page.events[1] = 0
        a.init()
        work()
        a.fini()
        same(a.page.state, GONE)
        same(a.total(), (2800, 2800))


@case
def warm_loop():
    """A hot loop that calls while the agent comes, from inside the loop."""
    def f(x):
        return x

    def loop(a, n):
        for i in range(n):
            if i == n // 2:
                a.init()
            f(i)
    f(0)
    a = Agent([names("f")])
    loop(a, 100000)
    a.fini()
    same(a.counts(), {"f": (50000, 50000)})


@case
def called_from_c():
    def key(x):
        return x

    def thread():
        pass

    def callback(a, b):
        return (a[0] > b[0]) - (a[0] < b[0])

    def work():
        sorted(range(100), key=key)
        list(map(key, range(100)))
        t = threading.Thread(target=thread)
        t.start()
        t.join()
        arr = (ctypes.c_int * 2)(2, 1)
        proto = ctypes.CFUNCTYPE(ctypes.c_int, ctypes.POINTER(ctypes.c_int), ctypes.POINTER(ctypes.c_int))
        ctypes.CDLL(None).qsort(arr, 2, 4, proto(callback))
        same(list(arr), [1, 2])
        functools.reduce(lambda a, b: key(a), range(11))
    same(run(work, "key", "thread", "callback"), {"key": (210, 210), "thread": (1, 1), "callback": (1, 1)})
