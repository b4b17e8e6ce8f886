# SPDX-License-Identifier: Apache-2.0
"""Calls the function as often as the line says, and answers with the signals that it got meanwhile."""
import os
import signal
import sys

from workload import inside, say

got = []


def target():
    inside()
    os.getpgid(4242)


signal.signal(signal.SIGUSR1, lambda number, frame: got.append(number))
try:
    target()
except ProcessLookupError:
    pass
say(function="target")
for line in sys.stdin:
    for _ in range(int(line)):
        try:
            target()
        except ProcessLookupError:
            pass
    say(got=got)
