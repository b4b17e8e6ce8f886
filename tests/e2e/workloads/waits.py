# SPDX-License-Identifier: Apache-2.0
"""Waits for ever with the GIL released, in the way that it is told: one function a way.

usage: waits.py WAY       (without one: prints the ways)
"""
import asyncio
import faulthandler
import os
import queue
import select
import signal
import socket
import sys
import tempfile
import threading
import time

HOUR = 3600


def pipe_end():
    return os.pipe()[0]


def pair():
    a, b = socket.socketpair()
    keep.append(b)
    return a


def way_sleep():
    time.sleep(HOUR)


def way_select():
    select.select([pipe_end()], [], [])


def way_select_timeout():
    select.select([pipe_end()], [], [], HOUR)


def way_poll():
    p = select.poll()
    p.register(pipe_end(), select.POLLIN)
    p.poll()


def way_poll_timeout():
    p = select.poll()
    p.register(pipe_end(), select.POLLIN)
    p.poll(HOUR * 1000)


def way_epoll():
    p = select.epoll()
    p.register(pipe_end(), select.EPOLLIN)
    p.poll()


def way_read():
    os.read(pipe_end(), 1)


def way_read_file():
    open(pipe_end(), "rb").read(1)


def way_write():
    r, w = os.pipe()
    while True:
        os.write(w, bytes(4096))


def way_handler():
    """A signal handler in C that writes into a full pipe."""
    r, w = os.pipe()
    os.set_blocking(w, False)
    for size in (4096, 1):
        try:
            while True:
                os.write(w, bytes(size))
        except BlockingIOError:
            pass
    os.set_blocking(w, True)
    faulthandler.register(signal.SIGUSR1, file=w)
    os.kill(os.getpid(), signal.SIGUSR1)


def way_recv():
    pair().recv(1)


def way_recv_into():
    pair().recv_into(bytearray(4))


def way_recvfrom():
    pair().recvfrom(1)


def way_recvmsg():
    pair().recvmsg(1)


def way_recv_timeout():
    a = pair()
    a.settimeout(HOUR)
    a.recv(1)


def way_send():
    a = pair()
    a.setblocking(False)
    try:
        while True:
            a.send(bytes(65536))
    except BlockingIOError:
        pass
    try:
        while True:
            a.send(bytes(1))
    except BlockingIOError:
        a.setblocking(True)
        a.send(bytes(1))


def way_accept():
    s = socket.socket()
    s.bind(("127.0.0.1", 0))
    s.listen()
    s.accept()


def way_lock():
    lock = threading.Lock()
    with lock:
        lock.acquire()


def way_lock_timeout():
    lock = threading.Lock()
    with lock:
        lock.acquire(timeout=HOUR)


def way_event():
    threading.Event().wait()


def way_event_timeout():
    threading.Event().wait(HOUR)


def way_join():
    t = threading.Thread(target=time.sleep, args=(HOUR,), daemon=True)
    t.start()
    t.join()


def way_queue():
    queue.Queue().get()


def way_simple_queue():
    queue.SimpleQueue().get()


def way_semaphore():
    import multiprocessing
    multiprocessing.Semaphore(0).acquire()


def way_semaphore_timeout():
    import multiprocessing
    multiprocessing.Semaphore(0).acquire(timeout=HOUR)


def child():
    """It ends with us, as our end of the pipe goes then."""
    r, w = os.pipe()
    pid = os.fork()
    if not pid:
        os.close(w)
        os.read(r, 1)
        os._exit(0)
    return pid


def way_waitpid():
    os.waitpid(child(), 0)


def way_waitid():
    os.waitid(os.P_PID, child(), os.WEXITED)


def way_pause():
    signal.pause()


def way_sigwait():
    signal.sigwait([signal.SIGUSR1])


def way_sigtimedwait():
    signal.sigtimedwait([signal.SIGUSR1], HOUR)


def way_asyncio():
    asyncio.run(asyncio.sleep(HOUR))


def way_input():
    os.dup2(pipe_end(), 0)
    input()


def way_sqlite():
    """In a library that holds a lock of its own."""
    import sqlite3

    with tempfile.NamedTemporaryFile(suffix=".db") as file:
        for _ in range(2):
            keep.append(sqlite3.connect(file.name, isolation_level=None, timeout=HOUR))
            keep[-1].execute("begin exclusive")


keep = []
ways = {name[4:]: f for name, f in list(globals().items()) if name.startswith("way_")}
if len(sys.argv) < 2:
    print(" ".join(ways))
else:
    ways[sys.argv[1]]()
