# SPDX-License-Identifier: Apache-2.0
"""A thread that works without a pause, beside rounds of another function that are counted.

Lines on standard input: "N": N rounds of target(), two calls of inside() each. "busy": from now on another thread is inside of
steady() nearly all the time, and makes calls of outside(). "turns": how many calls of steady() there were so far. "rest": that
thread rests; the answer has the longest time, in seconds, from one turn to the next, and how many turns there were. "held":
held() is called, answers, and returns with the next line, which it answers, too. "calls": ten calls of outside().
"""
import sys
import threading
import time

from workload import inside, outside, say

CALLS = 20


def target():
    inside()
    inside()


def steady():
    for _ in range(CALLS):
        outside()


def held():
    say()
    sys.stdin.readline()


class Steady:
    def __init__(self):
        self.turns, self.gap, self.rests = 0, 0.0, False
        self.thread = threading.Thread(target=self.run)
        self.thread.start()

    def run(self):
        last = time.monotonic()
        while not self.rests:
            steady()
            now = time.monotonic()
            self.gap = max(self.gap, now - last)
            last = now
            self.turns += 1

    def rest(self):
        self.rests = True
        self.thread.join()
        return {"gap": self.gap, "turns": self.turns}


say(function="target")
busy = None
for line in sys.stdin:
    word = line.strip()
    if word.isdigit():
        for _ in range(int(word)):
            target()
        say(calls=int(word), inside=2 * int(word))
    elif word == "busy":
        busy = Steady()
        say()
    elif word == "turns":
        say(turns=busy.turns)
    elif word == "held":
        held()
        say()
    elif word == "calls":
        for _ in range(10):
            outside()
        say()
    elif word == "rest":
        say(**busy.rest())
