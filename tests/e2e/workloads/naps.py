# SPDX-License-Identifier: Apache-2.0
"""Sleeps inside of the function, in the way that the line says, and answers with how long that was."""
import select
import sys
import time

from workload import inside, say

NAP = 0.3
WAYS = {
    "poll": lambda: select.poll().poll(NAP * 1000),
    "sleep": lambda: time.sleep(NAP),
    "select": lambda: select.select([], [], [], NAP),
}


def target(how):
    inside()
    begin = time.monotonic()
    WAYS[how]()
    took = time.monotonic() - begin
    inside()
    return took


say(function="target")
for line in sys.stdin:
    say(took=target(line.strip()), nap=NAP)
