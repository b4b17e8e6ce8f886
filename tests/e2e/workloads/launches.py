# SPDX-License-Identifier: Apache-2.0
"""`python launches.py N`: starts N Pythons, one after the other, each of which calls the function three times as the first thing it
does; then it calls it once itself."""
import subprocess
import sys

from workload import inside, say

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
    subprocess.run([sys.executable, "-c", SCRIPT], check=True)
target()
say(calls=3 * int(sys.argv[1]) + 1)
