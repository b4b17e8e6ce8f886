# SPDX-License-Identifier: Apache-2.0
"""Threads that are started while we are traced, and live until the end in functions that are not ours."""
import threading

from workload import hear, inside, ready, say


def target():
    inside()


def stay():
    target()
    begun.release()
    while not end.wait(0.01):
        pass


begun, end = threading.Semaphore(0), threading.Event()
ready()
threads = [threading.Thread(target=stay) for _ in range(4)]
for thread in threads:
    thread.start()
for thread in threads:
    begun.acquire()
say(calls=4)
hear()
end.set()
