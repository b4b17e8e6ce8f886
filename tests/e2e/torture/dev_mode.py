# SPDX-License-Identifier: Apache-2.0
"""-X dev: the interpreter checks its memory and who uses it, and warnings are errors."""
import os
import sys

if not sys.flags.dev_mode:
    os.execv(sys.executable, [sys.executable, "-X", "dev", "-W", "error", "-B", __file__])

from torture import check, counted_like, in_thread, inside, run


def target(n):
    inside()
    if n < 0:
        raise KeyError(n)
    return n + 1


def generate(function, n):
    for i in range(n):
        yield function(i)


def calls(function):
    check("generated", list(generate(function, 10)), list(range(1, 11)))
    for _ in range(10):
        try:
            function(-1)
        except KeyError as error:
            check("raised", error.args, (-1,))


def turn(function):
    calls(function)
    in_thread(calls, function)
    return 40


run(turn, (target, counted_like(target)))
