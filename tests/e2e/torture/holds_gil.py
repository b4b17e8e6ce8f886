# SPDX-License-Identifier: Apache-2.0
"""Is in C code of the interpreter's own that holds the GIL, for a second or more each time, except in a window."""
from torture import check, run, target

N = 50000000


def turn(function):
    n = N if function is target else 1000
    check("sum", sum(range(n)), n * (n - 1) // 2)
    for i in range(20):
        check("result", function(i), i + 1)
    return 20


run(turn)
