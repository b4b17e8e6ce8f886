# SPDX-License-Identifier: Apache-2.0
"""Works, and says what signals it got meanwhile, with all that the kernel tells of each. Its argument is catch.c, compiled."""
import ctypes
import os
import signal
import sys

from workload import inside, outside, say

SA_RESTART = 0x10000000


class Caught(ctypes.Structure):
    _fields_ = [(name, ctypes.c_int) for name in ("number", "code", "pid", "uid", "value")]


library = ctypes.CDLL(sys.argv[1])
caught, ncaught = (Caught * 4096).in_dll(library, "caught"), ctypes.c_int.in_dll(library, "ncaught")
for number in (signal.SIGRTMIN + 1, signal.SIGRTMIN + 2, signal.SIGTERM, signal.SIGCHLD):
    assert library.catch_signal(int(number), SA_RESTART) == 0
calls = 0


def target():
    inside()
    os.getpgid(0)


say(function="target")
os.set_blocking(0, False)
while True:
    target()
    outside()
    calls += 1
    try:
        line = os.read(0, 1)
    except BlockingIOError:
        continue
    if not line:
        break
    say(calls=calls, caught=[[c.number, c.code, c.pid, c.uid, c.value] for c in caught[:ncaught.value]])
