# SPDX-License-Identifier: Apache-2.0
"""A filter that wants some kinds of entries and returns gets those, and what nobody wants is not switched on."""
import contextlib
import itertools
import sys

from agentlib import ALL_KINDS, ENTRY, EQ, KINDS, NAME, RETURN, Agent, filter_, term
from caselib import NEW, case, same

TOOL = 4


def gen():
    try:
        yield 1
        yield 2
    except KeyError:
        yield 3


def plain(n):
    if n == 0:
        raise KeyError
    return n


def work():
    for _ in range(10):
        plain(1)
        with contextlib.suppress(KeyError):
            plain(0)
        list(gen())
        g = gen()
        next(g)
        g.throw(KeyError())
        with contextlib.suppress(ValueError):
            g.throw(ValueError())


TRUTH = {"start": 40, "resume": 20, "throw": 20, "return": 20, "yield": 40, "unwind": 20}


def wanting(events, kinds, name=None):
    return filter_(events, any_=[[term(NAME, EQ, n)] for n in ([name] if name else ["gen", "plain"])], kinds=kinds)


def wanted_of(events, kinds):
    return {KINDS[e][k]: TRUTH[KINDS[e][k]] for e in events for k in range(3) if kinds >> k & 1}


def counted(a):
    out = {}
    for _, kind, _ in a.runs():
        out[kind] = out.get(kind, 0) + 1
    return out


@case
def kinds_alone():
    for events in (ENTRY,), (RETURN,), (ENTRY, RETURN):
        for kinds in range(ALL_KINDS + 1):
            with Agent([wanting(events, kinds)]) as a:
                work()
            same(counted(a), wanted_of(events, kinds), (events, kinds))


@case
def kinds_of_several():
    """Each event comes with the filters that want its kind, and only these."""
    filters = [((ENTRY,), 1), ((ENTRY, RETURN), 6), ((RETURN,), 5), ((ENTRY, RETURN), ALL_KINDS)]
    with Agent([wanting(*f) for f in filters]) as a:
        work()
    for i, f in enumerate(filters):
        got = {}
        for e in a.events():
            if e.filters >> i & 1:
                kind = KINDS[e.event][e.kind]
                got[kind] = got.get(kind, 0) + 1
        same(got, wanted_of(*f), f)


@case
def kinds_by_function():
    """What one function's filter wants is not switched on for the other."""
    with Agent([wanting((ENTRY, RETURN), 1, "plain"), wanting((ENTRY, RETURN), 2, "gen")]) as a:
        work()
        if NEW:
            local = sys.monitoring.get_local_events(TOOL, plain.__code__), sys.monitoring.get_local_events(TOOL, gen.__code__)
            same(local, (sys.monitoring.events.PY_RETURN, sys.monitoring.events.PY_YIELD))
    got = {(name, kind): len(list(some)) for (name, kind), some in itertools.groupby(sorted(a.runs()), lambda r: r[:2])}
    same(got, {("plain", "start"): 20, ("plain", "return"): 10, ("gen", "resume"): 20, ("gen", "yield"): 40})


@case
def kinds_not_wanted_are_off():
    """A script for starts alone has no event but the start; none but its own is kept on for one that wants others."""
    if not NEW:
        return
    e = sys.monitoring.events
    everywhere = e.PY_START | e.PY_RESUME | e.PY_THROW
    local = sys.version_info >= (3, 15)  # before, an unwind cannot be
    for events, kinds, all_of_them, own in (
            ((ENTRY,), 1, e.PY_START, 0), ((ENTRY,), 2, everywhere, 0), ((RETURN,), 1, everywhere, e.PY_RETURN),
            ((RETURN,), 2, everywhere, e.PY_YIELD),
            ((RETURN,), 4, everywhere | (0 if local else e.PY_UNWIND), e.PY_UNWIND if local else 0)):
        with Agent([wanting(events, kinds)]) as a:
            work()
            got = sys.monitoring.get_events(TOOL), sys.monitoring.get_local_events(TOOL, gen.__code__)
        same(got, (all_of_them, own), (events, kinds))
        same(sys.monitoring.get_tool(TOOL), None)
        same(a.page.seen > 0, True)


@case
def kinds_of_a_generator_begun_before():
    """Returns alone, or yields alone, are seen of it too: from its next resume on."""
    for kinds, want in (1, {"return": 1}), (2, {"yield": 1}), (3, {"yield": 1, "return": 1}):
        for after in False, True:  # is the function called while the agent is there?
            g = gen()
            next(g)
            with Agent([wanting((RETURN,), kinds)]) as a:
                list(g)
                plain(1) if after else None
            got = counted(a)
            if after and "return" in want:
                got["return"] -= 1
            same(got, want)
