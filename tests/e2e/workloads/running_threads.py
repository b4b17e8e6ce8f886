# SPDX-License-Identifier: Apache-2.0
"""Threads and a generator that are inside the function already when the tracer comes."""
import threading

from workload import inside, outside, ready, truth

go = threading.Event()


def target(wait):
    if wait:
        go.wait()
    inside()


def generate():
    yield from suspended()


def suspended():
    inside()
    yield
    inside()


threads = [threading.Thread(target=target, args=(True,)) for _ in range(4)]
for thread in threads:
    thread.start()
generator = generate()
next(generator)
ready()
go.set()
for thread in threads:
    thread.join()
list(generator)
for _ in range(50):
    target(False)
    outside()
truth(calls=50, flat=50)
