# SPDX-License-Identifier: Apache-2.0
"""Becomes another program inside of the function, from the thread that the argument names; that one makes system calls, too."""
import os
import sys
import threading

from workload import inside, ready

NEXT = """
import json, os
for _ in range(25):
    os.getppid()
print(json.dumps({"calls": 1, "flat": {"getppid": 27}}), flush=True)
os.read(0, 1)
"""


def target():
    inside()
    inside()
    os.execv(sys.executable, [sys.executable, "-Sc", NEXT])


ready()
if sys.argv[1] == "main":
    target()
else:
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
