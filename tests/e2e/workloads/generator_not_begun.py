# SPDX-License-Identifier: Apache-2.0
"""A generator that never began is never entered, closed or thrown into or not."""
from workload import outside, ready, truth


def target():
    yield 1


ready()
for _ in range(50):
    target()
    outside()
for _ in range(50):
    target().close()
    outside()
for _ in range(50):
    try:
        target().throw(KeyError)
    except KeyError:
        outside()
truth(calls=0)
