# SPDX-License-Identifier: Apache-2.0
"""Rounds of Python calls, timed: for each line on standard input, nanoseconds per call of a round.

usage: calls.py matched|unmatched|syscalls CALLS

`matched` calls target(), `unmatched` never does, and neither makes system calls. `syscalls` calls a target() that makes ten.
"""
import os
import sys
import time


def target():
    pass


def another():
    pass


def ten():
    for _ in range(10):
        os.getppid()


ten.__code__ = ten.__code__.replace(co_name="target")


def one_round(function, calls):
    begin = time.perf_counter_ns()
    for _ in range(calls):
        function()
    return (time.perf_counter_ns() - begin) / calls


def main():
    function = {"matched": target, "unmatched": another, "syscalls": ten}[sys.argv[1]]
    calls = int(sys.argv[2])
    print("ready", flush=True)
    for _ in sys.stdin:
        print("%.3f" % one_round(function, calls), flush=True)


main()
