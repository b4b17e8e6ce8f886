# SPDX-License-Identifier: Apache-2.0
"""Threads with stacks of 64 kB: with 48 kB most interpreters cannot run Python code at all."""
import select
import threading
import time

from torture import check, run


def calls(function):
    for n in range(10):
        check("result", function(n), n + 1)
    time.sleep(0.0005)
    select.select([], [], [], 0.0005)
    for n in range(10):
        check("result", function(n), n + 1)


def toil():
    time.sleep(0.001)
    check("sum", sum(n for n in range(50)), 1225)


def turn(function):
    threads = [threading.Thread(target=calls, args=(function,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    return 80


threading.stack_size(64 << 10)
run(turn, background=[toil, toil])
