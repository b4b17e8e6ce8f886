# SPDX-License-Identifier: Apache-2.0
"""A generator that is closed early, where it can run code on the way out; and one that is dropped."""
from workload import inside, outside, ready, truth


def target():
    try:
        inside()
        yield 1
        yield 2
    finally:
        inside()


ready()
for _ in range(100):
    generator = target()
    next(generator)
    outside()
    generator.close()
    outside()
for _ in range(100):
    generator = target()
    next(generator)
    outside()
    del generator
    outside()
truth(calls=200, flat=200 * 2, outside_flat=200, outside_deep=200)
