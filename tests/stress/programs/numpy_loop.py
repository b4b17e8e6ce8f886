# SPDX-License-Identifier: Apache-2.0
"""numpy in two threads, one of which has the GIL released nearly all the time."""
import os
import threading

import numpy

import counter


def multiply(wrong):
    identity, matrix = numpy.eye(200), numpy.arange(40000.0).reshape(200, 200)
    while not wrong:
        if not (identity @ matrix == matrix).all():
            wrong.append("a product is wrong")


def target(number):
    counter.count()
    return int((numpy.full(1000, number, dtype="int64") ** 2).sum()) // 1000


def main():
    wrong = []
    threading.Thread(target=multiply, args=(wrong,), daemon=True).start()

    def answer(number):
        return wrong or sum(target(n) for n in range(number, number + counter.CALLS))

    counter.serve(answer, [os.getpid()])
    os._exit(0)  # the other thread is a daemon


main()
