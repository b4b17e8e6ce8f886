# SPDX-License-Identifier: Apache-2.0
"""cProfile, begun anew in each turn, counts right."""
import cProfile

from torture import check, run

N = 40


def raises(function, n):
    function(n)
    raise KeyError(n)


def turn(function):
    profiler = cProfile.Profile()
    profiler.enable()
    for n in range(N):
        check("result", function(n), n + 1)
        try:
            raises(function, n)
        except KeyError:
            pass
    profiler.disable()
    counted = {entry.code: entry.callcount for entry in profiler.getstats() if not isinstance(entry.code, str)}
    check("calls", (counted.get(function.__code__), counted.get(raises.__code__)), (2 * N, N))
    check("others", sorted(code.co_name for code in counted if code not in (function.__code__, raises.__code__)), ["check"])
    function(0)
    return 2 * N + 1


run(turn)
