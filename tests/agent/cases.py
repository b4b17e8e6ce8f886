# SPDX-License-Identifier: Apache-2.0
"""The agent's exactness cases, one process each: cases.py NAME. Each knows its counts from how it is built."""
import asyncio
import contextlib
import ctypes
import functools
import gc
import os
import sys
import tempfile
import threading
import time
import types
import weakref

from agentlib import (ACTIVE, ENTRY, EQ, FAILED, FILE, GE, GLOB, GONE, INERT, LE, LINE, LT, GT, MODULE, NAME, NE,
                      QUALNAME, RETURN, Agent, Refused, counter, filter_, names, now_ns, term)

CASES = {}
NEW = sys.version_info >= (3, 12)
PYTHON311 = sys.version_info[:2] == (3, 11)


def case(f):
    CASES[f.__name__] = f
    return f


def same(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def run(work, *wanted, **kw):
    """Counts by name of the wanted functions while work() runs."""
    a = Agent([names(*wanted)], **kw)
    a.init()
    try:
        same(a.page.state, ACTIVE)
        work()
    finally:
        a.fini()
    same(a.page.state, GONE)
    total = a.total()
    c = a.counts()
    same(total, (sum(e for e, _ in c.values()), sum(r for _, r in c.values())))
    return c


# --- what is called ------------------------------------------------------------------------------------

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


# --- generators and coroutines ---------------------------------------------------------------------------

@case
def generator_run_out():
    def gen(n):
        for i in range(n):
            yield i

    def work():
        for _ in range(10):
            same(sum(gen(100)), 4950)
        for x in gen(5):
            pass
        [gen(3) for _ in range(7)]  # never begun
    same(run(work, "gen"), {"gen": (11, 11)})


@case
def generator_closed():
    def gen():
        try:
            yield 1
            yield 2
        finally:
            pass

    def work():
        for _ in range(10):
            g = gen()
            next(g)
            g.close()
        for _ in range(10):
            g = gen()
            next(g)
            del g
        g = gen()
        g.close()
    same(run(work, "gen"), {"gen": (20, 20)})


def close_runs_nothing():
    """3.13 closes a generator that cannot catch it without running it; gh-140373 made that seen again."""
    return (3, 13) <= sys.version_info < (3, 13, 10) or (3, 14) <= sys.version_info < (3, 14, 1)


@case
def generator_closed_bare():
    def gen():
        yield 1
        yield 2

    def work():
        for _ in range(10):
            g = gen()
            next(g)
            g.close()
    same(run(work, "gen"), {"gen": (10, 0 if close_runs_nothing() else 10)})


@case
def generator_thrown():
    def gen():
        yield 1
        yield 2

    def catching():
        while True:
            try:
                yield 1
            except ValueError:
                return

    def swallowing():
        while True:
            try:
                yield 1
            except ValueError:
                pass

    def work():
        for make in (gen, catching):
            for _ in range(10):
                g = make()
                next(g)
                with contextlib.suppress(ValueError, StopIteration):
                    g.throw(ValueError())
        g = swallowing()
        next(g)
        for _ in range(10):
            g.throw(ValueError())
        with contextlib.suppress(KeyError):
            g.throw(KeyError())
        for _ in range(10):  # never begun: neither entered nor left
            g = gen()
            with contextlib.suppress(ValueError):
                g.throw(ValueError())
    same(run(work, "gen", "catching", "swallowing"), {"gen": (10, 10), "catching": (10, 10), "swallowing": (1, 1)})


@case
def generator_never_begun_only():
    """What is thrown into before anything of it ran is not entered and not left."""
    def gen():
        yield 1

    def work():
        for _ in range(10):
            g = gen()
            with contextlib.suppress(ValueError):
                g.throw(ValueError())
            gen().close()
    same(run(work, "gen").get("gen", (0, 0)), (0, 0))


@case
def generator_raises():
    def gen():
        yield 1
        raise KeyError

    def delegating():
        yield from gen()

    def work():
        for _ in range(10):
            with contextlib.suppress(KeyError):
                list(delegating())
    same(run(work, "gen", "delegating"), {"gen": (10, 10), "delegating": (10, 10)})


@case
def generator_yield_from():
    def leaf():
        got = yield 1
        return got

    def middle():
        return (yield from leaf())

    def top():
        yield (yield from middle())

    def work():
        for _ in range(50):
            g = top()
            next(g)
            same(g.send(5), 5)
            list(g)
    same(run(work, "leaf", "middle", "top"), {n: (50, 50) for n in ("leaf", "middle", "top")})


@case
def generator_yield_from_closed():
    def leaf():
        try:
            yield 1
            yield 2
        finally:
            pass

    def top():
        try:
            yield from leaf()
        finally:
            pass

    def work():
        for _ in range(10):
            g = top()
            next(g)
            g.close()
            g = top()
            next(g)
            with contextlib.suppress(KeyError):
                g.throw(KeyError())
            g = top()
            next(g)
            next(g)
            del g
    same(run(work, "leaf", "top"), {"leaf": (30, 30), "top": (30, 30)})


@case
def generator_expression():
    def work():
        for _ in range(10):
            same(sum(x for x in range(10)), 45)
    same(run(work, "<genexpr>"), {"<genexpr>": (10, 10)})


@case
def coroutines():
    async def child(n):
        await asyncio.sleep(0)
        if n % 3 == 0:
            raise KeyError
        return n

    async def agen():
        for i in range(5):
            await asyncio.sleep(0)
            yield i

    async def parents(n):
        with contextlib.suppress(KeyError):
            await child(n)
        return [x async for x in agen()]

    async def forever():
        await asyncio.sleep(1000)

    async def main():
        await asyncio.gather(*[parents(i) for i in range(30)])
        t = asyncio.ensure_future(forever())
        await asyncio.sleep(0)
        t.cancel()
        with contextlib.suppress(asyncio.CancelledError):
            await t
        child(1).close()

    def work():
        asyncio.run(main())
    same(run(work, "child", "agen", "parents", "main", "forever"),
         {"child": (30, 30), "agen": (30, 30), "parents": (30, 30), "main": (1, 1), "forever": (1, 1)})


@case
def async_generator_closed():
    async def agen():
        try:
            yield 1
            yield 2
        finally:
            await asyncio.sleep(0)

    async def main():
        for _ in range(10):
            g = agen()
            await g.__anext__()
            await g.aclose()
        for _ in range(10):
            g = agen()
            await g.asend(None)
            with contextlib.suppress(ValueError):
                await g.athrow(ValueError())

    def work():
        asyncio.run(main())
    same(run(work, "agen"), {"agen": (20, 20)})


# --- where functions come from ----------------------------------------------------------------------------

@case
def imported_later():
    with tempfile.TemporaryDirectory() as d:
        for m in ("later_a", "later_b"):
            with open(os.path.join(d, m + ".py"), "w") as f:
                f.write("def target():\n    return 1\n")
        sys.path.insert(0, d)

        def work():
            import later_a
            import later_b
            for _ in range(10):
                later_a.target()
            for _ in range(20):
                later_b.target()
        a = Agent([filter_(any_=[[term(NAME, EQ, "target"), term(MODULE, EQ, "later_b")]]), names("target")])
        with a:
            work()
        same(a.counts("module"), {"later_a": (10, 10), "later_b": (20, 20)})
        same({f["module"]: f["filters"] for f in a.functions()}, {"later_a": 2, "later_b": 3})


def decorate(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper


class Kinds:
    def method(self):
        return 1

    @classmethod
    def cmethod(cls):
        return 1

    @staticmethod
    def smethod():
        return 1

    @property
    def prop(self):
        return 1

    @prop.setter
    def prop(self, v):
        pass

    lam = lambda self: 1  # noqa: E731

    @decorate
    def decorated(self):
        return 1

    def outer(self):
        def nested():
            return 1
        return nested()

    @functools.lru_cache(None)
    def cached(self):
        return 1

    def __getitem__(self, i):
        return i

    def __call__(self):
        return 1

    class Inner:
        def deep(self):
            class Local:
                def local(self):
                    return 1
            return Local().local()


@case
def kinds():
    def work():
        k = Kinds()
        for _ in range(10):
            k.method()
            k.cmethod()
            Kinds.smethod()
            k.prop
            k.prop = 1
            k.lam()
            k.decorated()
            k.outer()
            k.cached()
            k[1]
            k()
            Kinds.Inner().deep()
    a = Agent([filter_(any_=[[term(QUALNAME, GLOB, "Kinds*")], [term(QUALNAME, EQ, "decorate.<locals>.wrapper")]])])
    with a:
        work()
    want = {"Kinds." + n: (10, 10) for n in
            ("method", "cmethod", "smethod", "<lambda>", "decorated", "outer", "outer.<locals>.nested", "__getitem__",
             "__call__", "Inner.deep", "Inner.deep.<locals>.Local", "Inner.deep.<locals>.Local.local")}
    want.update({"Kinds.prop": (20, 20), "Kinds.cached": (1, 1), "decorate.<locals>.wrapper": (10, 10)})
    if not NEW and not PYTHON311:  # a wrapped function is found under the name that functools.wraps() gave
        want["Kinds.decorated"] = a.counts("qualname")["Kinds.decorated"]
        want.pop("decorate.<locals>.wrapper")
        got = a.counts("qualname")
        got.pop("decorate.<locals>.wrapper", None)
        same(got, want)
        return
    same(a.counts("qualname"), want)


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


@case
def code_replaced():
    def f():
        return 1

    def g():
        return 2

    def work():
        for _ in range(10):
            f()
        f.__code__ = g.__code__
        for _ in range(10):
            f()
        f.__code__ = old
        for _ in range(10):
            f()
    old = f.__code__
    same(run(work, "f", "g"), {"f": (20, 20), "g": (10, 10)})


@case
def exec_made_up_file():
    src = "def target():\n    return 1\n\nfor _ in range(7):\n    target()\n"

    def work():
        exec(compile(src, "<made up/\u017e\udc80>", "exec"), {"__name__": "made.up"})
        exec(compile(src, "other", "exec"), {})
    a = Agent([filter_(any_=[[term(FILE, EQ, "<made up/\u017e\udc80>"), term(NAME, EQ, "target")]])])
    with a:
        work()
    same(a.counts("file"), {"<made up/\u017e\udc80>": (7, 7)})
    same(a.functions()[0]["module"], "made.up")


@case
def names_odd():
    scripts = ["\u0444\u0443\u043d\u043a\u0446\u0438\u044f", "\u95a2\u6570", "a" * 300, "a" * 299 + "b", "b" * 5000]

    def work():
        for s in scripts:
            ns = {}
            exec(f"def {s}():\n    return 1\n", ns)
            for _ in range(3):
                ns[s]()
    # Compared as 255 bytes: the two that begin alike are one.
    a = Agent([filter_(any_=[[term(NAME, EQ, s)] for s in scripts[:3] + scripts[4:]])])
    with a:
        work()
    got = a.counts()
    same({k[:300]: v for k, v in got.items()}, {s[:300]: (3, 3) for s in scripts})
    a = Agent([filter_(any_=[[term(NAME, GLOB, "a*b")]])])
    with a:
        work()
    same(list(a.counts()), ["a" * 299 + "b"])


@case
def five_thousand():
    src = "".join(f"def f{i}():\n    return {i}\n" for i in range(5000))
    ns = {"__name__": "many"}
    exec(src, ns)

    def work():
        for i in range(5000):
            ns[f"f{i}"]()
    a = Agent([filter_(any_=[[term(MODULE, EQ, "many")]])])
    with a:
        work()
    same(a.total(), (5000, 5000))
    same(set(a.counts().values()), {(1, 1)})


@case
def terms():
    """Each operation on each field, against what Python says."""
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "x.py")
        ns = {"__name__": "pkg.mod"}
        exec(compile("\n" * 9 + "class C:\n    def meth(self):\n        return 1\n", path, "exec"), ns)
        meth = ns["C"]().meth
    import operator
    ops = {EQ: operator.eq, NE: operator.ne, LT: operator.lt, LE: operator.le, GT: operator.gt, GE: operator.ge}
    fields = {FILE: path, NAME: "meth", MODULE: "pkg.mod", QUALNAME: "C.meth", LINE: 11}
    filters, want = [], []
    for field, value in fields.items():
        others = (10, 11, 12) if field == LINE else (value, value + "x", value[:-1], "A", "zzz", "")
        for op, fn in ops.items():
            for other in others:
                filters.append(filter_(all_=[term(field, op, other)]))
                want.append(fn(value, other))
    for glob, result in (("*", True), ("m?th", True), ("[l-n]eth", True), ("[!m]eth", False), ("\\meth", True),
                         ("me", False), ("*t*", True), ("", True), ("[m", False), ("m[e]th*", True)):
        filters.append(filter_(all_=[term(NAME, GLOB, glob)]))
        want.append(result)
    filters.append(filter_(any_=[[term(NAME, EQ, "no")], [term(NAME, EQ, "meth"), term(LINE, EQ, 11)]],
                           all_=[term(MODULE, EQ, "pkg.mod")]))
    want.append(True)
    filters.append(filter_(any_=[[]]))
    want.append(True)
    for at in range(0, len(filters), 64):
        part = filters[at:at + 64]
        a = Agent(part)
        a.init_(ctypes.addressof(a.page), a.dlsym, sys.hexversion)
        meth()
        a.fini_()
        same(a.page.state, GONE)
        bits = sum(f["filters"] for f in a.functions() if f["name"] == "meth")
        for i, f in enumerate(part):
            same(bool(bits >> i & 1), want[at + i], f)


@case
def events_chosen():
    """Filters that are at one of the two events only."""
    def f():
        return 1

    def g():
        raise KeyError

    def work():
        for _ in range(10):
            f()
            with contextlib.suppress(KeyError):
                g()
    for events, want in (((ENTRY,), (10, 0)), ((RETURN,), (0, 10)), ((ENTRY, RETURN), (10, 10))):
        a = Agent([filter_(events=events, any_=[[term(NAME, EQ, "f")], [term(NAME, EQ, "g")]])])
        with a:
            work()
        same(a.counts(), {"f": want, "g": want}, events)


@case
def lines():
    src = """def f(x):
    if x:
        return 1

    for i in range(3):
        pass
    return 2

def g():
    x = 1
    raise KeyError
"""
    ns = {}
    exec(compile(src, "lines.py", "exec"), ns)

    def work():
        for x in (0, 1, 0):
            ns["f"](x)
        with contextlib.suppress(KeyError):
            ns["g"]()
    a = Agent([names("f", "g")])
    with a:
        work()
    same(a.log(), [("entry", "f", 1), ("return", "f", 7), ("entry", "f", 1), ("return", "f", 3), ("entry", "f", 1),
                   ("return", "f", 7), ("entry", "g", 9), ("return", "g", 11)])


# --- life and death ------------------------------------------------------------------------------------------

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
                code = 0 if sys.monitoring.get_tool(a_tool) is None else 2
            else:
                code = 0
        finally:
            os._exit(code)
    _, status = os.waitpid(pid, 0)
    f()
    a.fini()
    same(status, 0)
    same(a.counts(), {"f": (2, 2)})


a_tool = 4


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
def tracer_dies():
    def f():
        return 1
    a = Agent([names("f")], alive_ns=now_ns())
    a.init()
    f()
    same(a.page.state, ACTIVE)
    a.page.alive_ns = now_ns() - 1400000000
    end = time.monotonic() + 2
    while time.monotonic() < end and a.page.state == ACTIVE:
        f()
        time.sleep(0.01)
    same(a.page.state, INERT)
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
        a = Agent([names("nothing")], copy=True, alive_ns=now_ns())
        a.init()
        a.page.alive_ns = now_ns() - 3000000000
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
        a = Agent([names("f")], copy=True, alive_ns=now_ns())
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
    for now, then, room in ((sys.getrefcount(None), refs[2], 200), (len(gc.get_objects()), objects, 50),
                            (maps(), nmaps, 5), (total_references(), total, 300)):
        same(abs(now - then) < room, True, (now, then))


@case
def matched_are_freed():
    def make():
        ns = {}
        exec("def f():\n    return 1\n", ns)
        return ns["f"]
    a = Agent([names("f")])
    a.init()
    f = make()
    f()
    ref = weakref.ref(f.__code__)
    del f
    gc.collect()
    same(ref() is None, False)
    a.fini()
    gc.collect()
    same(ref(), None)


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


@case
def room_runs_out():
    src = "".join(f"def f{i}():\n    return {i}\n" for i in range(100))
    ns = {"__name__": "many"}
    exec(src, ns)

    def work():
        for _ in range(3):
            for i in range(100):
                ns[f"f{i}"]()
    for kw in ({"max_functions": 10}, {"strings_size": 100}):
        a = Agent([filter_(any_=[[term(MODULE, EQ, "many")]])], **kw)
        with a:
            work()
        n = a.page.nfunctions
        same(0 < n < 100, True, n)
        same(a.page.dropped_functions >= 100 - n, True)
        same(a.total(), (3 * n, 3 * n))


@case
def pages_damaged():
    for change in ({"magic": 1}, {"version": 99}, {"size": 8}, {"nfilters": 65}, {"terms": 1 << 30},
                   {"nterms": 1 << 30}, {"strings_end": 1 << 31}):
        a = Agent([names("f")])
        for k, v in change.items():
            setattr(a.page, k, v)
        try:
            a.init()
        except Refused as e:
            same(e.args[0], -22, change)
        else:
            raise AssertionError(change)
    a = Agent([names("f")])
    for v in (0x03080000, 0x03100000, 0x02070000):
        try:
            a.init(v)
        except Refused as e:
            same(e.args[1], "this version of Python is not supported")
            same(a.page.state, FAILED)
        else:
            raise AssertionError(v)
    with a:
        same(a.page.state, ACTIVE)


@case
def exception_kept():
    """An exception that is in flight while a decision is made stays what it was."""
    class Odd(Exception):
        pass

    def gen():
        try:
            yield
        except Odd as e:
            e.seen = True
            helper()
            raise

    def helper():
        pass

    class Ctx:
        def __exit__(self, t, v, tb):
            same(v.seen, True)
            return True

        def __enter__(self):
            pass

    def work():
        for _ in range(3):
            g = gen()
            next(g)
            with Ctx():
                g.throw(Odd())
    same(run(work, "helper", "gen", "__exit__"), {"helper": (3, 3), "gen": (3, 3), "__exit__": (3, 3)})


# --- other tools -----------------------------------------------------------------------------------------------

@case
def settrace_active():
    seen = []

    def tracer(frame, event, arg):
        if frame.f_code.co_name == "f":
            seen.append(event)
        return tracer

    def f():
        return 1

    def work():
        sys.settrace(tracer)
        for _ in range(5):
            f()
        sys.settrace(None)
        for _ in range(5):
            f()
        sys.setprofile(lambda *a: None)
        for _ in range(5):
            f()
        sys.setprofile(None)
    same(run(work, "f"), {"f": (15, 15)})
    same((seen.count("call"), seen.count("return"), seen.count("line")), (5, 5, 5))


@case
def settrace_before():
    events = []

    def f():
        return 1

    def tracer(frame, event, arg):
        if frame.f_code.co_name == "f":
            events.append(event)
        return tracer
    a = Agent([names("f")])
    sys.settrace(tracer)
    a.init()
    for _ in range(5):
        f()
    a.fini()
    f()
    sys.settrace(None)
    same(a.counts(), {"f": (5, 5)})
    same((events.count("call"), events.count("return")), (6, 6))


if NEW:
    @case
    def monitoring_tools():
        """A tool that has DISABLEd everything, and one that is active, keep their counts and we ours."""
        mon = sys.monitoring
        E = mon.events
        seen = {"start": 0, "return": 0}

        def on_start(code, off):
            if code.co_name == "f":
                seen["start"] += 1

        def on_return(code, off, v):
            if code.co_name == "f":
                seen["return"] += 1
        mon.use_tool_id(0, "debugger")
        mon.use_tool_id(1, "coverage")
        mon.register_callback(0, E.PY_START, on_start)
        mon.register_callback(0, E.PY_RETURN, on_return)
        mon.register_callback(1, E.PY_START, lambda *a: mon.DISABLE)
        mon.register_callback(1, E.LINE, lambda *a: mon.DISABLE)
        mon.set_events(0, E.PY_START | E.PY_RETURN)
        mon.set_events(1, E.PY_START | E.LINE)

        def f():
            return 1
        f()

        def work():
            for _ in range(10):
                f()
        same(run(work, "f"), {"f": (10, 10)})
        f()
        same(seen, {"start": 12, "return": 12})

    @case
    def disabled_before():
        """The id that we get had DISABLEd what we want to see."""
        mon = sys.monitoring
        mon.use_tool_id(4, "x")
        mon.register_callback(4, mon.events.PY_START, lambda *a: mon.DISABLE)
        mon.set_events(4, mon.events.PY_START)

        def f():
            return 1
        f()
        mon.set_events(4, 0)
        mon.register_callback(4, mon.events.PY_START, None)
        mon.free_tool_id(4)

        def work():
            for _ in range(10):
                f()
        same(run(work, "f"), {"f": (10, 10)})

    @case
    def ids_taken():
        for i in range(6):
            sys.monitoring.use_tool_id(i, "x")
        a = Agent([names("f")])
        try:
            a.init()
        except Refused as e:
            same(e.args, (-16, "all six sys.monitoring tool ids are in use"))
        else:
            raise AssertionError("not refused")
        same((a.page.state, a.page.error), (FAILED, 16))
        for i in (0, 1, 2, 5, 3, 4):
            sys.monitoring.free_tool_id(i)
            with a:
                same(a.page.tool_id, i)

    @case
    def id_stolen():
        """The program frees our id, and gives it to another: that one is left alone."""
        a = Agent([names("f")])
        a.init()
        sys.monitoring.free_tool_id(4)
        sys.monitoring.use_tool_id(4, "other")
        a.fini()
        same(sys.monitoring.get_tool(4), "other")

    @case
    def restarted_by_others():
        def f():
            return 1

        def g():
            return 1

        def work():
            for _ in range(10):
                f()
                g()
                sys.monitoring.restart_events()
        same(run(work, "f"), {"f": (10, 10)})

    @case
    def unmatched_is_free():
        """Nothing of ours is called for what does not match."""
        def f():
            return 1
        a = Agent([names("nothing")])
        with a:
            f()
            seen = a.page.seen
            for _ in range(10000):
                f()
            same(a.page.seen, seen)

    @case
    def instrumented_after():
        """Another tool sets and clears events on the same code while we trace it."""
        mon = sys.monitoring

        def f(x):
            for i in range(3):
                x += i
            return x

        def work():
            mon.use_tool_id(2, "other")
            for i in range(20):
                mon.set_local_events(2, f.__code__, mon.events.LINE | mon.events.PY_START if i % 2 else 0)
                mon.set_events(2, mon.events.PY_RETURN | mon.events.INSTRUCTION if i % 3 else 0)
                f(1)
            mon.set_events(2, 0)
            mon.set_local_events(2, f.__code__, 0)
            mon.free_tool_id(2)
            f(1)
        same(run(work, "f"), {"f": (21, 21)})


@case
def subinterpreter():
    try:
        import _interpreters as interp
    except ImportError:
        import _xxsubinterpreters as interp

    def f():
        return 1

    def work():
        i = interp.create()
        src = "def f():\n    return 1\nfor _ in range(100):\n    f()\n"
        if hasattr(interp, "exec"):
            interp.exec(i, src)
        else:
            interp.run_string(i, src)
        interp.destroy(i)
        f()
    same(run(work, "f"), {"f": (1, 1)})


@case
def audit_hook():
    """A program that watches itself by an audit hook is not disturbed; one that forbids is obeyed."""
    events = []
    forbid = []

    def hook(event, args):
        events.append(event)
        if forbid and event.startswith("sys.monitoring"):
            raise RuntimeError("no")
    sys.addaudithook(hook)

    def f():
        return 1
    same(run(lambda: f(), "f"), {"f": (1, 1)})
    if NEW:
        forbid.append(1)
        a = Agent([names("f")])
        try:
            a.init()
        except Refused as e:
            same(e.args[1], "sys.monitoring refused: an audit hook of the program may forbid it")
        else:
            raise AssertionError("not refused")
        same(sys.monitoring.get_tool(4), None)


@case
def odd_globals():
    """Globals without a name, with a name that is no text, and with a key whose __eq__ is Python."""
    class Key(str):
        def __eq__(self, other):
            return helper(self, other)

        def __hash__(self):
            return hash("__name__")

    def helper(a, b):
        return str.__eq__(a, b)

    src = "def f():\n    return 1\nfor _ in range(5):\n    f()\n"

    def work():
        exec(src, {})
        exec(src, {"__name__": 5})
        exec(src, {Key("x"): 1, "__name__": "odd"})
    a = Agent([filter_(any_=[[term(NAME, EQ, "f"), term(MODULE, NE, "no")]])])
    with a:
        work()
    same(a.total(), (15, 15))
    same(sorted(a.counts("module")), ["", "builtins", "odd"] if "builtins" in a.counts("module") else ["", "odd"])


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


def main():
    if sys.argv[1:] == ["--list"]:
        print(*CASES)
        return
    for name in sys.argv[1:] or CASES:
        CASES[name]()
        print("ok", name)


if __name__ == "__main__":
    main()
