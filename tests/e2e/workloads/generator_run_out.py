# SPDX-License-Identifier: Apache-2.0
"""A generator that runs out. It is entered when its body first runs, and has not returned while it is suspended."""
from workload import inside, outside, ready, truth


def target(n):
    inside()
    for i in range(n):
        yield i
        inside()


ready()
for _ in range(100):
    generator = target(5)
    outside()
    for _ in generator:
        outside()
    outside()
truth(calls=100, flat=100 * 6, outside_flat=100 * 5, outside_deep=100 * 5)
