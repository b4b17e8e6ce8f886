# SPDX-License-Identifier: Apache-2.0
"""A hundred threads at once, three times over: they start, call and end while others do."""
import threading

from workload import inside, outside, ready, truth

THREADS, CALLS = 100, 3


def target():
    inside()


def caller(barrier):
    barrier.wait()
    for _ in range(CALLS):
        target()
        outside()


ready()
for _ in range(3):
    together = threading.Barrier(THREADS)
    threads = [threading.Thread(target=caller, args=(together,)) for _ in range(THREADS)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
truth(calls=3 * THREADS * CALLS, flat=3 * THREADS * CALLS)
