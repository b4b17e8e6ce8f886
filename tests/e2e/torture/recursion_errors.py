# SPDX-License-Identifier: Apache-2.0
"""RecursionError, caught again and again: it comes at the same depth each time, in Python code and in C code."""
import json
import sys

from torture import check, counted_like, in_thread, inside, run

LIMIT = 400
depths = {}
nested = []
for _ in range(100000):
    nested = [nested]


def target(n):
    inside()
    return n + 1


def deeper(function, n):
    """How deep it got; calls the function at each tenth level on the way back, where there is room again."""
    try:
        depth = deeper(function, n + 1)
    except RecursionError:
        return n
    if n % 10 == 0 and n < LIMIT - 100:
        check("result", function(n), n + 1)
    return depth


class Endless:
    def __getattr__(self, name):
        return getattr(self, name + "x")

    def __eq__(self, other):
        return self == other


def caught(work):
    try:
        work()
    except RecursionError:
        return True
    return False


def same(what, value):
    check(what, value, depths.setdefault(what, value))


def depth(function, thread):
    same("depth " + thread, deeper(function, 0))


def turn(function):
    endless = Endless()
    depth(function, "in main")
    check("__getattr__", caught(lambda: endless.x), True)
    check("__eq__", caught(lambda: endless == 1), True)
    check("in C", caught(lambda: json.dumps(nested)), True)
    depth(function, "in main")
    in_thread(depth, function, "in another")
    return 3 * ((LIMIT - 100) // 10)


def main():
    sys.setrecursionlimit(1100)
    run(turn, (target, counted_like(target)))


main()
