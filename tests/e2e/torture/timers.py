# SPDX-License-Identifier: Apache-2.0
"""A timer of 1 kHz whose handler is Python's and calls the function, in the midst of whatever runs; another whose handler is
a function of the C library, so that only system calls are broken off."""
import ctypes
import os
import signal
import time

from torture import check, counted_like, run, target

libc = ctypes.CDLL(None)
libc.signal.restype = ctypes.c_void_p
counted = counted_like(target)
made = {target: [], counted: []}  # one entry for each call from the handler; appending is atomic
now = target
r, w = os.pipe()


def handler(number, frame):
    function = now
    made[function].append(None)
    check("result in the handler", function(number), number + 1)


def turn(function):
    global now
    before = len(made[function])
    now = function
    begin = time.monotonic()
    time.sleep(0.003)
    check("short sleep", time.monotonic() - begin < 0.003, False)
    for n in range(50):
        check("result", function(n), n + 1)
        os.write(w, b"text")
        check("pipe", os.read(r, 100), b"text")
    now = target
    return 50 + len(made[function]) - before


def go():
    libc.signal(int(signal.SIGPROF), ctypes.cast(libc.abs, ctypes.c_void_p))
    signal.signal(signal.SIGALRM, handler)
    signal.setitimer(signal.ITIMER_REAL, 0.001, 0.001)
    signal.setitimer(signal.ITIMER_PROF, 0.001, 0.001)


def rest():
    signal.setitimer(signal.ITIMER_REAL, 0)
    signal.setitimer(signal.ITIMER_PROF, 0)
    time.sleep(0.002)
    signal.signal(signal.SIGALRM, signal.SIG_DFL)


run(turn, (target, counted), go=go, rest=rest, flat=False)
