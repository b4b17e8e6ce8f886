# SPDX-License-Identifier: Apache-2.0
"""A process in which an attach could turn the order of two locks: the GIL, and one of a library in C.

usage: lock_order.py LIBRARY WHO WAY

WHO waits in the library's function WAY (an index of `ways` in lock_order.c) with the library's mutex held and the GIL
released, while another thread wants the mutex with the GIL held:

  main, thread  the main thread, or another one of Python's
  native        a thread that the library has made, and that Python knows nothing of
  sqlite        the main thread, in SQLite's busy wait, with the mutex of a connection that a second thread wants
  alone         the main thread waits for ever, and is the only one
  parked        the main thread waits for ever, and so does a native thread
  hog           a native thread waits with no mutex, and the main thread holds the GIL for a second

Says how far each has come when it is told to end.
"""
import ctypes
import os
import subprocess
import sys
import tempfile
import threading
import time

from workload import hear, say

library, who, way = sys.argv[1], sys.argv[2], int(sys.argv[3])
released, held = ctypes.CDLL(library), ctypes.PyDLL(library)
go_on = True
rounds = {"waits": 0, "wants": 0}
wrong = []


LOCKS = """
import select, sqlite3, sys
own = sqlite3.connect(sys.argv[1], isolation_level=None, timeout=60)
while not select.select([0], [], [], 0.001)[0]:
    own.execute("begin exclusive")
    select.select([], [], [], 0.01)
    own.execute("commit")
"""


def target(n):
    return n + 1


def waits():
    while go_on:
        released.wait_held(way, 3)
        rounds["waits"] = target(rounds["waits"])
        time.sleep(0.001)


def wants():
    while go_on:
        held.touch()
        rounds["wants"] = target(rounds["wants"])
        time.sleep(0.0005)


def hogs():
    while go_on:
        held.hold_gil(1000)
        rounds["wants"] = target(rounds["wants"])
        time.sleep(0.01)


def sqlite():
    """The writer waits in SQLite for a lock of the database's that another process holds most of the time."""
    import sqlite3

    file = tempfile.NamedTemporaryFile(suffix=".db")
    shared = sqlite3.connect(file.name, check_same_thread=False, isolation_level=None, timeout=60)
    shared.execute("create table t (n)")

    def wants():
        while go_on:
            shared.set_progress_handler(None, 0)  # takes the connection's mutex, with the GIL held
            rounds["wants"] = target(rounds["wants"])
            time.sleep(0.0005)

    locks = subprocess.Popen([sys.executable, "-c", LOCKS, file.name], stdin=subprocess.PIPE)
    threading.Thread(target=wants, daemon=True).start()
    said()
    while go_on:
        shared.execute("insert into t values (1)")
        rounds["waits"] = target(rounds["waits"])
    locks.kill()
    locks.wait()


def told_to_end():
    global go_on
    hear()
    go_on = False


def said():
    threading.Thread(target=told_to_end).start()
    say(function="target")


def main():
    if who == "main":
        threading.Thread(target=wants, daemon=True).start()
        said()
        waits()
    elif who == "thread":
        threading.Thread(target=waits, daemon=True).start()
        said()
        wants()
    elif who in ("alone", "parked"):
        if who == "parked":
            released.native_sleep()
        say(function="target")
        released.wait_held(way, -1)
    elif who == "sqlite":
        sqlite()
    else:
        released.native_start(way)
        said()
        (hogs if who == "hog" else wants)()
        worst = ctypes.c_long()
        rounds["waits"] = released.native_stop(ctypes.byref(worst))
        rounds["worst_ms"] = worst.value
    say(**rounds)
    sys.stdout.flush()
    os._exit(0)


main()
