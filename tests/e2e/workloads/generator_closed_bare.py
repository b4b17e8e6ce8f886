# SPDX-License-Identifier: Apache-2.0
"""A generator that is closed where nothing can catch it: some of 3.13 and 3.14 do not run it for that (gh-140373)."""
import sys

from workload import outside, ready, truth


def target():
    yield 1
    yield 2


RUNS = not ((3, 13) <= sys.version_info < (3, 13, 10) or (3, 14) <= sys.version_info < (3, 14, 1))

ready()
for _ in range(100):
    generator = target()
    next(generator)
    outside()
    generator.close()
    outside()
truth(calls=200 if RUNS else 100)
