# SPDX-License-Identifier: Apache-2.0
"""Code objects with odd names."""
from workload import inside, outside, ready, truth


def target():
    inside()


spaced = type(target)(target.__code__.replace(co_name="two words %s"), globals())
empty = type(target)(target.__code__.replace(co_name=""), globals())
ready("two words %s")
for _ in range(50):
    spaced()
    empty()
    target()
    outside()
truth(calls=50, flat=50)
