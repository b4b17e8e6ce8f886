# SPDX-License-Identifier: Apache-2.0
"""`python launches.py N [now]`: starts N Pythons, one after the other, each of which calls the function three times, as soon as it has
an agent; with `now` as the first thing it does. Then it calls it once itself."""
import subprocess
import sys

from workload import inside, say

WAIT = """
import time
while "pydtrace-agent" not in open("/proc/self/maps").read():
    time.sleep(0.005)
"""
SCRIPT = """
def target():
    pass
target()
target()
target()
"""


def target():
    inside()


for _ in range(int(sys.argv[1])):
    subprocess.run([sys.executable, "-c", SCRIPT if sys.argv[2:] else WAIT + SCRIPT], check=True)
target()
say(calls=3 * int(sys.argv[1]) + 1)
