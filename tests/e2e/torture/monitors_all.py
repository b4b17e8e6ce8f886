# SPDX-License-Identifier: Apache-2.0
"""All tool IDs of sys.monitoring are in use, each by a tool that counts calls."""
import sys

from torture import check, run

monitoring = sys.monitoring
N = 20
seen = [0] * 6
traced = None


def counts(tool):
    def started(code, offset):
        if code is traced:
            seen[tool] += 1
    return started


def turn(function):
    global traced
    traced = function.__code__
    seen[:] = [0] * 6
    for n in range(N):
        check("result", function(n), n + 1)
    check("events", seen, [N] * 6)
    return N


for each in range(6):
    monitoring.use_tool_id(each, "torture %d" % each)
    monitoring.register_callback(each, monitoring.events.PY_START, counts(each))
    monitoring.set_events(each, monitoring.events.PY_START)
run(turn)
