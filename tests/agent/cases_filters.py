# SPDX-License-Identifier: Apache-2.0
"""What filters match, and the room for what matches."""
import contextlib
import ctypes
import os
import sys
import tempfile

from agentlib import (ACTIVE, ENTRY, EQ, FAILED, FILE, GE, GLOB, GONE, LE, LINE, LT, GT, MODULE, NAME, NE, QUALNAME,
                      RETURN, Agent, Refused, filter_, names, term)
from caselib import case, same


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
        same(a.total(), (3 * n, 3 * n))
        same(a.page.dropped_events, 2 * 3 * (100 - n))


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
