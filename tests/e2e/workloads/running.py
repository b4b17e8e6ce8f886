# SPDX-License-Identifier: Apache-2.0
"""The function is running already when the tracer comes: its return has no entry. Later calls count."""
from workload import inside, outside, ready, truth


def target(wait):
    if wait:
        ready()
    inside()


target(True)
outside()
for _ in range(100):
    target(False)
    outside()
truth(calls=100, flat=100)
