# SPDX-License-Identifier: Apache-2.0
"""The code of functions is replaced while they run, and a module is loaded again."""
import importlib
import sys

import again
from torture import check, counted_like, inside, run


def target(n):
    inside()
    return n + 1


def other(n):
    return n + 2


def replaces_itself(function):
    """The code that runs is no longer the function's."""
    replaces_itself.__code__ = replaces_itself.__code__.replace(co_firstlineno=replaces_itself.__code__.co_firstlineno + 1)
    return function(0)


def turn(function):
    old = function.__code__
    for round in range(5):
        function.__code__ = old.replace(co_consts=old.co_consts + (round,))
        check("result", function(1), 2)
        function.__code__ = other.__code__
        check("another's result", function(1), 3)
        function.__code__ = old
        check("old result", function(1), 2)
        check("replaces itself", replaces_itself(function), 1)
    for _ in range(3):
        loaded = importlib.reload(again)
        check("reloaded", (loaded is again, again.call(function)), (True, 12))
        del sys.modules["again"]
        check("imported anew", importlib.import_module("again").call(function), 12)
        sys.modules["again"] = again
    return 15 + 6


run(turn, (target, counted_like(target)))
