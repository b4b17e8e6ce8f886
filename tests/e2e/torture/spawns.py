# SPDX-License-Identifier: Apache-2.0
"""Starts other programs in every way, from the main thread and from another one, in the function."""
import os
import subprocess
import warnings

from torture import check, counted_like, in_thread, inside, run

warnings.simplefilter("ignore")
SH = "/bin/sh"


def by_subprocess():
    done = subprocess.run([SH, "-c", "echo text; exit 3"], stdin=subprocess.DEVNULL, stdout=subprocess.PIPE)
    check("subprocess", (done.stdout, done.returncode), (b"text\n", 3))


def by_subprocess_with_fork():
    """A preexec_fn makes it fork and run Python code in the child."""
    done = subprocess.run([SH, "-c", "exit 5"], stdin=subprocess.DEVNULL, preexec_fn=os.getpid)
    check("subprocess with a preexec_fn", done.returncode, 5)


def by_spawn():
    pid = os.posix_spawn(SH, [SH, "-c", "exit 4"], os.environ)
    check("posix_spawn", os.WEXITSTATUS(os.waitpid(pid, 0)[1]), 4)


def by_system():
    check("system", os.WEXITSTATUS(os.system("exit 6")), 6)


def target(way):
    inside()
    way()
    return 1


def turn(function):
    for way in (by_subprocess, by_spawn, by_system):
        function(way)
    in_thread(function, by_subprocess_with_fork)
    return 4


run(turn, (target, counted_like(target)))
