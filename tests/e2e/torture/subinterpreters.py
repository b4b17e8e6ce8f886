# SPDX-License-Identifier: Apache-2.0
"""Interpreters with a GIL of their own run in threads beside the main one, which has the function that is traced. One lives
as long as the program, others come and go."""
import sys

from torture import check, run

TEXT = """
import os
def target(n):
    os.geteuid()
    return n + 1
counted = target
assert sum(map(target, range(100))) == sum(map(counted, range(100))) == 5050
"""
if sys.version_info >= (3, 14):
    from concurrent import interpreters

    class Interpreter:
        def __init__(self):
            self.interpreter = interpreters.create()

        def run(self):
            self.interpreter.exec(TEXT)

        def end(self):
            self.interpreter.close()
else:
    if sys.version_info >= (3, 13):
        import _interpreters as interpreters
    else:
        import _xxsubinterpreters as interpreters

    class Interpreter:
        def __init__(self):
            self.number = interpreters.create()

        def run(self):
            check("what an interpreter said", interpreters.run_string(self.number, TEXT), None)

        def end(self):
            interpreters.destroy(self.number)


def comes_and_goes():
    interpreter = Interpreter()
    interpreter.run()
    interpreter.end()


stays = Interpreter()


def turn(function):
    for n in range(20):
        check("result", function(n), n + 1)
    return 20


run(turn, background=[stays.run, comes_and_goes])
stays.end()
