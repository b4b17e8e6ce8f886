# SPDX-License-Identifier: Apache-2.0
"""A process that is always in the middle of something: two threads call a function that makes system calls, a third does
without the function. Each looks at its results.

A line on standard input is answered: "rest" stops the threads, "round" makes calls and says the truth, "go" lets the threads
go on, any other asks how far they are.
"""
import os
import sys
import threading

from workload import inside, outside, say

sys.setswitchinterval(0.0002)  # so that each thread gets on
wrong = []
turns = [0, 0, 0]
rest = [threading.Lock() for _ in turns]
a, b = os.pipe()
PID = os.getpid()


def target(n):
    inside()
    if os.getpid() != PID:
        wrong.append("getpid")
    return helper(n) + 1


def helper(n):
    inside()
    return n * 3


def call(thread):
    while True:
        with rest[thread]:
            if target(turns[thread]) != turns[thread] * 3 + 1:
                wrong.append("a result")
            turns[thread] += 1


def copy(thread):
    while True:
        with rest[thread]:
            text = b"%d" % turns[thread]
            if os.write(b, text) != len(text) or os.read(a, 100) != text:
                wrong.append("what a pipe holds")
            turns[thread] += 1


for thread, work in enumerate((call, call, copy)):
    threading.Thread(target=work, args=(thread,), daemon=True).start()
say(function="target")
for line in sys.stdin:
    if line == "rest\n":
        for lock in rest:
            lock.acquire()
    elif line == "go\n":
        for lock in rest:
            lock.release()
    elif line == "round\n":
        for n in range(50):
            outside()
            target(n)
        say(calls=50, flat={"getppid": 100, "geteuid": 0})
        continue
    say(turns=turns, wrong=wrong)
os._exit(len(wrong))
