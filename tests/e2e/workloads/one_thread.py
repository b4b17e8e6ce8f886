# SPDX-License-Identifier: Apache-2.0
"""One thread, a thousand calls."""
from workload import inside, outside, ready, truth


def target():
    inside()
    helper()
    inside()


def helper():
    inside()


ready()
for _ in range(1000):
    outside()
    target()
    outside()
truth(calls=1000, flat=3000)
