# SPDX-License-Identifier: Apache-2.0
"""Rounds of Python calls, timed: for each line on standard input, nanoseconds per call of a round.

usage: calls.py matched|unmatched|syscalls|inside|outside CALLS

`matched` calls target(), `unmatched` never does, and neither makes system calls. `syscalls` calls a target() that makes ten,
`inside` one that makes a thousand, of which each is a call of the round; `outside` calls target() once and then makes system
calls outside of it.
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


def thousand():
    for _ in range(1000):
        os.getppid()


thousand.__code__ = thousand.__code__.replace(co_name="target")
ten.__code__ = ten.__code__.replace(co_name="target")


def inside_round(calls):
    return one_round(thousand, calls) / 1000


def outside_round(calls):
    target()
    return one_round(os.getppid, calls)


def one_round(function, calls):
    begin = time.perf_counter_ns()
    for _ in range(calls):
        function()
    return (time.perf_counter_ns() - begin) / calls


def main():
    rounds = {
        "matched": lambda calls: one_round(target, calls),
        "unmatched": lambda calls: one_round(another, calls),
        "syscalls": lambda calls: one_round(ten, calls),
        "inside": inside_round,
        "outside": outside_round,
    }
    calls = int(sys.argv[2])
    print("ready", flush=True)
    for _ in sys.stdin:
        print("%.3f" % rounds[sys.argv[1]](calls), flush=True)


main()
