# SPDX-License-Identifier: Apache-2.0
"""Rounds of the same steps: what one round makes a tracer print, the next one does, to the byte.

Threads live from the first round to the last and work one at a time; addresses and descriptors are the same ones in each
round. Works once for each line on standard input, until it ends.
"""
import mmap
import os
import signal
import sys
import threading
import warnings

from workload import inside, outside, say

warnings.simplefilter("ignore")
NULL = os.open("/dev/null", os.O_RDWR)
SELF = os.open(__file__, os.O_RDONLY)
TEXT = b"seventeen letters"


def calls():
    """System calls with arguments and results that are known; some fail."""
    os.write(NULL, TEXT)
    os.read(NULL, 7)
    os.lseek(SELF, 12, os.SEEK_SET)
    os.pread(SELF, 5, 100)
    mmap.mmap(-1, 4096).close()
    inside()
    for failing in (lambda: os.close(4095), lambda: os.open("/no/such/folder/file.txt", os.O_RDONLY),
                    lambda: os.lseek(SELF, -1, os.SEEK_SET), lambda: os.read(4095, 3)):
        try:
            failing()
        except OSError:
            outside()


def recurse(n):
    inside()
    if n:
        recurse(n - 1)
    outside()


def even(n):
    return n == 0 or odd(n - 1)


def odd(n):
    return n != 0 and even(n - 1)


def generate(n):
    for i in range(n):
        inside()
        yield i


def delegate():
    yield from generate(3)
    yield from generate(2)


def fail(n):
    inside()
    if n == 0:
        raise KeyError("on purpose")
    fail(n - 1)


def catch():
    try:
        fail(3)
    except KeyError:
        outside()


def forks():
    inside()
    pid = os.fork()
    if not pid:
        recurse(3)
        os._exit(5)
    os.waitpid(pid, 0)
    inside()


def handler(number, frame):
    inside()


def signals():
    for number in (signal.SIGUSR1, signal.SIGUSR2):
        os.kill(os.getpid(), number)
        inside()


def threaded(n):
    for _ in range(n):
        inside()
    recurse(n)


class Worker(threading.Thread):
    """Works when told to, while the one that told it waits."""

    def __init__(self, n):
        super().__init__(daemon=True)
        self.n, self.go, self.done = n, threading.Semaphore(0), threading.Semaphore(0)
        self.start()

    def run(self):
        while True:
            self.go.acquire()
            threaded(self.n)
            self.done.release()

    def work(self):
        self.go.release()
        self.done.acquire()


def last():
    """The last step of a round."""


signal.signal(signal.SIGUSR1, handler)
signal.signal(signal.SIGUSR2, handler)
workers = [Worker(n) for n in range(1, 4)]
say(function="recurse")
for line in sys.stdin:
    calls()
    recurse(4)
    even(5)
    list(delegate())
    catch()
    forks()
    signals()
    for worker in workers:
        worker.work()
    last()
    say()
