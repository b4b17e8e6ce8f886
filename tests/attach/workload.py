# SPDX-License-Identifier: Apache-2.0
"""Programs to attach to, one a state. Each checks its own results; SIGTERM makes it print OK or what went wrong.

usage: workload.py STATE
"""
import hashlib
import os
import select
import signal
import sys
import threading
import time

wrong = []


def check(what, got, want):
    if got != want:
        wrong.append(f"{what}: {got!r} instead of {want!r}")


def end(signum, frame):
    os.write(1, ("\n".join(wrong) or "OK").encode() + b"\n")
    os._exit(bool(wrong))


def ready():
    os.write(1, b"ready\n")


def fib(n):
    return n if n < 2 else fib(n - 1) + fib(n - 2)


def squares(n):
    for i in range(n):
        yield i * i


def fails(n):
    if n == 0:
        raise ValueError("at the bottom")
    try:
        fails(n - 1)
    finally:
        pass


def busy():
    while True:
        check("fib", fib(12), 144)
        check("squares", sum(squares(100)), 328350)
        try:
            fails(20)
        except ValueError as e:
            check("exception", str(e), "at the bottom")


def sleep():
    while True:
        start = time.monotonic()
        time.sleep(0.05)
        if time.monotonic() - start < 0.0499:
            wrong.append("woke up too early")
        check("fib", fib(5), 5)


def asleep():
    start = time.monotonic()
    time.sleep(1000)
    wrong.append(f"slept {time.monotonic() - start} s")
    signal.pause()


def poll():
    r, _ = os.pipe()
    e = select.epoll()
    e.register(r, select.EPOLLIN)
    while True:
        check("events", e.poll(), [])


def selects():
    r, _ = os.pipe()
    while True:
        check("events", select.select([r], [], [], 0.3), ([], [], []))


def aio():
    import asyncio

    async def one(n):
        await asyncio.sleep(0.01)
        return n

    async def main():
        ready()
        while True:
            check("gather", sum(await asyncio.gather(*(one(i) for i in range(20)))), 190)

    asyncio.run(main())


def read():
    r, _ = os.pipe()
    check("read", os.read(r, 1), b"?")


def locks():
    lock = threading.Lock()
    total = [0, 0]
    begun = []

    def work():
        begun.append(1)
        while True:
            with lock:
                total[0] += 1
                total[1] += 1
                check("total", total[0], total[1])

    threads = [threading.Thread(target=work, daemon=True) for _ in range(8)]
    for t in threads:
        t.start()
    while len(begun) < len(threads):
        time.sleep(0.01)
    ready()
    threads[0].join()


def joins():
    """Main waits for ever on a lock, the others are busy."""
    t = threading.Thread(target=busy, daemon=True)
    t.start()
    ready()
    threading.Event().wait()


def crowd():
    gate = threading.Event()
    for _ in range(300):
        threading.Thread(target=gate.wait, daemon=True).start()
    for _ in range(2):
        threading.Thread(target=sleep, daemon=True).start()
    ready()
    busy()


def hashes():
    """C code with the GIL released."""
    data = b"x" * (1 << 23)
    want = hashlib.sha256(data).hexdigest()
    while True:
        check("sha256", hashlib.sha256(data).hexdigest(), want)


def holds():
    """C code that holds the GIL for a long time."""
    while True:
        check("sum", sum(range(5000000)), 12499997500000)


def children():
    while True:
        pid = os.fork()
        if pid == 0:
            os._exit(fib(7))
        check("child", os.waitpid(pid, 0)[1] >> 8, 13)
        check("spawn", os.spawnv(os.P_WAIT, "/bin/true", ["true"]), 0)


def generators():
    def gen(n):
        try:
            got = yield 0
            while True:
                got = yield got
        except KeyError:
            yield "thrown"
        finally:
            done.append(n)

    done = []
    while True:
        g = gen(1)
        next(g)
        check("send", [g.send(i) for i in range(5)], [0, 1, 2, 3, 4])
        check("throw", g.throw(KeyError()), "thrown")
        g.close()
        g = gen(2)
        next(g)
        del g
        check("closed", done, [1, 2])
        done.clear()


def deep():
    sys.setrecursionlimit(5000)

    def down(n):
        return 0 if n == 0 else 1 + down(n - 1)

    while True:
        check("depth", down(900), 900)


STATES = {f.__name__: f for f in (busy, sleep, asleep, poll, selects, aio, read, locks, joins, crowd, hashes, holds,
                                  children, generators, deep)}
LATE = ("aio", "locks", "joins", "crowd")  # these are ready when their threads have started

if __name__ == "__main__":
    signal.signal(signal.SIGTERM, end)
    if sys.argv[1] not in LATE:
        ready()
    STATES[sys.argv[1]]()
