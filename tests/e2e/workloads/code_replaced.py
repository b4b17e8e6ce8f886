# SPDX-License-Identifier: Apache-2.0
"""A function whose code is replaced: what runs counts, and it goes by the name of the code."""
from workload import inside, outside, ready, truth


def target():
    inside()


def other():
    outside()


old, new = target.__code__, other.__code__
again = old.replace(co_consts=old.co_consts + (1,))
ready()
for code in (old, new, again, new, old):
    target.__code__ = code
    for _ in range(20):
        target()
        outside()
truth(calls=60, flat=60)
