# SPDX-License-Identifier: Apache-2.0
"""A generator that is closed where nothing can catch it: 3.13 and later need not run it, and then owe no return."""
import sys

from workload import ready, truth


def target():
    yield 1
    yield 2


ready()
for _ in range(100):
    generator = target()
    next(generator)
    generator.close()
truth(calls=100, returns=100 if sys.version_info < (3, 13) else None, flat=None)
