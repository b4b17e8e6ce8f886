# SPDX-License-Identifier: Apache-2.0
"""Is in C code of the interpreter's own that holds the GIL, for a good part of a second each time."""
from torture import check, run

N = 10000000


def turn(function):
    check("sum", sum(range(N)), N * (N - 1) // 2)
    for n in range(20):
        check("result", function(n), n + 1)
    return 20


run(turn)
