# SPDX-License-Identifier: Apache-2.0
"""The garbage collector: freeze and unfreeze, cycles with finalizers and weak references that call the function."""
import gc
import weakref

from torture import check, run

N = 20


class Cycle:
    function = None

    def __init__(self):
        self.self = self

    def __del__(self):
        Cycle.function(1)


def turn(function):
    Cycle.function = function
    dead = []
    gc.freeze()
    check("frozen", gc.get_freeze_count() > 1000, True)
    gc.disable()
    kept = [weakref.ref(Cycle(), lambda ref: dead.append(function(2))) for _ in range(N)]
    gc.enable()
    gc.collect()
    check("dead", (dead, [ref() for ref in kept]), ([3] * N, [None] * N))
    gc.unfreeze()
    check("frozen", gc.get_freeze_count(), 0)
    gc.collect(0)
    check("garbage", gc.garbage, [])
    return 2 * N


run(turn)
