# SPDX-License-Identifier: Apache-2.0
"""An exception leaves the function: that is a return. Also through a frame between, and with recursion."""
from workload import inside, outside, ready, truth


def target(depth):
    inside()
    if depth:
        between(depth)
    raise KeyError(depth)


def between(depth):
    target(depth - 1)
    inside()


ready()
for _ in range(200):
    try:
        target(0)
    except KeyError:
        outside()
for _ in range(100):
    try:
        target(4)
    except KeyError:
        outside()
truth(calls=200 + 100 * 5, flat=200 + 100 * 5)
