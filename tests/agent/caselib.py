# SPDX-License-Identifier: Apache-2.0
"""What the cases share. A case is a function; each runs in a process of its own (cases.py)."""
import gc
import sys
import sysconfig

from agentlib import ACTIVE, GONE, Agent, names

CASES = {}
NEW = sys.version_info >= (3, 12)
FREE_THREADED = bool(sysconfig.get_config_var("Py_GIL_DISABLED"))
PYTHON311 = sys.version_info[:2] == (3, 11)


def case(f):
    CASES[f.__name__] = f
    return f


def same(got, want, what=""):
    if got != want:
        raise AssertionError(f"{what}: got {got!r}, want {want!r}")


def freed():
    """Code objects that nothing refers to are gone after this: without a GIL the collector frees them, with one they are."""
    if FREE_THREADED:
        gc.collect()


def close_runs_nothing():
    """3.13 closes a generator that cannot catch it without running it; gh-140373 made that seen again."""
    return (3, 13) <= sys.version_info < (3, 13, 10) or (3, 14) <= sys.version_info < (3, 14, 1)


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


def lives(runs):
    """[(name, "start yield ...")] of each call, in the order in which they are first seen, from Agent.runs(). Proves that a
    return is always that of the call that was entered last: true of one thread without greenlets."""
    out, alive, inside = [], {}, []
    for name, kind, call in runs:
        if kind == "start" or call not in alive:
            alive[call] = len(out)
            out.append((name, []))
        which = alive[call]
        same(out[which][0], name, "name of the call")
        out[which][1].append(kind)
        if kind in ("start", "resume", "throw"):
            inside.append(which)
        else:
            same(inside.pop(), which, f"the call that {kind} is of")
        if kind in ("return", "unwind"):
            del alive[call]
    same(inside, [], "calls that are not left")
    return [(name, " ".join(kinds)) for name, kinds in out]


def run_lives(work, *wanted, **kw):
    """The lives of the calls of the wanted functions while work() runs."""
    with Agent([names(*wanted)], **kw) as a:
        work()
    a.total()
    return lives(a.runs())
