# SPDX-License-Identifier: Apache-2.0
"""Where functions come from and what they are called."""
import functools
import os
import sys
import tempfile

from agentlib import EQ, FILE, GLOB, MODULE, NAME, NE, QUALNAME, Agent, filter_, names, term
from caselib import NEW, PYTHON311, case, run, same


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


if not NEW and not PYTHON311:
    LOOKS_MAX = 7 * 300 + 2000 + 1000  # qualname.c: its stages

    def module_of(n, source="", **names_first):
        """A module's names: some, then n functions, then those of a source."""
        ns = dict(names_first, __name__="big")
        exec(compile("".join(f"def n{i}():\n    return {i}\n" for i in range(n)) + source, "big.py", "exec"), ns)
        return ns

    @case
    def qualname_bounded():
        """However large a module is, what is looked at for a new function of it is bounded; each gets one name."""
        deep = "lambda: " * 30 + "1"
        for made in (module_of(50000), module_of(0, "".join(f"class n{i}:\n    a = b = c = d = 1\n" for i in range(20000))),
                     module_of(0, "def n():\n    return [" + ",".join(["lambda: 1"] * 30000) + "]\n"),
                     module_of(0, f"def n():\n    return [{','.join(str(i) for i in range(1000, 40000))}]\n"),
                     module_of(0, f"def n():\n    return {deep}\n"), {f"n{i}": dict for i in range(50000)}):
            calls = [eval(compile("\n" * 200000 + "lambda: 1", "big.py", "eval"), made) for _ in range(50)]
            with Agent([filter_(any_=[[term(QUALNAME, GLOB, "*lambda>")]])]) as a:
                for f in calls:
                    looks = a.page.looks
                    f()
                    same(0 < a.page.looks - looks <= LOOKS_MAX, True, a.page.looks - looks)
            same(a.counts("qualname"), {"<lambda>": (50, 50)})
            same(a.page.nfunctions, 1)

    @case
    def qualname_in_callers():
        """The looks of each caller add up to no more than that, though each has thousands of constants."""
        numbers = ", ".join(str(i) for i in range(1000, 3000))
        source = "def f0():\n    return 0\n"
        for i in range(12):
            body = source.replace("\n", "\n    ")
            source = f"def f{i + 1}():\n    x = [{numbers}]\n    {body}\n    return f{i}()\n"
        made = module_of(5000, source)
        with Agent([filter_(any_=[[term(QUALNAME, GLOB, "*f0")]])]) as a:
            made["f12"]()
        same(0 < a.page.looks <= LOOKS_MAX, True, a.page.looks)
        same(a.total(), (1, 1))
        same(a.functions()[0]["qualname"].endswith("f1.<locals>.f0"), True, a.functions())

    @case
    def qualname_found():
        """In a module of a thousand names, and among many functions that stand between."""
        between = "".join(f"    def between{i}():\n        return {i}\n" for i in range(6))
        source = f"""class A:
    @staticmethod
    def static():
        return 1
    class B:
        @property
        def prop(self):
            return (lambda: [1 for x in [1]])
def outer():
{between}    made = between0, between1, between2, between3, between4, between5
    def inner():
        def innermost():
            return 1
        return innermost
    return inner, made
between = outer()[1]
b0, b1, b2, b3, b4, b5 = between
inner = outer()[0]
lam = A.B().prop
"""
        made = module_of(1000, source)
        innermost = made["inner"]()
        with Agent([filter_(any_=[[term(MODULE, EQ, "big"), term(QUALNAME, GLOB, "*[!0-9]")]])]) as a:
            made["A"].static()
            made["lam"]()
            innermost()
        same(a.counts("qualname"), {name: (1, 1) for name in (
            "A.static", "A.B.prop.<locals>.<lambda>", "A.B.prop.<locals>.<lambda>.<locals>.<listcomp>",
            "outer.<locals>.inner.<locals>.innermost")})
