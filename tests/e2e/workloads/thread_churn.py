# SPDX-License-Identifier: Apache-2.0
"""More threads than there are slots for, one after the other, each of which ends inside of the function or after it."""
import threading

from workload import inside, outside, ready, truth

THREADS = 400


def target():
    inside()


def caller():
    target()
    outside()


ready()
for _ in range(THREADS):
    thread = threading.Thread(target=caller)
    thread.start()
    thread.join()
truth(calls=THREADS, flat=THREADS)
