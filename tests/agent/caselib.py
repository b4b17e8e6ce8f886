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
