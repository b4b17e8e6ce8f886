# SPDX-License-Identifier: Apache-2.0
"""What the programs of the torture have in common.

A kind has a turn(function): some milliseconds of torture in which it calls `function` a number of times that it knows and
returns, and checks its own results. The program turns all the while, with `target`, and does what a line on standard input
says:

  window   a few turns with `counted` in place of `target`; says {"calls": how many, "inside": system calls inside() in them}
  turns    says how many turns it has made, and what was wrong
  rest     its background threads end, its timers stop; compares itself with how it was at first; says what was wrong
  go       turns on

An empty line, or the end of standard input, ends it. Nobody calls `counted` outside of a window, so its counts are known
whenever a tracer comes.
"""
import json
import os
import select
import signal
import sys
import threading
import time
import types

ROUNDS = 3  # turns in a window
AT_MOST = 20  # things wrong that are told
inside = os.getppid  # what the traced function calls
outside = os.geteuid  # what others call
wrong = []


def target(n):
    inside()
    return n + 1


def counted_like(function):
    """The same function by the name `counted`."""
    names = {"co_name": "counted"}
    if hasattr(function.__code__, "co_qualname"):
        names["co_qualname"] = "counted"
    return types.FunctionType(function.__code__.replace(**names), function.__globals__, "counted", function.__defaults__,
                              function.__closure__)


def check(what, value, should_be):
    if value != should_be and len(wrong) < AT_MOST:
        wrong.append("{}: {!r}, not {!r}".format(what, value, should_be))


def say(**what):
    text = json.dumps(what) + "\n"
    assert os.write(1, text.encode()) == len(text)


def hear():
    """The next line, without its end; "" at the end of the input."""
    line = b""
    while not line.endswith(b"\n"):
        byte = os.read(0, 1)
        if not byte:
            return ""
        line += byte
    return line[:-1].decode()


def in_thread(work, *args):
    thread = threading.Thread(target=work, args=args)
    thread.start()
    thread.join()


def recurse(n):
    return n and 1 + recurse(n - 1)


def descriptors():
    """What stays open: not what is open for a moment, such as the folder that is read."""
    if not os.path.isdir("/proc/self/fd"):
        return None
    seen = [{n for n in os.listdir("/proc/self/fd") if os.path.lexists("/proc/self/fd/" + n)} for _ in range(3)]
    return sorted(set.intersection(*seen))


def state():
    """What nobody else may change."""
    return {
        "fds": descriptors(),
        "modules": sorted(sys.modules),
        "threads": threading.active_count(),
        "handlers": [str(signal.getsignal(n)) for n in range(1, 32)],
        "mask": sorted(signal.pthread_sigmask(signal.SIG_BLOCK, [])),
        "trace": repr((sys.gettrace(), sys.getprofile())),
        "tools": [sys.monitoring.get_tool(n) for n in range(6)] if hasattr(sys, "monitoring") else None,
        "recursion": recurse(900),
    }


class Background:
    """Threads that each call a function again and again, from start() to stop()."""

    def __init__(self, functions):
        self.functions, self.threads, self.going = functions, [], False

    def keep(self, function):
        while self.going:
            function()

    def start(self):
        self.going = True
        self.threads = [threading.Thread(target=self.keep, args=(function,)) for function in self.functions]
        for thread in self.threads:
            thread.start()

    def stop(self):
        self.going = False
        for thread in self.threads:
            thread.join()
        self.wait_gone()

    @staticmethod
    def wait_gone():
        """A thread that has been joined is still the kernel's for a moment."""
        for _ in range(2000):
            if not os.path.isdir("/proc/self/task") or len(os.listdir("/proc/self/task")) <= threading.active_count():
                return
            time.sleep(0.001)


def differences(before, after):
    return ["changed: {}: {} to {}".format(key, before[key], after[key]) for key in before if before[key] != after[key]]


def run(turn, functions=None, background=(), go=lambda: None, rest=lambda: None, inside_each=1, flat=True, later=0):
    """
    functions    (target, counted), when they are others than those above
    background   functions that threads call again and again, meanwhile
    go, rest     start and stop what else there is: timers
    inside_each  calls of inside() in each call of the function; None: not the same in each
    flat         True if no call of the function begins inside of another one in the same thread
    later        calls of `counted` after the end
    """
    free, counted = functions or (target, counted_like(target))
    threads = Background(background)
    turn(free)  # whatever is loaded or made once
    turn(counted)
    before, turns = state(), 0
    threads.start()
    go()
    say(function="counted", free="target")
    resting = False
    while True:
        if not resting and not select.select([0], [], [], 0)[0]:
            turns += 1
            turn(free)
            continue
        command = hear()
        if command == "window":
            calls = 0
            for _ in range(ROUNDS):
                outside()
                calls += turn(counted)
            say(calls=calls, inside=inside_each and calls * inside_each, flat=flat, later=later, wrong=wrong)
        elif command == "turns":
            say(turns=turns, wrong=wrong)
        elif command == "rest":
            rest()
            threads.stop()
            resting = True
            say(turns=turns, wrong=wrong + differences(before, state()))
        elif command == "go":
            threads.start()
            go()
            resting = False
            say()
        else:
            break
    if not resting:
        rest()
        threads.stop()
