# SPDX-License-Identifier: Apache-2.0
"""Rounds of work, one for each line on standard input, until it ends."""
import sys

from workload import inside, outside, say


def target():
    inside()
    inside()


say(function="target")
for line in sys.stdin:
    for _ in range(100):
        target()
        outside()
    say(calls=100, returns=100, flat={"getppid": 200, "geteuid": 0}, deep={"getppid": 200, "geteuid": 0})
