# SPDX-License-Identifier: Apache-2.0
"""The walk over the functions that are loaded, called or not."""
import functools
import gc
import os
import sys
import types
import weakref

from agentlib import EQ, GLOB, GONE, MODULE, NAME, QUALNAME, Agent, filter_, term
from caselib import FREE_THREADED, case, same

EAGAIN, ESRCH, ENOTSUP = -11, -3, -95
COMPREHENSIONS = sys.version_info < (3, 12)  # are functions of their own (PEP 709)
OLD = sys.version_info < (3, 11)  # no co_qualname


def walk_case(f):
    """A case; without a GIL, where others change what is looked at meanwhile, there is no walk, and that is said."""
    @functools.wraps(f)
    def run():
        if not FREE_THREADED:
            return f()
        a = Agent([of("walked")], hook=False, mail=False).init()
        same(a.walk_slice(), (ENOTSUP, []))
        same(a.fini(), 0)
    return case(run)


def module(name, source):
    m = types.ModuleType(name)
    sys.modules[name] = m
    exec(compile(source, name + ".py", "exec"), m.__dict__)
    return m


def walk(a, between=lambda: None):
    """All slices of a walk: the names, and how many slices."""
    names = []
    for n in range(1, 10000):
        err, part = a.walk_slice()
        names += part
        if err != EAGAIN:
            same(err, 0)
            return names, n
        between()
    raise AssertionError("no end")


def listed(*filters, between=lambda: None, **page):
    a = Agent(list(filters), hook=False, mail=False)
    a.page.only = 1
    for key, value in page.items():
        setattr(a.page, key, value)
    a.init()
    names, slices = walk(a, between)
    same((a.fini(), a.page.state, a.page.tool_id), (0, GONE, -1))
    return names, slices, a


def memory():
    """kB of addresses; 0 where there is no /proc."""
    if not os.path.exists("/proc/self/status"):
        return 0
    with open("/proc/self/status") as f:
        return int(f.read().split("VmSize:")[1].split()[0])


def of(name):
    return filter_(any_=[[term(MODULE, EQ, name)]])


SOURCE = """
import functools

def plain(a, key=lambda x: x):
    def inner():
        return [i for i in a]
    return inner

def generator():
    yield from (i for i in ())

async def coroutine():
    pass

def wraps(f):
    @functools.wraps(f)
    def wrapper(*args):
        return f(*args)
    return wrapper

class Wrapped:
    def __init__(self, f):
        self.f = f

@wraps
def decorated():
    pass

@wraps
@functools.lru_cache(None)
def cached():
    pass

@Wrapped
def held():
    pass

class Class:
    class Inner:
        def method(self):
            class Local:
                def deep(self):
                    pass
            return Local
    def method(self):
        pass
    @staticmethod
    def static():
        pass
    @classmethod
    def cls(cls):
        pass
    @property
    def prop(self):
        pass
    @prop.setter
    def prop(self, value):
        pass
    @functools.cached_property
    def once(self):
        pass
    @functools.wraps(method)
    def renamed(self):
        pass

table = {"a": [lambda: 1], "b": (lambda: 2, 3)}
bound = Class().method
partial = functools.partial(lambda x: 3, 1)
exec("def made():\\n    pass\\n", globals())
space = {"__name__": "elsewhere"}
exec("def other():\\n    return private()\\ndef private():\\n    pass\\n", space)
other = space["other"]
"""
LINES = SOURCE.splitlines()


def line(text, nth=0):
    return [i + 1 for i, each in enumerate(LINES) if text in each][nth]


FUNCTIONS = [
    ("plain", line("def plain")), ("<lambda>", line("key=lambda")), ("plain.<locals>.inner", line("def inner")),
    ("generator", line("def generator")), ("generator.<locals>.<genexpr>", line("yield from")),
    ("coroutine", line("async def")), ("wraps", line("def wraps")), ("wraps.<locals>.wrapper", line("@functools.wraps(f)")),
    ("Wrapped.__init__", line("def __init__")), ("decorated", line("@wraps")), ("cached", line("@wraps", 1)),
    ("held", line("@Wrapped")), ("Class.Inner.method", line("def method")),
    ("Class.Inner.method.<locals>.Local", line("class Local")),
    ("Class.Inner.method.<locals>.Local.deep", line("def deep")), ("Class.method", line("def method", 1)),
    ("Class.static", line("@staticmethod")), ("Class.cls", line("@classmethod")), ("Class.prop", line("@property")),
    ("Class.prop", line("@prop.setter")), ("Class.once", line("@functools.cached_property")),
    ("<lambda>", line("table =")), ("<lambda>", line("partial =")), ("made", 1),
    # Its name says that it is another; where code has no name of its own all that is left is that of the code.
    ("renamed" if OLD else "Class.renamed", line("@functools.wraps(method)")),
]
if COMPREHENSIONS:
    FUNCTIONS.append(("plain.<locals>.inner.<locals>.<listcomp>", line("return [i")))


@walk_case
def walk_finds_all():
    """Each function of a module once, by name and line, whatever holds it; also those of a namespace that is no module."""
    module("walked", SOURCE)
    names, _, _ = listed(of("walked"))
    same(sorted((f["qualname"], f["line"]) for f in names), sorted(FUNCTIONS))
    same({f["file"] for f in names if f["qualname"] != "made"}, {"walked.py"})
    same({(f["module"], f["filters"]) for f in names}, {("walked", 1)})
    names, _, _ = listed(of("elsewhere"))
    same(sorted((f["qualname"], f["file"]) for f in names), [("other", "<string>"), ("private", "<string>")])


@walk_case
def walk_names_are_those_of_events():
    """What is listed of a function is what its events have."""
    m = module("walked", SOURCE)
    names, _, _ = listed(of("walked"))
    a = Agent([of("walked")], hook=False, mail=False)
    with a:
        m.plain([1])()
        m.generator().close()
        list(m.generator())
        m.decorated()
        m.cached()
        m.Class.Inner().method()().deep()
        m.Class().once, m.Class().prop, m.Class.static(), m.Class.cls(), m.Class().renamed(), m.bound(), m.made()
        m.partial()
    listed_ = {(f["qualname"], f["line"]) for f in names}
    for f in a.functions():
        same((f["qualname"], f["line"]) in listed_, True, (f, sorted(listed_)))


@walk_case
def walk_runs_no_python():
    """Descriptors, attributes and keys with code of their own are passed by."""
    ran = []
    m = module("walked", """
def module_attribute(name):
    RAN.append(name)
class Meta(type):
    def __getattribute__(cls, name):
        RAN.append(name)
        return super().__getattribute__(name)
class Odd(metaclass=Meta):
    def __get__(self, *args):
        RAN.append("get")
    def __getattribute__(self, name):
        RAN.append(name)
    def __eq__(self, other):
        RAN.append("eq")
    def __hash__(self):
        RAN.append("hash")
        return HASH
    def __bool__(self):
        RAN.append("bool")
    def __len__(self):
        RAN.append("len")
    def __del__(self):
        RAN.append("del")
class Holds:
    odd = Odd()
odd = Odd()
""")
    m.RAN, m.HASH = ran, hash("__name__")
    m.__getattr__ = m.module_attribute
    space = {m.Odd(): 1, "__name__": "spaced"}
    exec("def f():\n    pass\n", space)
    m.f = space["f"]
    del ran[:]
    names, _, _ = listed(of("walked"), of("spaced"))
    same(ran, [])
    same(len(names), 10)
    same([f["qualname"] for f in names if f["filters"] == 2], ["f"])
    type.__delattr__(m.Odd, "__del__")


@walk_case
def walk_leaves_nothing():
    """No reference is kept, nor made: what dies between two slices dies there and then."""
    m = module("walked", SOURCE)
    many = module("many", "".join(f"def f{i}():\n    pass\n" for i in range(5000)))
    objects = [m, m.__dict__, m.plain, m.plain.__code__, m.Class, m.Class.__dict__["static"], m.table, m.held]
    gc.collect()
    before = [sys.getrefcount(o) for o in objects]
    dead = []

    def between():
        same([sys.getrefcount(o) for o in objects], before)
        for i in list(many.__dict__)[-50:]:
            ref = weakref.ref(many.__dict__.pop(i), dead.append) if i.startswith("f") else None
            same(ref and ref(), None)
    names, slices, _ = listed(filter_(any_=[[]]), between=between)
    same(slices > 3, True, slices)
    same(len(dead) > 100, True)
    same([sys.getrefcount(o) for o in objects], before)
    same(sum(f["module"] == "walked" for f in names), len(FUNCTIONS))


@walk_case
def walk_in_slices():
    """100,000 functions: each once, in a bounded number of slices, of which none looks at too much."""
    module("many", "".join(f"def f{i}():\n    pass\n" for i in range(100000)))
    names, slices, a = listed(of("many"))
    same(sorted(int(f["qualname"][1:]) for f in names) == list(range(100000)), True)
    same(200 < slices < 400, True, slices)
    same(a.page.partial, 0)
    # Patterns that few match are faster, as nothing is put down.
    names, few, _ = listed(filter_(any_=[[term(MODULE, GLOB, "m*y"), term(QUALNAME, GLOB, "f9999?")]]))
    same(sorted(f["qualname"] for f in names), [f"f9999{i}" for i in range(10)])
    same(few < slices * 3 // 4, True, (few, slices))
    a = Agent([of("many")], hook=False, mail=False).init()
    before = memory()
    while a.walk_() == EAGAIN:
        pass
    same(memory() - before < 1000, True)  # it took several times as much
    a.fini()


@walk_case
def walk_while_it_changes():
    """What is there from the beginning to the end is found once, whatever else comes and goes between two slices."""
    kept = [f"kept{i}" for i in range(20000)]
    m = module("many", "".join(f"def gone{n}():\n    pass\ndef {n}():\n    pass\n" for n in kept))
    rounds = [0]

    def between():
        rounds[0] += 1
        i = rounds[0]
        for n in kept[(i * 37) % 20000:][:300]:
            m.__dict__.pop("gone" + n, None)
        for k in range(200):  # until the dictionary has to be made anew
            exec(f"def new{i}_{k}():\n    pass\n", m.__dict__)
        sys.modules[f"other{i}"] = types.ModuleType("other")
        if i % 3 == 0:
            sys.modules.pop(f"other{i - 1}")
        if i == 20:  # the last one: it is put behind all others
            sys.modules["many"] = sys.modules.pop("many")
        if i == 30:
            sys.modules = dict(sys.modules)
    names, slices, a = listed(of("many"), between=between)
    found = [f["qualname"] for f in names if f["qualname"].startswith("kept")]
    same(sorted(found) == sorted(kept), True, (len(found), slices, a.page.partial))


@walk_case
def walk_while_traced():
    """The same agent traces and walks; both are told which descriptions have matched something."""
    module("walked", SOURCE)

    def called():
        pass
    me = term(MODULE, EQ, __name__)
    a = Agent([filter_(any_=[[me, term(NAME, EQ, "called")], [term(NAME, EQ, "nobody")], [me, term(NAME, GLOB, "cal*")]]),
               filter_(any_=[[term(MODULE, EQ, "walked"), term(QUALNAME, GLOB, "Class.*")]])], hook=False, mail=False)
    a.init()
    hits = lambda: list(a.file[a.page.hits:a.page.hits + 4])  # noqa: E731
    same(hits(), [0, 0, 0, 0])
    called()
    same(hits(), [1, 0, 1, 0])
    names, _ = walk(a)
    same(hits(), [1, 0, 1, 1])
    same({f["filters"] for f in names}, {1, 2})
    called()
    a.page.all = 1
    names, _ = walk(a)
    same(len(names) > 500, True)
    err, _ = a.walk_slice()
    same(err, EAGAIN)
    a.page.end = 1
    same(a.walk_slice(), (0, []))
    a.page.end = 0
    same(a.walk_slice()[0], EAGAIN)
    same(a.fini(), 0)
    same(a.walk_(), ESRCH)
    same(a.counts()["called"], (0, 0))  # no hook, but there are records of the one that was called
    same(a.page.events[0], 2)


@walk_case
def walk_not_in_children():
    a = Agent([of("walked")], hook=False, mail=False)
    a.init()
    same(a.walk_slice()[0] in (0, EAGAIN), True)
    child = os.fork()
    if not child:
        os._exit(0 if a.walk_() == ESRCH else 1)
    same(os.waitpid(child, 0)[1], 0)
    a.fini()


@walk_case
def walk_long_and_odd_names():
    """Names are cut where they are too long, and are bytes."""
    m = types.ModuleType("m" * 5000)
    sys.modules["walked"] = m
    exec("def f():\n    pass\n", m.__dict__)
    m.f.__code__ = m.f.__code__.replace(co_name="n" * 9000, co_filename="\udcff\n\x1b[31m")
    m.g = functools.partial(print)
    odd = types.ModuleType("odd")
    sys.modules["odd"] = odd
    odd.__name__ = 7
    exec("def f():\n    pass\n", odd.__dict__)
    names, _, _ = listed(filter_(any_=[[term(MODULE, GLOB, "mmm*")], [term(MODULE, EQ, "")]]))
    long = [f for f in names if f["module"]]
    same([(f["module"], f["file"]) for f in long], [("m" * 4088, "\udcff\n\x1b[31m")])
    same([f["qualname"] for f in names if not f["module"] and f["file"] == "<string>"], ["f"])
