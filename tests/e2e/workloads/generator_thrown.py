# SPDX-License-Identifier: Apache-2.0
"""Exceptions thrown into a generator: caught inside, where it goes on; and not caught, where it ends."""
from workload import inside, outside, ready, truth


def target():
    while True:
        try:
            yield inside()
        except KeyError:
            inside()


ready()
for _ in range(100):
    generator = target()
    next(generator)
    outside()
    generator.throw(KeyError)
    outside()
    try:
        generator.throw(ValueError)
    except ValueError:
        outside()
truth(calls=100, flat=100 * 3, outside_flat=200, outside_deep=200)
