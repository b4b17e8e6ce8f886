# SPDX-License-Identifier: Apache-2.0
"""Ends with everything that runs at the end: atexit, finalizers, a daemon thread that never stops."""
import atexit
import os
import sys
import threading
import weakref

from torture import check, counted_like, outside, run, target, wrong

counted = counted_like(target)


class Kept:
    """Lives until the module is taken apart."""


def calls(n):
    for i in range(n):
        check("result", counted(i), i + 1)


def last():
    if wrong:
        print(wrong, file=sys.stderr, flush=True)
        os._exit(1)


def for_ever():
    while True:
        outside()


def turn(function):
    function(0)
    registered = [atexit.register(function, n) for n in range(5)]
    check("registered", registered, [function] * 5)
    atexit.unregister(function)
    return 1


atexit.register(last)  # the last one is called first
kept = Kept()
weakref.finalize(kept, calls, 3)
atexit.register(calls, 20)
thread = threading.Thread(target=for_ever, daemon=True)
thread.start()
run(turn, (target, counted), later=23)
