# SPDX-License-Identifier: Apache-2.0
"""tracemalloc, on and off: what it tells of an object is the line that made it."""
import sys
import tracemalloc

from torture import check, run


def make():
    return bytearray(1000), sys._getframe().f_lineno


def turn(function):
    tracemalloc.start(5)
    for n in range(20):
        check("result", function(n), n + 1)
        made, number = make()
        where = tracemalloc.get_object_traceback(made)[-1]
        check("where", (where.filename, where.lineno), (__file__, number))
    snapshot = tracemalloc.take_snapshot()
    check("snapshot", len(snapshot.traces) > 0, True)
    tracemalloc.stop()
    for n in range(20):
        check("result", function(n), n + 1)
    return 40


run(turn)
