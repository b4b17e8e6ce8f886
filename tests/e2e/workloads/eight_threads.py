# SPDX-License-Identifier: Apache-2.0
"""Eight threads in the same functions at the same time: one that was there before, and new ones, which all of them call for the
first time at the same moment. Some calls end by an exception; and other functions, which nobody traces, come and go."""
import threading

from workload import inside, outside, ready, truth

THREADS, CALLS, NEW = 8, 200, 60
SOURCE = """
def target():
    inside()
    if {0} % 3 == 0:
        raise KeyError
"""


def target():
    inside()


def made(number):
    names = {"inside": inside}
    exec(SOURCE.format(number), names)
    return names["target"]


def untraced(number):
    names = {}
    exec(f"def other():\n    return {number}\n", names)
    return names["other"]


def caller(barrier, functions):
    barrier.wait()
    for _ in range(CALLS):
        outside()
        target()
    for number, function in enumerate(functions):
        untraced(number)()
        barrier.wait()
        try:
            function()
        except KeyError:
            outside()


ready()
together = threading.Barrier(THREADS)
fresh = [made(number) for number in range(NEW)]
threads = [threading.Thread(target=caller, args=(together, fresh)) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
truth(calls=THREADS * (CALLS + NEW), flat=THREADS * (CALLS + NEW))
