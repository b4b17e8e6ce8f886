# SPDX-License-Identifier: Apache-2.0
"""A generator that is begun in one thread, and resumed and ended in others: each has what it runs itself."""
import threading

from workload import inside, outside, ready, truth


def target():
    for _ in range(20):
        inside()
        yield
    inside()


def step(generator):
    outside()
    next(generator, None)
    outside()


ready()
for _ in range(5):
    many = [target() for _ in range(10)]
    for _ in range(21):
        threads = [threading.Thread(target=step, args=(generator,)) for generator in many]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
truth(calls=5 * 10 * 21, flat=5 * 10 * 21)
