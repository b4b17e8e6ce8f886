# SPDX-License-Identifier: Apache-2.0
"""Four threads at once, and a fifth that makes system calls outside of the function all the while."""
import threading

from workload import inside, outside, ready, truth

THREADS, CALLS = 4, 500


def target():
    inside()
    inside()


def caller(barrier):
    barrier.wait()
    for _ in range(CALLS):
        outside()
        target()


def bystander(barrier):
    barrier.wait()
    for _ in range(CALLS):
        outside()


ready()
together = threading.Barrier(THREADS + 1)
threads = [threading.Thread(target=caller, args=(together,)) for _ in range(THREADS)]
threads.append(threading.Thread(target=bystander, args=(together,)))
for thread in threads:
    thread.start()
for thread in threads:
    thread.join()
truth(calls=THREADS * CALLS, flat=2 * THREADS * CALLS)
