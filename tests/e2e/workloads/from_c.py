# SPDX-License-Identifier: Apache-2.0
"""Called from C: as the key of sorted(), by map(), functools.reduce(), as a thread's target, by a finalizer."""
import functools
import threading

from workload import inside, outside, ready, truth


def target(*args):
    inside()
    return 0


class Dropped:
    def __del__(self):
        target()


ready()
sorted(range(100), key=target)
outside()
list(map(target, range(100)))
outside()
functools.reduce(target, range(101))
outside()
for _ in range(10):
    thread = threading.Thread(target=target)
    thread.start()
    thread.join()
for _ in range(10):
    Dropped()
    outside()
truth(calls=320, flat=320)
