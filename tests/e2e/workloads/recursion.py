# SPDX-License-Identifier: Apache-2.0
"""A function that calls itself. After the innermost return the script of 2007 sees nothing more of the outer calls."""
from workload import inside, outside, ready, truth

ROUNDS, DEPTH = 20, 60


def target(depth):
    inside()
    if depth > 1:
        target(depth - 1)
    inside()


ready()
for _ in range(ROUNDS):
    target(DEPTH)
    outside()
truth(calls=ROUNDS * DEPTH, flat=ROUNDS * (DEPTH + 1), deep=ROUNDS * DEPTH * 2)
