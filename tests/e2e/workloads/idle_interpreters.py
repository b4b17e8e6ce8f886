# SPDX-License-Identifier: Apache-2.0
"""Two interpreters beside the main one, one of them with a GIL of its own where there is such, that run only when told to."""
import sys

import subinterpreter as sub
from workload import say

CALLS = 10

beside = [sub.create(own_gil=False), sub.create(own_gil=True)]
say(function="target")
for line in sys.stdin:
    if line == "\n":
        break
    for number in beside:
        sub.run(number, f"many({CALLS})")
    say(calls=CALLS * len(beside))
for number in beside:
    sub.destroy(number)
