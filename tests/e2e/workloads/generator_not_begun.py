# SPDX-License-Identifier: Apache-2.0
"""A generator that never began is never entered. On 3.9 and 3.10 closing it still reaches the evaluator."""
import sys

from workload import outside, ready, truth


def target():
    yield 1


ready()
for _ in range(50):
    target()
    outside()
if sys.version_info >= (3, 11):
    for _ in range(50):
        target().close()
        outside()
truth(calls=0)
