# SPDX-License-Identifier: Apache-2.0
"""What is thrown into a chain of `yield from` runs the innermost alone, until that ends: then the next one is thrown into."""
from workload import inside, outside, ready, truth


def target(depth):
    try:
        if depth:
            yield from target(depth - 1)
        else:
            while True:
                try:
                    yield inside()
                except KeyError:
                    inside()
    finally:
        inside()


ready()
for _ in range(100):
    generator = target(2)
    next(generator)
    outside()
    generator.throw(KeyError)
    outside()
    next(generator)
    outside()
    try:
        generator.throw(ValueError)
    except ValueError:
        outside()
# next(): three entries; KeyError: one; ValueError: one after the other. Then the script of 2007 sees each one's last call.
truth(calls=100 * (3 + 1 + 3 + 3), flat=100 * (1 + 2 + 1 + 3))
