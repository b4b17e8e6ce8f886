# SPDX-License-Identifier: Apache-2.0
"""Two functions that call each other."""
from workload import inside, outside, ready, truth

ROUNDS, DEPTH = 20, 30


def target(depth):
    inside()
    if depth > 1:
        other(depth)
    inside()


def other(depth):
    inside()
    target(depth - 1)
    inside()


ready()
for _ in range(ROUNDS):
    other(DEPTH + 1)
    outside()
# Per round: DEPTH entries of target, and DEPTH - 1 of other while target is active.
truth(calls=ROUNDS * DEPTH, flat=ROUNDS * (2 * DEPTH), deep=ROUNDS * (4 * DEPTH - 2))
