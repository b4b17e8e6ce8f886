# SPDX-License-Identifier: Apache-2.0
"""Forks from the main thread and from another one, in and outside of the function, while threads compute."""
import os
import sys
import warnings

from torture import check, counted_like, in_thread, inside, run

warnings.simplefilter("ignore")
sys.setswitchinterval(0.0002)  # so that the main thread gets on


def toil():
    check("sum", sum(range(500)), 124750)


def forked(function):
    """Calls of the child's are not counted."""
    pid = os.fork()
    if not pid:
        os._exit(40 + function(False) + function(False))
    check("child", os.WEXITSTATUS(os.waitpid(pid, 0)[1]), 42)


def target(fork):
    inside()
    if fork:
        forked(helper)
    return 1


def helper(_):
    return inside() > 0


def turn(function):
    function(True)
    forked(function)
    in_thread(function, True)
    in_thread(forked, function)
    for n in range(20):
        check("result", function(False), 1)
    return 22


run(turn, (target, counted_like(target)), background=[toil, toil])
