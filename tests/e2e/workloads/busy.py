# SPDX-License-Identifier: Apache-2.0
"""A process with some of everything that a tracer might disturb; it works until told to end.

Says what it has seen go wrong: an interrupted call, a signal, a thread or module more than it made, a changed result.
"""
import os
import signal
import socket
import sys
import threading
import time

from workload import hear, say

wrong = []
go_on = True
a, b = socket.socketpair()
a.settimeout(0.02)


def target(n):
    return n + 1


def compute():
    while go_on:
        if sum(target(n) for n in range(100)) != 5050:
            wrong.append("sum")


def sleep():
    while go_on:
        begin = time.monotonic()
        time.sleep(0.02)
        if time.monotonic() - begin < 0.0199:
            wrong.append("short sleep")


def receive():
    while go_on:
        try:
            a.recv(1)
            wrong.append("recv")
        except socket.timeout:
            pass
        except OSError as error:
            wrong.append(repr(error))


def recurse(n):
    return n and 1 + recurse(n - 1)


def state():
    return {
        "fds": sorted(os.listdir("/proc/self/fd"))[:-1] if os.path.isdir("/proc/self/fd") else None,
        "modules": sorted(sys.modules),
        "threads": threading.active_count(),
        "handlers": [str(signal.getsignal(n)) for n in range(1, 32)],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "profile": repr((sys.gettrace(), sys.getprofile())),
        "tools": [sys.monitoring.get_tool(n) for n in range(6)] if hasattr(sys, "monitoring") else None,
        "recursion": recurse(900),
    }


threads = [threading.Thread(target=f) for f in (compute, sleep, receive)]
for thread in threads:
    thread.start()
before = state()
say(function="target")
hear()
after = state()
wrong += ["changed: {}: {} to {}".format(key, before[key], after[key]) for key in before if before[key] != after[key]]
go_on = False
for thread in threads:
    thread.join()
say(wrong=wrong)
hear()
