# SPDX-License-Identifier: Apache-2.0
"""faulthandler: its handlers are installed, its watchdog thread, which is none of Python's, is always there, and writes where
all threads are once in a turn, while the main thread sleeps."""
import faulthandler
import os
import signal
import tempfile
import time

from torture import check, run

text = tempfile.TemporaryFile()
signal_text = tempfile.TemporaryFile()


def written(file, enough):
    """Wait, at most two seconds, until all that is written has `enough` in it."""
    for _ in range(2000):
        said = os.pread(file.fileno(), 100000, 0)
        if enough in said:
            break
        time.sleep(0.001)
    os.ftruncate(file.fileno(), 0)
    os.lseek(file.fileno(), 0, os.SEEK_SET)
    return said


def turn(function):
    for n in range(30):
        check("result", function(n), n + 1)
    faulthandler.dump_traceback_later(0.001, file=text)
    said = written(text, b" in <module>\n")
    check("the watchdog's text", (b"Timeout (" in said, b" in turn\n" in said), (True, True))
    os.kill(os.getpid(), signal.SIGUSR1)
    said = written(signal_text, b" in <module>\n")
    check("the signal's text", b" in turn\n" in said, True)
    faulthandler.dump_traceback_later(3600, repeat=True, file=text)
    for n in range(30):
        check("result", function(n), n + 1)
    return 60


def go():
    faulthandler.enable(file=text)
    faulthandler.register(signal.SIGUSR1, file=signal_text)


def rest():
    faulthandler.cancel_dump_traceback_later()


go()
run(turn, rest=rest)
