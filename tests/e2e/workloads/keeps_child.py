# SPDX-License-Identifier: Apache-2.0
"""Forks a child when it is told to, and says its process ID. Both go on calling the function until they are told to end."""
import os
import select
import sys
import threading
import time
import warnings

from workload import say

warnings.simplefilter("ignore")  # 3.12: it forks with a thread beside


def target(n):
    return n + 1


def live(until):
    while not select.select([until], [], [], 0.002)[0]:
        assert sum(target(n) for n in range(10)) == 55


def beside():
    while True:
        target(1)
        time.sleep(0.002)


threading.Thread(target=beside, daemon=True).start()
children = []
say(function="target")
while True:
    live(0)
    line = os.read(0, 64)
    if line.strip() != b"fork":
        break
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(w)
        live(r)
        os._exit(0)
    os.close(r)
    children.append((pid, w))
    say(child=pid)
wrong = []
for pid, w in children:
    os.close(w)
    status = os.waitpid(pid, 0)[1]
    if status:
        wrong.append(status)
if wrong:
    say(wrong=wrong)
sys.stdout.flush()
