# SPDX-License-Identifier: Apache-2.0
"""sys.settrace and sys.setprofile functions see each event once, in the main thread and in others."""
import sys
import threading

from torture import check, in_thread, run

N = 20
seen = {}
traced = None


def note(event):
    seen[event] = seen.get(event, 0) + 1


def local_trace(frame, event, arg):
    note("trace " + event)
    return local_trace


def trace(frame, event, arg):
    if frame.f_code is traced:
        return local_trace(frame, event, arg)
    return None


def profile(frame, event, arg):
    if frame.f_code is traced and not event.startswith("c_"):
        note("profile " + event)


def calls(function):
    for n in range(N):
        check("result", function(n), n + 1)


def watched(function):
    sys.settrace(trace)
    sys.setprofile(profile)
    calls(function)
    sys.setprofile(None)
    sys.settrace(None)


def turn(function):
    global traced
    traced = function.__code__
    seen.clear()
    watched(function)
    threading.settrace(trace)
    threading.setprofile(profile)
    in_thread(calls, function)
    threading.setprofile(None)
    threading.settrace(None)
    check("events", seen, {"trace call": 2 * N, "trace line": 4 * N, "trace return": 2 * N, "profile call": 2 * N,
                           "profile return": 2 * N})
    calls(function)
    return 3 * N


run(turn)
