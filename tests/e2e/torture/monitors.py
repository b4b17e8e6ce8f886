# SPDX-License-Identifier: Apache-2.0
"""Other users of sys.monitoring: one that counts calls, one that works as coverage does (each line once, DISABLE, and again after
restart_events() in each turn), one with local events that come and go.

A tracer that comes calls restart_events(), as any tool may, so what is disabled may be seen once more.
"""
import sys

from torture import check, counted_like, run, target

monitoring = sys.monitoring
events = monitoring.events
N = 20
COUNTS, COVERS, LOCAL = 0, 1, 5
counted = counted_like(target)
seen = {}


def note(tool, code):
    if code in (target.__code__, counted.__code__):
        seen[tool] = seen.get(tool, 0) + 1


def started(code, offset):
    note("start", code)


def returned(code, offset, value):
    note("return", code)


def line(code, number):
    note("line", code)
    return monitoring.DISABLE


def local_start(code, offset):
    note("local", code)
    return None if seen["local"] < 3 else monitoring.DISABLE


def check_seen(when, calls, lines, local):
    check(when, {tool: seen[tool] for tool in ("start", "return")}, {"start": calls, "return": calls})
    check(when + ", those that are disabled", (seen["line"] >= lines, seen["local"] >= local), (True, True))


def turn(function):
    seen.clear()
    monitoring.restart_events()
    monitoring.set_local_events(LOCAL, function.__code__, events.PY_START)
    for n in range(N):
        check("result", function(n), n + 1)
    check_seen("events", N, 2, 3)
    monitoring.restart_events()
    function(0)
    check_seen("events after a restart", N + 1, 4, 4)
    monitoring.set_local_events(LOCAL, function.__code__, 0)
    function(0)
    check_seen("events after the local ones", N + 2, 4, 4)
    return N + 2


for tool in (COUNTS, COVERS, LOCAL):
    monitoring.use_tool_id(tool, "torture %d" % tool)
monitoring.register_callback(COUNTS, events.PY_START, started)
monitoring.register_callback(COUNTS, events.PY_RETURN, returned)
monitoring.register_callback(COVERS, events.LINE, line)
monitoring.register_callback(LOCAL, events.PY_START, local_start)
monitoring.set_events(COUNTS, events.PY_START | events.PY_RETURN)
monitoring.set_events(COVERS, events.LINE)
run(turn)
