# SPDX-License-Identifier: Apache-2.0
"""Rounds of Python calls, timed: for each line on standard input, nanoseconds per call of a round.

usage: calls.py matched|unmatched CALLS

`matched` calls target(), `unmatched` never does; both call as often, and make no system calls.
"""
import sys
import time


def target():
    pass


def another():
    pass


def one_round(function, calls):
    begin = time.perf_counter_ns()
    for _ in range(calls):
        function()
    return (time.perf_counter_ns() - begin) / calls


def main():
    function = {"matched": target, "unmatched": another}[sys.argv[1]]
    calls = int(sys.argv[2])
    print("ready", flush=True)
    for _ in sys.stdin:
        print("%.3f" % one_round(function, calls), flush=True)


main()
