# SPDX-License-Identifier: Apache-2.0
"""Interpreters that share the GIL, the one made before the tracer comes, the other, and what it is replaced by, after that."""
import subinterpreter as sub
from workload import inside, outside, ready, truth

CALLS = 700


def target():
    inside()


before = sub.create(own_gil=False)
ready()
for n in range(3):
    later = sub.create(own_gil=False)
    sub.run(before, f"many({CALLS})")
    sub.run(later, f"many({CALLS})")
    target()
    outside()
    sub.destroy(later)
sub.destroy(before)
truth(calls=6 * CALLS + 3, flat=6 * CALLS + 3)
