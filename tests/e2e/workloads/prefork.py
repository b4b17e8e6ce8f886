# SPDX-License-Identifier: Apache-2.0
"""A server that forks its workers, as gunicorn does: `python prefork.py WORKERS`. Each line on standard input is a round in which
each worker calls the function 100 times, after it has been told so by its parent; "more" forks one more worker, which calls it
10 times as its first lines; an empty line ends all."""
import os
import sys
import warnings

from workload import inside, say

warnings.simplefilter("ignore")


def target():
    inside()


def first():
    pass


def worker(orders, answers):
    first()
    while os.read(orders, 1) == b"r":
        for _ in range(100):
            target()
        os.write(answers, b"!")
    os._exit(0)


class Master:
    def __init__(self):
        self.workers = []

    def fork(self):
        orders, answers = os.pipe(), os.pipe()
        pid = os.fork()
        if not pid:
            os.close(orders[1])
            for _, other, _ in self.workers:
                os.close(other)
            worker(orders[0], answers[1])
        os.close(orders[0])
        self.workers.append((pid, orders[1], answers[0]))
        return pid

    def round(self):
        for _, orders, _ in self.workers:
            os.write(orders, b"r")
        for _, _, answers in self.workers:
            assert os.read(answers, 1) == b"!"

    def end(self):
        for pid, orders, _ in self.workers:
            os.write(orders, b"e")
            assert os.waitpid(pid, 0)[1] == 0


master = Master()
for _ in range(int(sys.argv[1])):
    master.fork()
say(function="target", pids=[pid for pid, _, _ in master.workers])
for line in sys.stdin:
    command = line.strip()
    if not command:
        break
    if command == "more":
        say(pid=master.fork())
    else:
        master.round()
        say(calls=100 * len(master.workers))
master.end()
