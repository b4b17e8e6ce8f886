# SPDX-License-Identifier: Apache-2.0
"""Two threads that share one connection of sqlite, in a database which another process locks again and again.

The main thread then sleeps in sqlite's busy handler with the connection's mutex held and the GIL released, and the other thread waits
for the mutex with the GIL held: who makes the main thread wait for the GIL there has a deadlock. The other thread touches no table:
while it read one, sqlite would not wait for the lock but say SQLITE_BUSY, and CPython takes that from what both threads share.
"""
import os
import sqlite3
import threading
import time

import counter

PATH = os.path.join(counter.HERE, "stress.db")
LOCKED, FREE = 0.02, 0.01  # seconds


def lock_again_and_again(parent):
    connection = sqlite3.connect(PATH, timeout=10, isolation_level=None)
    while os.getppid() == parent:
        connection.execute("BEGIN IMMEDIATE")
        time.sleep(LOCKED)
        connection.execute("COMMIT")
        time.sleep(FREE)


def multiply(connection, wrong):
    number = 0
    while not wrong:
        square = connection.execute("SELECT ? * ?", (number, number)).fetchone()[0]
        if square != number ** 2:
            wrong.append("%d for the square of %d" % (square, number))
        number += 1
        time.sleep(0.001)


def target(connection, number):
    counter.count()
    connection.execute("INSERT INTO squares VALUES (?, ?)", (number, number ** 2))


def main():
    connection = sqlite3.connect(PATH, timeout=10, isolation_level=None, check_same_thread=False)
    connection.execute("PRAGMA synchronous = OFF")
    connection.execute("CREATE TABLE squares (number INTEGER PRIMARY KEY, square INTEGER)")
    parent = os.getpid()
    if not os.fork():
        try:
            lock_again_and_again(parent)
        finally:
            os._exit(0)
    wrong = []
    threading.Thread(target=multiply, args=(connection, wrong), daemon=True).start()

    def answer(number):
        numbers = range(number, number + counter.CALLS)
        for n in numbers:
            target(connection, n)
        query = "SELECT sum(square) FROM squares WHERE number BETWEEN ? AND ?"
        return wrong or connection.execute(query, (numbers[0], numbers[-1])).fetchone()[0]

    counter.serve(answer, [parent])
    os._exit(0)  # the other thread is a daemon


main()
