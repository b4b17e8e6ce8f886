# SPDX-License-Identifier: Apache-2.0
"""Interpreters with a GIL of their own run in threads at the same time, and are made and ended meanwhile; before 3.12 all share one."""
import threading

import subinterpreter as sub
from workload import inside, outside, ready, truth

CALLS, THREADS, ROUNDS = 2000, 3, 3


def target():
    inside()


def rounds():
    for _ in range(ROUNDS):
        number = sub.create(own_gil=True)
        sub.run(number, f"many({CALLS})")
        sub.destroy(number)


stays = sub.create(own_gil=True)
ready()
threads = [threading.Thread(target=rounds) for _ in range(THREADS)]
for thread in threads:
    thread.start()
for _ in range(CALLS):
    target()
    outside()
sub.run(stays, f"many({CALLS})")
for thread in threads:
    thread.join()
sub.destroy(stays)
CALLED = (THREADS * ROUNDS + 2) * CALLS
truth(calls=CALLED, flat=CALLED)
