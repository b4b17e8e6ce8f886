# SPDX-License-Identifier: Apache-2.0
"""What the cases share. A case is a function; each runs in a process of its own (cases.py)."""
import sys

from agentlib import ACTIVE, GONE, Agent, names

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
