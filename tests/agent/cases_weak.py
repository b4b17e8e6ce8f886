# SPDX-License-Identifier: Apache-2.0
"""Code objects that come and go while they are traced: none is kept alive, none is taken for another."""
import gc
import importlib
import os
import resource
import sys
import tempfile
import weakref

from agentlib import ENTRY, GLOB, GONE, INERT, NAME, QUALNAME, RETURN, Agent, filter_, names, term
from caselib import case, same

EBUSY = -16


def make(source, name="f", **variables):
    """A new function, of code that nothing else has."""
    variables["__name__"] = "made"
    exec(compile(source, "made.py", "exec"), variables)
    return variables.pop(name)


def resident():
    """Of this process, in kB."""
    with open("/proc/self/status") as status:
        return next(int(line.split()[1]) for line in status if line.startswith("VmRSS"))


def with_constant(f, constant):
    """The function, of new code that has one more constant."""
    f.__code__ = f.__code__.replace(co_consts=f.__code__.co_consts + (constant,))
    return f


def caught_by(name, events):
    return filter_(events=events, any_=[[term(NAME, GLOB, name)]])


@case
def matched_are_freed():
    with Agent([names("f")]):
        f = make("def f():\n    return 1\n")
        f()
        ref = weakref.ref(f.__code__)
        same(ref() is None, False)
        del f
        same(ref(), None)


@case
def exec_loop():
    """Functions of one name with large constants, made again and again: memory stays, they share a record."""
    if not os.path.isdir("/proc/self"):
        return
    rounds, before = 4000, 0

    def work():
        for i in range(rounds):
            f = make(f"def f():\n    return {'x ' * 25000 + str(i)!r}\n")
            f()
            f()
    work()
    a = Agent([names("f")], max_functions=20, size=64 << 10)
    before = resident()
    with a:
        work()
        after = resident()
    same(a.page.state, GONE)
    same(a.total(), (2 * rounds, 2 * rounds))
    same((a.page.nfunctions, a.page.dropped_events), (1, 0))
    same(after - before < 3000, True, (before, after))


@case
def exec_loop_of_names():
    """The same with a name each: the page is full soon. All else is counted, and memory stays here as well."""
    if not os.path.isdir("/proc/self"):
        return
    rounds, room = 6000, 100

    def work():
        for i in range(rounds):
            f = make(f"def f{i}():\n    return {'x ' * 10000 + str(i)!r}\n", f"f{i}")
            f()
            f()
    work()
    for events in (ENTRY, RETURN), (ENTRY,), (RETURN,):
        a = Agent([caught_by("f[0-9]*", events)], max_functions=room, size=256 << 10)
        before = resident()
        with a:
            work()
            after = resident()
        same(a.total(), tuple(2 * room if e in events else 0 for e in (ENTRY, RETURN)))
        same((a.page.nfunctions, a.page.dropped_events), (room, 2 * (rounds - room) * len(events)))
        same(after - before < 3000, True, (before, after))


@case
def lost_are_counted():
    """Functions that live on and have no record: each call, each way that it ends."""
    def gen():
        yield 1
        yield 2

    def work(f, g, h):
        for i in range(10):
            f(i % 3)
            list(g())
            try:
                h()
            except KeyError:
                pass

    def all_of(name):
        return [make(source, name + letter) for letter, source in (
            ("f", f"def {name}f(n):\n    return {name}f(n - 1) if n else 0\n"),
            ("g", f"def {name}g():\n    yield 1\n    yield 2\n"),
            ("h", f"def {name}h():\n    raise KeyError\n"))]
    seen, unseen = all_of("a"), all_of("b")
    for f in seen[0], unseen[0]:
        f.__globals__[f.__name__] = f
    a = Agent([filter_(any_=[[term(NAME, GLOB, "[ab][fgh]")]])], max_functions=3)
    with a:
        work(*seen)
        work(*unseen)
    same(a.total(), (39, 39))
    same(a.page.dropped_events, 78)


@case
def lost_without_memory():
    """Not even a place to keep a function in is to be had: its events are counted, and it is seen when there is memory."""
    if not os.path.isdir("/proc/self"):
        return

    def work():
        for _ in range(3):
            for f in made:
                f()
    made = [make(f"def f():\n    return {i}\n") for i in range(10)]
    for events in (ENTRY, RETURN), (ENTRY,), (RETURN,):
        a = Agent([caught_by("f", events)])
        limits = resource.getrlimit(resource.RLIMIT_AS)
        with a:
            with open("/proc/self/statm") as statm:
                pages = int(statm.read().split()[0])
            resource.setrlimit(resource.RLIMIT_AS, (pages * resource.getpagesize(), limits[1]))
            try:
                work()
            finally:
                resource.setrlimit(resource.RLIMIT_AS, limits)
            work()
        same(a.page.dropped_events, 30 * len(events))
        same(a.total(), tuple(30 if e in events else 0 for e in (ENTRY, RETURN)))


@case
def address_used_again():
    """Another name at the address of a matched function that has died: neither is taken for the other."""
    wanted = {i: make(f"def yes():\n    return {i}\n", "yes") for i in range(50)}
    a = Agent([names("yes")])
    want, again = 0, 0
    with a:
        for i in range(4000):
            name = ("yes", "no")[i % 3 > 0]
            at = {id(f.__code__) for f in wanted.values()}
            wanted.clear()
            for k in range(50):
                wanted[k] = make(f"def {name}():\n    return {k}\n", name)
                wanted[k]()
            want += 50 * (name == "yes")
            again += len(at & {id(f.__code__) for f in wanted.values()})
            if again > 20000:
                break
    same(a.total(), (want, want))
    same(again > 1000, True, again)


@case
def code_changed():
    """A function gets other code, and its old code dies at once; and a module that is loaded again."""
    def f():
        return 1
    a = Agent([names("f", "g", "reloaded")])
    with a:
        for i in range(100):
            f.__code__ = make(f"def g():\n    return {i}\n", "g").__code__
            f()
            f.__code__ = make(f"def f():\n    return {i}\n").__code__
            f()
            f()
    same(a.counts(), {"g": (100, 100), "f": (200, 200)})
    with tempfile.TemporaryDirectory() as d:
        path = os.path.join(d, "loaded_again.py")
        with open(path, "w") as out:
            out.write("def reloaded():\n    return 1\n")
        sys.path.insert(0, d)
        import loaded_again
        old = weakref.ref(loaded_again.reloaded.__code__)
        a = Agent([names("reloaded")])
        with a:
            for _ in range(20):
                loaded_again.reloaded()
                importlib.reload(loaded_again)
                loaded_again.reloaded()
        same(old(), None)
        same(a.counts(), {"reloaded": (40, 40)})
        same(a.page.nfunctions, 1)


@case
def deleted_while_it_runs():
    """The last reference to a function goes while its frame is active, or waits in a generator."""
    made = {}
    codes = []

    def drop(name):
        codes.append(weakref.ref(made[name].__code__))
        made.pop(name)
        gc.collect()
    a = Agent([names("once", "raises", "gen")])
    with a:
        for i in range(50):
            made["once"] = make(f"def once():\n    drop('once')\n    return {i}\n", "once", drop=drop)
            made["once"]()
            made["raises"] = make(f"def raises():\n    drop('raises')\n    raise KeyError({i})\n", "raises", drop=drop)
            try:
                made["raises"]()
            except KeyError:
                pass
            made["gen"] = make(f"def gen():\n    yield {i}\n    drop('gen')\n    yield 2\n", "gen", drop=drop)
            list(made["gen"]())
            gen = make(f"def gen():\n    yield {i}\n", "gen")()
            next(gen)
            del gen  # closed by being dropped: the frame is its code's last owner
        same(sum(c() is not None for c in codes), 0)
    c = a.counts()
    same((c["once"], c["raises"]), ((50, 50), (50, 50)))
    same(c["gen"] in ((100, 100), (100, 50)), True, c)  # 3.13 runs nothing where nothing can catch it


@case
def dies_while_we_leave():
    """A code object's end makes us leave, from its constants and from another weak reference's callback."""
    class Last:
        def __init__(self, what):
            self.what = what

        def __del__(self):
            self.what()
    for leaves in ("constant", "callback"):
        a = Agent([names("f", "g")])
        a.init()
        g = make("def g():\n    return 1\n", "g")
        f = make("def f():\n    return 1\n")
        refs = []
        if leaves == "constant":
            f = with_constant(f, Last(a.fini))
        else:
            refs.append(weakref.ref(f.__code__, lambda r: a.fini()))
        f()
        g()
        del f
        if leaves == "callback":
            refs.append(weakref.ref(g.__code__, lambda r: None))
        a.fini()
        same(a.page.state, GONE)
        same(a.counts(), {"f": (1, 1), "g": (1, 1)})
        g()


@case
def other_weak_references():
    """Those of the program work as before, whichever came first."""
    told = []
    for first in (True, False):
        f = make("def f():\n    return 1\n")
        plain = weakref.ref(f.__code__)
        mine = [weakref.ref(f.__code__, told.append)] if first else []
        with Agent([names("f")]) as a:
            f()
            mine.append(weakref.ref(f.__code__, told.append))
            del f
            same(plain(), None)
            same(told[::-1], mine)
            f = make("def f():\n    return 2\n")
            f()
        told.clear()
        same(a.counts(), {"f": (2, 2)})


@case
def callback_in_other_hands():
    """The program takes the callback out of the weak reference: calls of it do nothing, and we stay until it lets go."""
    def f():
        return 1
    a = Agent([names("f")])
    a.init()
    f()
    (ref,) = weakref.getweakrefs(f.__code__)
    callback = ref.__callback__
    for argument in (ref, 1, None, callback):
        same(callback(argument), None)
    f()
    same((a.fini(), a.page.state), (EBUSY, INERT))
    same(callback(ref), None)
    same((a.fini(), a.page.state), (EBUSY, INERT))
    del callback, ref, argument
    same((a.fini(), a.page.state), (0, GONE))
    same(a.counts(), {"f": (2, 2)})


@case
def collected_in_a_decision():
    """To decide makes objects, so garbage may be collected in the middle of it: what that calls is counted."""
    calls = {"fin": 0, "f": 0}
    source = """class Cycle:
    def __init__(self):
        self.me = self
    def fin(self):
        calls["fin"] += 1
    def __del__(self):
        self.fin()
"""
    a = Agent([names("fin", "f")])
    threshold = gc.get_threshold()
    a.init()
    try:
        for i in range(300):
            made = [make(source, "Cycle", calls=calls)() for _ in range(3)]
            functions = [make(f"def f():\n    return {k + i}\n") for k in range(10)]
            made.clear()
            gc.set_threshold(1 + i % 7, 2, 2)
            for f in functions:
                f()
                calls["f"] += 1
            gc.set_threshold(*threshold)
    finally:
        gc.set_threshold(*threshold)
    gc.collect()
    a.fini()
    same(a.page.state, GONE)
    same(a.counts(), {name: (n, n) for name, n in calls.items()})


@case
def matched_in_numbers():
    """Many at once, which then die in an odd order: memory comes back."""
    if not os.path.isdir("/proc/self"):
        return

    def work():
        made = [make(f"def f():\n    return {i}\n") for i in range(20000)]
        for f in made:
            f()
        del made[::3]
        for f in made:
            f()
        del f
        made.clear()
    work()
    a = Agent([names("f")])
    with a:
        work()
        maps = sum(1 for _ in open("/proc/self/maps"))
        small = resident()
        for _ in range(12):
            work()
        same(abs(sum(1 for _ in open("/proc/self/maps")) - maps) < 40, True)
        # Without us the interpreter's own memory creeps by 7 MB; what is kept of each would be 60 MB.
        same(resident() - small < 25000, True, (small, resident()))
    n = 13 * (20000 + 20000 - 6667)
    same(a.total(), (n, n))
    same(a.page.nfunctions, 1)


@case
def methods_of_one_line():
    """Two methods of one line and name in classes of different names have a record each."""
    source = "class {0}:\n    def m(self):\n        return 1\n"
    with Agent([filter_(any_=[[term(QUALNAME, GLOB, "?.m")]])]) as a:
        for name in "ABA":
            make(source.format(name), name)().m()
    same(a.counts("qualname"), {"A.m": (2, 2), "B.m": (1, 1)})
