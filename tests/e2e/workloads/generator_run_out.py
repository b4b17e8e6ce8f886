# SPDX-License-Identifier: Apache-2.0
"""A generator that runs out. It does not run while it is suspended: what others do then is not its own."""
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
truth(calls=100 * 6, flat=100 * 6)
